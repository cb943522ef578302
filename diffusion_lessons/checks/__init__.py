"""Checks for the exercises: they take the learner's function and answer kindly."""

from diffusion_lessons.checks.bugs import check_bug_mix, check_bug_spread, check_bug_steepest
from diffusion_lessons.checks.noising import (
    check_cosine_alpha_bar,
    check_jump,
    check_noising_step,
    check_snr,
)
from diffusion_lessons.checks.report import Report

__all__ = [
    "Report",
    "check_bug_mix",
    "check_bug_spread",
    "check_bug_steepest",
    "check_cosine_alpha_bar",
    "check_jump",
    "check_noising_step",
    "check_snr",
]
