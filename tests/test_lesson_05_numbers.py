"""What lesson 05 claims, held against the package, its kept outputs and the live settings."""

import re
from math import inf

import pytest
import torch
from pytest import approx

from bench import guidance, results
from diffusion_lessons import conditioning, models, postcards, recipes
from tests.claims import Between, Lesson, claims

LESSON = Lesson("05")
LIVE, WHOLE, CAPTIONS = recipes.LIVE_LATENT, *map(recipes.RECIPES.get, ("postcards", "captions"))
KNOWN = len(conditioning.WORDS) - 1  # number 0 is no word
ABOUT = conditioning.attribute_classes()
MARKS = [int(n) for n in re.findall(r"\d+", re.search(r"step in \((.*?), live", LESSON.text)[1])]
SCORES = models.load_text_unet("postcards")[1]["scores"]
CARD = 100 * SCORES["pair, full captions"]["what was said is right"]
HELD_OUT = dict(re.findall(r"(\w+) +everything right: (\d+)%", LESSON.printed("held-score")))
TIMES = dict(re.findall(r"by (\w+(?: x)?) +(\d\.\d+) times", LESSON.printed("contrast")))
TABLE = {  # a line's name to its numbers: right, diversity, pixels (each with its ends), clipped
    line[:15].strip(): [float(number) for number in re.findall(r"\d+\.\d+", line[15:])]
    for line in LESSON.printed("table").splitlines()
    if line.startswith("s =")
}
RIGHT, DIVERSITY, CLIPPED = ({name: row[at] for name, row in TABLE.items()} for at in (0, 3, 9))
CLIPPED_IN_DATA = results.read("guidance")["beside"]["real, train"]["clipped"]
MEASURED = {
    (row["split"], row["scale"]): row
    for row in results.read("guidance").get("rows", [])
    if row["interval"] == [0, 1]
}


def right(split: str, scale: float) -> tuple[float, float, float]:
    """The ends of the interval of what is right, and it itself between them."""
    low, high = (row := MEASURED[split, scale])["everything right, 95 % interval"]
    return low, row["everything right"], high


def gain(split: str) -> float:
    return right(split, 2.5)[1] - right(split, 1.0)[1]


def looks() -> float:
    page = LESSON.cells["maps-show"].outputs[0].data["text/html"]
    return float(re.search(r"the rest</b>: of all looks ([\d.]+)%", page)[1])


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
    ("it adds up to 1", LESSON.printed("maps"), "each place divides: True\n"),
    ("most looks go to small words", looks, Between(50, 100)),
    ("about one caption in ten … live.p_uncond is 0.1",
     (LIVE.p_uncond, WHOLE.p_uncond), [0.1, 0.1]),
    ("<256> numbers each", 4 * 8 * 8),
    ("times $b^2/a$ of the rates", LESSON.numbers("why-slope", r"the slope: ([\d.]+)"), [0.0]),
    ("each red point gets about its third … most ends lie at the one farthest",
     LESSON.numbers("why", r"get (\d+)%, (\d+)%, (\d+)%"),
     [*3 * [Between(30, 37)], Between(75, 100), *2 * [Between(0, 15)]]),
    ("each is about as frequent … Red nearly five times as often as blue",
     LESSON.numbers("left-open-print", r"(?:red|orange|green|blue) +([\d.]+)% +([\d.]+)%"),
     [23.2, Between(12, 15), 21.9, Between(12, 15), 6.5, Between(12, 15), 4.8, Between(12, 15)]),
    ("", LESSON.numbers("left-open-print", r"large +([\d.]+)% +([\d.]+)%"), [63.6, 49.9]),
    ("from s = 4 on more of them are clipped than in real postcards",
     [MEASURED["train", scale]["clipped"] > CLIPPED_IN_DATA for scale in (3.0, 4.0)],
     [False, True]),
    ("", LESSON.numbers("curves-file", r"clipped ([\d.]+)%"), [0.4, 0.6, 1.9, 0.8]),
    ('widgets.Slider("steps", 2, 8, start=6) … and 8 steps',),
    ("It takes about a minute.", MARKS, sorted(MARKS)),
    ("", MARKS[-1], Between(1, LIVE.steps - 1)),
    ("paints 64 full captions … postcards.sample_scenes(64, 4_000_000_000", LIVE.full, 1.0),
    ("16 prompts with 6 seeds each … <96> pictures have wide intervals", 16 * 6),
    ("the dotted line still gains up to s = 5",
     right("held_out", 5.0)[0], Between(right("held_out", 2.5)[2], 1)),
    ("", right("train", 10.0)[2], Between(0, right("train", 2.5)[0])),
    ("more of it buys nothing for pairs that training showed … it costs diversity and clean",
     RIGHT["s = 10"], Between(0, RIGHT["s = 2.5"] + 0.02)),
    ("", RIGHT["s = 1"], Between(0, RIGHT["s = 2.5"])),
    ("", sorted(("s = 1", "s = 2.5", "s = 5", "s = 10"), key=DIVERSITY.get, reverse=True),
     ["s = 1", "s = 2.5", "s = 5", "s = 10"]),
    ("", CLIPPED["s = 10"] / CLIPPED["s = 1"], Between(1.5, inf)),
    ("gives some of that back … 0.25 ≤ t ≤ 0.75 … (0.25, 0.75)", guidance.INTERVAL, [0.25, 0.75]),
    ("", DIVERSITY["s = 10, middle"] > DIVERSITY["s = 10"], True),
    ("", CLIPPED["s = 10, middle"] < CLIPPED["s = 10"], True),
    ("", float(TIMES["pixels"]), Between(1.15, inf)),  # contrast moves these, and no factor
    ("", [float(TIMES["horizon"]), float(TIMES["sun x"])], Between(0.9, 1.1)),
    ("Eight pairs of object and colour", len(postcards.HELD_OUT), 8),
    ("no blue house, no red cat", {("house", "blue"), ("cat", "red")} <= postcards.HELD_OUT, True),
    ("", int(HELD_OUT["held_out"]), Between(85, 100)),  # learned apart, words combine
    ("painted <512> prompts at each of ten scales", guidance.PROMPTS),
    ("", (min(guidance.SCALES), max(guidance.SCALES)), [0, 10]),
    ("most of all for the pairs of the dotted line",
     gain("train"), Between(-0.01, gain("held_out") - 1e-9)),
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
