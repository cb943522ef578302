"""What lesson 08 claims, held against the package, its kept outputs and the measured tables."""

import math

from bench import autoregressive, results
from diffusion_lessons import latents, models, pipeline, recipes
from tests.claims import Between, Lesson, claims

LESSON = Lesson("08")
TABLE = results.read("autoregressive")
COST, RIGHT = TABLE["cost"], autoregressive.RIGHT
CODES, CACHED, ANEW, WHOLE = "postcards-codes", "codes, cached", "codes, not cached", "whole"
SUMS = "million multiply-adds"
TRIED, PARTS = TABLE["settings tried"], TABLE["repainting a part"]
BITS = {name: row["mean"] for name, row in TABLE["bits"].items() if name != "at random"}
CPU = "CPU seconds of training"
SHIPPED, SMALL = recipes.RECIPES[CODES], recipes.LIVE_TOKENISER
TOKENISER, TOKENISER_CARD = models.load_tokeniser()
WRITER, WRITER_CARD = models.load_code_writer()
REFINED = {row["strength"]: row for row in TABLE["a plan, refined"]}
SPREADS = {(row["model"], row["how"]): row["diversity"]["horizon"]["spread"]
           for row in TABLE["diversity"]}  # fmt: skip


@claims(
    ("64 numbers of a dictionary", pipeline.patch_by_patch.SIDE**2, 64),
    ("The right one is done after 10 calls, the left one after 64",
     [COST[way]["calls in a row"] for way in (WHOLE, CACHED)], [10, 64]),
    ("Each number is one of 512, so 9 bits", math.log2(len(TOKENISER.codebook)), 9),
    ("A postcard has 12,288 numbers of 8 bits: that is 170 times as many bits",
     [64 * 64 * 3, 64 * 64 * 3 * 8 // (64 * 9)], [12288, 170]),
    ("A small tokeniser learns from 3,072 latents", SMALL.pictures, 3072),
    ("weighing a quarter, vectors stay near their codes", latents.COMMITMENT, 0.25),
    ("256 codes begin near zero", SMALL.codes, 256),
    ("for nine tenths of the training", SMALL.restarts, 0.9),
    ("", LESSON.numbers("recover", r"end: (\d+) and"), [Between(5, 40)]),
    ("", LESSON.numbers("recover", r"and (\d+) of 256"), [Between(100, 256)]),
    ("The tokeniser that ships has 512 codes", len(TOKENISER.codebook), 512),
    ("A transformer of three blocks learns from 3,072 postcards",
     (recipes.LIVE_WRITER.depth, recipes.LIVE_WRITER.pictures), [3, 3072]),
    ("It has four blocks and 3.7 million weights, and saw 96,000 postcards",
     [len(WRITER.blocks), round(models.count_parameters(WRITER) / 1e6, 1),
      WRITER_CARD["pictures seen"]], [4, 3.7, 96000]),
    ("on 256 pictures of each kind", autoregressive.PICTURES, 256),
    ("ready in less than half the time: 10 calls in a row, not 64",
     COST[WHOLE]["milliseconds, batch 1"] / COST[CACHED]["milliseconds, batch 1"],
     Between(0.3, 0.5)),
    ("it does nearly three times the arithmetic",
     COST[WHOLE][SUMS] / COST[CACHED][SUMS], Between(2.6, 3)),
    ("With 64 pictures at once the waiting is shared, and the two are close",
     COST[CACHED]["milliseconds, batch 64"] / COST[WHOLE]["milliseconds, batch 64"],
     Between(0.8, 1.3)),
    ("would do nearly nine times the diffusion model's work",
     COST[ANEW][SUMS] / COST[WHOLE][SUMS], Between(8.7, 9)),
    ("Ours is right less often, most of all for pairs that no training showed",
     [(TABLE["right"][kind]["postcards"][RIGHT] - TABLE["right"][kind][CODES][RIGHT]) /
      TABLE["right"]["single, held-out pairs"]["postcards"][RIGHT] for kind in
      ("single", "pair", "single, held-out pairs")],
     [Between(0.03, 0.1), Between(0.1, 0.24), Between(0.24, 0.3)]),
    ("Its training cost two thirds",
     (WRITER_CARD[CPU] + TOKENISER_CARD[CPU]) / models.load_text_unet()[1][CPU],
     Between(0.63, 0.7)),
    ("Its own caption saves a postcard 35 bits, another's costs 98",
     [round(BITS["no caption"] - BITS["own caption"]),
      round(BITS["another's"] - BITS["no caption"])], [35, 98]),
    ("As they learned it, without guidance, both vary nearly as postcards do",
     [SPREADS[model, "unguided"] for model in ("whole", "codes")], Between(0.8, 1)),
    ("of 128 such parts 96 % came out right, against 100 %",
     [PARTS["codes"]["pictures"], *(PARTS[way][RIGHT] for way in ("codes", WHOLE))],
     [128, Between(0.955, 0.965), 1]),
    ("from 95 % right to 99 %",
     [REFINED[strength][RIGHT] for strength in (0.0, 0.2)],
     [Between(0.945, 0.955), Between(0.985, 0.995)]),
    # What is promised of its weights, on the cards and in the table.
    ("", TOKENISER_CARD["scores"]["single"][RIGHT], Between(0.97, 1)),
    ("", WRITER_CARD["scores"]["single, full captions"]["all"], Between(0.9, 1)),
    ("", TABLE["right"]["single"][CODES][RIGHT], Between(0.9, 1)),
    ("", TABLE["right"]["single"]["ceiling of the codes"][RIGHT], Between(0.97, 1)),
    ("", min(TRIED[0][RIGHT] - row[RIGHT] for row in TRIED
             if [row["temperature"], row["guidance_scale"]]
             == [SHIPPED.temperature, SHIPPED.guidance_scale]), 0),  # as good as the best
)  # fmt: skip
def test_a_number_in_the_text_is_the_computed_one(claim):
    LESSON.says(*claim)
