"""The one map of the whole model: each lesson lights its parts, and each part opens its lesson.

The boxes are links of HTML, which JupyterLab opens in a tab of its own; the arrows are SVG. A page
that allows no style sheet shows the parts as a numbered list of links. Since it opens each lesson,
its style sheet also says how figures follow a dark theme: white paper turns dark, hues stay.
"""

from __future__ import annotations

from itertools import pairwise

from IPython.display import HTML

from diffusion_lessons import arguments
from diffusion_lessons.pictures import GREYS, PALETTE

Place = tuple[int, int]  # column and row
LESSONS = (
    "00_start_here", "01_forward_noising", "02_tiny_unet", "03_reverse_sampler",
    "04_latent_autoencoder", "05_classifier_free_guidance", "06_steering",
    "07_todays_models", "08_versus_autoregressive",
)  # fmt: skip
PARTS: dict[str, tuple[int, dict[str, Place]]] = {
    "words": (0, {"wide": (0, 0), "narrow": (0, 0)}),
    "tokens": (5, {"wide": (1, 0), "narrow": (1, 0)}),
    "caption encoder": (5, {"wide": (2, 0), "narrow": (2, 0)}),
    "cross-attention": (5, {"wide": (3, 0), "narrow": (2, 1)}),
    "pure noise": (1, {"wide": (0, 1), "narrow": (0, 1)}),
    "U-Net": (2, {"wide": (3, 1), "narrow": (1, 2)}),
    "guidance": (5, {"wide": (4, 1), "narrow": (2, 2)}),
    "sampler": (3, {"wide": (5, 1), "narrow": (2, 3)}),
    "decoder": (4, {"wide": (6, 1), "narrow": (2, 4)}),
    "picture": (0, {"wide": (6, 2), "narrow": (2, 5)}),
    "postcards": (0, {"wide": (0, 2), "narrow": (0, 5)}),
    "encoder": (4, {"wide": (1, 2), "narrow": (0, 4)}),
    "add noise": (1, {"wide": (2, 2), "narrow": (0, 3)}),
    "loss": (2, {"wide": (3, 2), "narrow": (1, 3)}),
    "adapters": (6, {"wide": (4, 2), "narrow": (0, 2)}),
    "joint attention": (7, {"wide": (4, 0), "narrow": (1, 1)}),
    "mask": (6, {"wide": (5, 2), "narrow": (1, 4)}),
    "patch by patch": (8, {"wide": (0, 3), "narrow": (1, 6)}),
    "codebook": (8, {"wide": (1, 3), "narrow": (1, 5)}),
}
"""The lesson that builds a part, and where the part stands on a wide and on a narrow page."""
ROADS = {
    "painting": (
        ("words", "tokens", "caption encoder", "cross-attention", "U-Net"),
        ("pure noise", "U-Net", "guidance", "sampler", "decoder", "picture"),
        ("sampler", "U-Net"),  # the way round, once a step
        ("adapters", "U-Net"),
        ("mask", "sampler"),
        ("joint attention", "U-Net"),
        ("caption encoder", "patch by patch", "codebook", "decoder"),  # instead of the U-Net
    ),
    "training": (
        ("postcards", "encoder", "add noise", "U-Net", "loss"),
        ("add noise", "loss"),
        ("encoder", "codebook"),
    ),
}
"""Which part hands on to which while the model paints, and while it learns."""
_PAGES = {  # for which width; of a box, width and height; from one box to the next
    "wide": ("width >= 750px", (90, 58), (110, 86)),
    "narrow": ("width < 750px", (76, 64), (89, 88)),
}
_STYLE = f"""
.dl-map {{ container-type: inline-size; font-size: 13px; line-height: 1.2; }}
.dl-map ol {{ position: relative; margin: 0; padding: 0; list-style: none; }}
.dl-map li {{ position: absolute; }}
.dl-map li a.dl-part {{
  display: grid; place-content: center; box-sizing: border-box; height: 100%;
  border: 1px solid currentColor; border-radius: 9px; text-align: center; text-decoration: none;
  color: var(--jp-ui-font-color1, var(--vscode-editor-foreground, {PALETTE["ink"]}));
  background: var(--jp-layout-color1, var(--vscode-editor-background, white)); }}
.dl-map a.dl-part:is(:hover, :focus-visible) {{ outline: 3px solid {PALETTE["orange"]}; }}
.dl-map li a.dl-part[aria-current] {{ border: 0; background: {PALETTE["teal"]}; color: white; }}
.dl-map svg {{ position: absolute; overflow: visible; pointer-events: none; fill: none;
  stroke: var(--jp-ui-font-color2, var(--vscode-editor-foreground, {GREYS["text"]})); }}
.dl-map .dl-training {{ stroke-dasharray: 4 3; }}
.dl-map small {{ font-size: 0.92em; }}
.dl-map p {{ margin: 0 0 8px; }}
:is([data-jp-theme-light="false"], .vscode-dark) img.dl-figure {{
  filter: invert(0.93) hue-rotate(180deg); }}
@container (width >= 750px) {{ .dl-map p {{ position: absolute; left: 550px; width: 210px; }}
  .dl-map [aria-current] small::before {{ content: "▸ " / ""; }} }}
@container (width < 750px) {{ .dl-map ol {{ font-size: 12px; }} }}
"""


def course_map(lesson: int) -> HTML:
    """Return the map of the whole model, the parts of one lesson lit."""
    lesson = arguments.number("lesson", lesson, 0, 99)
    boxes = [
        f'<li><a class="dl-part" href="{LESSONS[number]}.ipynb"'
        + (' aria-current="page"' if number == lesson else "")
        + f"><b>{name}</b> <small>{'you are here' if number == lesson else f'lesson 0{number}'}"
        "</small></a></li>"
        for name, (number, _) in PARTS.items()
    ]
    rules = _STYLE + "".join(map(_places, _PAGES))
    says = "Solid: how it paints, round from sampler to U-Net. Dashed: how it "
    return HTML(
        f'<nav class="dl-map" aria-label="Map of the model"><style>{rules}</style><p><b>The whole '
        f"model.</b> {says}learns. Each part opens its lesson.</p>"
        f"{''.join(map(_arrows, _PAGES))}<ol>{''.join(boxes)}</ol></nav>"
    )


def _places(page: str) -> str:
    """Return the style rules that put each box in its place on a "wide" or a "narrow" page."""
    width, (wide, high), (across, down) = _PAGES[page]
    places = [there[page] for _, there in PARTS.values()]
    rules = [f".dl-map ol {{ height: {down * max(y for _, y in places) + high}px; }}"]
    rules += [f".dl-map li {{ width: {wide}px; height: {high}px; }}"]
    for i, (x, y) in enumerate(places, 1):
        rules.append(f".dl-map li:nth-child({i}) {{ left: {across * x}px; top: {down * y}px; }}")
    hidden = [f".dl-map svg.dl-{other} {{ display: none; }}" for other in _PAGES if other != page]
    return f"@container ({width}) {{ {' '.join(rules + hidden)} }}\n"


def _arrows(page: str) -> str:
    """Return an SVG of all arrows on a "wide" or a "narrow" page, told in its description."""
    told, lines = [], []
    for kind, roads in ROADS.items():
        pairs = [pair for road in roads for pair in pairwise(road)]
        told.append(f"{kind}: {', '.join(f'{a} to {b}' for a, b in pairs)}")
        ways = [_way(PARTS[a][1][page], PARTS[b][1][page], page) for a, b in pairs]
        lines.append(f'<path class="dl-{kind}" d="{" ".join(way for way, _ in ways)}"/>')
        lines.append(f'<path d="{" ".join(head for _, head in ways)}"/>')
    words = f"<title>Arrows between the parts</title><desc>{'; '.join(told)}</desc>"
    return f'<svg class="dl-{page}" role="img" stroke-width="1.6">{words}{"".join(lines)}</svg>'


def _way(start: Place, end: Place, page: str) -> tuple[str, str]:
    """Return the line and the head of an arrow between two boxes, around those in its way."""
    _, (wide, high), (across, down) = _PAGES[page]
    (a, b), (c, d) = [(across * x + wide / 2, down * y + high / 2) for x, y in (start, end)]
    right, below = (c > a) - (c < a), (d > b) - (d < b)
    if below == 0 and right > 0:
        points = [(a + wide / 2, b), (c - wide / 2, b)]
    elif right == 0:
        points = [(a, b + below * high / 2), (a, d - below * high / 2)]
    else:  # through the gap between two rows; to the left in a row, over the boxes between
        leave, enter, side = below or -1, below or 1, right * wide / 4
        gap, last_gap = b + leave * down / 2, d - enter * down / 2
        points = [(a + side, b + leave * high / 2), (a + side, gap)]
        if gap != last_gap:  # past other rows, through the gap between two columns
            points += [(c - right * across / 2, gap), (c - right * across / 2, last_gap)]
        points += [(c - side, last_gap), (c - side, d - enter * high / 2)]
    (before, above), (tip, top) = points[-2:]
    dx, dy = 5 * ((tip > before) - (tip < before)), 5 * ((top > above) - (top < above))
    wings = [(tip - dx + dy, top - dy + dx), (tip, top), (tip - dx - dy, top - dy - dx)]
    line, head = (" L".join(f"{p:g} {q:g}" for p, q in path) for path in (points, wings))
    return f"M{line}", f"M{head}"
