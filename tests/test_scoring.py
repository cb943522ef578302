"""Scores of made pictures: right ones score like real ones, and each kind of fault costs."""

import ast
from pathlib import Path

import pytest
import torch

import diffusion_lessons
from diffusion_lessons import data, postcards, sampling, scoring
from diffusion_lessons.postcards import VALUES
from diffusion_lessons.scoring import recognition
from tests.small_pipe import small_pipe

SEED = 4242


@pytest.fixture(scope="module")
def asked_for():
    """200 single postcards, exactly what was asked for."""
    return data.sample_scenes("single-postcards", 200, SEED, "test")


@pytest.fixture(scope="module")
def perfect(asked_for):
    return scoring.score("single-postcards", postcards.draw(asked_for, 32), SEED)


def test_what_is_asked_for_is_what_is_judged(asked_for):
    labels = scoring.asked("single-postcards", 200, SEED)
    factors = list(data.load("single-postcards", 32).factors)
    assert labels.shape == (200, len(factors))
    assert torch.equal(labels[:, factors.index("sky")], asked_for.attributes["sky"])
    assert torch.equal(labels[:, factors.index("colour")], asked_for.attributes["colour"][:, 0])
    train = data.sample_scenes("single-postcards", 200, SEED).attributes["sky"]
    assert not torch.equal(train, asked_for.attributes["sky"])


def test_real_pictures_score_as_well_as_the_floor(perfect):
    assert perfect["object and colour right"] >= 0.99 and perfect["everything right"] >= 0.98
    distance, error = perfect["Frechet distance"], perfect["Frechet distance, standard error"]
    assert (
        abs(distance - perfect["Frechet distance of real pictures"]) < 6 * error + 0.05 * distance
    )
    assert 0 < error < distance


def test_wrong_colours_cost_the_pair_and_a_wrong_sky_only_everything(asked_for, perfect):
    def with_changed(name, slot):
        changed = {key: value.clone() for key, value in asked_for.attributes.items()}
        column = changed[name][:100] if slot is None else changed[name][:100, slot]
        column.copy_((column + 1) % len(VALUES[name]))
        images = postcards.draw(postcards.Scenes(changed, asked_for.dice), 32)
        return scoring.score("single-postcards", images, SEED)

    wrong = with_changed("colour", 0)
    assert wrong["object and colour right"] == pytest.approx(0.5, abs=0.02)
    low, high = wrong["object and colour right, 95 % interval"]
    assert 0.4 < low < 0.5 < high < 0.6
    wrong = with_changed("sky", None)
    assert wrong["object and colour right"] >= 0.98
    assert wrong["everything right"] == pytest.approx(0.5, abs=0.02)


def test_one_picture_again_and_again_is_right_and_far_off(perfect):
    sprites = data.sample_scenes("sprites", 1, SEED, "test")
    images = postcards.draw(sprites, 32).expand(80, -1, -1, -1)
    scores = scoring.score("sprites", images, SEED)
    assert scores["Frechet distance"] > 5 * scores["Frechet distance of real pictures"]


def test_noise_is_nothing_that_was_asked_for(perfect):
    noise = torch.randn(80, 3, 32, 32, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    scores = scoring.score("single-postcards", noise, SEED)
    assert scores["object and colour right"] < 0.2
    assert scores["Frechet distance"] > 5 * perfect["Frechet distance"]


def test_grey_pictures_are_judged(asked_for):
    grey = postcards.draw(asked_for[:50], 32).mean(1, keepdim=True)
    assert scoring.score("single-postcards", grey, SEED)["pictures"] == 50


def test_clothes_are_asked_for_by_class():
    labels = scoring.asked("fashion-mnist", 30, 0)
    assert labels.shape == (30, 1) and labels[:, 0].bincount().tolist() == [3] * 10


def test_too_few_pictures_are_refused():
    with pytest.raises(ValueError, match="39 pictures: .* need 40"):
        scoring.score("sprites", torch.zeros(39, 3, 32, 32), 0)


def test_features_are_those_of_the_network():
    judge = recognition.load("judge")
    images = postcards.draw(data.sample_scenes("sprites", 3, 0))
    assert torch.allclose(judge.features(images), judge.network.features(images), atol=1e-5)


# --- pictures through an autoencoder and back ---


class Through(torch.nn.Module):
    """Stands in for an autoencoder: its latents are the pictures, changed by `spoil`."""

    def __init__(self, spoil=lambda images: images):
        super().__init__()
        self.spoil = spoil

    def encode(self, images):
        return images, torch.full_like(images, 2.0)  # whoever sampled would get noise

    def decode(self, z):
        return self.spoil(z)


def test_pictures_that_come_back_whole_score_as_themselves():
    rows = scoring.round_trips(Through(), 100, SEED)
    assert set(rows) == {"single", "single, held-out pairs", "group", "pair", "styled"}
    for name, row in rows.items():
        assert row["pictures"] == 100 and row["PSNR"] == float("inf"), name
        if name != "styled":
            assert row["PSNR inside the things"] == float("inf")
            assert row["everything right"] == row["everything right in the pictures themselves"]
            low, high = row["everything right, 95 % interval"]
            assert 0.9 < low <= row["everything right"] <= high <= 1


def test_an_even_error_has_the_psnr_it_should_have_and_is_cut_at_white():
    rows = scoring.round_trips(Through(lambda x: x * 0.999 + 3e-3), 40, SEED)
    assert 50 < rows["pair"]["PSNR"] < 60
    far = scoring.there_and_back(Through(lambda x: x + 5), torch.zeros(2, 3, 8, 8))
    assert far.unique().tolist() == [1]


def test_blur_costs_most_inside_the_things_and_what_the_judge_can_read():
    sigma = torch.full((128,), 6.0)
    rows = scoring.round_trips(
        Through(lambda images: recognition.blurred(images, sigma[: len(images)])), 100, SEED
    )
    for name in ("single", "single, held-out pairs", "group", "pair"):
        row = rows[name]
        assert row["PSNR inside the things"] < row["PSNR"] - 3, name
        assert row["everything right"] < row["everything right in the pictures themselves"], name


def test_round_trips_hold_out_what_they_say_and_repeat_themselves(monkeypatch):
    asked = []

    def watch(count, seed, split="train", kind=None):
        asked.append((count, seed, split, kind))
        return usual(count, seed, split, kind)

    usual = postcards.sample_scenes
    monkeypatch.setattr(postcards, "sample_scenes", watch)
    first, again = (scoring.round_trips(Through(lambda x: 0.9 * x), 40, 7) for _ in range(2))
    assert first == again
    assert (40, 7, "held_out", "single") in asked
    assert {seed for _, seed, _, _ in asked} == {7}


# --- pictures that were asked for in words ---


def painted(prompts):
    """What a painter without fault makes of captions: one postcard each, the unsaid sampled."""
    shown = [postcards.compose(postcards.parse(prompt), i) for i, prompt in enumerate(prompts)]
    return postcards.draw(postcards.concatenate(shown))


def truth_of(prompts):
    """A reading, without a mistake, of pictures that show what each prompt says."""
    shown = [postcards.compose(postcards.parse(prompt), i) for i, prompt in enumerate(prompts)]
    return recognition.by_place(postcards.attributes(postcards.concatenate(shown)))


SEEN = [
    "a small red house on the left, on snow at night",
    "a small red house on the left and a large blue boat in the middle, on snow at night",
    "two large green trees on the right, on sand by day",
]


@pytest.mark.parametrize(
    "seen, said, shows",
    [
        (0, "a small red house on the left, on snow at night", True),
        (0, "a house", True),
        (0, "", True),
        (0, "at night", True),
        (0, "a small red house on the left, on snow by day", False),
        (0, "a small blue house on the left, on snow at night", False),
        (0, "a red tree", False),
        (0, "a red house in the middle", False),
        (0, "two red houses", False),
        (0, "a red house and a boat", False),
        (1, "a large blue boat in the middle and a small red house on the left", True),
        (1, "a boat and a house", True),
        (1, "at night", True),
        (1, "a red house", False),
        (1, "a blue house and a red boat", False),
        (1, "a house in the middle and a boat on the left", False),
        (1, "a large house and a small boat", False),
        (2, "two trees", True),
        (2, "a tree", False),
        (2, "three large green trees on the right", False),
    ],
)
def test_a_picture_shows_what_was_said_or_it_does_not(seen, said, shows):
    reading = truth_of([SEEN[seen]])
    assert scoring.matches(reading, [postcards.parse(said)]).tolist() == [shows]


def test_each_picture_is_held_against_its_own_words():
    reading = truth_of(SEEN)
    said = [postcards.parse(prompt) for prompt in SEEN]
    assert scoring.matches(reading, said).tolist() == [True, True, True]
    assert scoring.matches(reading, said[::-1]).tolist() == [False, True, False]


def test_a_painter_without_fault_follows_and_one_that_forgets_the_colour_does_not():
    asked = []

    def colourless(prompts):
        asked.append(prompts)
        said = [postcards.parse(prompt) for prompt in prompts]
        for one in said:
            for thing in one["things"]:
                thing["colour"] = None
        shown = [postcards.compose(one, i) for i, one in enumerate(said)]
        return postcards.draw(postcards.concatenate(shown))

    whole, dull = (scoring.follows(draw, 40, SEED) for draw in (painted, colourless))
    assert whole.keys() == dull.keys() and len(whole) == 6
    for name, row in whole.items():
        low, high = row["what was said is right, 95 % interval"]
        assert row["pictures"] == 40 and low < row["what was said is right"] <= high <= 1
        assert row["what was said is right"] >= 0.92, name
        assert dull[name]["what was said is right"] < row["what was said is right"] - 0.1, name
    pairs = dull["pair, full captions"]
    assert pairs["colour"] < 0.3 and pairs["object"] >= 0.9 and pairs["all"] <= pairs["colour"]
    assert "colour" not in whole["single, varied captions"], "what is not said can not be wrong"
    held_out = [postcards.parse(prompt)["things"][0] for prompt in asked[1]]
    assert {(one["object"], one["colour"]) for one in held_out} <= postcards.HELD_OUT


def test_a_network_that_has_learned_nothing_follows_nothing_the_same_way_each_time():
    pipe = small_pipe()

    def draw(prompts):
        noise = pipe.noise(len(prompts), torch.Generator().manual_seed(0))
        return pipe.decode(sampling.finish(pipe.steps(prompts, latents=noise)))

    first, again = (scoring.follows(draw, 16, SEED) for _ in range(2))
    assert first == again
    for name, row in first.items():
        assert row["what was said is right"] <= 0.2, name


# --- judges only measure ---

# Which files name a judge: where it is defined, made, asked, and asked before a learner's eyes.
MEASURING = {
    "judge": {
        "quiz/about_words.py", "recipes/__init__.py", "scoring/recognition.py", "scoring/tables.py",
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
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if name in names_in(path.read_text(encoding="utf-8"))
    }
    assert users == MEASURING[name]


@pytest.mark.parametrize(
    "source, name",
    [
        ('loss = distance(recognition.load("judge").body(images))', "judge"),
        ("from diffusion_lessons.scoring import clothes", "clothes"),
        ("from diffusion_lessons.scoring.clothes import Ruler", "clothes"),
        ("import diffusion_lessons.scoring.clothes", "clothes"),
        ('weights = workspace.load_weights("fashion-judge")', "fashion-judge"),
    ],
)
def test_a_loss_that_used_a_judge_would_be_found(source, name):
    assert name in names_in(source)
