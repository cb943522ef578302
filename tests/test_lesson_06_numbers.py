"""What lesson 06 claims, held against the package, its kept outputs and the measured tables."""

from itertools import pairwise

import torch
from pytest import approx

from bench import results, steering
from diffusion_lessons import checks, recipes, sampling, schedule
from diffusion_lessons.models import LoRA
from diffusion_lessons.prediction import Prediction, keep, read_off
from tests.claims import Between, Lesson, claims
from tests.small_pipe import normal, seeded

LESSON = Lesson("06")
BENCH = results.read("steering")
CHANGED, LEFT = BENCH["image to image"], BENCH["left of the horizon"]
WAYS = {(row["way"], row["jump_n_sample"]): row for row in BENCH["inpainting"]}
STYLED = results.read("lora")
TAKEN = results.read("ip_adapter")
WON = {about: {row["scale"]: row for row in rows} for about, rows in TAKEN["in conflict"].items()}
ALL_WEIGHTS = STYLED["full fine-tuning"]["lantern"]
SAID_RIGHT = [
    [STYLED[way]["lantern"][kind]["all, 95 % interval"] for way in ("shipped", "full fine-tuning")]
    for kind in ("single", "single, held-out pairs")
]
SOLVED = {name: one.function for name, one in checks.EXERCISES.items()}


def seam(way: str, rounds: int = 1) -> float:
    return WAYS[way, rounds][steering.SEAM]["ratio"]


def guess(x_t: torch.Tensor, t: torch.Tensor, rates: object = None) -> Prediction:
    """A denoiser that looks at what it is given, at every place."""
    a, b = schedule.cosine(t)
    return read_off("x_0", torch.tanh(x_t.roll(1, dims=-1) + t.view(-1, 1, 1, 1)), x_t, a, b)


@claims(
    ("`make bench` changed 512 real postcards … `make bench` took 512 real postcards",
     (steering.PICTURES, CHANGED[0]["pictures"]), [512, 512]),
    ('within 2 pixels, in 80 of 100?", ["about 0.5", "about 0.7", "about 0.9", "none"]',
     [row[steering.BOTH] for row in CHANGED], Between(0, 0.6)),
    ("the horizon within 2 pixels", steering.WITHIN, 2.0),
    ("The sky is half of the picture, and nearly all noise is needed",
     [CHANGED[7][steering.SKY], CHANGED[8][steering.SKY]], [Between(0, 0.9), Between(0.9, 1)]),
    ("Even with the *old* words the horizon is lost on that way",
     CHANGED[8]["with the old words"][steering.HORIZON], Between(0, 0.6)),
    ("a little noise hides it", LEFT[2]["share of the variance"], Between(0, 0.5)),
    ("fitted to thousands of noised latents", steering.REGRESSED, Between(2000, 9999)),
    ('"the day, hardly changed"', CHANGED[3][steering.SKY], Between(0, 0.05)),
    ("Every way paints what was asked",
     [row[steering.THING] for row in WAYS.values()], Between(0.98, 1)),
    ("Only pasting keeps the rest to the pixel",
     {name: row["outside equal"] for (name, _), row in WAYS.items()},
     {"as decoded": 0, "pasted at a sharp edge": 1, "pasted": 1}),
    ("with a sharp cut one sees where", seam("pasted at a sharp edge"), Between(2, 9)),
    ("The soft rim does what resampling hardly does",
     [seam("pasted"), seam("pasted at a sharp edge", 4)], [Between(0, 1.3), Between(2, 9)]),
    ("and beside it five times the difference", "5 * (naive" in LESSON.cells["naive"].source, True),
    ("64 postcards by lantern light … r is small, 4 here",
     (recipes.LIVE_LORA.pictures, recipes.LIVE_LORA.rank), [64, 4]),
    ("both obey the caption alike: the intervals overlap", [
        max(ends[0] for ends in pair) < min(ends[1] for ends in pair) for pair in SAID_RIGHT
     ], [True, True]),
    ("`make bench` showed <128> postcards", WON["colour"][1.0]["pictures"]),
    ("at λ = 1 the words still win most often, though less than half of the time",
     sorted(("words", "picture", "neither"), key=WON["colour"][1.0].get)[-1:]
     + [WON["colour"][1.0]["words"] < 0.5], ["words", True]),
    ("1.5 the picture is ahead",
     [WON["colour"][scale]["picture"] > WON["colour"][scale]["words"] for scale in (1.0, 1.5)],
     [False, True]),
    ("The sky is never the picture's", [row["picture"] for row in WON["sky"].values()], [0] * 6),
    ("A colour gives way before a thing does",
     [WON["colour"][s]["words"] < WON["object"][s]["words"] for s in (0.5, 0.75, 1.0)], [True] * 3),
    ("one picture in four obeys neither",
     [WON["colour"][1.0]["neither"], WON["object"][1.5]["neither"]], Between(0.2, 0.3)),
    ("the colour in <95> of 100 (<89> to <97>)", [100 * share for share in (
        WON["colour"][0.25]["words"], *WON["colour"][0.25]["words, 95 % interval"])]),
    ("thing and colour come over together in <36> of 100",
     [100 * row["object and colour"] for row in TAKEN["without words"] if row["scale"] == 0.25]),
    ("What all weights forget are *plain* postcards … so no word takes it off",
     [ALL_WEIGHTS[kind]["plain"] for kind in ("single", "single, held-out pairs")],
     Between(0, 0.1)),
    ("LoRAs that were trained for the frozen network no longer fit",
     [row["in the style"] for row in ALL_WEIGHTS["other styles"].values()], Between(0, 0.6)),
    ("", [row["in the style"] for row in ALL_WEIGHTS["of the frozen"].values()], Between(0.85, 1)),
    ("its file is a thirtieth as large",
     ALL_WEIGHTS["bytes"] / STYLED["shipped"]["lantern"]["bytes"], Between(28, 34)),
    ("Sepia takes the colours away, and with them nearly all that this judge reads",
     STYLED["ceilings"]["sepia"]["all"], Between(0, 0.05)),
    ("", LESSON.numbers("half-boat", r"boat in (\d+) of 12$"), [Between(0, 12), Between(0, 12)]),
)  # fmt: skip
def test_what_the_lesson_states(claim):
    LESSON.says(*claim)


def test_begin_and_walk_are_the_package_s():
    z, eps, times = normal(2, 4, 8, 8), normal(2, 4, 8, 8, seed=1), sampling.times(10)
    t = torch.tensor([0.4])
    x_t = SOLVED["begin"](z, eps, 0.54, *schedule.cosine(t))
    torch.testing.assert_close(x_t, schedule.add_noise(0.54 * z, eps, t.expand(2), schedule.cosine))
    visited = []

    def step(x_t, t, t_next):
        visited.append((round(float(t), 4), round(float(t_next), 4)))
        return x_t

    SOLVED["bug_walk"](x_t, times, 0.4, step)
    assert visited == [*pairwise([0.4, 0.3, 0.2, 0.1, 0.0])]
    assert torch.equal(times[times <= 0.4], sampling.times(10)[10 - int(10 * 0.4) :])


def test_blending_after_each_step_is_knowing_a_part_of_the_clean_picture():
    x_0, eps, times = normal(2, 4, 8, 8), normal(2, 4, 8, 8, seed=1), sampling.times(8)
    until = torch.tensor([0.0, 0.5, 1.0, 1.0]).repeat(2).view(1, 1, 1, 8)
    walked = schedule.walk_rates(times, eps, schedule.cosine)
    x_t = eps
    for i, (t, t_next) in enumerate(pairwise(times)):
        walk = sampling.ddim(guess, schedule.cosine, x_t, torch.stack([t, t_next]))
        free = (until < t).float()
        x_t = SOLVED["blend"](sampling.finish(walk), x_0, eps, free, walked[i], walked[i + 1])
    known = keep(guess, schedule.cosine, x_0, until)
    ours = sampling.finish(sampling.ddim(known, schedule.cosine, eps, times))
    torch.testing.assert_close(x_t, ours, rtol=1e-4, atol=1e-5)
    assert (x_t[..., 2:4] == x_0[..., 2:4]).all() and not torch.equal(x_t, x_0)


def test_renoise_is_the_package_s():
    rates, rates_next = schedule.walk_rates(
        torch.tensor([0.6, 0.5]), normal(2, 4, 3, 3), schedule.cosine
    )
    x_next, noise = normal(2, 4, 3, 3), torch.randn(2, 4, 3, 3, generator=seeded(1))
    mine = SOLVED["renoise"](x_next, noise, rates, rates_next)
    torch.testing.assert_close(mine, sampling.renoise(x_next, noise, rates, rates_next))
    assert mine.std().item() == approx(x_next.std().item(), abs=0.3)


def test_merge_is_the_package_s():
    lora = LoRA({"layer": (6, 5)}, rank=2, alpha=4.0)
    a, b = (lora.get_parameter(f"layer.lora_{side}.weight") for side in "AB")
    weight = normal(6, 5)
    with torch.no_grad():
        b.copy_(normal(6, 2, seed=1))
        mine = SOLVED["lora_merge"](weight, a, b, 4.0, 1.0)
        torch.testing.assert_close(mine, weight + lora.changes()["layer.weight"])
