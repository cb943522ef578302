"""What lesson 05 claims, held against the package, its kept outputs and the live settings."""

import re

import pytest
import torch
from pytest import approx

from bench import guidance, results
from diffusion_lessons import checks, conditioning, models, postcards, recipes
from diffusion_lessons.scoring.statistics import wilson
from tests.claims import Between, Lesson, claims

LESSON = Lesson("05")
LIVE, WHOLE, CAPTIONS = recipes.LIVE_LATENT, *map(recipes.RECIPES.get, ("postcards", "captions"))
KNOWN = len(conditioning.WORDS) - 1  # number 0 is no word
ABOUT = conditioning.attribute_classes()
MARKS = [int(n) for n in re.findall(r"\d+", re.search(r"step in \((.*?), live", LESSON.text)[1])]
SCORES = models.load_text_unet("postcards")[1]["scores"]
CARD = 100 * SCORES["pair, full captions"]["what was said is right"]
SPREADS = {  # of the horizon over the seeds, in percent of the height
    name: float(share)
    for name, share in re.findall(r"(\S.*?) +horizon +([\d.]+) %", LESSON.printed("measure"))
}
BENCH = results.read("guidance")
REAL = BENCH["beside"]["real, train"]
MEASURED = {(row["split"], row["scale"], *row["interval"]): row for row in BENCH["rows"]}
COLOURS, SIZES = (BENCH["left open"][name] for name in ("colour", "size"))
PLAIN_COLOURS, PLAIN_SIZES = (
    BENCH["left open, without guidance"][name]["share of each word"] for name in ("colour", "size")
)


def right(split: str, scale: float, start: float = 0.0, end: float = 1.0) -> list[float]:
    """The ends of the interval of what is right."""
    return MEASURED[split, scale, start, end]["everything right, 95 % interval"]


def figures(scale: float, start: float = 0.0, end: float = 1.0) -> list[float]:
    """What is right, spread of horizon and sun, clipped; of prompts that training showed."""
    row = MEASURED["train", scale, start, end]
    spread = [of["spread"] for of in row["diversity"].values()]
    return [row["everything right"], *spread, row["clipped"]]


def overlap(one: tuple, other: tuple) -> bool:
    """Whether the intervals of what is right, of horizon and of sun overlap, of scales and ways."""
    rows = (MEASURED["train", *way] for way in (one, other))
    ends = [
        [row["everything right, 95 % interval"]]
        + [of["95 % interval"] for of in row["diversity"].values()]
        for row in rows
    ]
    return all(max(a[0], b[0]) <= min(a[1], b[1]) for a, b in zip(*ends, strict=True))


def clipped(start: float, end: float) -> float:
    """Of held-out pairs, in percent."""
    return 100 * MEASURED["held_out", 5.0, start, end]["clipped"]


def looks() -> float:
    page = LESSON.cells["maps-show"].outputs[0].data["text/html"]
    return float(re.search(r"the rest: ([\d.]+)%", page)[1])


@claims(
    ("one vector of D = <128> numbers for each of L = <32> places … `tokens` (1, 32)",
     (CAPTIONS.network()["width"], CAPTIONS.network()["length"])),
    ("L = <32> places", conditioning.LENGTH),
    ("", LESSON.numbers("tokens", r"\A(\d+) words are known"), [KNOWN]),
    ('a "cabin" is a house here',
     conditioning.tokenise(["a red cabin"]), conditioning.tokenise(["a red house"]).tolist()),
    ("", LESSON.printed("encode"), "equal to the package's encoder: True\n"),
    ("", len(LESSON.cells["encode"].source.splitlines()), Between(1, 20)),
    ("", LESSON.numbers("bind", r"cosine: (\d\.\d+) in the table, (\d\.\d+)"),
     [1.0, Between(0, 0.9)]),  # attention tells the houses apart
    ("", LESSON.printed("says").splitlines(),
     ["house says: house, red, –, left, one", "boat  says: boat, blue, small, –, one"]),
    ("", LESSON.numbers("binding", r"of 1,024 pairs ([\d.]+)% all right"),
     [approx(CARD, abs=0.06)]),
    ("", CARD, Between(5 * 100 / 15, 100)),  # the point of the section
    ("", len(LESSON.printed("card").splitlines()), len(SCORES)),
    ("Of each kind of scene 1,024 were painted",
     [row["pictures"] for row in SCORES.values()], Between(1024, 1024)),
    ("it adds up to 1",
     checks.EXERCISES["cross_attention"].function(
         torch.randn(4, 8), torch.randn(5, 8), *2 * [torch.nn.Linear(8, 32)],
         lambda words: torch.eye(len(words))).sum(dim=1), Between(0.9999, 1.0001)),
    ('Most looks go to "the rest"', looks, Between(50, 100)),
    ("about one caption in ten",
     (LIVE.p_uncond, WHOLE.p_uncond), [0.1, 0.1]),
    ("<256> numbers each", 4 * 8 * 8),
    ("times $b^2/a$ of the rates", LESSON.numbers("why-slope", r"the slope: ([\d.]+)"), [0.0]),
    ("each red point gets about its third … most ends lie at the one farthest",
     LESSON.numbers("why", r"get (\d+)%, (\d+)%, (\d+)%"),
     [*3 * [Between(30, 37)], Between(75, 100), *2 * [Between(0, 15)]]),
    ("In the data, each is about as frequent … red comes out nearly five times as often",
     [min(COLOURS["in the data"].values()) > 0.12, max(COLOURS["in the data"].values()) < 0.15],
     [True, True]),
    ("<23> % red and <22> % orange, <6.5> % green and <4.8> % blue",
     [100 * COLOURS["share of each word"][word] for word in ("red", "orange", "green", "blue")]),
    ("<64> % of the things are large", 100 * SIZES["share of each word"]["large"]),
    ("red <17> %, orange <11> %, blue <12> %, large <51> %",
     [*(100 * PLAIN_COLOURS[word] for word in ("red", "orange", "blue")),
      100 * PLAIN_SIZES["large"]]),
    ("all is near the data … a price of guidance",
     [BENCH[key][name]["distance"] for key in ("left open, without guidance", "left open")
      for name in ("colour", "size")], [*2 * [Between(0, 0.07)], *2 * [Between(0.13, 1)]]),
    ("neighbouring pixels differ 1 to 5 % more than in real postcards, at any scale",
     [level / BENCH["finish"]["real"] for _, level in BENCH["finish"]["by scale"]],
     Between(1.01, 1.05)),
    ("<93> % have all of it at s = 1, and <99.6> % at s = 2",
     [100 * figures(scale)[0] for scale in (1.0, 2.0)]),
    ("More of it buys nothing here", max(figures(s)[0] for s in guidance.SCALES), figures(2.0)[0]),
    ("From s = 4 on, more colour values are clipped than in real postcards",
     [figures(scale)[3] > REAL["clipped"] for scale in (3.0, 4.0)], [False, True]),
    ("at s = 10 it is more than twice as many", figures(10.0)[3] / REAL["clipped"], Between(2, 3)),
    ("even fidelity falls", right("train", 10.0)[1], Between(0, right("train", 2.0)[0])),
    ("Pictures of one prompt become alike",
     [figures(scale)[1:3] for scale in guidance.SCALES[1:]],
     sorted((figures(scale)[1:3] for scale in guidance.SCALES[1:]), reverse=True)),
    ("From s = 0 to 1 the caption alone does that", figures(1.0)[1], Between(0, figures(0.0)[1])),
    ("Even at s = 1 horizons differ less than in real postcards, says the file",
     MEASURED["train", 1.0, 0.0, 1.0]["diversity"]["horizon"]["95 % interval"], Between(0, 0.99)),
    ("a difference of less than <12> of a hundred may be chance",
     100 * (wilson(32, 64)[1] - 0.5)),
    ("About a minute. You may stop it", MARKS, sorted(MARKS)),
    ("", MARKS[-1], Between(1, LIVE.steps - 1)),
    ("paints 64 full captions … postcards.sample_scenes(64, 4_000_000_000", LIVE.full, 1.0),
    ("The middle alone at s = 5 is what s = 2 gives on the whole way, and s = 10 there is what "
     "s = 3 gives", [overlap((part, *guidance.INTERVAL), (whole, *guidance.WHOLE_WAY))
                     for part, whole in ((5.0, 2.0), (10.0, 3.0))], Between(True, True)),
    ("The clipped values come from the early part",
     [clipped(0.5, 1.0) - clipped(0.0, 0.5), clipped(0.75, 1.0) - clipped(0.0, 0.25)],
     Between(0.003, 1)),
    ("in the second half of the way alone it does nearly as much as on the whole way",
     right("held_out", 5.0, 0.0, 0.5)[1], Between(right("held_out", 5.0)[0], 1)),
    ("the guidance that earns most acts later",
     right("held_out", 5.0, 0.0, 0.25)[0], Between(right("held_out", 5.0, 0.75)[1], 1)),
    ("Here guidance earns more, up to s = 5",
     right("held_out", 5.0)[0], Between(right("held_out", 2.5)[1], 1)),
    ("", LESSON.numbers("parts", r"right ([\d.]+)%"), [99.6, 99.6, 99.6, 98.6]),
    ("", LESSON.numbers("when", r"right ([\d.]+)%"), [88.5, 94.1, 99.4, 94.5, 99.8]),
    ("", SPREADS["s = 10"] / SPREADS["s = 1"], Between(0, 0.7)),
    ("with nothing but their contrast turned up",
     SPREADS["real, harder"] / SPREADS["real"], Between(0.9, 1.1)),
    ("moves every pixel, and no horizon",
     LESSON.numbers("measure", r"real(?:, harder)? .* pixels ([\d.]+)"), [0.11, 0.14]),
    ("One prompt, <48> seeds … postcards.sample_scenes(48, 4_000_000_002)", 48),
    ("Eight pairs of object and colour", len(postcards.HELD_OUT), 8),
    ("no blue house, no red cat", {("house", "blue"), ("cat", "red")} <= postcards.HELD_OUT, True),
    ("Words that were learned apart combine", right("held_out", 2.5)[0], Between(0.85, 1)),
    ("painted <512> prompts at each of ten scales", guidance.PROMPTS),
    ("", (min(guidance.SCALES), max(guidance.SCALES)), [0, 10]),
)  # fmt: skip
def test_the_text_says_what_is_so(claim):
    LESSON.says(*claim)


def test_synonyms_lie_side_by_side_and_rows_do_not():
    LESSON.says("synonyms lie side by side … neighbours mean nothing")
    lines = re.findall(
        r"^(\w+) +row: (\w+) ([\d.]+).*meant: (\w+) ([\d.]+)", LESSON.printed("near"), re.MULTILINE
    )
    assert len(lines) == 5
    synonyms = {
        "red": "scarlet", "house": "cottage hut huts cottages houses", "large": "big huge",
        "tiny": "small little", "kitten": "cat cats kittens",
    }  # fmt: skip
    for word, _, row, near, meant in lines:
        assert near in synonyms[word].split() and float(meant) > 0.7 > 0.4 > float(row)


def test_the_encoder_was_trained_as_the_text_says():
    LESSON.says("two about the scene, its sky and its ground, from the *mean*")
    LESSON.says("five about each thing … the vector of *one* word, the noun that names it")
    LESSON.says("Ask it the five questions", [len(ABOUT["scene"]), len(ABOUT["thing"])], [2, 5])
    reader = models.CaptionReader(len(conditioning.WORDS), 32, 1, conditioning.LENGTH, **ABOUT)
    tokens = conditioning.tokenise(["a red house on the left and a small blue boat"])
    nouns = conditioning.noun_places(tokens)
    with torch.inference_mode():
        words, answers = reader.encoder(tokens), reader(tokens, nouns)
        scene = reader.scene(words.mean(dim=1)).split(ABOUT["scene"], dim=1)
        boat = reader.thing(words[:, nouns[0, 1]]).split(ABOUT["thing"], dim=1)
    for mine, its in zip((*scene, *boat), answers[:2] + answers[7:], strict=True):
        assert torch.allclose(mine, its, atol=1e-5)


def test_the_plane_holds_all_answers():
    LESSON.says("every guided answer lies in it")
    without, told = torch.randn(2, 256, generator=torch.Generator().manual_seed(0)).double()
    first = without / without.norm()
    second = told - (told @ first) * first
    plane = torch.stack([first, second / second.norm()], dim=1)
    for s in (0.0, 1.0, 7.5):
        guided = conditioning.guide(without, told, s)
        assert float((guided - plane @ (plane.T @ guided)).norm()) < 1e-9


@pytest.mark.parametrize("w", [-1.0, 0.0, 1.5, 9.0])
def test_both_conventions_are_the_same_line(w):
    LESSON.says("w = s − 1 … s = 1 + w")
    without, told = torch.randn(2, 4, generator=torch.Generator().manual_seed(1)).double()
    ours = conditioning.guide(without, told, 1 + w)
    assert torch.allclose(ours, (1 + w) * told - w * without)
