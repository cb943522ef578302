"""The questions: whole, balanced, without a cue that gives answers away, and true."""

import json
import re
from collections import Counter

import jsonschema
import nbformat
import pytest

from diffusion_lessons import quiz
from diffusion_lessons.quiz import demonstrations, questions, view
from tests.test_links import PROJECT, fault

DATA = PROJECT / "data" / "quiz"
FIFTEEN = questions.fifteen()
AGAIN = [one.again for one in FIFTEEN]
FORMS = {"first": FIFTEEN, "again": AGAIN}
PRACTICE = [one for place in questions.places().values() for one in place]
ALL = [*FIFTEEN, *AGAIN, *PRACTICE]
INTENTS = [
    "core idea", "term", "concept without", "directly relevant", "key point of training",
    "does NOT belong among the parts", "statement on latent space", "does NOT belong to the rev",
    "classifier-free guidance", "iterate, don't just accept", "accurate description",
    "working with these models", "diffusion against autoregression", "can and cannot", "answers",
]  # fmt: skip
MISCONCEPTIONS = {
    "the noise target is the last increment",
    "x_0 could be had in one jump",
    "with s = 0 in our formula the caption still counts",
    "the variance is the square root of 1 - alpha_bar",
    "the loss must reach 0",
    "sampling steps must equal training steps",
    "latent diffusion decodes random latents",
    "a falling loss means good samples",
}
in_both_forms = pytest.mark.parametrize("asked", FORMS.values(), ids=FORMS)
each = pytest.mark.parametrize("question", ALL, ids=lambda one: one.id)

# --- as a file ---


@pytest.mark.parametrize("name", ["questions", "practice"])
def test_the_file_is_as_the_schema_says(name):
    schema = json.loads((DATA / "question.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    data = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    validator.validate(data)
    (row, *_) = data.get("questions") or next(iter(data["places"].values()))
    kept = dict(row)
    for spoiled in (
        {"right": "e"},
        {"options": {key: row["options"][key] for key in "abd"}},
        {"options": row["options"] | {"a": row["options"]["a"] | {"why": ""}}},
        {"demonstration": {"name": "last_increment"}},
        {"again": {"stem": row["stem"]}},
        {"note": "more"},
    ):
        row.update(spoiled)
        assert not validator.is_valid(data)
        row.clear(), row.update(kept)
    del row["right"]
    assert not validator.is_valid(data)


def test_there_are_fifteen_on_the_intents_in_their_order():
    assert len(FIFTEEN) == len(INTENTS) == 15
    assert all(part in one.intent for one, part in zip(FIFTEEN, INTENTS, strict=True))


def test_each_of_the_fifteen_has_a_second_form_with_an_id_of_its_own_and_practice_has_none():
    for one in FIFTEEN:
        assert one.again.id == f"{one.id}-again" and one.again.intent == one.intent
        assert one.again.again is None
        right, other = (form.options[form.right].text for form in (one, one.again))
        assert right != other, "what is remembered should be the idea"
    assert all(one.again is None for one in PRACTICE)


def test_every_lesson_from_02_warms_up_with_three_and_every_one_from_01_asks_before():
    lessons = [f"0{number}" for number in range(1, 9)]
    wanted = {f"before {one}": 1 for one in lessons} | {f"warm_up {one}": 3 for one in lessons[1:]}
    assert {place: len(asked) for place, asked in questions.places().items()} == wanted
    for place, asked in questions.places().items():
        kind, lesson = place.split()
        for one in asked:
            assert (one.section.lesson[:2] == lesson) == (kind == "before"), one.id
            assert one.section.lesson[:2] <= lesson


@each
def test_one_option_is_right_and_each_other_stands_for_a_misconception(question):
    assert len(question.options) == 4
    right = [key for key in question.options if question.is_right(key)]
    assert right == [key for key, one in question.options.items() if one.misconception is None]
    assert len(right) == 1
    for texts in ("text", "why", "misconception"):
        assert len({getattr(one, texts) for one in question.options.values()}) == 4
    with pytest.raises(ValueError, match="option 'e' of question"):
        question.is_right("e")


def test_the_misconceptions_of_the_course_are_all_there():
    found = {one.misconception for question in ALL for one in question.options.values()}
    assert found >= MISCONCEPTIONS


def test_no_stem_and_no_option_comes_twice():
    texts = [option.text for one in (*FIFTEEN, *AGAIN) for option in one.options.values()]
    for several in ([one.stem for one in ALL], [one.id for one in ALL], texts):
        assert max(Counter(several).values()) == 1


@in_both_forms
def test_two_stems_ask_for_what_does_not_belong_and_say_so_loudly(asked):
    assert sum("NOT" in one.stem for one in asked) == 2
    for one in asked:
        assert one.intent.count("NOT") == one.stem.count("NOT")
        quiet = re.sub(r"\bNOT\b", "", one.stem)
        assert not re.search(r"\b(not|no|never|none|except)\b|n't", quiet, re.IGNORECASE), one.id


# --- no cues ---


def shared_words(question, text):
    asked, offered = (set(re.findall(r"[a-z0-9_]+", one.lower())) for one in (question.stem, text))
    return len(asked & offered)


def usual_place(question):
    asked = FIFTEEN if question in FIFTEEN else AGAIN
    return Counter(one.right for one in asked).most_common(1)[0][0]


BLIND = {
    "the longest": lambda question, key: len(question.options[key].text),
    "the shortest": lambda question, key: -len(question.options[key].text),
    "the most common position": lambda question, key: key == usual_place(question),
    "most words shared with the stem": lambda q, key: shared_words(q, q.options[key].text),
    "the most numbers": lambda q, key: len(re.findall(r"\d+(?:\.\d+)?", q.options[key].text)),
}


@in_both_forms
@pytest.mark.parametrize("name", BLIND)
def test_who_guesses_blindly_gets_at_most_six(name, asked):
    """On average over lots where options draw level; of the longest ones at most four are right."""
    total, among_the_best = 0.0, 0
    for question in asked:
        values = {key: BLIND[name](question, key) for key in question.options}
        best = [key for key in values if values[key] == max(values.values())]
        total += (question.right in best) / len(best)
        among_the_best += question.right in best
    assert total <= 6 and (among_the_best <= 4 or name != "the longest")


def test_the_places_of_the_right_options_are_balanced():
    for asked in FORMS.values():
        places = Counter(one.right for one in asked)
        assert set(places) == set("abcd") and max(places.values()) - min(places.values()) <= 1
    practised = Counter(one.right for one in PRACTICE).values()
    assert max(practised) - min(practised) <= 1


# --- links ---


@each
def test_the_link_lands_on_a_heading(question):
    home = PROJECT / "notebooks" / "09_quiz.ipynb"
    assert fault(home, question.section.href) == "" != fault(home, question.section.href + "-not")
    notebook = nbformat.read(home.with_name(f"{question.section.lesson}.ipynb"), as_version=4)
    (text,) = [cell.source for cell in notebook.cells if cell.id == question.section.cell]
    assert re.search(rf"^#+ {re.escape(question.section.heading)}$", text, re.MULTILINE)
    assert question.section.lesson[:2] in {f"0{number}" for number in range(9)}


# --- demonstrations ---

HOLDS = {
    "one-look": lambda n: all(
        n[f"rough {path} 1"] < 0.7 * n[f"rough {path} 8"] for path in (1, 2)
    ),
    "one-look-again": lambda n: n["spread 1 1"] < 0.1 and n["spread 2 1"] > 0.3,
    "three-tenths": lambda n: [[k for k in n if abs(n[k] - 0.3) < off] for off in (0.01, 0.1)]
    == [["picture", "alpha_bar"]] * 2,
    "three-tenths-again": lambda n: abs(n["noise"] - 0.64) < 0.01 and abs(n["alpha_bar"] - 0.36)
    < 0.01 < abs(n["noise_rate"] - 0.64),
    "thirty-in-question": lambda n: 24 <= n["count"] <= 36,
    "thirty-in-question-again": lambda n: n["count"] > 128,
    "red-exchanged": lambda n: min(n["red"], n["house"]) >= 22 and n["red and house"] <= 2,
    "red-exchanged-again": lambda n: (n["table finds"], n["encoder finds"]) == ("grass", "cat"),
    "told-of-another": lambda n: 0.015 < n["truth"] < 0.025 and 0.45 < n["another's"] < 0.6,
    "told-of-another-again": lambda n: n["share"] < 0.03 and n["likeness"] < 0.2,
    "what-a-student-met": lambda n: [*n.values()] == [1, 2, 2, 0, 1],
    "what-a-student-met-again": lambda n: [*n.values()] == [1, 0, 2, 0, 1],
    "one-place-exchanged": lambda n: 0.4 * 64**2 < n["pixels"] < 0.6 * 64**2,
    "one-place-exchanged-again": lambda n: n["random"] > 3 * n["real"]
    and n["rough random"] < n["grain"] / 5,
    "what-two-guesses-take": lambda n: n["eps_hat"] == 0
    and min(n["x_t"], n["x_0_hat"], n["x_0_hat before"]) > 0.001,
    "what-two-guesses-take-again": lambda n: n["x_t"] == 0
    and min(n["x_0_hat"], n["eps_hat"], n["b next"]) > 0.01,
    "early-or-late": lambda n: n["apart early"] > 5 * n["apart late"] and n["late"] > n["early"]
    and n["clipped early"] > n["clipped late"],
    "early-or-late-again": lambda n: n["late"] <= n["all"] / 4 and n["early"] == n["all"],
    "ten-rounds": lambda n: n["one"] < 0.75 * n["ten"] and n["ten"] > 0.9 * n["anew"]
    and n["rough ten"] > 0.95 * n["rough anew"] and n["right"] == 16,
    "ten-rounds-again": lambda n: n["night"] >= 22 and n["kept"] <= n["by chance"] + 3,
    "same-dice-again": lambda n: n["other noise"] > 0.9 * n["both"],
    "same-dice": lambda n: n["other start"] < 1 / 127.5 < 0.1 < n["both"],
    "count-and-ruler": lambda n: n["right 10"] < n["right 1"] - 8 and n["rough 10"] > n["rough 1"],
    "count-and-ruler-again": lambda n: n["right 1"] >= 23 and n["right 10"] >= 23
    and n["spread 10"] > 4 * n["spread 1"],
    "a-part-anew": lambda n: max(n["step codes"], n["step diffusion"]) < 1.2
    and min(n["codes"], n["diffusion"]) >= 26,
    "a-part-anew-again": lambda n: n["calls codes"] == 64 > n["calls diffusion"] == 10
    and n["work codes"] < n["work diffusion"],
    "wish-within-reach": lambda n: min(n["diffusion second"], n["codes second"]) >= 11
    and all(found <= 3 for name, found in n.items() if not name.endswith("second")),
    "wish-within-reach-again": lambda n: n["transformer upper"] == 0
    and min(n["transformer lower"], n["diffusion upper"], n["diffusion lower"]) > 0.1,
    "a-line-of-notes": lambda n: n["none 1"] > 0.75 > 0.3 > n["none 0"],
    "a-line-of-notes-again": lambda n: 0.65 <= n["words 0"] < 0.75 < n["words 1"],
}  # fmt: skip
"""What a demonstration must find, for the right answer of each form to be true."""
SHOWN = {one.id: one.demonstration for one in (*FIFTEEN, *AGAIN)}


def test_both_forms_of_each_of_the_fifteen_have_a_demonstration_and_all_are_used():
    assert set(SHOWN) == set(HOLDS) and len(SHOWN) == 30
    assert {shown["name"] for shown in SHOWN.values()} == set(demonstrations.DEMONSTRATIONS)
    (wishes,) = [one for one in FIFTEEN if one.demonstration["name"] == "four_wishes"]
    asked = [option.text for option in wishes.options.values()]
    assert wishes.demonstration["settings"]["wishes"] == asked
    with pytest.raises(ValueError, match="no demonstration 'magic': choose one of"):
        demonstrations.run("magic", "words")


@pytest.mark.parametrize("name", HOLDS)
def test_a_demonstration_shows_what_the_answer_says(name):
    shown = demonstrations.run(**SHOWN[name])
    assert HOLDS[name](shown["found"]), shown["found"]
    assert re.search(r"\d", shown["words"])
    assert shown["width"] <= 720 and shown["alt"] == SHOWN[name].get("picture", {}).get("alt", "")
    assert shown["picture"].startswith("data:image/png;base64,iVBORw0KGgo" * bool(shown["alt"]))
    assert bool(shown["picture"]) == ("picture" in SHOWN[name])
    assert demonstrations.run(**SHOWN[name]) == shown


# --- the still version ---


def test_the_still_version_shows_everything_as_text(tmp_path):
    page, picture = quiz.start(tmp_path / "there").still()
    assert picture is None and page.count("<details>") == 15
    for one in FIFTEEN:
        assert view.html.escape(one.stem) in page and view.html.escape(one.section.href) in page
        right = one.options[one.right]
        answer, reason = view.html.escape(right.text), view.html.escape(right.why)
        assert f"<b>{answer}</b><br>{reason}" in page, "an answer runs into its reason"
    assert not (tmp_path / "there").exists()  # before the first answer
