"""What learners do that nobody planned: dark figures, frozen weights, autocast, odd losses."""

import io
import itertools
import json
import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lessons import (
    checks,
    data,
    models,
    pictures,
    prediction,
    sampling,
    schedule,
    training,
    widgets,
    workspace,
)
from diffusion_lessons.widgets.gallery import Gallery, Settings
from tests.small_pipe import normal, seeded, small_pipe


def darkness(png):
    """The share of a picture's pixels that are dark."""
    return (np.asarray(Image.open(io.BytesIO(png)).convert("L")) < 60).mean()


@pytest.mark.parametrize("theme", ["dark_background", "Solarize_Light2", "grayscale"])
def test_figures_are_the_same_whatever_the_learner_s_own_settings_are(theme):
    def drawn():
        with mpl.rc_context():
            pictures.style()
            fig, ax = plt.subplots()
            ax.plot([0, 1], label="a line")
            ax.legend(title="lines")
            found = pictures.figure_png(fig)
            plt.close(fig)
        view = widgets.watch(4, "sprites")
        view.step(1, 1.0)
        view.step(2, 0.5)
        return found, view.still()[1]

    usual = drawn()
    with mpl.style.context(theme):
        found = drawn()
    assert [darkness(one) for one in found] == [darkness(one) for one in usual]
    assert max(map(darkness, usual)) < 0.05


ODD = (0.0, math.nan, math.inf, -math.inf, -1.0, 1e-30, 1e30, 1.0)


@pytest.mark.parametrize("losses", [*itertools.product(ODD, repeat=2)], ids=str)
def test_a_watched_training_shows_odd_losses_and_never_fails_for_them(losses):
    view = widgets.watch(4, "sprites")
    for step, loss in enumerate(losses, start=1):
        view.step(step, loss)
    page, picture = view.still()
    assert "The loss over 2 steps" in page and Image.open(io.BytesIO(picture)).size[0] > 100


def test_a_loss_that_is_no_number_leaves_no_trace_in_a_watched_training():
    view = widgets.watch(4, "sprites")
    view.step(1, 0.5)
    for loss in (torch.tensor([1.0, 2.0]), "0.5", None, [0.5], True):
        with pytest.raises(TypeError, match="loss is .*: give a number"):
            view.step(2, loss)
    view.step(2, torch.tensor([[0.25]], requires_grad=True))
    assert "The loss over 2 steps: 0.5 at first, 0.25 at last" in view.still()[0]


def point_fit(net):
    def batch(step):
        return data.Batch(normal(8, 2, seed=step), torch.zeros(8, 0, dtype=torch.int64), [""] * 8)

    return training.train(net, batch, schedule.cosine, "v", 3, 1e-2)


def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.PointNet(8)


def test_a_training_within_no_grad_is_the_usual_one():
    usual = [done.loss for done in point_fit(net())]
    with torch.no_grad():
        assert [done.loss for done in point_fit(net())] == usual


def test_a_training_of_frozen_weights_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"weights of model are frozen: call .*requires_grad_"):
        point_fit(net().requires_grad_(False))


def test_pictures_are_float32_within_autocast_too():
    with torch.autocast("cpu", torch.bfloat16):
        images = small_pipe()("a cat", output_type="pt", generator=seeded()).images
    assert images.dtype == torch.float32 and images.isfinite().all()


@pytest.mark.parametrize("name", sampling.SAMPLERS)
@pytest.mark.parametrize("steps", [100, 300, 1000])
def test_walks_of_many_steps_in_half_precision_end_where_they_should(name, steps):
    known = prediction.exact_denoiser(torch.tensor([[0.5, -1.0], [-0.75, 0.25]]), schedule.cosine)
    x_t, times = normal(6, 2).bfloat16(), sampling.times(steps)
    found = sampling.finish(sampling.SAMPLERS[name](known, schedule.cosine, x_t, times))
    assert found.dtype == torch.bfloat16
    off = (found.float()[:, None] - torch.tensor([[0.5, -1.0], [-0.75, 0.25]])).abs().amax(2)
    assert (off.amin(1) < 0.05).all()


@pytest.mark.parametrize("low, step", [(0, 0.1), (0.1, 0.1), (-1, 0.3), (0.05, 0.15)])
def test_a_slider_starts_at_each_of_its_stops_however_they_were_added_up(low, step):
    start = low
    for place, stop in enumerate(widgets.Slider("x", low, 2, step).values()):
        assert abs(start - stop) < 1e-9
        assert widgets.Slider("x", low, 2, step, start).payload()["start"] == place
        start += step


def test_a_picture_that_is_kept_twice_is_one_file(tmp_path):
    gallery = Gallery(tmp_path)
    levels, settings = np.zeros((8, 8, 3), np.uint8), Settings("a cat", "", 3, 8, 2.5)
    first = gallery.keep(levels, settings)
    assert gallery.keep(levels.copy(), settings) == first == gallery.pictures()[0].path
    other = gallery.keep(levels + 1, settings)
    assert gallery.keep(levels, Settings("a cat", "", 4, 8, 2.5)) not in (first, other)
    assert len(gallery.pictures()) == 3


@pytest.mark.parametrize("card", ["[]", "3", '"words"', "null", "true", "", "{", "[{}]"])
def test_a_card_that_is_none_is_named_with_the_fix(card, tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "own_path", tmp_path.joinpath)
    workspace.save_weights(tmp_path / "mine.safetensors", {"a": torch.zeros(1)}, {})
    assert workspace.load_weights("mine")[1] == {}
    (tmp_path / "mine.json").write_text(card)
    with pytest.raises(workspace.DamagedFile, match=r"cannot be read .*Fix: delete mine"):
        workspace.load_weights("mine")
    assert card != json.dumps({})


def test_a_check_says_that_a_root_became_complex():
    def noising_step(x, beta, noise):
        return (1 - beta) ** 0.5 * x + (torch.as_tensor(beta - 1.0) + 0j) ** 0.5 * noise

    report = str(checks.check_noising_step(noising_step))
    assert "complex64" in report and "root of a negative number" in report
    assert "Whole numbers" not in report


@pytest.mark.parametrize("options", [[1, 10, 100], [0.5, "a half"], [None, "none"], ["a", b"b"]])
def test_options_of_a_guess_are_texts(options):
    with pytest.raises(TypeError, match=r"options is .*: give a text"):
        widgets.guess("How many?", options)
