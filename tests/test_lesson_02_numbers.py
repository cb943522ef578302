"""Every number in the text of lesson 02, computed here, and found in the text as computed."""

from functools import cache
from math import inf

import torch
from pytest import approx
from torch import nn

from bench import predictions, results
from diffusion_lessons import data, models, recipes, training
from diffusion_lessons.checks import EXERCISES
from diffusion_lessons.prediction import as_denoiser, exact_denoiser
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


def shares(*kinds: str) -> list[float]:
    rows = results.read("predictions")["rows"]
    return [row[predictions.RIGHT] for kind in kinds for row in rows if row["kind"] == kind]


@claims(
    ('half_way.compare( "one" … <3,072> numbers each', 3 * 32 * 32),
    ("Up to t = 0.7 there is no doubt at all",
     lambda: [candidates(t) for t in (0.5, 0.6, 0.7, 0.8, 1.0)],
     [*[approx(1, abs=0.01)] * 3, Between(1.2, 256), approx(256, abs=0.5)]),
    ("it leaves the chart below t = 0.8 … ylim=(1e-4, 0.2)", floor, Between(0, 1e-4)),
    (r"t becomes <64> waves … f \text{ from } 1 \text{ to } 1000 … \cos(f_{32}t)", WAVES.shape[1]),
    (r"f \text{ from } 1 \text{ to } 1000",  # sin(1 * 0.001) and sin(1000 * 0.001)
     WAVES[0, [0, 31]], [approx(0.001, rel=1e-3), approx(0.8415, abs=1e-3)]),
    ("Half the side, a sixteenth of the pairs", (16 * 16) ** 2 / (8 * 8) ** 2, 16),
    ("at 8x8, where <4,096> pairs", (8 * 8) ** 2),
    ("Each 2x2 square becomes one place with four times the channels",
     models.Down(32, 64).mix.in_channels, 4 * 32),
    ("each 2x2 patch into one place of <12> numbers", FINE.stem.in_channels),
    ("a place holds <48> numbers of noise", COARSE.stem.in_channels),
    ("the stem has 32 channels … widths=(32, 64), blocks=(1, 2), patch=4",
     [FINE.stem.out_channels, COARSE.stem.out_channels], [32, 32]),
    ("the stem has 32 channels", FINE.embed(torch.zeros(1)).shape, [1, 128]),
    ("the settings: <700> steps of <32> pictures", (LIVE.steps, LIVE.batch)),
    ("It saw <22,400>, fresh ones at each step", LIVE.steps * LIVE.batch),
    ("the last <1,024> of them … range(live.steps - 32, live.steps)", 32 * LIVE.batch),
    ("all would fill <275> megabytes", 22_400 * 3 * 32 * 32 * 4 / 1e6),
    ("net = models.UNet(channels=3, widths=(32, 64), blocks=(1, 2), patch=2",
     (LIVE.widths, LIVE.blocks, LIVE.patch), [[32, 64], [1, 2], 2]),
    (r"{\max(\text{noise\_rate}^2,\ <0.1>)} … (noise_rate**2).clamp(min=0.1)",
     1 / training.LARGEST_WEIGHT),
    ("schedule.cosine, kind, 150, 0.01, ema_decay=0.99",
     (predictions.STEPS, predictions.LEARNING_RATE, predictions.EMA_DECAY), [150, 0.01, 0.99]),
    ("patch=4, factors=sizes",
     (predictions.WIDTHS, predictions.BLOCKS, predictions.BATCH, predictions.PATCH),
     [[32, 64], [1, 2], 32, 4]),
    ('best_kind.compare( "the one that says x_0"', shares("x_0"), [Between(0.75, 1)] * 3),
    ('best_kind.compare( "the one that says x_0"', shares("eps", "v"), [Between(0, 0.25)] * 6),
    *(("", lambda cell=cell: LESSON.numbers(cell, r"largest difference (\S+)"), Between(-inf, 1e-5))
      for cell in ("scales-agree", "pairs")),  # ours beside the package's
)  # fmt: skip
def test_the_text_says_what_is_so(claim):
    LESSON.says(*claim)


def test_on_new_pictures_with_little_noise_the_network_is_far_nearer_than_the_memoriser():
    LESSON.says('little_noise.compare( "the network" … The network wins by far')
    fresh = data.load("sprites", 32, 3, split="test").sample(64, seed=0)
    pool = data.load("sprites", 32, 3).sample(1000, seed=1).x_0
    shipped, card = models.load_unet("postcards-32")
    same = {"size": "large", "position": "middle", "sky": "day", "ground": "grass"}
    rest = [card["factors"][factor].index(word) for factor, word in same.items()]
    said = torch.cat([fresh.given, torch.tensor(rest).expand(64, 4)], dim=1)
    network = as_denoiser(shipped, cosine, card["kind"], said)
    eps = torch.randn(fresh.x_0.shape, generator=torch.Generator().manual_seed(2))
    t = torch.full((64,), 0.2)
    x_t = add_noise(fresh.x_0, eps, t, cosine)
    errors = [
        ((denoiser(x_t, t).x_0 - fresh.x_0) ** 2).mean().item()
        for denoiser in (network, exact_denoiser(pool, cosine))
    ]
    assert errors[0] < errors[1] / 4


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
