"""The diagram of a network is drawn from the network: its parts, sizes, skips, embedding."""

import pytest

from diffusion_lessons import diagram, pictures
from diffusion_lessons.models import UNet

SMALL = {"widths": (32, 64), "blocks": (1, 2), "patch": 2}
DEEP = {"widths": (16, 24, 32), "blocks": (2, 1, 2), "patch": 1}


def names(boxes):
    return [box.name for box in boxes]


def test_the_parts_of_the_small_network_in_the_order_they_run():
    boxes = diagram.trace(UNet(**SMALL, factors=(8, 7)), 32)
    around = ["x_t", "stem", "ResBlock", "Down", "ResBlock", "Attention", "ResBlock", "Up"]
    assert names(boxes) == [*around, "ResBlock", "head", "output"]
    shapes = [(3, 32, 32), (32, 16, 16), (32, 16, 16), (64, 8, 8), (3, 32, 32)]
    assert [box.shape for box in (*boxes[:4], boxes[-1])] == shapes


def test_skips_are_found_by_what_was_handed_over():
    boxes = diagram.trace(UNet(**DEEP), 16)
    ups = [box for box in boxes if box.name == "Up"]
    assert [boxes[up.skip_from].shape for up in ups] == [(24, 8, 8), (16, 16, 16)]
    for up in ups:
        assert names(boxes)[up.skip_from + 1] == "Down" and up.shape == boxes[up.skip_from].shape
    assert all(box.skip_from is None for box in boxes if box.name != "Up")


def test_residual_blocks_and_no_others_take_the_embedding():
    boxes = diagram.trace(UNet(**DEEP), 16)
    assert {box.name for box in boxes if box.takes_emb} == {"ResBlock"}
    assert sum(box.takes_emb for box in boxes) == names(boxes).count("ResBlock") == 2 * (2 + 1) + 2


def test_looking_leaves_the_network_as_it_was():
    model = UNet(**SMALL)
    diagram.trace(model, 32)
    with pytest.raises(ValueError, match="4h, 4w"):
        diagram.trace(model, 30)
    assert not any(part._forward_hooks for part in model.modules())


def test_the_words_name_every_part_and_every_skip():
    words = diagram.describe(diagram.trace(UNet(**DEEP), 16))
    assert words.count("ResBlock") == 8 and words.count("is kept for the way up") == 2
    assert "24 × 8 × 8 is kept" in words
    assert "Skips: none" in diagram.describe(diagram.trace(UNet(widths=(16,), blocks=(1,)), 16))


def test_the_drawing_shows_each_part_inside_the_paper():
    boxes = diagram.trace(UNet(**SMALL), 32)
    fig = diagram.draw(boxes)
    ax = fig.axes[0]
    written = [text.get_text() for text in ax.texts]
    assert [word for word in written if word in {box.name for box in boxes}] == names(boxes)
    assert written.count("skip") == 1 and "16 × 16" in written
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for patch in ax.patches[: len(boxes)]:
        box = patch.get_extents().transformed(ax.transData.inverted())
        assert left <= box.x0 < box.x1 <= right and low <= box.y0 < box.y1 <= high
    assert pictures.figure_png(fig) == pictures.figure_png(diagram.draw(boxes))
