"""Every number in the text of lesson 04, computed here, and found in the text as computed."""

import copy
import math
import re
from functools import cache

import torch
from pytest import approx
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from bench import growth, results
from diffusion_lessons import latents, models, postcards, recipes, schedule, scoring
from diffusion_lessons.scoring.statistics import psnr
from tests.claims import Between, Lesson, claims

LESSON = Lesson("04")
LIVE, WHOLE = recipes.LIVE_AUTOENCODER, recipes.RECIPES["autoencoder"]
MORE = Between(1, math.inf)
DB = r"([\d.]+) dB over the picture, ([\d.]+) dB"


@cache
def shipped() -> tuple:
    """The autoencoder, its card, the lesson's pictures, their masks and means."""
    model, card = models.load_autoencoder()
    scenes = postcards.sample_scenes(64, seed=recipes.FRESH_SEED, kind="single")
    images = postcards.draw(scenes)
    with torch.inference_mode():
        mean = model.encode(images)[0]
    return model, card, images, postcards.object_mask(scenes), mean


def shapes() -> list:
    model = shipped()[0]
    h = model.from_latent(torch.zeros(1, 4, 8, 8))
    up = model.up(h)
    return [h.shape, up.shape, model.head(up).shape]


@torch.inference_mode()
def loss() -> float:
    model, _, images, mask, mean = shipped()
    eps = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    mean, log_variance = model.encode(images)
    decoded = model.decode(mean + (log_variance / 2).exp() * eps)
    loss = latents.reconstruction_loss(decoded, images, mask)
    return (loss + 3e-4 * latents.kl(mean, log_variance).mean()).item()


def dearer(what: str) -> float:
    """How many times as much a step in pixels costs at 256 as at 128."""
    before, after = results.read("growth")["rows"][-2:]
    assert (before["side"], after["side"]) == (128, 256)
    return after[f"pixels, {what}"] / before[f"pixels, {what}"]


def saved(side: int) -> float:
    """How many times as long a picture of 16 calls takes in pixels as in latents, decoded."""
    row = next(row for row in results.read("growth")["rows"] if row["side"] == side)
    return 16 * row["pixels, call"] / (16 * row["latents, call"] + row["decode"])


@torch.inference_mode()
def counted() -> list[float]:
    """How many times as many operations a call takes in pixels as in latents, by the side."""
    nets, found = growth.networks(), []
    for side in growth.SIDES:
        operations = []
        for space, shape in (("pixels", (3, side, side)), ("latents", (4, side // 8, side // 8))):
            with FlopCounterMode(display=False) as counter:
                nets[space](torch.zeros(1, *shape), torch.zeros(1))
            operations.append(counter.get_total_flops())
        found.append(operations[0] / operations[1])
    return found


def blurred() -> list[float]:
    """How far what is printed of a blurred thing is off, and how much worse it is inside."""
    whole, inside = LESSON.numbers("blur", "blurred: " + DB)
    images, mask = shipped()[2:4]
    soft = functional.avg_pool2d(images, 9, stride=1, padding=4, count_include_pad=False)
    return [whole - psnr(torch.where(mask, soft, images), images), whole - inside]


def returned() -> list[float]:
    """The same of what comes back, over the whole and inside."""
    whole, inside = LESSON.numbers("shipped", "shipped: " + DB + " inside")
    model, _, images, mask, _ = shipped()
    back, where = scoring.there_and_back(model, images), mask.expand_as(images)
    off = [whole - psnr(back, images), inside - psnr(back[where], images[where])]
    return [*off, whole - inside]


@torch.inference_mode()
def half_way() -> list[torch.Tensor]:
    """How far the decoded middle of two latents is from the fade of two pictures; its detail."""
    model, _, images, _, mean = shipped()
    between = model.decode((mean[0:1] + mean[4:5]) / 2).clamp(-1, 1)
    faded = (images[0] + images[4]) / 2
    return [(between - faded).abs().mean(), between.diff(dim=3).abs().mean()]


@torch.inference_mode()
def narrow() -> torch.Tensor:
    """The mean σ of the latents' bells as a share of the spread of their means."""
    mean, log_variance = shipped()[0].encode(shipped()[2])
    return (log_variance / 2).exp().mean() / mean.std()


ZERO = torch.zeros(10)
SAME = approx(0, abs=0.06)
STD, INVERSE, FACTOR, *MEANS = LESSON.numbers("scale", r"(-?\d+\.\d+)")
SMALL = approx(0, abs=0.006)


@claims(
    ("each number speaks for <48>", 64 * 64 * 3 / (8 * 8 * 4)),
    ("each number speaks for <48>", 512 * 512 * 3 / (64 * 64 * 4)),
    ("with <12,288> numbers", 64 * 64 * 3),
    ("", re.findall(r"64x64x3|512x512x3|48 times fewer", LESSON.printed("count")),
     ["64x64x3", "48 times fewer", "512x512x3", "48 times fewer"]),
    ("means of its channels", lambda: shipped()[4].mean(dim=(0, 2, 3)) - torch.tensor(MEANS),
     [SMALL] * 4),
    ("models.UNet(channels=3, widths=(48, 96), blocks=(1, 2), patch=2) … "
     "models.UNet(channels=4, widths=(48, 96), blocks=(1, 2), patch=1)",
     (growth.WIDTHS, growth.BLOCKS, *growth.PATCHES.items()),
     [[48, 96], [1, 2], ["pixels", 2], ["latents", 1]]),
    ("for side in (32, 64, 128, 256) … pictures of four sizes", growth.SIDES, [32, 64, 128, 256]),
    ("From 128 to 256 pixels a step costs more than four times as much.",
     lambda: [dearer("call"), dearer("training step")], Between(4, math.inf)),
    ("there are <16> times as many", (256 // 4) ** 4 / (128 // 4) ** 4),  # pairs, in attention
    ("ours attends at a quarter of the side",  # patches of 2, and one level down
     growth.PATCHES["pixels"] * 2 ** (len(growth.WIDTHS) - 1), 4),
    ("The clock does not rise smoothly", lambda: (saved(64) > saved(128) < saved(256)), True),
    ("", lambda: [saved(side) for side in growth.SIDES],
     [approx(times, abs=0.06) for times in LESSON.numbers("saved", r": +([\d.]+) times less")]),
    ("", LESSON.numbers("saved", r"step, ([\d.]+) times"), [MORE] * 4),
    ("Counted, a call takes <16>, <17>, <20> and <31> times fewer", counted),
    ("(B, 160, h, w) from the latent … (B, 24, 4h, 4w) … (B, 12, 4h, 4w)",
     shapes, [[1, 160, 8, 8], [1, 24, 32, 32], [1, 12, 32, 32]]),
    ("in the shipped one σ is less than a hundredth of the spread of the means", narrow,
     Between(0.003, 0.01)),
    ("10 dB more is a tenth of the squared error",
     psnr(ZERO + 0.1, ZERO) - psnr(ZERO + 0.1 * math.sqrt(10), ZERO), approx(10)),
    ("adds three times the mean error inside the things … "
     "error.mean() + 3.0 * inside + 0.3 * slopes + share * far",
     (latents.MASK_WEIGHT, latents.SLOPE_WEIGHT), [3.0, 0.3]),
    ("had a KL weight of <0.0003>", LIVE.kl_weight),
    ("loss_of(shipped, x, mask, eps, 3e-4)", WHOLE.kl_weight, 3e-4),
    ("", lambda: LESSON.numbers("shipped-loss", r"(\d\.\d+)")[0] - loss(), approx(0, abs=0.002)),
    ("with a weight of 0 and of 3 … (0.0, 3e-4, 3.0) … for 45 steps each … True), 45,",),
    ("", blurred, [SAME, Between(8, math.inf)]),  # nearly nothing over the whole picture
    ("Inside the things it is lower by some dB", returned, [SAME, SAME, MORE]),
    ('half_way.compare( "something between, in places a new thing" … first, second = 0, 4',
     half_way, [Between(0.05, math.inf), Between(1e-9, math.inf)]),
    ("", re.findall(r"^(\w+) +([\d.]+%) all right", LESSON.printed("judged"), re.MULTILINE),
     lambda: [(kind, f"{shipped()[1]['scores'][kind]['everything right']:.1%}")
              for kind in ("single", "group", "pair")]),
    ("1 / (standard deviation of its latents) … 0.18215",  # of 64 pictures, and of 2,048
     (INVERSE * STD, FACTOR / INVERSE), [approx(1, rel=0.01), approx(1, rel=0.1)]),
    ("", lambda: STD - shipped()[4].std(), SMALL),
    ("live = recipes.LIVE_AUTOENCODER # the settings: <250> steps of <16> pictures",
     (LIVE.steps, LIVE.batch)),
    ("Your autoencoder is smaller … on 1,024 postcards",
     LIVE.network() == WHOLE.network(), False),
    ("", LIVE.steps // 6 >= 10, True),  # the strip gets its pictures
    ("on the latents of 1,024 of its sprites … range(16) … .sample(64, seed)",),
    ("sampling.times(16) … 16 calls",),
)  # fmt: skip
def test_the_text_says_what_is_so(claim):
    LESSON.says(*claim)


@cache
def twin() -> tuple[models.Autoencoder, torch.Tensor]:
    """The autoencoder with latents five times as large, and the latents of the pictures."""
    model = copy.deepcopy(shipped()[0])
    model.to_latent.weight[:4] *= 5
    model.to_latent.bias[:4] *= 5
    model.from_latent.weight /= 5
    with torch.inference_mode():
        return model, model.encode(shipped()[2])[0]


def test_the_twin_is_as_good_with_latents_five_times_as_large():
    LESSON.says("5 times as large … 5 times as gentle")
    (model, z), (own, _, images, _, mean) = twin(), shipped()
    torch.testing.assert_close(z, 5 * mean, rtol=1e-3, atol=1e-3)
    back, as_good = (scoring.there_and_back(one, images[:8]) for one in (model, own))
    torch.testing.assert_close(back, as_good, rtol=0, atol=1e-3)
    LESSON.says(f"in numbers of size {z.std().item():.0f}")
    first, second = LESSON.numbers("twin", r"([\d.]+) dB over")
    assert first == second


def test_unscaled_the_picture_stays_until_late_and_scaled_it_does_not():
    LESSON.says("up to t = 0.7 next to nothing happens … (0.3, 0.5, 0.7, 0.9, 0.96)")
    images, (model, latents) = shipped()[2][:16], twin()
    z = latents[:16]
    eps = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))

    def left(factor: float, t: float) -> float:
        z_t = schedule.add_noise(factor * z, eps, torch.full((16,), t), schedule.cosine)
        signal_rate, _ = schedule.cosine(torch.tensor([t]))
        with torch.inference_mode():
            seen = model.decode(z_t / (factor * signal_rate)).clamp(-1, 1)
        return psnr(seen, images)

    assert left(1.0, 0.7) > 24 > 16 > left((1 / z.std()).item(), 0.7)
