"""The quiz's kernel side: what the page asks, what it gets to show, and what it must not know."""

import json

import pytest

from diffusion_lessons import quiz
from diffusion_lessons.quiz import answers, demonstrations, questions

FIFTEEN = questions.fifteen()


def ask(widget, do="go", **what):
    """What the kernel answers to a page that shows its last answer."""
    place = {"round": widget.answer["round"], "here": widget.answer["here"]}
    widget.request = {"id": widget.request["id"] + 1, "do": do, **place, **what}
    assert widget.answer["id"] == widget.request["id"]
    return widget.answer


def answered(widget, sure=True, rightly=True):
    question = widget.answers.forms[widget.answer["question"]["id"]]
    key = next(key for key in question.options if question.is_right(key) == rightly)
    return ask(widget, "answer", option=key, sure=sure)


def test_the_page_gets_no_word_of_what_is_right_before_the_answer(tmp_path):
    widget = quiz.start(tmp_path)
    said = json.dumps(widget.answer)
    for option in FIFTEEN[0].options.values():
        assert option.why not in said and option.text in said
    assert "right" not in json.dumps(widget.answer["question"])


@pytest.mark.parametrize("key", "abcd")
def test_every_option_is_answered_with_its_own_why_and_a_link(tmp_path, key):
    widget, question = quiz.start(tmp_path), FIFTEEN[0]
    seen = ask(widget, "answer", option=key, sure=True)["question"]
    assert seen["chosen"] == key and seen["link"]["href"] == question.section.href
    for option in seen["options"]:
        feedback, right = option["feedback"], option["key"] == question.right
        assert feedback["why"] == question.options[option["key"]].why
        assert feedback["sign"] == ("✓" if right else "✗")
        assert ("first answer counts" in feedback["verdict"]) == (option["key"] != key)
        assert feedback["verdict"].startswith("Not ") != right


def test_the_result_says_score_lessons_and_every_answer(tmp_path):
    widget = quiz.start(tmp_path)
    for place in range(15):
        answered(widget, sure=place != 4, rightly=place not in (3, 4))
        ask(widget, here=place + 1)
    result = widget.answer["result"]
    assert result["title"] == "13 of 15 right" and result["missed"] == 2
    assert result["words"].endswith("You were sure of 1 that was not right.")
    wanted = sorted((FIFTEEN[i].section for i in (3, 4)), key=lambda one: one.lesson)
    assert [one["href"] for one in result["visit"]] == [section.href for section in wanted]
    assert [line["sign"] for line in result["lines"]] == ["✓"] * 3 + ["✗"] * 2 + ["✓"] * 10
    assert quiz.start(tmp_path).answer["result"] == result
    seen = ask(widget, "retry", missed=True, here=None)
    assert seen["question"]["id"] == FIFTEEN[3].id and seen["count"].startswith("Question 1 of 2")
    for place in (1, 2):
        answered(widget)
        result = ask(widget, here=place)["result"]
    assert result["title"] == "2 of 2 right" and "all 15, 15 are right" in result["words"]


def test_a_week_later_the_result_and_its_links_are_of_the_second_form(tmp_path, monkeypatch):
    now = [1e9]
    monkeypatch.setattr(answers.time, "time", lambda: now[0])
    widget = quiz.start(tmp_path)
    for place in range(15):
        answered(widget)
        result = ask(widget, here=place + 1)["result"]
    assert "Come back in a week: a retry then asks other questions" in result["words"]
    now[0] += 7 * 24 * 3600
    ask(widget, "retry", missed=False, here=None)
    for place, question in enumerate(FIFTEEN):
        assert widget.answer["question"]["stem"] == question.again.stem
        seen = answered(widget, rightly=place != 3)
        assert seen["question"]["link"]["href"] == question.again.section.href
        result = ask(widget, here=place + 1)["result"]
    assert result["title"] == "14 of 15 right" and result["missed"] == 1
    assert [line["stem"] for line in result["lines"]] == [one.again.stem for one in FIFTEEN]
    assert [one["href"] for one in result["visit"]] == [FIFTEEN[3].again.section.href]


def test_another_tab_s_answers_and_rounds_are_seen(tmp_path):
    one, two = quiz.start(tmp_path), quiz.start(tmp_path)
    answered(one)
    seen = ask(two)
    assert seen["question"]["chosen"] and seen["count"].startswith("Question 1 of 15 · 1 ans")
    ask(two, "retry", missed=False, here=None)
    seen = answered(one, rightly=False)
    assert "In another tab you began a new round" in seen["notice"]
    assert one.answers.right() == 0 and one.answers.given() == {}


def test_a_second_view_answers_for_itself(tmp_path):
    """It stands at another place than the first, which has gone on."""
    widget = quiz.start(tmp_path)
    ask(widget, here=4)
    seen = ask(widget, "answer", here=1, option="a", sure=False)
    assert seen["here"] == 1 and seen["question"]["chosen"] == "a"


def test_show_me_runs_the_demonstration_and_a_failure_is_a_sentence(tmp_path, monkeypatch):
    widget = quiz.start(tmp_path)
    answered(widget)
    seen = ask(widget, "show")["demonstration"]
    assert seen["picture"].startswith("data:image/png;base64,") and seen["alt"] and seen["words"]
    assert ask(widget, here=1)["demonstration"] is None
    monkeypatch.setattr(demonstrations, "DEMONSTRATIONS", {})
    seen = ask(widget, "show")
    assert "no demonstration" in seen["problem"] and seen["here"] == 1 and seen["question"]


@pytest.mark.parametrize("what", [{"do": "dance"}, {"do": "answer"}, {"do": "answer", "here": "x"}])
def test_a_request_that_makes_no_sense_is_a_sentence_and_the_question_stays(tmp_path, what):
    seen = ask(quiz.start(tmp_path), **what)
    assert "Error" in seen["problem"] and seen["question"]["id"] == FIFTEEN[0].id


def test_who_goes_on_behind_the_last_question_or_starts_again_comes_to_those_skipped(tmp_path):
    widget = quiz.start(tmp_path)
    answered(widget)
    assert ask(widget, here=14)["here"] == 14
    assert ask(widget, here=15)["here"] == 1 and not widget.answer["done"]
    again = quiz.start(tmp_path).answer
    assert again["here"] == 1 and again["count"] == "Question 2 of 15 · 1 answered, 1 right"


def test_practice_keeps_nothing_and_has_no_result_for_one_question():
    widget, one = quiz.warm_up("03"), quiz.before("03")
    assert len(widget.answers.order) == 3 and widget.answer["name"] == "Warm-up"
    seen = answered(one)
    assert one.answers.path is None and seen["signs"] == ["✓"] and not seen["done"]
    assert seen["count"] == "1 answered, 1 right" and ask(one, here=1)["here"] == 0
    for wanted in (quiz.warm_up, quiz.before):
        with pytest.raises(ValueError, match="lesson '9' has no such questions: choose one of"):
            wanted("9")
