"""Guidance measured: each figure against its definition, and one of the file's rows again."""

import json

import pytest
import torch

from bench import guidance, results
from diffusion_lessons import postcards
from diffusion_lessons.postcards import VALUES, Scenes
from diffusion_lessons.scoring import factors, recognition
from diffusion_lessons.scoring.statistics import wilson
from tests.claims import Between

RIGHT = guidance.RIGHT


class Painter:
    """Stands in for the pipeline: draws what a caption says, the rest by chance, from the noise.

    At scale 0 it ignores the caption; the higher the scale, the higher its contrast.
    """

    def __init__(self):
        self.asked = []

    def noise(self, count, generators):
        return torch.stack([torch.rand(1, generator=one) for one in generators])

    def steps(self, said, guidance_scale, latents, interval):
        self.asked.append((list(said), guidance_scale, latents.flatten().tolist(), interval))
        scale = 2.0 if guidance_scale is None else guidance_scale
        drawn = []
        for caption, chance in zip(said, latents.flatten().tolist(), strict=True):
            meant = postcards.parse(caption if scale else "")
            drawn.append(postcards.draw(postcards.compose(meant, int(chance * 2**31))))
        step = type("Step", (), {"x_next": torch.cat(drawn) * (1 + scale / 4)})
        return iter([step, step])

    def decode(self, latents):
        return latents.clamp(-1, 1)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(guidance, "SAMPLED_AT_ONCE", 20)
    return Painter()


def captions(count, split="train"):
    scenes = postcards.sample_scenes(count, guidance.SEED, split, "single")
    return scenes, postcards.captions(scenes, guidance.SEED, full=True)


def test_each_prompt_keeps_its_noise_at_every_scale_and_batch(few, monkeypatch):
    said = captions(30)[1]
    guidance.paint(few, said, 7, 1.0)
    monkeypatch.setattr(guidance, "SAMPLED_AT_ONCE", 30)
    guidance.paint(few, said, 7, 5.0, (0.2, 0.6))
    small, large = few.asked[:2], few.asked[2]
    assert [len(one[0]) for one in small] == [20, 10]
    assert small[0][2] + small[1][2] == large[2] and len(set(large[2])) == 30
    assert large[1] == 5.0 and large[3] == (0.2, 0.6)
    guidance.paint(few, said[:1], 7)
    assert few.asked[-1][1] is None and few.asked[-1][3] == guidance.WHOLE_WAY, "left to the pipe"


def test_real_postcards_are_right_and_a_wrong_sky_costs_only_the_sky():
    scenes, _ = captions(60)
    real = guidance.fidelity(postcards.draw(scenes), scenes)
    assert real[RIGHT] > 0.98 and real["pictures"] == 60
    assert set(real["right by attribute"]) == {*VALUES}
    changed = {name: value.clone() for name, value in scenes.attributes.items()}
    changed["sky"][:30] = (changed["sky"][:30] + 1) % len(VALUES["sky"])
    wrong = guidance.fidelity(postcards.draw(Scenes(changed, scenes.dice)), scenes)
    assert wrong[RIGHT] == pytest.approx(0.5, abs=0.05)
    assert wrong["right by attribute"]["sky"] == pytest.approx(0.5, abs=0.05)
    assert wrong["right by attribute"]["object"] > 0.95
    assert wrong[f"{RIGHT}, 95 % interval"] == [
        round(end, 4) for end in wilson(round(wrong[RIGHT] * 60), 60)
    ]


def test_burnt_by_hand():
    images = torch.zeros(2, 3, 4, 4)
    images[0, 0] = 1.0  # one colour of one picture is cut off: a sixth; half the range apart
    assert guidance.burnt(images) == {"clipped": round(1 / 6, 5), "saturation": 0.25}
    images[1, :, 0] = -1.0  # a black line: a quarter of half of the numbers, without colour
    assert guidance.burnt(images) == {"clipped": round(1 / 6 + 1 / 8, 5), "saturation": 0.25}
    assert guidance.burnt(images * 0.99)["clipped"] == 0


def test_finish_sees_what_the_judge_overlooks(few):
    few.autoencoder = type("Whole", (), {"encode": lambda s, x: (x, x), "decode": lambda s, z: z})()
    found = guidance.finish(few, 20)
    assert found["through the autoencoder"] == found["real"] == pytest.approx(7, abs=3)
    (none, plain), *_, (most, harder) = found["by scale"]
    assert (none, most) == (0, 10) and harder > 1.5 * plain, "the contrast of 3.5 to 1, clipped"
    edge = torch.zeros(1, 3, 2, 4)
    edge[..., 2:] = 1.0  # one of three pairs in a row, half the range apart
    assert guidance.grain(edge) == round(127.5 / 3, 2)
    noise = 0.1 * torch.randn(20, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert guidance.grain(noise) > 10


@pytest.mark.parametrize("of_prompt", [0, 100])  # prompts may differ as they like
def test_the_spread_of_pairs_is_their_standard_deviation(of_prompt):
    pair = torch.randn(2, 50_000, generator=torch.Generator().manual_seed(0)) * 3 + 7
    one, other = pair + torch.linspace(0, of_prompt, 50_000)
    gaps = guidance.apart({"a": one}, {"a": other})["a"]
    assert guidance.spread(gaps) == pytest.approx(3, rel=0.02)


def test_pairs_without_a_factor_do_not_count():
    nan = torch.nan
    gaps = guidance.apart(
        {"a": torch.tensor([1.0, nan, 3.0, nan])}, {"a": torch.tensor([3.0, 1.0, nan, nan])}
    )
    assert gaps["a"].tolist() == [4.0]


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    dice, held = torch.Generator().manual_seed(0), 0
    for _ in range(200):
        one, other = torch.randn(2, 100, generator=dice) * 0.5
        row = guidance.diversity({"a": (one - other).square()}, {"a": 1.0})["a"]
        held += Between(*row["95 % interval"]) == 0.5
    assert 0.88 < held / 200 <= 0.99


def test_the_data_is_as_diverse_as_the_data():
    """Horizon and sun are even over ranges that the world states; the reading errs to the mean."""
    data = guidance.spread_of_data(600)
    assert 0.75 < data["horizon"] / (0.12 / 12**0.5) < 1.1
    assert 0.75 < data["sun x"] / (0.76 / 12**0.5) < 1.1


def test_a_row_holds_what_the_lesson_reads_and_repeats_itself(few):
    data = dict.fromkeys(factors.NAMES, 0.1)
    first, again = (
        guidance.row(few, "train", 1.0, guidance.WHOLE_WAY, data, prompts=40) for _ in range(2)
    )
    assert first == again == json.loads(json.dumps(first))
    assert first["pictures"] == 40 and first[RIGHT] > 0.9
    assert set(first["diversity"]) == set(factors.NAMES)
    assert first["diversity"]["horizon"]["pairs"] == 20
    painted = [said for said, *_ in few.asked[:3]]
    assert painted[2] == painted[0], "the first half, from other noise"
    assert few.asked[2][2] != few.asked[0][2]
    assert guidance.table([first]).count("\n") == 1


def test_a_model_that_ignores_captions_is_seen_through(few):
    data = guidance.spread_of_data(300)
    deaf, loud = (
        guidance.row(few, "train", scale, guidance.WHOLE_WAY, data, prompts=60) for scale in (0, 10)
    )
    assert deaf[RIGHT] < 0.1 and loud["clipped"] > deaf["clipped"] + 0.1
    assert loud["saturation"] > deaf["saturation"]
    assert 0.6 < deaf["diversity"]["horizon"]["spread"] < 1.4


def test_held_out_rows_ask_for_held_out_pairs(few):
    row = guidance.row(few, "held_out", 2.0, guidance.WHOLE_WAY, {}, prompts=20)
    assert "diversity" not in row and len(few.asked) == 1
    for caption in few.asked[0][0]:
        (thing,) = postcards.parse(caption)["things"]
        assert (thing["object"], thing["colour"]) in postcards.HELD_OUT


def test_real_postcards_stand_beside(few):
    few.autoencoder = type("Whole", (), {"encode": lambda s, x: (x, x), "decode": lambda s, z: z})()
    rows = guidance.beside(few, 40)
    assert len(rows) == 4 and min(row[RIGHT] for row in rows.values()) > 0.9


def test_one_thing_is_what_stands_there_and_where_nothing_stands_no_word_counts():
    scenes = postcards.sample_scenes(50, 3, kind="single")
    seen = guidance.one_thing(recognition.by_place(scenes.attributes))
    for name in ("sky", "ground", "object", "colour", "size", "position"):
        values = scenes.attributes[name]
        assert torch.equal(seen[name], values if values.ndim == 1 else values[:, 0]), name
    reading = {name: torch.full((2, 3), -1) for name in ("count", "object", "colour", "size")}
    reading |= {name: torch.zeros(2).long() for name in ("sky", "ground")}
    seen = guidance.one_thing(reading)
    assert seen["colour"].tolist() == seen["position"].tolist() == [-1, -1]


def test_who_draws_from_the_data_is_as_near_to_it_as_real_postcards(few):
    rows = guidance.left_open(few, 150)
    assert set(rows) == {"sky", "ground", "colour", "size", "position"}
    for name, row in rows.items():
        assert 40 < row["pictures"] < 110
        assert set(row["share of each word"]) == set(VALUES[name])
        assert sum(row["in the data"].values()) == pytest.approx(1, abs=0.001)
        assert row["distance"] < row["distance of real postcards"] + 0.2, name


def test_who_always_draws_the_same_is_far_from_the_data():
    always = guidance._against_the_data(
        "sky", torch.zeros(50).long(), torch.arange(50) % 5, torch.arange(1000) % 5
    )
    assert always["distance"] == pytest.approx(0.8) and always["distance of real postcards"] == 0
    assert always["share of each word"]["day"] == 1


def test_a_row_of_the_file_that_ships_measured_again_agrees():
    """At fewer pictures, so within the interval of those (99.9 %)."""
    shipped = results.read("guidance")
    scale, way, data = shipped["default scale"], guidance.WHOLE_WAY, shipped["spread of the data"]
    (row,) = (r for r in shipped["rows"] if (r["split"], r["scale"]) == ("train", scale)
              and r["interval"] == list(way))  # fmt: skip
    pipe = guidance.TextToImage.from_pretrained(guidance.WEIGHTS)
    again = guidance.row(pipe, "train", scale, way, data, prompts=64)
    assert row[RIGHT] == Between(*wilson(round(again[RIGHT] * 64), 64, confidence=0.999))
    assert again["clipped"] == pytest.approx(row["clipped"], abs=0.01)


def test_the_shares_in_data_s_readme_are_those_of_the_file(project):
    lines = ["| nobody said it | painted | without guidance | in the data |", "|---|---|---|---|"]
    with_it, without = map(
        results.read("guidance").get, ("left open", "left open, without guidance")
    )
    for name in ("colour", "size"):
        plain, data = without[name]["share of each word"], with_it[name]["in the data"]
        for word, share in with_it[name]["share of each word"].items():
            lines.append(f"| {word} | {share:.1%} | {plain[word]:.1%} | {data[word]:.1%} |")
    assert "\n".join(lines) in (project / "data" / "README.md").read_text(encoding="utf-8")
