"""Diffusion Lessons: build a text-to-image diffusion model on your own computer.

The lessons are in `notebooks/`. This package holds their plumbing, one room per file;
CONTRIBUTING.md says which room does what and which rooms a file may import from.
"""

__version__ = "0.1.0"
