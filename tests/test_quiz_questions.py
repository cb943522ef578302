"""The questions: whole, balanced, without a cue that gives answers away, and true."""

import json
import re
from collections import Counter

import jsonschema
import nbformat
import pytest

from diffusion_lessons import postcards, quiz
from diffusion_lessons.quiz import demonstrations, questions, view
from tests.test_links import PROJECT, fault

DATA = PROJECT / "data" / "quiz"
FIFTEEN = questions.fifteen()
PRACTICE = [one for place in questions.places().values() for one in place]
ALL = [*FIFTEEN, *PRACTICE]
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
        {"demonstration": {"name": "guesses_sharpen"}},
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


def test_every_lesson_from_02_warms_up_with_three_and_every_one_from_01_asks_before():
    lessons = [f"0{number}" for number in range(1, 8)]
    warmed = [*lessons[1:], "08"]  # which is to come
    wanted = {f"before {one}": 1 for one in lessons} | {f"warm_up {one}": 3 for one in warmed}
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
    found = {one.misconception for question in FIFTEEN for one in question.options.values()}
    assert found >= MISCONCEPTIONS
    noise_at_the_end = next(one for one in FIFTEEN if one.section.heading.startswith("The last st"))
    assert "fresh noise" in noise_at_the_end.options[noise_at_the_end.right].text


def test_no_stem_and_no_option_comes_twice():
    texts = [option.text for one in FIFTEEN for option in one.options.values()]
    for several in ([one.stem for one in ALL], [one.id for one in ALL], texts):
        assert max(Counter(several).values()) == 1


def test_two_stems_ask_for_what_does_not_belong_and_say_so_loudly():
    assert sum("NOT" in one.stem for one in FIFTEEN) == 2
    for one in FIFTEEN:
        assert one.intent.count("NOT") == one.stem.count("NOT")
        quiet = re.sub(r"\bNOT\b", "", one.stem)
        assert not re.search(r"\b(not|no|never|none|except)\b|n't", quiet, re.IGNORECASE), one.id


# --- no cues ---


def shared_words(question, text):
    asked, offered = (set(re.findall(r"[a-z0-9_]+", one.lower())) for one in (question.stem, text))
    return len(asked & offered)


PLACES = Counter(one.right for one in FIFTEEN)
BLIND = {
    "the longest": lambda question, key: len(question.options[key].text),
    "the shortest": lambda question, key: -len(question.options[key].text),
    "the most common position": lambda _, key: key == PLACES.most_common(1)[0][0],
    "most words shared with the stem": lambda q, key: shared_words(q, q.options[key].text),
    "the most numbers": lambda q, key: len(re.findall(r"\d+(?:\.\d+)?", q.options[key].text)),
}


@pytest.mark.parametrize("name", BLIND)
def test_who_guesses_blindly_gets_at_most_six(name):
    """On average over lots where options draw level; of the longest ones at most four are right."""
    total, among_the_best = 0.0, 0
    for question in FIFTEEN:
        values = {key: BLIND[name](question, key) for key in question.options}
        best = [key for key in values if values[key] == max(values.values())]
        total += (question.right in best) / len(best)
        among_the_best += question.right in best
    assert total <= 6 and (among_the_best <= 4 or name != "the longest")


def test_the_places_of_the_right_options_are_balanced():
    assert set(PLACES) == set("abcd") and max(PLACES.values()) - min(PLACES.values()) <= 1
    assert max(Counter(one.right for one in PRACTICE).values()) <= len(PRACTICE) / 4


# --- links ---


@each
def test_the_link_lands_on_a_heading(question):
    home = PROJECT / "notebooks" / "09_quiz.ipynb"
    assert fault(home, question.section.href) == "" != fault(home, question.section.href + "-not")
    notebook = nbformat.read(home.with_name(f"{question.section.lesson}.ipynb"), as_version=4)
    (text,) = [cell.source for cell in notebook.cells if cell.id == question.section.cell]
    assert re.search(rf"^#+ {re.escape(question.section.heading)}$", text, re.MULTILINE)
    assert question.section.lesson[:2] in ("00", "01", "02", "03", "04", "05", "06", "07")


# --- demonstrations ---

HOLDS = {
    "guesses_sharpen": lambda n: n["off 0"] > 0.15 and n["off 3"] < 0.05,
    "share_that_is_left": lambda n: [[k for k in n if abs(n[k] - 0.3) < off] for off in (0.01, 0.1)]
    == [["share", "alpha_bar"]] * 2,
    "mean_of_two": lambda n: n["from the mean"] < 0.01 and n["from a cat"] > 0.5,
    "solved_for_the_picture": lambda n: n["difference"] < 1e-4,
    "last_increment": lambda n: n["share"] < 0.03 and n["likeness"] < 0.2,
    "parts_at_work": lambda n: [*n.values()] == [1, 8, 1, 0],
    "random_latents": lambda n: n["random"] > 3 * n["real"],
    "noise_at_the_end": lambda n: n["grain"] > 1.5,
    "line_through_both": lambda n: abs(n["s = 0"] - 0.2) < 1e-6 and abs(n["s = 3"] - 1.1) < 1e-6,
    "same_seed_other_word": lambda n: n["kept"] < 0.3 * n["lost"] and n["red"] > 0.3,
    "variance_of_the_noise": lambda n: abs(n["variance"] - 0.64) < 0.01,
    "few_steps_are_enough": lambda n: n["16 steps"] < 0.06 < 0.15 < n["1 steps"],
    "calls_that_wait": lambda n: [*n.values()] == [64, 256, 16, 16],
    "four_wishes": lambda n: [*n.values()][:-1] == ["understood"] * 3 + ["unknown word"],
    "size_of_latents": lambda n: abs(n["after"] - 1) < 1e-4 and n["ratio before"] > 2,
}  # fmt: skip
SHOWN = {one.demonstration["name"]: one.demonstration for one in FIFTEEN}


def test_each_of_the_fifteen_has_its_own_demonstration():
    assert set(SHOWN) == set(demonstrations.DEMONSTRATIONS) == set(HOLDS) and len(SHOWN) == 15
    assert ("cat", "red") in postcards.HELD_OUT and ("boat", "pink") not in postcards.HELD_OUT
    with pytest.raises(ValueError, match="no demonstration 'magic': choose one of"):
        demonstrations.run("magic", "words")


@pytest.mark.parametrize("name", HOLDS)
def test_a_demonstration_shows_what_the_answer_says(name):
    shown = demonstrations.run(**SHOWN[name])
    assert HOLDS[name](shown["found"]), shown["found"]
    assert re.search(r"\d", shown["words"]) or name == "four_wishes"
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
