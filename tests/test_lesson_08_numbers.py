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
TRIED = TABLE["settings tried"]
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
    ("", LESSON.numbers("collapse-figure", r"end: (\d+) and"), [Between(5, 40)]),
    ("", LESSON.numbers("collapse-figure", r"and (\d+) of 256"), [Between(100, 256)]),
    ("The tokeniser that ships has 512 codes", len(TOKENISER.codebook), 512),
    ("A transformer of three blocks learns from 3,072 postcards",
     (recipes.LIVE_WRITER.depth, recipes.LIVE_WRITER.pictures), [3, 3072]),
    ("It has four blocks and 3.7 million weights, and saw 96,000 postcards",
     [len(WRITER.blocks), round(models.count_parameters(WRITER) / 1e6, 1),
      WRITER_CARD["pictures seen"]], [4, 3.7, 96000]),
    # What the issue of this lesson asks of its weights, on the cards and in the table.
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
