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


@pytest.mark.parametrize(("value", "level"), [(-1, 0), (0, 128), (1, 255), (-3.0, 0), (7.0, 255)])
def test_levels_of_grey_and_clipping(value, level):
    levels = pictures.to_uint8(torch.full((1, 1, 2, 2), float(value)))
    assert levels.shape == (1, 2, 2, 3) and levels.dtype == np.uint8
    assert (levels == level).all()


def test_colour_channels_keep_their_order():
    image = torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1)
    assert pictures.to_uint8(image).flatten().tolist() == [255, 0, 128]


def test_every_level_survives_the_round_trip():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    image = torch.from_numpy(levels).float() / 127.5 - 1
    assert (pictures.to_uint8(image)[..., 0] == levels[0]).all()


def test_pixels_become_squares_and_are_not_blurred():
    images = _ramp()
    paper = np.asarray(pictures.grid(images, zoom=5))
    first = paper[8 : 8 + 20, 8 : 8 + 20]
    assert (first == pictures.to_uint8(images)[0].repeat(5, 0).repeat(5, 1)).all()


def test_pictures_stand_in_rows_of_columns():
    paper = pictures.grid(_ramp(count=5), columns=2, zoom=2)
    assert paper.size == (2 * (8 + 8) + 8, 3 * (8 + 8) + 8)


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
    (torch.full((1, 3, 2, 2), 255, dtype=torch.uint8), None, "torch.uint8: give floats"),
    (torch.zeros(0, 3, 4, 4), None, "N = 0"),
    (_ramp(), ["a"], "1 labels for 2 pictures"),
]  # fmt: skip


@pytest.mark.parametrize(("images", "labels", "message"), REFUSED)
def test_what_is_no_picture_or_lacks_a_label_is_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        pictures.grid(images, labels)


@pytest.mark.parametrize("alt", ["", "  \n", None, 3])
def test_a_picture_without_words_is_refused(alt, shown):
    fig, _ = plt.subplots()
    with pytest.raises(ValueError, match="alt is"):
        pictures.show(_ramp(), alt)
    with pytest.raises(ValueError, match="alt is"):
        pictures.figure(fig, alt)
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
    assert data == _drawn([0, 1])
    assert b"matplotlib" not in data.lower()
    image = Image.open(io.BytesIO(data))
    assert image.mode == "RGB" and image.getpixel((0, 0)) == (255, 255, 255)


def test_the_style_holds_for_figures_made_after_it():
    with plt.rc_context():
        pictures.style()
        fig, ax = plt.subplots()
        (line,) = ax.plot([0, 1])
        plt.close(fig)
    assert line.get_color() == pictures.PALETTE["teal"] and line.get_linewidth() == 2


def test_colours_stay_apart_in_grey():
    shades = [lightness(colour) for colour in pictures.PALETTE.values()]
    assert np.diff(shades).min() > 10


def test_line_colours_are_dark_enough_on_white_and_differ_in_dashes():
    cycle = pictures.look()["axes.prop_cycle"].by_key()
    assert min(contrast(colour, "#ffffff") for colour in cycle["color"]) > 3
    assert len(set(cycle["linestyle"])) == len(cycle["color"])


def test_the_second_copy_is_smaller_and_no_pixel_is_far_off():
    noise = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    data = pictures.png(pictures.grid(noise))
    few = pictures.few_colours(data)
    assert len(few) < 0.6 * len(data)
    both = _pixels(data), _pixels(few)
    assert np.abs(both[0] - both[1]).max() < 48 and (both[1][0, 0] == 255).all()


def test_the_second_copy_of_a_postcard_comes_close_to_its_colours():
    data, _ = pictures.on_page(postcards.draw(postcards.sample_scenes(4, seed=0), size=64))
    copies = (pictures.at_page_size(data), pictures.second_copy(data))
    page, few = map(_pixels, copies)
    assert np.abs(page - few).mean() < 2.5 and len(copies[1]) < 0.5 * len(copies[0])


def test_a_figure_loses_nothing_to_the_eye_in_few_colours():
    data = _drawn(*([0, rise] for rise in range(4)))
    few = pictures.few_colours(data)
    both = _pixels(data), _pixels(few)
    assert np.abs(both[0] - both[1]).max() < 12 and len(few) < 0.7 * len(data)
