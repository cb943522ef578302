"""The exercises of lesson 01: one noising step, the closed form, the SNR, a bug to find.

A bug that still behaves as printed gets a symptom and a question, not the answer.
"""

import torch

from diffusion_lessons.schedule import alpha_bar, cosine_beta, linear_beta

from .exercise import Exercise, draw

# Changes of `jump`: a table that begins one row earlier, and a walk that adds the same eps.
ROW_BEFORE = "alpha_bar = t => beta = torch.cat([beta.new_zeros(1), beta])\n    alpha_bar = t"
WALK = (
    "(1 - alpha_bar) => (alpha_bar * (beta / torch.cumprod(1 - beta, dim=0)).sqrt().cumsum(0)[row]"
    ".float().view(-1, 1, 1, 1)**2)"
)


def _jump(*shape: int, rows: tuple[int, int], beta: torch.Tensor) -> dict:
    row = torch.randint(*rows, shape[:1], generator=torch.Generator().manual_seed(4))
    return draw("x_0 eps", *shape, row=row, beta=beta)


noising_step = Exercise(  # DDPM eq. 2
    """
    def noising_step(x_prev, eps, beta):
        return math.sqrt(1 - beta) * x_prev + math.sqrt(beta) * eps
    """,
    praise="Pictures, a batch of one, points in the plane: the same numbers as ours on each.",
    trials={
        "4 RGB pictures": draw("x_prev eps", 4, 3, 8, 8, beta=0.3),
        "2 grey pictures": draw("x_prev eps", 2, 1, 7, 5, beta=0.02),
        "a batch of one picture": draw("x_prev eps", 1, 3, 6, 6, beta=0.9),
        "16 points in the plane": draw("x_prev eps", 16, 2, beta=0.1),
    },
    why={
        "math.sqrt(1 - beta) * x_prev":
            "The picture is shrunk first: else the variance grows at each step.",
    },
    slips={
        "beta**0.5 * x_prev + (1 - beta)**0.5 * eps":
            "The two rates are swapped: with a small beta most of the picture should stay.",
        "x_prev + beta * eps": "The picture is not shrunk, and the square root of beta is missing.",
    },
)  # fmt: skip

jump = Exercise(  # DDPM eq. 4
    """
    def jump(x_0, eps, row, beta):
        alpha_bar = torch.cumprod(1 - beta, dim=0)[row].float().view(-1, 1, 1, 1)
        return alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * eps
    """,
    praise="Each picture got the noise of its own row, in the picture's dtype.",
    trials={
        "4 pictures of 4 by 4 pixels": _jump(4, 3, 4, 4, rows=(100, 900), beta=linear_beta()),
        "5 RGB pictures, first rows": _jump(5, 3, 8, 8, rows=(0, 3), beta=linear_beta()),
        "6 grey pictures, the cosine table": _jump(6, 1, 5, 7, rows=(0, 999), beta=cosine_beta()),
        "a batch of one, last row": _jump(1, 3, 6, 6, rows=(999, 1000), beta=linear_beta()),
    },
    names={"linear_beta": linear_beta},
    why={
        "torch.cumprod(1 - beta, dim=0)":
            "alpha_bar is the product of all alphas, 1 - beta, up to that row: else the function "
            "makes one single step.",
        "row]": "Papers count rows from 1, the table from 0, and `row` already counts from 0.",
        "torch.cumprod(1 - beta, dim=0)[row].float().view(-1, 1, 1, 1)":
            "With shape (B,) the rates run along the last axis: each column of pixels gets a noise "
            "level of its own.",
    },
    slips={
        "1 - beta => 1 - linear_beta()":
            "It uses the linear table, whatever `beta` is given. Is `alpha_bar` the one from the "
            "cell above? Compute it from `beta`.",
        **dict.fromkeys(
            [WALK, f"{ROW_BEFORE}; {WALK}"],
            "You walk, adding the SAME eps each time. Added twice, it is not independent; use the "
            "jump."),
        "torch.cumprod(1 - beta, dim=0) => beta":
            "beta of the row stands where alpha_bar is needed.",
        "1 - beta => beta":
            "The product runs over the betas; it should run over the alphas, 1 - beta.",
        "alpha_bar**0.5 * x_0 + torch.cumprod(beta, 0)[row].view(-1, 1, 1, 1).float()**0.5 * eps":
            "The noise rate comes from a product of betas; it should be sqrt(1 - alpha_bar).",
        "torch.cumprod(1 - beta, dim=0) => (1 - torch.cumsum(beta, 0))":
            "The betas are added up, alpha_bar = 1 - sum(beta). Shares that are kept multiply.",
        **dict.fromkeys(
            ["[row] => [(row - 1).clamp(min=0)]", ROW_BEFORE],
            "Off by one: these are the numbers of the row before. Papers count rows from 1, the "
            "table counts from 0, and `row` already counts from 0."),
        "[row] => [row[:1]]":
            "All pictures got the row of the first one: `row` holds one row for each picture.",
        ".view(-1, 1, 1, 1) => .view(-1, 1)":
            "With shape (B, 1) the rates ran along the height: each line of pixels got a noise "
            "level of its own. Use rate.view(-1, 1, 1, 1).",
    },
)  # fmt: skip

snr = Exercise(
    """
    def snr(alpha_bar):
        return alpha_bar / (1 - alpha_bar)
    """,
    praise="A ratio of variances, for both schedules, with 1 where alpha_bar is one half.",
    trials={
        "the linear table": {"alpha_bar": alpha_bar(linear_beta())},
        "the cosine table": {"alpha_bar": alpha_bar(cosine_beta())},
        "three values in float32": {"alpha_bar": torch.tensor([0.9, 0.5, 0.2])},
    },
    why={"alpha_bar / (1 - alpha_bar)": "The SNR is a ratio of variances, not of rates."},
    slips={
        "(alpha_bar / (1 - alpha_bar))**0.5":
            "This is signal rate over noise rate. The SNR is a ratio of variances, the square of "
            "that. (Some libraries do call the ratio of rates snr.)",
        "alpha_bar / (1 - alpha_bar)**0.5":
            "Rate and variance are mixed: the noise is a root, the signal is not.",
    },
)  # fmt: skip

bug_mix = Exercise(
    """
    def published_mix(x_0, eps, alpha_bar):
        return alpha_bar**0.5 * x_0 + (1 - alpha_bar) ** 0.5 * eps
    """,
    praise="The squares of the two rates add up to 1 again, at every noise level.",
    trials={
        "2 grey pictures, alpha_bar = 0.9": draw("x_0 eps", 2, 1, 8, 8, alpha_bar=0.9),
        "4 RGB pictures, alpha_bar = 0.5": draw("x_0 eps", 4, 3, 16, 16, alpha_bar=0.5),
        "a batch of one, alpha_bar = 0.01": draw("x_0 eps", 1, 3, 8, 8, alpha_bar=0.01),
    },
    slips={
        "alpha_bar**0.5 * x_0 + (1 - alpha_bar) * eps":
            "This behaves as printed. With picture and noise of variance 1 and alpha_bar = 0.5, "
            "the result has variance 0.75. Which of the two factors, squared, is not its share?",
        "alpha_bar * x_0 + (1 - alpha_bar)**0.5 * eps":
            "The other factor has changed: the one of the picture was right as printed.",
        "(1 - alpha_bar)**0.5 * x_0 + alpha_bar * eps":
            "The two rates are swapped now, and one of them is not a root.",
        "alpha_bar**0.5 * x_0 + alpha_bar * eps":
            "The noise got the picture's share, alpha_bar. Its own share was right as printed.",
        "alpha_bar**0.5 * (x_0 + eps)":
            "Both got the picture's share, alpha_bar. The noise's own share was right as printed.",
    },
)  # fmt: skip
