"""What lesson 07 claims, held against the package, its kept outputs and the measured tables."""

import inspect
import math

import diffusers

from bench import captions, cascade, flow, results, turbo
from diffusion_lessons import conditioning, recipes, sampling
from diffusion_lessons.models import load_denoiser
from tests.claims import Between, Lesson, claims

LESSON = Lesson("07")
RACE, FEW = results.read("flow"), results.read("turbo")
CAPTIONED = results.read("captions")
COSTS = {row["model"]: row for row in results.read("cascade")["cost"]}
SMALL_FIRST = COSTS[cascade.CASCADE]
FULL, WRITTEN = CAPTIONED["sets"]["full"], CAPTIONED["written captions"]
TURBO = recipes.RECIPES["postcards-turbo"]
SPREAD = {(row["weights"], row["calls"], row["scale"]): row["diversity"]["horizon"]["spread"]
          for row in FEW["rows"]}  # fmt: skip
DEFAULTS = {
    name: {key: one.default for key, one in inspect.signature(part).parameters.items()}
    for name, part in (
        ("flux", diffusers.FluxTransformer2DModel), ("flux2", diffusers.Flux2Transformer2DModel),
        ("autoencoder", diffusers.AutoencoderKLFlux2),
        ("sd3", diffusers.StableDiffusion3Pipeline.__call__),
    )
}  # fmt: skip


@claims(
    ("in 2,400 steps instead of 8,000",
     [recipes.RECIPES[name].steps for name in ("postcards-flow", "postcards")], [2400, 8000]),
    ("Each point makes 32 steps", "sampling.times(32)" in LESSON.cells["flow-ideal"].source, True),
    ("Where 300 points arrive with one call of the network, and with 16",
     "torch.randn(300, 2" in LESSON.cells["flow-ideal"].source, True),
    ("three seeds on each side", len(flow.SEEDS), 3),
    ("Each painted 192 fresh prompts … The shipped flow on 192 prompts",
     (flow.PICTURES, RACE["race"]["pictures"]), [192, 192]),
    ("With 1, 2, 4, 8 and 16 calls", flow.CALLS, [1, 2, 4, 8, 16]),
    ("where a fine walk of 32 steps ends", flow.FINE, 32),
    ("the mean of 16 noisy ones is 4 times less noisy … with s = 4, the root of 16", 16**0.5, 4),
    ("With shift 3, the middle of a walk should be at t = <0.75>. Here it is at <0.9>",
     [sampling.times(2, shift)[1] for shift in (3.0, 9.0)]),
    ("1/1000 becomes 9/1000", round(1000 * (t := 0.003 / 1.002) * 3 / (1 + 2 * t)), 9),
    ("with 4 and with 8 calls", flow.SHIFTED, [4, 8]),
    # What the guess says, and what reflow does: the kept output of the cell.
    ("", LESSON.numbers("flow-calls", r"^flow: detour (\d+)%"), [Between(50, 120)]),
    ("", LESSON.numbers("flow-calls", r"^reflow: detour (\d+)%"), [Between(0, 3)]),
    ("16 *places*. With the 32 words of the caption that makes one sequence of 48 tokens",
     (conditioning.LENGTH, conditioning.LENGTH + (8 // 2) ** 2), [32, 48]),
    ("4 blocks with two streams", load_denoiser("postcards-dit")[1]["transformer"]["depth"], 4),
    ("and 256 of T5", DEFAULTS["sd3"]["max_sequence_length"], 256),
    ("128x128, so 4,096 places. The words are 333: 77 of two CLIP encoders",
     ((1024 // 8 // 2) ** 2, 77 + 256), [4096, 333]),
    ("19 joint blocks, then 38 in which",
     [DEFAULTS["flux"][f"num_{kind}layers"] for kind in ("", "single_")], [19, 38]),
    ("32 channels; 2x2 places are one token of 128 numbers",
     [DEFAULTS["autoencoder"]["latent_channels"], DEFAULTS["flux2"]["in_channels"]], [32, 128]),
    ("had 192 full captions of each kind painted", turbo.PICTURES, 192),
    ("The course's own student had 8,192 walks", TURBO.pictures, 8192),
    ("One call of the teacher always paints the same mean",
     SPREAD["postcards", 1, 1.0], Between(0, 0.1)),
    ("With two calls, the student's differ nearly as much as the teacher's",
     SPREAD["postcards-turbo", 2, 1.0] / SPREAD["postcards", 20, 2.5], Between(0.8, 1)),
    ("learned from the *same* 6,144 postcards … one in ten is another picture's",
     (captions.HOW.pictures, captions.ELSEWHERE), [6144, 0.1]),
    ("three captions in ten are wrong",
     1 - WRITTEN["through noise"]["everything right"], Between(0.25, 0.35)),
    ("what it said is painted as often as what full prompts say",
     FULL["expanded"]["what was said is right"] - FULL["full"]["what was said is right"],
     Between(-0.05, 0.1)),
    ("the judge's count, of 128", cascade.PICTURES, 128),
    ("in five of six single scenes, and in a quarter of the pairs",
     [SMALL_FIRST[kind]["everything right"] for kind in cascade.KINDS],
     [Between(0.81, 0.86), Between(0.22, 0.28)]),
    ("its training took half as long",
     [sum(SMALL_FIRST["CPU seconds of training"].values())
      / sum(COSTS[cascade.LATENTS[0]]["CPU seconds of training"].values())], [Between(0.45, 0.55)]),
    ("pixels inside things weigh nine times as much",
     1 + recipes.RECIPES["postcards-cascade"].things, 9),
    ("both are right in about 99 of 100 single scenes",
     [load_denoiser(name)[1]["scores"]["single, full captions"]["what was said is right"]
      for name in ("postcards-flow", "postcards-dit")], Between(0.985, 1)),
    ("At first the bracket is 0, and the loss is log 2 = <0.69>", math.log(2)),
    ("Their losses are means over 16,384 numbers and ours over 256 … is 64 times smaller",
     (4 * 64 * 64, 4 * 8 * 8, 4 * 64 * 64 / (4 * 8 * 8)), [16384, 256, 64]),
    ("here it is 60", recipes.LIVE_TASTE.beta, 60),
)  # fmt: skip
def test_a_number_in_the_text_is_the_computed_one(claim):
    LESSON.says(*claim)
