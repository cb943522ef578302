"""Scores of made pictures: right ones score like real ones, and each kind of fault costs."""

import ast
from math import inf
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, call

import pytest
import torch

import diffusion_lessons
from diffusion_lessons import data, postcards, sampling, scoring
from diffusion_lessons.postcards import VALUES
from diffusion_lessons.scoring import recognition
from tests.small_pipe import small_pipe

SEED, COUNT = 4242, 200
KINDS = set(recognition.SCENE_KINDS)


@pytest.fixture(scope="module")
def asked_for():
    """Single postcards, exactly what was asked for."""
    return data.sample_scenes("single-postcards", COUNT, SEED, "test")


def scored(images, name="single-postcards"):
    return scoring.score(name, images, SEED)


@pytest.fixture(scope="module")
def perfect(asked_for):
    return scored(postcards.draw(asked_for, 32))


def test_what_is_asked_for_is_what_is_judged(asked_for):
    labels = scoring.asked("single-postcards", COUNT, SEED)
    factors = list(data.load("single-postcards", 32).factors)
    assert labels.shape == (COUNT, len(factors))
    assert torch.equal(labels[:, factors.index("sky")], asked_for.attributes["sky"])
    assert torch.equal(labels[:, factors.index("colour")], asked_for.attributes["colour"][:, 0])
    train = data.sample_scenes("single-postcards", COUNT, SEED).attributes["sky"]
    assert not torch.equal(train, asked_for.attributes["sky"])
    labels = scoring.asked("fashion-mnist", 30, 0)
    assert labels.shape == (30, 1) and labels[:, 0].bincount().tolist() == [3] * 10


def test_real_pictures_score_as_well_as_the_floor(perfect):
    assert perfect["object and colour right"] >= 0.99 and perfect["everything right"] >= 0.98
    distance, error = perfect["Frechet distance"], perfect["Frechet distance, standard error"]
    floor = perfect["Frechet distance of real pictures"]
    assert 0 < error < distance and abs(distance - floor) < 6 * error + 0.05 * distance


def test_wrong_colours_cost_the_pair_and_a_wrong_sky_only_everything():
    right = data.sample_scenes("single-postcards", 100, SEED, "test")

    def with_changed(name):
        changed = {key: value.clone() for key, value in right.attributes.items()}
        column = changed[name].view(100, -1)[:50, 0]
        column.copy_((column + 1) % len(VALUES[name]))
        return scored(postcards.draw(postcards.Scenes(changed, right.dice), 32))

    wrong = with_changed("colour")
    assert wrong["object and colour right"] == pytest.approx(0.5, abs=0.02)
    low, high = wrong["object and colour right, 95 % interval"]
    assert 0.4 < low < 0.5 < high < 0.6
    wrong = with_changed("sky")
    assert wrong["object and colour right"] >= 0.98
    assert wrong["everything right"] == pytest.approx(0.5, abs=0.02)


def test_noise_and_a_picture_again_and_again_are_far_off_and_grey_is_judged(asked_for, perfect):
    sprite = postcards.draw(data.sample_scenes("sprites", 1, SEED, "test"), 32)
    scores = scored(sprite.expand(80, -1, -1, -1), "sprites")
    assert scores["Frechet distance"] > 5 * scores["Frechet distance of real pictures"]
    noise = torch.randn(80, 3, 32, 32, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    scores = scored(noise)
    assert scores["object and colour right"] < 0.2
    assert scores["Frechet distance"] > 5 * perfect["Frechet distance"]
    grey = postcards.draw(asked_for[:50], 32).mean(1, keepdim=True)
    assert scored(grey)["pictures"] == 50
    with pytest.raises(ValueError, match="39 pictures: .* need 40"):
        scored(grey[:39])


# --- pictures through an autoencoder and back ---


def through(spoil=lambda images: images):
    """Stands in for an autoencoder: its latents are the pictures, and `spoil` decodes them."""
    noise = 2.0  # the log variance: whoever sampled would get noise
    return SimpleNamespace(encode=lambda x: (x, torch.full_like(x, noise)), decode=spoil)


def test_pictures_that_come_back_whole_score_as_themselves():
    rows = scoring.round_trips(through(), 60, SEED)
    assert rows.keys() == KINDS | {"styled"} and rows.pop("styled") == dict(pictures=60, PSNR=inf)
    for row in rows.values():
        assert (row["pictures"], row["PSNR"], row["PSNR inside the things"]) == (60, inf, inf)
        assert row["everything right"] == row["everything right in the pictures themselves"]
        low, high = row["everything right, 95 % interval"]
        assert 0.9 < low <= row["everything right"] <= high <= 1


def test_blur_costs_most_inside_the_things_and_what_the_judge_can_read():
    blur = through(lambda images: recognition.blurred(images, torch.full((len(images),), 6.0)))
    rows = scoring.round_trips(blur, 40, SEED)
    for name, row in ((name, rows[name]) for name in KINDS):
        assert row["PSNR inside the things"] < row["PSNR"] - 3, name
        assert row["everything right"] < row["everything right in the pictures themselves"], name


def test_round_trips_hold_out_what_they_say_and_repeat_themselves(monkeypatch):
    """And a small even error has the PSNR it should have; what is too bright is cut at white."""
    watch = Mock(wraps=postcards.sample_scenes)
    monkeypatch.setattr(postcards, "sample_scenes", watch)
    nearly = through(lambda x: x * 0.999 + 3e-3)
    first, again = (scoring.round_trips(nearly, 16, 7) for _ in range(2))
    assert first == again and 50 < first["pair"]["PSNR"] < 60
    assert call(16, 7, "held_out", "single") in watch.mock_calls
    assert {one.args[1] for one in watch.mock_calls} == {7}
    far = scoring.there_and_back(through(lambda x: x + 5), torch.zeros(2, 3, 8, 8))
    assert far.unique().tolist() == [1]


# --- pictures that were asked for in words ---


def shown(prompts, forget=()):
    """What a painter without fault makes of captions: a scene each, the unsaid sampled."""
    said = [postcards.parse(prompt) for prompt in prompts]
    for thing in (thing for description in said for thing in description["things"]):
        thing.update(dict.fromkeys(forget))
    return postcards.concatenate([postcards.compose(each, i) for i, each in enumerate(said)])


def truth_of(prompts):
    """A reading, without a mistake, of pictures that show what each prompt says."""
    return recognition.by_place(shown(prompts).attributes)


HOUSE = "a small red house on the left, on snow at night"
BOTH = "a small red house on the left and a large blue boat in the middle, on snow at night"
TREES = "two large green trees on the right, on sand by day"
SHOWS = [
    (HOUSE, True, (HOUSE, "a house", "", "at night")),
    (HOUSE, False, (
        "a small red house on the left, on snow by day",
        "a small blue house on the left, on snow at night", "a red tree",
        "a red house in the middle", "two red houses", "a red house and a boat",
    )),
    (BOTH, True, (
        "a large blue boat in the middle and a small red house on the left",
        "a boat and a house", "at night",
    )),
    (BOTH, False, (
        "a red house", "a blue house and a red boat",
        "a house in the middle and a boat on the left", "a large house and a small boat",
    )),
    (TREES, True, ("two trees",)),
    (TREES, False, ("a tree", "three large green trees on the right")),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "shows", "said"), SHOWS)
def test_a_picture_shows_what_was_said_or_it_does_not(seen, shows, said):
    found = scoring.matches(truth_of([seen] * len(said)), list(map(postcards.parse, said)))
    assert dict(zip(said, found.tolist(), strict=True)) == dict.fromkeys(said, shows)


def test_each_picture_is_held_against_its_own_words():
    reading = truth_of([HOUSE, BOTH, TREES])
    said = [postcards.parse(prompt) for prompt in (HOUSE, BOTH, TREES)]
    assert scoring.matches(reading, said).tolist() == [True, True, True]
    assert scoring.matches(reading, said[::-1]).tolist() == [False, True, False]


def test_a_painter_without_fault_follows_and_one_that_forgets_the_colour_does_not():
    perfect = Mock(wraps=lambda prompts: postcards.draw(shown(prompts)))
    painters = (perfect, lambda prompts: postcards.draw(shown(prompts, forget=("colour",))))
    whole, dull = (scoring.follows(draw, 40, SEED) for draw in painters)
    assert whole.keys() == dull.keys() and len(whole) == 6
    for name, row in whole.items():
        right = row["what was said is right"]
        low, high = row["what was said is right, 95 % interval"]
        assert row["pictures"] == 40 and low < right <= high <= 1 and right >= 0.92, name
        assert dull[name]["what was said is right"] < right - 0.1, name
    pairs = dull["pair, full captions"]
    assert pairs["colour"] < 0.3 and pairs["object"] >= 0.9 and pairs["all"] <= pairs["colour"]
    assert "colour" not in whole["single, varied captions"], "what is not said can not be wrong"
    held_out = [postcards.parse(prompt)["things"][0] for prompt in perfect.mock_calls[1].args[0]]
    assert {(thing["object"], thing["colour"]) for thing in held_out} <= postcards.HELD_OUT


def test_a_network_that_has_learned_nothing_follows_nothing_the_same_way_each_time():
    pipe = small_pipe()
    draw = lambda prompts: pipe.decode(sampling.finish(pipe.steps(prompts)))  # noqa: E731
    first, again = (scoring.follows(draw, 16, SEED) for _ in range(2))
    assert first == again
    assert all(row["what was said is right"] <= 0.2 for row in first.values())


# --- judges only measure ---

# Which files name a judge: where it is defined, made, asked, and asked before a learner's eyes.
MEASURING = {
    "judge": {
        "quiz/about_latents.py", "recipes/__init__.py", "scoring/outlines.py",
        "scoring/recognition.py", "scoring/tables.py",
    },
    "clothes": {"recipes/readers.py", "scoring/tables.py"},
    "fashion-judge": {"recipes/__init__.py", "scoring/clothes.py"},
}  # fmt: skip


def names_in(source):
    """The strings of a file of code, and the names and modules that it imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant):
            yield node.value
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield (getattr(node, "module", None) or "").rpartition(".")[2]
            yield from (alias.name.rpartition(".")[2] for alias in node.names)


@pytest.mark.parametrize("name", MEASURING)
def test_no_loss_and_no_choice_of_weights_uses_a_judge(name):
    package = Path(diffusion_lessons.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    users = {path for path, source in sources.items() if name in names_in(source)}
    assert {path.relative_to(package).as_posix() for path in users} == MEASURING[name]


USES = [
    ('loss = distance(recognition.load("judge").body(images))', "judge"),
    ("from diffusion_lessons.scoring import clothes", "clothes"),
    ("from diffusion_lessons.scoring.clothes import Ruler", "clothes"),
    ("import diffusion_lessons.scoring.clothes", "clothes"),
    ('weights = workspace.load_weights("fashion-judge")', "fashion-judge"),
]


@pytest.mark.parametrize(("source", "name"), USES)
def test_a_loss_that_used_a_judge_would_be_found(source, name):
    assert name in names_in(source)
