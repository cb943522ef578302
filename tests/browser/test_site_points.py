"""Lesson 03's drawing is learned in the page as in Python, number by number, beside the page."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Page
from torch import Tensor

from diffusion_lessons import data, models, prediction, sampling, schedule, training, widgets
from diffusion_lessons.training import diffusion_loss
from diffusion_lessons.widgets.page import module
from diffusion_lessons.widgets.plane import SHAPES
from diffusion_lessons.widgets.watch import Watch

pytestmark = pytest.mark.both_browsers
WIDTHS, CLOUD = (88, 64, 64, 64, 8), torch.randn(400, 2, generator=torch.Generator().manual_seed(4))
# From 400 samples to the drawing, `away`, at the end of `in_python`.
PYTHON = {"two moons": 0.0458, "ring": 0.0487, "spiral": 0.0568}

START = """async () => {
    window.net = await (await import("./pointnet.js")).pointNet();
    window.rows = (arrays) => arrays.map((array) => Array.from(array));
    window.network = (arrays) => {
        const { twister } = window.noise;
        const made = net.network(twister(0));
        arrays.forEach((array, i) => made[i].set(array));
        return made;
    };
    window.noise = await import("./noise.js");
}"""
MODELS = """([drawn, [watch, scrub], panel]) => {
    const model = (values) => {
        const heard = [];
        const say = (name, value) => {
            values[name] = value;
            heard.forEach(([event, hear]) => event === `change:${name}` && hear());
        };
        return { get: (name) => values[name], set: say, say, save_changes() {}, off() {},
            on: (event, hear) => heard.push([event, hear]) };
    };
    const progress = { step: 0, words: "", spoken: "" };
    const [none, stages] = [new Float32Array(0), Array(8).fill({})];
    const curve = { steps: none, mean: none, low: none, high: none };
    window.plane = model({ drawn });
    window.watch = model({ total: 1000, alt: "points", progress, curve, stages });
    window.scrub = model({ name: "time t", stops: [panel.stops], words: [panel.stops],
        index: 3, choice: 0, choose: null, panels: [panel] });
    window.render = async (text, model) => {
        const el = document.createElement("div");
        document.body.prepend(el);
        const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
        (await import(url)).default.render({ model, el });
    };
    window.drawWatch = () => render(watch, window.watch);
    window.drawScrub = () => render(scrub, window.scrub);
    window.train = async () => {
        const { trainOn } = await import("./points.js");
        return trainOn(plane, window.watch, window.scrub);
    };
}"""


@pytest.fixture
def lesson(page: Page, site: str) -> Page:
    """A page without widgets, with what learns points, and the means to look into it."""
    page.goto(site + "glossary.html")
    page.set_default_timeout(120_000)
    page.evaluate(START)
    return page


def fitted(drawn: list[float]) -> Tensor:
    """As the lesson's cell `fit` does it."""
    points = torch.tensor(drawn).reshape(-1, 2)
    low, high = points.amin(dim=0), points.amax(dim=0)
    return 3.6 * (points - (low + high) / 2) / (high - low).max().clamp(min=0.1)


def shape(name: str) -> list[float]:
    return widgets.plane("Points", start=name).drawn


def taught() -> models.PointNet:
    """A network that is no longer the one it was at first, so that all its numbers count."""
    torch.manual_seed(7)
    net = models.PointNet()
    for weight in net.parameters():
        weight.data *= 2
    return net


def padded(tensors: list[Tensor]) -> list[list[float]]:
    """Weights and biases as the page holds them, filled up with zeros."""
    filled = []
    for i, tensor in enumerate(tensors):
        room = torch.zeros(WIDTHS[i // 2 + 1], *WIDTHS[i // 2 : i // 2 + 1][: tensor.ndim - 1])
        room[tuple(map(slice, tensor.shape))] = tensor.detach()
        filled.append(room.flatten().tolist())
    return filled


def cut(arrays: list[list[float]], like: list[Tensor]) -> list[Tensor]:
    """The other way round; what fills up must still be 0."""
    found = []
    for i, (array, tensor) in enumerate(zip(arrays, like, strict=True)):
        room = torch.tensor(array).view(WIDTHS[i // 2 + 1], *[-1] * (tensor.ndim - 1))
        found.append(room[tuple(map(slice, tensor.shape))])
        assert room.count_nonzero() == found[-1].count_nonzero(), "a number that fills up moved"
    return found


def axes(points: Tensor) -> list[float]:
    return points.T.flatten().tolist()


def batch(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Clean points, times and noise; times at the ends of the table and between its rows."""
    dice = torch.Generator().manual_seed(seed)
    t = training.spread_times(256, dice)
    t[:3] = torch.tensor([0.001, 0.5, 1.0])
    return 2 * torch.rand(256, 2, generator=dice) - 1, t, torch.randn(256, 2, generator=dice)


def loss_of(net: models.PointNet, seed: int) -> Tensor:
    return diffusion_loss(net, *batch(seed), schedule.cosine, "v")


def test_the_network_begins_as_python_s_and_says_the_same(lesson):
    torch.manual_seed(0)
    first, net = models.PointNet(), taught()
    begun = lesson.evaluate("() => rows(net.network(noise.twister(0)))")
    for ours, theirs in zip(first.parameters(), cut(begun, [*first.parameters()]), strict=True):
        assert (ours - theirs).abs().max() < 1e-7
    x, t, _ = batch(1)
    said = lesson.evaluate(
        "([arrays, x, t]) => Array.from(net.forward(network(arrays), Float32Array.from(x),"
        " Float32Array.from(t))[4].h)",
        [padded([*net.parameters()]), axes(3 * x), t.tolist()],
    )
    wanted = net(3 * x, t)
    assert wanted.std() > 0.1
    assert (torch.tensor(said).view(8, 256)[:2].T - wanted).abs().max() < 1e-5


def test_the_gradient_of_every_weight_is_that_of_torch(lesson):
    net = taught()
    (loss := loss_of(net, 2)).backward()
    x_0, t, eps = batch(2)
    found = lesson.evaluate(
        """([arrays, ...batch]) => {
            const [x_0, t, eps] = batch.map((numbers) => Float32Array.from(numbers));
            const { loss, gradients } = net.gradient(network(arrays), x_0, t, eps);
            return { loss, gradients: rows(gradients) };
        }""",
        [padded([*net.parameters()]), axes(x_0), t.tolist(), axes(eps)],
    )
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-5)
    wanted = [weight.grad for weight in net.parameters()]
    for ours, theirs in zip(wanted, cut(found["gradients"], wanted), strict=True):
        assert ours.abs().max() > 1e-4
        assert (ours - theirs).abs().max() < 1e-5 * max(1, ours.abs().max())


@pytest.mark.parametrize("scale", [1, 10], ids=["not clipped", "clipped"])
def test_steps_of_the_optimiser_and_the_average_are_those_of_python(lesson, scale):
    net = taught()
    arrays, seeds = padded([*net.parameters()]), [3, 4, 5]
    fit = training.Fit(
        net, 1000, 2e-2, lambda step: scale * loss_of(net, seeds[step]), ema_decay=0.999
    )
    norms = []
    for _ in seeds:
        next(iter(fit))
        norms.append(sum(weight.grad.square().sum() for weight in net.parameters()) ** 0.5)
    assert (min(norms) > 0.999) == (scale == 10), norms
    given = [[axes(x_0), t.tolist(), axes(eps)] for x_0, t, eps in map(batch, seeds)]
    found = lesson.evaluate(
        """([arrays, batches, scale]) => {
            const [one, average] = [network(arrays), network(arrays)];
            const update = net.optimiser(one, average);
            batches.forEach((batch, step) => {
                net.heap.forget();
                const numbers = batch.map((part) => Float32Array.from(part));
                const { gradients } = net.gradient(one, ...numbers);
                update(gradients.map((g) => g.map((value) => scale * value)), step);
            });
            return [rows(one), rows(average)];
        }""",
        [arrays, given, scale],
    )
    start = cut(arrays, [*net.parameters()])
    for python, page in zip((fit.model, fit.ema), found, strict=True):
        wanted = [weight.detach() for weight in python.parameters()]
        for ours, theirs, old in zip(wanted, cut(page, wanted), start, strict=True):
            assert (ours - old).abs().max() > 2e-4
            assert (ours - theirs).abs().max() < 4e-6


def test_the_walk_is_ddim_s(lesson):
    net = taught()
    denoiser = prediction.as_denoiser(net.requires_grad_(False), schedule.cosine, "v")
    walk = list(sampling.ddim(denoiser, schedule.cosine, CLOUD, sampling.times(32)))
    found = lesson.evaluate(
        "([arrays, x]) => rows(net.ddim(network(arrays), Float32Array.from(x), 32))",
        [padded([*net.parameters()]), axes(CLOUD)],
    )
    wanted = torch.stack([CLOUD, *(step.x_next for step in walk)])
    assert (wanted[-1] - CLOUD).abs().mean() > 0.1
    assert (torch.tensor(found).view(33, 2, 400).transpose(1, 2) - wanted).abs().max() < 1e-4


def in_python(points: Tensor) -> tuple[list[float], list[Tensor]]:
    """The lesson's training: its losses, and the cloud after 20, 60, 150, 400, 1000 steps."""

    def batches(step: int) -> data.Batch:
        which = torch.randint(len(points), (256,), generator=torch.Generator().manual_seed(step))
        return data.Batch(points[which], torch.zeros(256, 0, dtype=torch.int64), [""] * 256)

    torch.manual_seed(0)
    net = models.PointNet()
    fit = training.train(net, batches, schedule.cosine, "v", steps=1000, learning_rate=2e-2)
    learned = prediction.as_denoiser(fit.ema, schedule.cosine, "v")
    losses, clouds = [], []
    for done in fit:
        losses.append(done.loss)
        if done.step + 1 in (20, 60, 150, 400, 1000):
            walk = sampling.ddim(learned, schedule.cosine, CLOUD, sampling.times(32))
            with torch.no_grad():
                clouds.append(sampling.finish(walk))
    return losses, clouds


def in_page(lesson: Page, points: Tensor) -> tuple[list[float], list[Tensor]]:
    losses, clouds = lesson.evaluate(
        """(points) => {
            const [losses, ways] = [[], []];
            for (const { loss, way } of net.learn(Float32Array.from(points))) {
                losses.push(loss);
                if (way) ways.push(Array.from(way.at(-1)));
            }
            return [losses, ways];
        }""",
        points.flatten().tolist(),
    )
    return losses, [torch.tensor(cloud).view(400, 2) for cloud in clouds]


def away(cloud: Tensor, points: Tensor) -> float:
    return torch.cdist(cloud, points).amin(1).mean().item()


def test_a_whole_training_is_that_of_python(lesson):
    points = fitted(shape("heart"))
    (losses, clouds), (found, ours) = in_python(points), in_page(lesson, points)
    assert np.abs(np.array(losses) - found).max() < 0.01
    assert np.abs(np.array(losses) - found)[:100].max() < 1e-4
    off = [(one - other).abs().max() for one, other in zip(clouds, ours, strict=True)]
    assert max(off[:2]) < 1e-4 and max(off) < 0.2, off
    assert away(ours[-1], points) < 1.3 * away(clouds[-1], points) < 0.1


@pytest.mark.parametrize("name", PYTHON)
def test_every_shape_is_learned_as_well_as_in_python(lesson, name):
    points = fitted(shape(name))
    _, clouds = in_page(lesson, points)
    assert away(clouds[-1], points) < 1.3 * PYTHON[name]


# --- the widgets


def open_models(lesson: Page, drawn: list[float]) -> None:
    """Give the page the models of three widgets, as a host does."""
    stops = [f"{t:.2f}" for t in sampling.times(32)]
    panel = {"kind": "points", "title": "x_t", "alt": "400 points", "arrows": None, "trails": 8}
    panel |= {"behind": {"name": "the drawing"}, "stops": stops}
    lesson.evaluate(MODELS, [drawn, [module("watch"), module("scrub")], panel])


def test_a_training_moves_the_lesson_s_own_widgets_and_the_page_stays_awake(lesson):
    drawn = shape("spiral")
    open_models(lesson, drawn)
    seen = lesson.evaluate(
        """async () => {
            await drawWatch();
            const said = [];
            watch.on("change:progress", () => said.push(watch.get("progress")));
            let beats = 0;
            const heart = setInterval(() => (beats += 1), 20);
            const replaced = train();
            await new Promise((go) => watch.on("change:stages", () => {
                if (watch.get("stages")[0].number) go();
            }));
            const begin = performance.now();
            const first = watch.get("stages")[0].number;
            beats = 0;
            const done = await train();
            clearInterval(heart);
            await drawScrub();
            const plain = (one) => Object.fromEntries(Object.entries(one).map(
                ([key, part]) => [key, part instanceof Float32Array ? Array.from(part) : part]));
            const [panel] = scrub.get("panels");
            return {
                said, beats, first, done, replaced: await replaced, ms: performance.now() - begin,
                curve: plain(watch.get("curve")), stages: watch.get("stages").map(plain),
                panel: plain(panel), behind: Array.from(panel.behind.data),
                words: scrub.get("words"), index: scrub.get("index"),
            };
        }"""
    )
    points = fitted(drawn)
    assert (seen["replaced"], seen["done"]) == (False, True)
    assert seen["beats"] > seen["ms"] / 100, "the page slept"
    said = [progress["words"] for progress in seen["said"]]
    assert said[0] == "waiting for the first step" and said.count(said[0]) == 2
    assert re.fullmatch(r"Done: 1,000 steps\. It took \d+ (s|min)\.", said[-1])
    timed = r"step [\d,]+ of 1,000(, about \d+ (s|min) in all, \d+ (s|min) left)?"
    assert all(re.fullmatch(timed, words) for words in said[1:-1] if words != said[0]), said
    assert seen["said"][-1]["spoken"] == said[-1]
    spoken = {re.sub(",.*", "", progress["spoken"]) for progress in seen["said"]}
    assert {"0 % done", "25 % done", "50 % done", "75 % done"} < spoken

    losses, clouds = in_page(lesson, points)
    view = Watch(1000, "points")
    for step, loss in enumerate(losses):
        view.step(step + 1, loss)
    with view:
        pass
    for name, numbers in view.curve.items():
        assert np.array_equal(np.frombuffer(numbers, np.float32), np.float32(seen["curve"][name]))
    stages = [stage for stage in seen["stages"] if stage]
    assert len(seen["stages"]) == 8 and seen["first"] == 1
    # watch.js draws no number twice, so those of the second training go on.
    numbered = [(stage["number"], stage["caption"]) for stage in stages]
    shown = (20, 60, 150, 400, 1000)
    assert numbered == [(number, f"{step} steps") for number, step in enumerate(shown, 2)]
    for stage, cloud in zip(stages, clouds, strict=True):
        assert torch.equal(torch.tensor(stage["data"]).view(-1, 2), cloud)
        assert torch.equal(torch.tensor(stage["behind"]).view(-1, 2), points)
    labels = lesson.locator(".dl-stage svg").evaluate_all("all => all.map((one) => one.ariaLabel)")
    assert labels == [f"points, {stage['caption']}" for stage in stages]

    way = torch.tensor(seen["panel"]["data"]).view(33, 400, 2)
    assert (way[0] - CLOUD).abs().max() < 1e-6
    assert torch.equal(way[-1], clouds[-1])
    wanted = widgets.Points("x_t", way, "400 points", behind=("the drawing", points), trails=8)
    wanted = wanted.content(1, 33)
    assert seen["panel"]["reach"] == wanted["reach"] and seen["panel"]["alt"] == "400 points"
    assert np.array_equal(np.float32(seen["behind"]), wanted["behind"]["data"].ravel())
    gap = torch.cdist(way.double(), points.double()).amin(-1).mean(-1)
    assert seen["words"] == [[f"from a point to the drawing: {d:.2f} on average" for d in gap]]
    assert seen["index"] == 0
    lesson.get_by_role("slider", name="time t").press("End")
    assert lesson.locator(".dl-words").inner_text() == seen["words"][0][-1]


@pytest.mark.parametrize("drawn", [[], [0.5, 0.5]])
def test_too_few_points_are_refused_in_python_s_words_and_nothing_moves(lesson, drawn):
    plane = widgets.plane("Points")
    plane.drawn = drawn
    with pytest.raises(ValueError) as refused:
        _ = plane.points
    open_models(lesson, drawn)
    found = lesson.evaluate(
        """async () => {
            let said = 0;
            watch.on("change:progress", () => (said += 1));
            return [await train().catch((error) => error.message), said];
        }"""
    )
    assert found == [str(refused.value), 0]


def test_two_points_on_one_spot_and_the_same_drawing_twice(lesson):
    points = fitted([0.5, 0.5, 0.5, 0.5])
    assert points.abs().max() == 0
    (losses, clouds), again = in_page(lesson, points), in_page(lesson, points)
    assert losses == again[0] and torch.equal(clouds[-1], again[1][-1])
    assert away(clouds[-1], points) < 0.2


def test_the_shapes_measured_are_all_that_there_are():
    assert {*PYTHON, "heart"} == set(SHAPES)
