"""Build the site: `python -m web.build [folder]` (or `make site`) writes a folder that any static
host can serve. What it takes from the package, from data/ and from README stays the only copy."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from html import escape
from itertools import product
from pathlib import Path

from wasmtime import wat2wasm

import diffusion_lessons
from diffusion_lessons import postcards, workspace
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.widgets.course_map import course_map
from diffusion_lessons.widgets.page import static
from diffusion_lessons.widgets.studio import SUGGESTIONS, make, read

from . import widgets
from .lessons import PROJECT, titles, write_lessons
from .quiz import write_quiz
from .vocabulary import vocabulary

PAGE = Path(__file__).with_name("page")
MODELS = ("captions", "postcards", "autoencoder")
STUDENT = "postcards-turbo"
"""The U-Net of lesson 07's page, which the front page does not load."""
SURPRISES = 200
# With a fused multiply and add, where a browser has it, a picture takes two thirds of the time.
_FUSED = re.compile(r"\(f32x4\.add (\([^()]+\)) \(f32x4\.mul (\([^()]+\)) (\([^()]+\))\)\)")


def build(folder: Path, own: Path | None = None) -> None:
    """Write the site to a folder, emptied first; networks in the folder `own` go before the
    course's. Raises ValueError where `own` holds none of them, or one that the page cannot run."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("*.wat", "*.html"))
    plain = module((PAGE / "product.wat").read_text("utf-8"))
    fused = _FUSED.sub(r"(f32x4.relaxed_madd \2 \3 \1)", plain)
    (folder / "product.wasm").write_bytes(wat2wasm(plain))
    (folder / "product-relaxed.wasm").write_bytes(wat2wasm(fused))
    (folder / "vocabulary.json").write_text(vocabulary(), "utf-8")
    write_widgets(folder)
    write_model(folder, own)
    write_quiz(folder)
    write_lessons(folder, (PAGE / "lesson.html").read_text("utf-8"))
    page = (PAGE / "index.html").read_text("utf-8")
    (folder / "index.html").write_text(page.replace("<!-- lessons -->", lessons()), "utf-8")


def write_widgets(folder: Path) -> None:
    """Write the course's widgets, one module each, their look, and the parts that pages share."""
    (folder / "widgets").mkdir()
    for name, text in widgets.modules().items():
        (folder / "widgets" / f"{name}.js").write_text(text, "utf-8")
    looks = "".join(map(static, ("widgets.css", "studio.css", "quiz.css")))
    (folder / "widgets.css").write_text(looks, "utf-8")
    parts = f"{static('parts.js')}\nexport {{ button, bytesOf, make, numberIn, player }};\n"
    (folder / "parts.js").write_text(parts, "utf-8")


def module(source: str) -> str:
    """Return the WebAssembly module of product.wat: its function for one tap and for 3x3."""
    before, tap, after = re.split(r";;\[|;;\]", source.partition("(func")[2])
    functions = []
    for name, side in (("product", 1), ("convolution", 3)):
        taps = [
            tap.replace("DX", str(4 * dx)).replace("DY", str(dy)).replace("TAP", str(4 * number))
            for number, (dy, dx) in enumerate(product(range(side), repeat=2))
        ]
        text = f"(func{before}{''.join(taps)}{after}"
        functions.append(text.replace("NAME", name).replace("BYTES", str(4 * side**2)))
    return f'(module (import "page" "memory" (memory 1)) {" ".join(functions)})'


def write_model(folder: Path, own: Path | None = None) -> None:
    """Write the networks and what the page has to know of them. Raises ValueError as `build`."""
    if own and not any((own / f"{name}.safetensors").is_file() for name in MODELS):
        wanted = ", ".join(f"{name}.safetensors" for name in MODELS)
        raise ValueError(
            f"{own} holds none of {wanted}: name the folder of the networks you trained."
        )
    cards = [copy_weights(name, folder / "weights", own) for name in MODELS]
    (folder / "model.json").write_text(json.dumps(about(folder, cards)), "utf-8")
    copy_weights(STUDENT, folder / "weights", own)


def copy_weights(name: str, folder: Path, own: Path | None) -> dict:
    """Copy a network, unchanged, and return its card."""
    weights = (own or Path()) / f"{name}.safetensors"
    if own is None or not weights.is_file():
        weights = workspace.verify(f"weights/{name}.safetensors")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(weights, folder)
    return json.loads(weights.with_suffix(".json").read_text("utf-8"))


def about(folder: Path, cards: list[dict]) -> dict:
    """Return what the page has to know of the model and of the course."""
    scenes, (_, painter, autoencoder) = postcards.sample_scenes(SURPRISES, seed=0), cards
    for part, known in (("kind", "x_0"), ("schedule", "cosine"), ("sampler", "dpm_solver")):
        if (found := painter.get(part, "dpm_solver")) != known:
            raise ValueError(f"the {part} of this network is {found}, and the page knows {known}")
    return {
        "bytes": sum(file.stat().st_size for file in (folder / "weights").iterdir()),
        "scaling_factor": autoencoder["scaling_factor"],
        "software": f"diffusion-lessons {diffusion_lessons.__version__}",
        "steps": painter["num_inference_steps"],
        "guidance": painter["guidance_scale"],
        "fields": fields(),
        "suggestions": SUGGESTIONS,
        "surprises": postcards.captions(scenes, seed=0),
    }


def fields() -> dict:
    """Return what the studio takes in its fields, and its sentences for what it does not.

    In these "?" stands for what was typed.
    """
    pipe, usual = TextToImage.from_pretrained(), {"seed": "0", "steps": "8", "scale": "3"}
    known: dict = {"prompt": refusal(pipe, "", **usual)}
    for name in usual:
        sentence = refusal(pipe, "a house", **usual | {name: "-1"})
        low, high = map(float, re.findall(r"from (\d+) to (\d+)", sentence)[0])
        known[name] = {
            "low": low,
            "high": high,
            "whole": "whole number" in sentence,
            "unreadable": refusal(pipe, "a house", **usual | {name: "?"}),
            "outside": re.sub(r"-1(\.0)?", "?", sentence, count=1),
        }
    return known


def refusal(pipe: TextToImage, prompt: str, seed: str, steps: str, scale: str) -> str:
    """Return the sentence with which the studio refuses its fields."""
    try:
        make(pipe, read([prompt, "", seed, steps, scale]))
    except ValueError as error:
        return str(error)
    raise AssertionError(f"the studio takes {prompt!r}, {seed!r}, {steps!r}, {scale!r}")


def lessons() -> str:
    """Return the map of the whole model, and the list of lessons, each with its question."""
    items = "".join(
        f'<li><b>{name[:2]}</b> <a href="{name}.html">{escape(title)}</a></li>'
        for name, title in titles().items()
    )
    no_lesson = course_map(len(titles())).data  # so that no part is lit
    drawn = no_lesson.replace(".ipynb", ".html")
    glossary = '<p><a href="glossary.html">Glossary</a></p>'
    return f'{drawn}<ol class="lessons">{items}</ol>{glossary}'


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Build the course's site.")
    asked.add_argument("folder", nargs="?", type=Path, default=PROJECT / "build" / "site")
    asked.add_argument("--weights", default="", help="a folder of your own networks")
    given = asked.parse_args()
    try:
        build(given.folder, Path(given.weights) if given.weights else None)
    except ValueError as error:
        sys.exit(f"The site was not built. {error}")
    print(f"The site is in {given.folder}. To look at it:")
    print(f"  {sys.executable} -m http.server --directory {given.folder}")
