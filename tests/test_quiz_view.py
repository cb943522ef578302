"""The quiz's kernel side: what the page asks, what it gets to show, and what it must not know."""

import json

import pytest

from diffusion_lessons import quiz
from diffusion_lessons.quiz import questions

FIFTEEN = questions.fifteen()
IDS = [one.id for one in FIFTEEN]


def option(name, rightly):
    """A key of the question `name` that is right, or one that is not."""
    question = next(one for one in FIFTEEN if one.id == name)
    return next(key for key in question.options if question.is_right(key) == rightly)


def ask(widget, do, **what):
    widget.request = {"id": widget.request["id"] + 1, "do": do, **what}
    assert widget.state["id"] == widget.request["id"]
    return widget.state


def answered(widget, sure=True, rightly=True):
    name = widget.state["question"]["id"]
    key = option(name, rightly)
    return ask(widget, "answer", question=name, option=key, sure=sure)


def test_the_page_gets_no_word_of_what_is_right_before_the_answer(tmp_path):
    widget = quiz.start(tmp_path)
    said = json.dumps(widget.state)
    question = FIFTEEN[0]
    for option in question.options.values():
        assert option.why not in said and option.text in said
    assert "right" not in json.dumps(widget.state["question"])


@pytest.mark.parametrize("key", "abcd")
def test_every_option_is_answered_with_its_own_why_and_a_link(tmp_path, key):
    widget, question = quiz.start(tmp_path), FIFTEEN[0]
    seen = ask(widget, "answer", question=question.id, option=key, sure=True)["question"]
    assert seen["feedback"]["why"] == question.options[key].why
    assert seen["feedback"]["link"]["href"] == question.section.href
    assert seen["feedback"]["sign"] == ("✓" if key == question.right else "✗")
    other = "a" if key != "a" else "b"
    seen = ask(widget, "look", question=question.id, option=other)["question"]
    assert seen["feedback"]["why"] == question.options[other].why
    assert "first answer counts" in seen["feedback"]["verdict"]
    assert len(widget.deck.progress.answers) == 1


def test_a_second_start_goes_on_where_the_first_stopped(tmp_path):
    widget = quiz.start(tmp_path)
    for _ in range(6):
        answered(widget)
        ask(widget, "go", to=widget.state["here"] + 1)
    again = quiz.start(tmp_path)
    assert again.state["here"] == 6 and again.state["count"].endswith("6 answered, 6 right")


def test_the_result_says_score_lessons_and_every_answer(tmp_path):
    widget = quiz.start(tmp_path)
    for place in range(15):
        answered(widget, sure=place != 4, rightly=place not in (3, 4))
        ask(widget, "go", to=place + 1)
    result = widget.state["result"]
    assert result["title"] == "13 of 15 right" and result["missed"] == 2
    assert result["sure"] == "You were sure of 1 that was not right."
    assert [one["href"] for one in result["visit"]] == [FIFTEEN[i].section.href for i in (3, 4)]
    assert [line["sign"] for line in result["lines"]] == ["✓"] * 3 + ["✗"] * 2 + ["✓"] * 10
    assert quiz.start(tmp_path).state["result"] == result
    seen = ask(widget, "retry", missed=True)
    assert seen["question"]["id"] == IDS[3] and seen["count"].startswith("Question 1 of 2")
    answered(widget)
    ask(widget, "go", to=1)
    answered(widget)
    seen = ask(widget, "go", to=2)
    assert (
        seen["result"]["title"] == "2 of 2 right"
        and "all 15, 15 are right" in (seen["result"]["words"])
    )


def test_another_tab_s_answers_and_rounds_are_seen(tmp_path):
    one, two = quiz.start(tmp_path), quiz.start(tmp_path)
    answered(one)
    seen = ask(two, "go", to=0)
    assert seen["question"]["feedback"] and seen["count"].startswith("Question 1 of 15 · 1 ans")
    ask(two, "retry", missed=False)
    seen = answered(one, rightly=False)
    assert "In another tab you began a new round" in seen["notice"]
    assert one.deck.right() == 0 and len(one.deck.answers()) == 0


def test_show_me_runs_the_demonstration_and_a_failure_is_a_sentence(tmp_path, monkeypatch):
    widget = quiz.start(tmp_path)
    answered(widget)
    seen = ask(widget, "show", question=IDS[0])["shown"]
    assert seen["picture"].startswith("data:image/png;base64,") and seen["alt"] and seen["words"]
    assert ask(widget, "go", to=1)["shown"] is None
    monkeypatch.setattr(quiz.view.demonstrations, "DEMONSTRATIONS", {})
    seen = ask(widget, "show", question=IDS[1])["shown"]
    assert seen["words"].startswith("This cannot be shown here.") and seen["picture"] == ""


@pytest.mark.parametrize("what", [{"do": "dance"}, {"do": "answer"}, {"do": "go", "to": "far"}])
def test_a_request_that_makes_no_sense_is_a_sentence(tmp_path, what):
    seen = ask(quiz.start(tmp_path), **what)
    assert "Error" in seen["notice"] and seen["question"]["id"] == IDS[0]


def test_who_goes_on_behind_the_last_question_comes_to_those_skipped(tmp_path):
    widget = quiz.start(tmp_path)
    answered(widget)
    ask(widget, "go", to=14)
    assert ask(widget, "go", to=15)["here"] == 1 and not widget.state["done"]
    assert ask(widget, "go", to=-3)["here"] == 0


def test_practice_keeps_nothing_and_has_no_result_for_one_question():
    widget = quiz.warm_up("03")
    assert len(widget.deck.order) == 3 and widget.state["name"] == "Warm-up"
    one = quiz.before("03")
    question = next(iter(one.deck.questions.values()))
    seen = ask(one, "answer", question=question.id, option=question.right, sure=True)
    assert seen["question"]["feedback"]["sign"] == "✓" and not seen["done"]
    assert seen["count"] == "1 answered, 1 right"
    assert ask(one, "go", to=1)["here"] == 0
    for wanted in (quiz.warm_up, quiz.before):
        with pytest.raises(ValueError, match="lesson '9' has no such questions: choose one of"):
            wanted("9")
