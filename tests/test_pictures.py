"""Pictures: right pixels, readable in grey, the same bytes each time, and never without words."""

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import pictures, postcards
from tests.colours import contrast, lightness


@pytest.fixture
def shown(monkeypatch):
    """What would be displayed, as a list of MIME bundles."""
    bundles = []
    monkeypatch.setattr(pictures, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def _ramp(count=2, channels=3):
    return torch.linspace(-1, 1, count * channels * 16).reshape(count, channels, 4, 4)


def _pixels(data: bytes | str) -> np.ndarray:
    """The levels of a PNG, of its bytes or of their base64."""
    data = base64.b64decode(data) if isinstance(data, str) else data
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def _drawn(*lines) -> bytes:
    """A figure of lines, in the look of the course, as PNG."""
    with plt.rc_context(pictures.look()):
        fig, ax = plt.subplots()
        for line in lines:
            ax.plot([0, 1], line, label="line")
        ax.legend()
        data = pictures.figure_png(fig)
        plt.close(fig)
    return data


def test_levels_are_clipped_and_channels_keep_their_order():
    x = torch.tensor([-1, 0, 1, -3.0, 7.0]).view(5, 1, 1, 1)
    levels = pictures.to_uint8(x)
    assert levels.shape == (5, 1, 1, 3) and levels.dtype == np.uint8
    assert (levels.reshape(5, 3).T == [0, 128, 255, 0, 255]).all()
    assert pictures.to_uint8(x[[2, 0, 1]].view(1, 3, 1, 1)).flatten().tolist() == [255, 0, 128]


def test_every_level_survives_the_round_trip():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    image = torch.from_numpy(levels).float() / 127.5 - 1
    assert (pictures.to_uint8(image)[..., 0] == levels[0]).all()


def test_pixels_become_squares_and_are_not_blurred():
    first = np.asarray(pictures.grid(_ramp(), zoom=5))[8 : 8 + 20, 8 : 8 + 20]
    assert (first == pictures.to_uint8(_ramp())[0].repeat(5, 0).repeat(5, 1)).all()


def test_pictures_stand_in_rows_of_columns():
    assert pictures.grid(_ramp(count=5), columns=2, zoom=2).size == (2 * 16 + 8, 3 * 16 + 8)


def test_labels_are_drawn_below_and_one_for_each():
    bare, labelled = (pictures.grid(_ramp(), labels, zoom=9) for labels in (None, ["a", "b c"]))
    below = np.asarray(labelled)[bare.height :]
    assert labelled.height > bare.height and (below < 128).any()


def test_on_a_page_a_picture_is_finer_than_its_place_and_as_large():
    data, width = pictures.on_page(_ramp(), ["a", "b"], zoom=16)
    fine, plain = Image.open(io.BytesIO(data)), pictures.grid(_ramp(), ["a", "b"], zoom=16)
    assert width == plain.width and fine.size == tuple(2 * side for side in plain.size)
    pixels = np.asarray(fine)[16 : 16 + 128, 16 : 16 + 128]
    assert (pixels == pictures.to_uint8(_ramp())[0].repeat(32, 0).repeat(32, 1)).all()


REFUSED = [
    *((torch.zeros(shape), None, re.escape(str(shape)))
      for shape in ((3, 4, 4), (1, 2, 4, 4), (4, 4), (2, 4, 4, 3))),
    (torch.full((1, 3, 2, 2), torch.nan), None, "not finite"),
    (torch.full((1, 3, 2, 2), 255, dtype=torch.uint8), None, "uint8: give a tensor of floats"),
    (torch.zeros(0, 3, 4, 4), None, "N = 0"),
    (_ramp(), ["a"], "1 labels for 2 pictures"),
]  # fmt: skip


@pytest.mark.parametrize(("images", "labels", "message"), REFUSED)
def test_what_is_no_picture_or_lacks_a_label_is_refused(images, labels, message):
    with pytest.raises((ValueError, TypeError), match=message):
        pictures.grid(images, labels)


@pytest.mark.parametrize("alt", ["", "  \n", None, 3])
def test_a_picture_without_words_is_refused(alt, shown):
    fig, _ = plt.subplots()
    for show, what in ((pictures.show, _ramp()), (pictures.figure, fig)):
        with pytest.raises(ValueError, match="alt is"):
            show(what, alt)
    plt.close(fig)
    assert not shown


def test_html_and_png_hold_the_same_picture_and_its_words(shown):
    pictures.show(_ramp(), 'a "ramp" <b>&</b>')
    (bundle,) = shown
    page = bundle["text/html"]
    assert 'alt="a &quot;ramp&quot; &lt;b&gt;&amp;&lt;/b&gt;"' in page and "<b>" not in page
    inside, second = _pixels(re.search(r"base64,([^\"]+)", page).group(1)), bundle["image/png"]
    assert (inside[::2, ::2] == _pixels(second)).all()


def test_a_figure_is_shown_once_and_closed(shown):
    fig, ax = plt.subplots()
    ax.plot([0, 1])
    pictures.figure(fig, "a line that rises")
    assert len(shown) == 1 and not plt.fignum_exists(fig.number)


def test_the_same_figure_gives_the_same_bytes_on_opaque_white():
    data = _drawn([0, 1])
    image = Image.open(io.BytesIO(data))
    assert data == _drawn([0, 1]) and b"matplotlib" not in data.lower()
    assert image.mode == "RGB" and image.getpixel((0, 0)) == (255, 255, 255)


def test_the_style_holds_for_figures_made_after_it():
    with plt.rc_context():
        pictures.style()
        fig, ax = plt.subplots()
        (line,) = ax.plot([0, 1])
        plt.close(fig)
    assert line.get_color() == pictures.PALETTE["teal"] and line.get_linewidth() == 2


def test_colours_stay_apart_in_grey_and_lines_are_dark_enough_and_differ_in_dashes():
    shades = [lightness(colour) for colour in pictures.PALETTE.values()]
    assert np.diff(shades).min() > 10
    cycle = pictures.look()["axes.prop_cycle"].by_key()
    assert min(contrast(colour, "#ffffff") for colour in cycle["color"]) > 3
    assert len(set(cycle["linestyle"])) == len(cycle["color"])


@pytest.mark.parametrize(("kind", "share", "apart"), [("noise", 0.6, 48), ("figure", 0.7, 12)])
def test_in_few_colours_a_picture_is_smaller_and_no_pixel_is_far_off(kind, share, apart):
    noise = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    lines = ([0, rise] for rise in range(4))
    data = pictures.png(pictures.grid(noise)) if kind == "noise" else _drawn(*lines)
    few = pictures.few_colours(data)
    whole, reduced = _pixels(data), _pixels(few)
    assert np.abs(whole - reduced).max() < apart and (reduced[0, 0] == 255).all()
    assert len(few) < share * len(data)


def test_the_second_copy_of_a_postcard_comes_close_to_its_colours():
    data, _ = pictures.on_page(postcards.draw(postcards.sample_scenes(4, seed=0), size=64))
    copies = (pictures.at_page_size(data), pictures.second_copy(data))
    page, few = map(_pixels, copies)
    assert np.abs(page - few).mean() < 2.5 and len(copies[1]) < 0.5 * len(copies[0])
