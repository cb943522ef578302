"""Every number in the text of lesson 02, computed here, and found in the text as computed."""

from functools import cache
from math import inf

import torch
from pytest import approx
from torch import nn

from bench import copying, predictions, results
from diffusion_lessons import data, models, recipes, training
from diffusion_lessons.checks import EXERCISES
from diffusion_lessons.prediction import exact_denoiser
from diffusion_lessons.schedule import add_noise, cosine
from tests.claims import Between, Lesson, claims

LESSON = Lesson("02")
LIVE = recipes.LIVE
FINE, COARSE = (models.UNet(3, (32, 64), (1, 2), patch) for patch in (2, 4))
WAVES = models.time_features(torch.tensor([0.001]))


@cache
def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    x_0 = data.load("sprites", 32, 3).sample(256, seed=0).x_0
    return x_0, torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1))


def candidates(t: float) -> float:
    x_0, eps = (block.flatten(1) for block in pictures())
    signal_rate, noise_rate = (rate.item() for rate in cosine(torch.tensor([t])))
    distance = torch.cdist(signal_rate * x_0 + noise_rate * eps, signal_rate * x_0) ** 2
    weights = torch.softmax(-distance / (2 * noise_rate**2), dim=1)
    return torch.exp(-torch.special.xlogy(weights, weights).sum(dim=1)).mean().item()


def floor() -> torch.Tensor:
    (x_0, eps), t = pictures(), torch.full((256,), 0.6)
    return ((exact_denoiser(x_0, cosine)(add_noise(x_0, eps, t, cosine), t).x_0 - x_0) ** 2).mean()


def shares(patch: int, *kinds: str) -> list[float]:
    rows = [row for row in results.read("predictions")["rows"] if row["patch"] == patch]
    return [row[predictions.RIGHT] for kind in kinds for row in rows if row["kind"] == kind]


def nearest(learned_from: str, what: str) -> list[float]:
    """The least, the middle and the largest distance to a picture that was learned from."""
    (row,) = (r for r in results.read("copying")["rows"] if r["learned from"] == learned_from)
    return row[what]


def error(network: str, t: float) -> float:
    return next(row[network] for row in results.read("copying")["errors"] if row["t"] == t)


def best_to_worst(patch: int) -> float:
    """How far the worst training that says x_0 is before the best of the others."""
    return min(shares(patch, "x_0")) - max(shares(patch, "eps", "v"))


@claims(
    ('half_way.compare( "one" … <3,072> numbers each', 3 * 32 * 32),
    ("Up to t = 0.7 there is no doubt at all",
     lambda: [candidates(t) for t in (0.5, 0.6, 0.7, 0.8, 1.0)],
     [*[approx(1, abs=0.01)] * 3, Between(1.2, 256), approx(256, abs=0.5)]),
    ("leaves the chart below t = 0.8 … ylim=(1e-4, 0.2)", floor, Between(0, 1e-4)),
    (r"t becomes <64> waves … f \text{ from } 1 \text{ to } 1000 … \cos(f_{32}t)", WAVES.shape[1]),
    (r"f \text{ from } 1 \text{ to } 1000",  # sin(1 * 0.001) and sin(1000 * 0.001)
     WAVES[0, [0, 31]], [approx(0.001, rel=1e-3), approx(0.8415, abs=1e-3)]),
    ("Half the side, a sixteenth of the pairs", (16 * 16) ** 2 / (8 * 8) ** 2, 16),
    ("at 8x8, where <4,096> pairs", (8 * 8) ** 2),
    ("Each 2x2 square becomes one place with four times the channels",
     models.Down(32, 64).mix.in_channels, 4 * 32),
    ("each 2x2 patch into one place of <12> numbers", FINE.stem.in_channels),
    ("a place holds <48> numbers", COARSE.stem.in_channels),
    ("`emb` (B, 128)", FINE.embed(torch.zeros(1)).shape, [1, 128]),
    ("the settings: <480> steps of <16> pictures", (LIVE.steps, LIVE.batch)),
    ("It saw <7,680>, fresh ones at each step", LIVE.steps * LIVE.batch),
    ("the last <1,024> of them … range(live.steps - 64, live.steps)", 64 * LIVE.batch),
    ("on <32> sprites that came back again and again … the <32> sprites from above",
     [copying.FEW, copying.FEW]),
    ("they are copies", nearest("32 sprites", "drawn")[1] / nearest("32 sprites", "fresh")[1],
     Between(0, 1 / 3)),
    ("not its size, but pictures without end",
     nearest("fresh sprites", "drawn")[1] / nearest("fresh sprites", "fresh")[1],
     Between(0.8, 1.5)),
    ("The network wins by far", [error("memoriser", t) / error("network", t) for t in (0.1, 0.2)],
     Between(4, inf)),
    ("At t = 1 network and memoriser meet", error("memoriser", 1.0) / error("network", 1.0),
     Between(0.8, 1.25)),
    ("net = models.UNet(channels=3, widths=(32, 64), blocks=(1, 2), patch=2",
     (LIVE.widths, LIVE.blocks, LIVE.patch), [[32, 64], [1, 2], 2]),
    (r"{\max(\text{noise\_rate}^2,\ <0.1>)} … (noise_rate**2).clamp(min=0.1)",
     1 / training.LARGEST_WEIGHT),
    ("schedule.cosine, kind, 120, 0.02, ema_decay=0.99",
     (predictions.STEPS, predictions.LEARNING_RATE, predictions.EMA_DECAY), [120, 0.02, 0.99]),
    ("patch=4, factors=sizes … source.batches(16, seed=0)",
     (predictions.WIDTHS, predictions.BLOCKS, predictions.BATCH, predictions.PATCHES),
     [[32, 64], [1, 2], 16, [4, 2]]),
    ('best_kind.compare( "the one that says x_0"', shares(4, "x_0"), [Between(0.6, 1)] * 3),
    ('best_kind.compare( "the one that says x_0"', shares(4, "eps", "v"), [Between(0, 0.25)] * 6),
    ("So x_0 wins with both", [best_to_worst(patch) for patch in (4, 2)], Between(0.1, 1)),
    *(("", lambda cell=cell: LESSON.numbers(cell, r"largest difference (\S+)"), Between(-inf, 1e-5))
      for cell in ("scales-agree", "pairs")),  # ours beside the package's
)  # fmt: skip
def test_the_text_says_what_is_so(claim):
    LESSON.says(*claim)


def test_the_loss_that_the_learner_writes_is_the_one_of_the_package():
    torch.manual_seed(0)
    network, (x_0, eps), t = nn.Conv2d(3, 3, 1), pictures(), torch.linspace(0.001, 1, 256)

    def model(x_t, t):
        return network(x_t) * t[:, None, None, None]

    theirs = training.diffusion_loss(model, x_0, t, eps, cosine, "x_0")
    assert torch.allclose(EXERCISES["loss"].function(model, x_0, t, eps), theirs)


def test_every_block_of_the_network_runs_the_forward_of_the_learner():
    ran = []

    class Block(models.ResBlock):
        def forward(self, x, emb):
            ran.append(self)
            return EXERCISES["res_block"].function(self, x, emb)

    network = models.UNet(3, LIVE.widths, LIVE.blocks, LIVE.patch, block=Block)
    torch.manual_seed(0)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.05)
    theirs = models.UNet(3, LIVE.widths, LIVE.blocks, LIVE.patch)
    theirs.load_state_dict(network.state_dict())
    inputs = pictures()[0][:2], torch.tensor([0.2, 0.9])
    assert torch.allclose(network(*inputs), theirs(*inputs), atol=1e-5)
    assert set(ran) == {m for m in network.modules() if isinstance(m, models.ResBlock)}
