"""LoRA: the numbers of `peft`, in the pipeline the methods of `diffusers`; at weight 0 no trace."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import peft
import pytest
import torch
from torch import nn
from torch.nn import functional

from diffusion_lessons import models, postcards, recipes, workspace
from diffusion_lessons.models import LoRA
from diffusion_lessons.pipeline import TextToImage
from diffusion_lessons.postcards.styles import STYLES
from diffusion_lessons.scoring import styles
from tests.small_pipe import normal, seeded, small_pipe

HOUSE = "a red house on snow at night"
INPUTS = normal(2, 4, 8, 8), torch.tensor([0.3, 0.9]), normal(2, 5, 32)


@pytest.fixture
def pipe():
    return small_pipe(scaling_factor=0.5)


def learned(network, rank=4, alpha=8.0, seed=0):
    """A LoRA as after a training: neither side is zero."""
    torch.manual_seed(seed)
    lora = LoRA.of(network, rank, alpha)
    for name, weight in lora.named_parameters():
        nn.init.normal_(weight, std=0.1 if "lora_B" in name else weight[0].numel() ** -0.5)
    return lora.requires_grad_(False)


def drawn(pipe, **chosen):
    return pipe(HOUSE, generator=seeded(), output_type="pt", **chosen).images


def beside(lora, layer, name, inputs, output):
    """What a layer gives with a LoRA that is not merged: W x, and beside it B (A x)."""
    a, b = (lora.get_parameter(f"{name}.lora_{side}.weight") for side in "AB")
    scale = lora.settings["alpha"] / lora.settings["rank"]
    if isinstance(layer, nn.Linear):
        return output + scale * functional.linear(functional.linear(inputs[0], a), b)
    low = functional.conv2d(inputs[0], a, None, layer.stride, layer.padding)
    return output + scale * functional.conv2d(low, b)


# --- the network ---


def test_merged_weights_give_what_the_two_small_layers_beside_give(pipe):
    lora = learned(pipe.unet)
    merged, frozen = lora(pipe.unet, *INPUTS), pipe.unet(*INPUTS)
    for name in lora.settings["shapes"]:
        layer = pipe.unet.get_submodule(name)
        layer.register_forward_hook(lambda layer, x, y, n=name: beside(lora, layer, n, x, y))
    assert torch.allclose(merged, pipe.unet(*INPUTS), atol=1e-3)
    assert not torch.allclose(merged, frozen, atol=0.1)


def test_peft_computes_the_same_from_the_same_tensors(pipe):
    lora = learned(pipe.unet)
    expected, frozen = lora(pipe.unet, *INPUTS), pipe.unet(*INPUTS)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=list(lora.settings["shapes"]))
    theirs = peft.get_peft_model(pipe.unet, config)
    named = {f"base_model.model.{name}": tensor for name, tensor in lora.state_dict().items()}
    assert not peft.set_peft_model_state_dict(theirs, named).unexpected_keys
    assert torch.allclose(theirs(*INPUTS), expected, atol=1e-3)
    assert torch.allclose(theirs.merge_and_unload()(*INPUTS), expected, atol=1e-3)
    assert not torch.allclose(frozen, expected, atol=0.05)


def test_a_new_one_changes_nothing_and_can_learn(pipe):
    lora = LoRA.of(pipe.unet)
    output = lora(pipe.unet, *INPUTS)
    assert torch.equal(output, pipe.unet(*INPUTS))
    output.square().mean().backward()
    for name, weight in lora.named_parameters():
        assert ("lora_B" in name) == bool(weight.grad.any()) == (not weight.any()), name
    assert all(weight.grad is None for weight in pipe.unet.parameters())


def test_with_both_at_zero_it_never_learns(pipe):
    lora = LoRA.of(pipe.unet)
    for weight in lora.parameters():
        nn.init.zeros_(weight)
    optimizer = torch.optim.SGD(lora.parameters(), 1.0)
    for _ in range(3):
        optimizer.zero_grad()
        lora(pipe.unet, *INPUTS).square().mean().backward()
        optimizer.step()
    assert not any(weight.any() for weight in lora.parameters())


# --- in the pipeline ---


def test_a_picture_is_the_same_merged_and_beside_to_one_of_255(pipe):
    lora = learned(pipe.unet)
    pipe.load_lora_weights(lora)
    merged = drawn(pipe)
    pipe.unload_lora_weights()
    for name in lora.settings["shapes"]:
        layer = pipe.unet.get_submodule(name)
        layer.register_forward_hook(lambda layer, x, y, n=name: beside(lora, layer, n, x, y))
    assert (drawn(pipe) - merged).abs().max() * 255 <= 1


def test_at_weight_0_and_unloaded_it_is_the_frozen_model_bit_for_bit():
    pipe = TextToImage.from_pretrained()
    frozen = drawn(pipe, num_inference_steps=2)
    for undo in (partial(pipe.set_adapters, "default", 0.0), pipe.unload_lora_weights):
        pipe.load_lora_weights(learned(pipe.unet))
        for fuse in (pipe.fuse_lora, pipe.unfuse_lora):
            other = drawn(pipe, num_inference_steps=2)
            fuse()
            assert torch.allclose(drawn(pipe, num_inference_steps=2), other, atol=1e-4)
        assert not torch.allclose(other, frozen, atol=0.1)
        pipe.fuse_lora()
        undo()
        assert torch.equal(drawn(pipe, num_inference_steps=2), frozen)


def test_several_are_added_each_with_its_weight(pipe):
    own = {name: weight.clone() for name, weight in pipe.unet.named_parameters()}
    one, two = learned(pipe.unet), learned(pipe.unet, rank=2, seed=1)
    pipe.load_lora_weights(one, "one")
    pipe.load_lora_weights(two, "two")
    for names, weights, parts in (
        (["one", "two"], [0.5, 2.0], (0.5, 2.0)), (["two", "one"], 0.7, (0.7, 0.7)),
        ("two", 1.5, (0.0, 1.5)), ("one", -1, (-1.0, 0.0)), (["one", "two"], 0, (0.0, 0.0)),
    ):  # fmt: skip
        pipe.set_adapters(names, weights)
        changes = [lora.changes() for lora in (one, two)]
        for name, weight in pipe.unet.named_parameters():
            zero = torch.zeros(())
            sum_of = [part * change.get(name, zero) for part, change in zip(parts, changes)]  # noqa: B905
            assert torch.allclose(weight, own[name] + sum(sum_of), atol=1e-5), name


REFUSED = [
    ("load_lora_weights", ("lora-nix",), ValueError, "no weights 'lora-nix'. Choose 'lora-beams'"),
    ("load_lora_weights", ("nowhere/style.safetensors",), ValueError,
     "no weights 'nowhere/style.safetensors'. Choose 'lora-beams'"),
    ("load_lora_weights", (Path("style.safetensors"),), ValueError, "Choose 'lora-beams'"),
    ("load_lora_weights", (7,), ValueError, "there are no weights 7. Choose 'lora-beams'"),
    ("load_lora_weights", ("judge",), ValueError, "'judge' is no LoRA but: Reads"),
    ("load_lora_weights", ("lora-beams",), ValueError, "'lora-beams' is a LoRA of another network"),
    ("load_lora_weights", (LoRA({"nix": (2, 3)}), "mine"), ValueError, "there is no such layer"),
    ("set_adapters", ("lora-nix",), ValueError, "'lora-nix' is no adapter here: loaded are 'old'"),
    ("set_adapters", (["old", "new"], 1.0), ValueError, "'new' is no adapter here"),
    ("set_adapters", (7,), TypeError, "adapter_names is 7"),
    ("set_adapters", ("old", "high"), TypeError, "adapter_weights is 'high': give a number"),
    ("set_adapters", ("old", float("nan")), ValueError, "adapter_weights is nan"),
    ("set_adapters", ("old", [1.0, 2.0]), ValueError, "2 adapter_weights for 1 adapter_names"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "arguments", "error", "says"), REFUSED)
def test_what_does_not_fit_is_refused_and_all_stays(method, arguments, error, says, pipe):
    pipe.load_lora_weights(learned(pipe.unet), "old")
    before = drawn(pipe)
    with pytest.raises(error) as caught:
        getattr(pipe, method)(*arguments)
    assert says in str(caught.value)
    assert torch.equal(drawn(pipe), before)


# --- the recipe, and what ships ---


def test_the_recipe_learns_a_style_and_full_fine_tuning_is_the_same_without_a_lora(monkeypatch):
    frozen, _ = models.load_text_unet()
    for rank, learns in ((4, 124_704), (None, models.count_parameters(frozen))):
        recipe = dataclasses.replace(recipes.LIVE_LORA, rank=rank, steps=2, pictures=10, batch=2)
        scenes = recipe.scenes()
        assert torch.equal(recipe.draw(scenes), STYLES["lantern"](postcards.draw(scenes)))
        fit = recipe.begin("lora", torch.device("cpu"))
        assert sum(p.numel() for p in fit.model.parameters() if p.requires_grad) == learns
        before = [weight.clone() for weight in fit.model.parameters()]
        assert len(list(fit)) == 2
        assert not all(map(torch.equal, before, fit.model.parameters()))


@pytest.mark.parametrize("style", ["lantern", "beams", "cinema"])
def test_a_shipped_one_is_that_of_the_live_training_small_and_in_its_style(style):
    name = f"lora-{style}"
    assert workspace.data_path("weights", f"{name}.safetensors").stat().st_size <= 500_000
    _, card = models.load_lora(name)
    live = dataclasses.asdict(dataclasses.replace(recipes.LIVE_LORA, style=style))
    assert card["recipe"] == json.loads(json.dumps(live))
    assert (card["style"], card["model"]) == (style, "postcards")
    assert card["scores"]["in the style"] >= 0.9


def test_the_reader_of_styles_reads_real_ones_before_and_after_the_autoencoder():
    for name, images in styles.shown(postcards.draw(postcards.sample_scenes(24, 7))).items():
        right = styles.read(images) == styles.NAMES.index(name.split(",")[0])
        assert right.sum() >= 22, name
