"""Checks for the exercises: they take the learner's function and answer kindly."""

from . import lesson_04, lesson_05
from .bugs import check_bug_mix, check_bug_spread, check_bug_steepest
from .denoising import check_both_guesses, check_exact_denoiser, check_loss, check_time_features
from .network_bugs import check_bug_loss, check_bug_skips
from .noising import check_cosine_alpha_bar, check_jump, check_noising_step, check_snr
from .report import Report
from .sampling import (
    check_bug_eta,
    check_bug_times,
    check_ddim_step,
    check_ddpm_step,
    check_solver_step,
)

__all__ = [
    "Report",
    "check_both_guesses",
    "check_bug_back",
    "check_bug_eta",
    "check_bug_loss",
    "check_bug_mix",
    "check_bug_noise",
    "check_bug_skips",
    "check_bug_spread",
    "check_bug_steepest",
    "check_bug_times",
    "check_cosine_alpha_bar",
    "check_ddim_step",
    "check_ddpm_step",
    "check_decode",
    "check_drop_captions",
    "check_encode",
    "check_exact_denoiser",
    "check_guide",
    "check_guided",
    "check_jump",
    "check_kl",
    "check_loss",
    "check_negative",
    "check_noising_step",
    "check_snr",
    "check_solver_step",
    "check_time_features",
]

check_decode = lesson_04.decode
check_encode = lesson_04.encode
check_kl = lesson_04.kl
check_bug_noise = lesson_04.bug_noise
check_bug_back = lesson_04.bug_back
check_drop_captions = lesson_05.drop_captions
check_guide = lesson_05.guide
check_guided = lesson_05.guided
check_negative = lesson_05.negative
