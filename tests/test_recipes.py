"""Making weights: stopped and gone on with, cards that tell the truth, every kind of network."""

import dataclasses
import functools
import json
import signal

import pytest
import torch
from PIL import Image

from diffusion_lessons import __main__, data, models, postcards, recipes, scoring, workspace
from diffusion_lessons.data import fashion
from diffusion_lessons.pipeline import PatchByPatch, TextToImage
from diffusion_lessons.scoring import clothes, networks, outlines, recognition, styles, tables
from diffusion_lessons.training import resume
from diffusion_lessons.training.fit import Fit

SHIPPED = {path.stem for path in workspace.data_path("weights").glob("*.safetensors")}
SPRITES = recipes.GeneratorRecipe(
    seed=2, data="sprites", size=16, channels=3, widths=(8, 16), blocks=(1, 1), patch=2,
    schedule="cosine", kind="x_0", steps=6, batch=4, learning_rate=1e-2, ema_decay=0.9,
    sampler="ddim", sampling_steps=2,
)  # fmt: skip
TEXT = recipes.TextToImageRecipe(
    seed=6, captions="captions", autoencoder="autoencoder", pictures=12,
    kinds={"single": 0.5, "pair": 0.5}, widths=(32, 32), blocks=(1, 1), schedule="cosine",
    kind="x_0", p_uncond=0.5, full=0.5, steps=6, batch=4, learning_rate=1e-2,
    ema_decay=0.9, half=False, num_inference_steps=2, guidance_scale=2.0,
)  # fmt: skip
TRANSFORMER = recipes.TransformerRecipe(
    **{name: value for name, value in vars(TEXT).items() if name not in TEXT.built_with}
    | {"width": 32, "depth": 1, "patch": 2, "schedule": "flow", "kind": "velocity"}
)
SHORT = {"steps": 6, "batch": 4, "learning_rate": 1e-3}
TINY = {
    "recogniser": recipes.RecogniserRecipe(seed=1, **SHORT),
    "outline-judge": recipes.OutlineJudgeRecipe(seed=13, **SHORT),
    "controlnet-outline": recipes.ControlNetRecipe(model="postcards", **vars(TEXT)),
    "fashion-judge": recipes.FashionJudgeRecipe(seed=3, **SHORT | {"batch": 10}),
    "captions": recipes.CaptionsRecipe(seed=5, width=32, layers=1, **SHORT),
    "autoencoder": recipes.AutoencoderRecipe(
        seed=4, encoder=(8, 16), encoder_blocks=(1, 1), decoder=(16, 8, 8),
        decoder_blocks=(1, 1, 1), kl_weight=1e-3, styled=0.5, watched=False, ema_decay=0.9,
        half=True, **SHORT | {"learning_rate": 1e-2},
    ),
    "ip-adapter": recipes.IPAdapterRecipe(
        seed=7, unet="postcards", pairs=12, p_uncond=0.5, features=192, width=32,
        channels=(32, 32, 32),
        schedule="cosine", kind="x_0", ema_decay=0.9, **SHORT,
    ),
    "postcards-turbo": recipes.DistillRecipe(
        teacher="postcards", teacher_steps=2, teacher_scale=2.0,
        visits=((1, 0, 1), (2, 1, 1), (4, 2, 2)), **vars(TEXT) | {"pictures": 64},
    ),
    "upsampler": recipes.UpsamplerRecipe(
        seed=8, widths=(8, 16), blocks=(1, 1), schedule="cosine", kind="v", augment=0.5,
        level=0.1, steps_in_use=2, ema_decay=0.9, **SHORT | {"learning_rate": 1e-2},
    ),
    "postcards-cascade": recipes.CascadeRecipe(
        channels=12, things=8.0, **vars(TEXT) | {"autoencoder": "upsampler"}
    ),
    "tokeniser": recipes.TokeniserRecipe(
        seed=9, autoencoder="autoencoder", pictures=12, kinds={"single": 1.0}, half=False,
        width=8, blocks=1, codes=16, code_channels=4, restarts=0.5, ema_decay=0.9, **SHORT,
    ),
    "postcards-codes": recipes.WriterRecipe(
        seed=10, captions="captions", autoencoder="autoencoder", tokeniser="tokeniser",
        pictures=12, kinds={"single": 1.0}, p_uncond=0.5, full=0.5, half=False, width=32, depth=1,
        temperature=0.5, guidance_scale=2.0, ema_decay=0.9, **SHORT,
    ),
    "lora-lantern": dataclasses.replace(recipes.LIVE_LORA, pictures=12, ema_decay=0.9, **SHORT),
    "postcards-flow": recipes.FlowRecipe(**vars(TEXT) | {"schedule": "flow", "kind": "velocity"}),
    "postcards-dit": TRANSFORMER,
    "postcards-32": SPRITES, "postcards": TEXT, "fashion": dataclasses.replace(
        SPRITES, data="fashion-mnist", size=32, channels=1, schedule="flow",
    ),
}  # fmt: skip
TEXT_PARTS = ("captions", "autoencoder")
PARTS = {"postcards": TEXT_PARTS, "ip-adapter": (*TEXT_PARTS, "postcards")}
PARTS["controlnet-outline"] = PARTS["ip-adapter"]
PARTS["postcards-turbo"] = PARTS["lora-lantern"] = PARTS["ip-adapter"]
PARTS["postcards-flow"] = PARTS["postcards-dit"] = TEXT_PARTS
PARTS["postcards-cascade"] = ("captions", "upsampler")
PARTS["tokeniser"], PARTS["postcards-codes"] = ("autoencoder",), (*TEXT_PARTS, "tokeniser")


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """A data folder of its own, tiny recipes, few pictures to score, a stand-in for real ones."""
    for name in ("judge", "recogniser"):
        recognition.load(name)  # before its weights are out of sight
    outlines.load()
    styles.read(torch.zeros(1, 3, 64, 64))
    shipped = workspace.checksums()  # the list stays, its files are gone
    monkeypatch.setattr(workspace, "data_path", (tmp_path / "data").joinpath)
    monkeypatch.setattr(workspace, "checksums", lambda: shipped)
    monkeypatch.setattr(workspace, "pick_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(recipes, "RECIPES", dict(TINY))
    rooms = (
        "adapters", "autoencoder", "codes", "distill", "drawing", "latent", "lora", "readers",
    )  # fmt: skip
    for room in (getattr(recipes, name) for name in rooms):
        monkeypatch.setattr(room, "SCORED", 48)
        monkeypatch.setattr(room, "SHEET", 16, raising=False)
    for reader in (recognition.PostcardEvaluator, outlines.OutlineEvaluator):
        few = functools.partialmethod(few_scenes, reader.report)
        monkeypatch.setattr(reader, "report", few)
    pixels = torch.randint(256, (60, 28, 28), generator=torch.Generator().manual_seed(0)).byte()
    garments = pixels, torch.arange(60) % 10, tuple("abcdefghij")
    monkeypatch.setattr(fashion, "fashion_mnist", lambda split: garments)
    torch.manual_seed(0)
    judge = clothes.ClothesEvaluator(networks.FashionJudge().eval())
    monkeypatch.setattr(clothes, "load", lambda: judge)
    tables._clothes_metric.cache_clear()
    yield tmp_path
    tables._clothes_metric.cache_clear()


def few_scenes(self, report, count, seed):
    return report(self, 2, seed)


def made(name):
    """The tensors and the card of `name`, without what no two trainings share."""
    tensors, card = workspace.load_weights(name)
    unlike = ("CPU seconds of training", "seconds per picture")
    return tensors, {key: value for key, value in card.items() if key not in unlike}


def train_anew(name):
    recipes.train(name)
    return made(name)


def same(one, other):
    return one[1] == other[1] and all(torch.equal(one[0][key], other[0][key]) for key in other[0])


@pytest.fixture
def stop_at(monkeypatch):
    """Interrupts the step whose number it is given, once: as Ctrl-C does, or by an error."""

    def prepare(step, error=None):
        def gradient(self):
            if self.step == step:
                monkeypatch.setattr(Fit, "_gradient", real)
                if error is not None:
                    raise error
                signal.raise_signal(signal.SIGINT)
            return real(self)

        real = Fit._gradient
        monkeypatch.setattr(Fit, "_gradient", gradient)

    return prepare


def pause(stop_at, name, step):
    stop_at(step)
    says = f"^stopped at step {step} of 6; run the same line again to go on$"
    with pytest.raises(resume.Paused, match=says):
        recipes.train(name)


# ---- stopping and going on -------------------------------------------------------------------

STOPS = {
    "postcards-32": (0, 1, 4), "fashion": (0, 4), "recogniser": (3,), "fashion-judge": (5,),
    "captions": (2,), "autoencoder": (3,), "postcards": (2,), "ip-adapter": (4,),
    "outline-judge": (4,), "controlnet-outline": (3,),
    "lora-lantern": (2,), "postcards-turbo": (3,), "postcards-flow": (3,), "postcards-dit": (3,),
    "upsampler": (3,), "postcards-cascade": (2,),
}  # fmt: skip


@pytest.mark.parametrize(("name", "step"), [(name, at) for name in STOPS for at in STOPS[name]])
def test_stopped_and_gone_on_with_gives_the_same_weights(name, step, stop_at, small, capsys):
    for part in PARTS.get(name, ()):
        recipes.train(part)
    whole = train_anew(name)
    for file in (small / "my_weights").glob(f"{name}.*"):
        file.unlink()
    pause(stop_at, name, step)
    kept = [path.name for path in (small / "my_weights").glob(f"*{name}.*[!k]")]
    assert kept == [f".{name}.partial.safetensors"]
    assert same(train_anew(name), whole)
    assert f"going on at step {step} of 6" in capsys.readouterr().out
    assert not workspace.partial_path(name).exists()


def test_a_second_training_of_one_name_is_refused_and_the_first_goes_on(small, monkeypatch, capsys):
    begin, refused = recipes.Recipe.begin, []

    def and_once_more(recipe, name, device):
        with pytest.raises(BlockingIOError, match="is being trained already.*Fix: let that one"):
            recipes.train(name)
        refused.append(name)
        return begin(recipe, name, device)

    monkeypatch.setattr(recipes.Recipe, "begin", and_once_more)
    recipes.train("recogniser")
    assert refused == ["recogniser"] and workspace.load_weights("recogniser")


def test_after_a_crash_it_goes_on_from_what_was_kept_last(monkeypatch, stop_at, capsys):
    whole = train_anew("postcards-32")
    monkeypatch.setattr(resume, "KEEP_EVERY", 0.0)
    stop_at(4, error=SystemExit("the power is gone"))
    with pytest.raises(SystemExit):
        recipes.train("postcards-32")
    assert same(train_anew("postcards-32"), whole)
    assert "going on at step 4 of 6" in capsys.readouterr().out


def test_the_seconds_of_all_calls_are_counted(stop_at):
    pause(stop_at, "postcards-32", 2)
    tensors, notes = workspace.load_partial("postcards-32")
    assert notes["seconds"]["CPU"] > 0
    workspace.save_partial("postcards-32", tensors, notes | {"seconds": {"CPU": 500.0, "GPU": 7.0}})
    recipes.train("postcards-32")
    card = workspace.load_weights("postcards-32")[1]
    assert 500 <= card["CPU seconds of training"] < 600 and card["GPU seconds of training"] == 7


def test_scoring_can_be_interrupted_too(monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(resume.Paused, match="while scoring"):
        patch.setattr(scoring, "score", lambda *_: signal.raise_signal(signal.SIGINT))
        recipes.train("postcards-32")
    _, notes = workspace.load_partial("postcards-32")
    assert notes["step"] == 6
    assert same(train_anew("postcards-32"), train_anew("postcards-32"))


@pytest.mark.parametrize("change", [{"learning_rate": 5e-3}, {"widths": (16, 16)}])
def test_another_recipe_starts_anew_and_says_so(monkeypatch, stop_at, capsys, change):
    pause(stop_at, "postcards-32", 3)
    recipe = dataclasses.replace(SPRITES, **change)
    monkeypatch.setitem(recipes.RECIPES, "postcards-32", recipe)
    resumed = train_anew("postcards-32")
    said = capsys.readouterr().out
    assert "stopped at step 3, but its recipe or its network has changed" in said
    assert "going on" not in said and same(resumed, train_anew("postcards-32"))


def test_a_kept_state_that_is_damaged_is_not_thrown_away(stop_at):
    pause(stop_at, "postcards-32", 3)
    path = workspace.partial_path("postcards-32")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(workspace.DamagedFile, match="delete it"):
        recipes.train("postcards-32")
    assert path.exists()


# ---- what is made ----------------------------------------------------------------------------


def test_the_card_of_a_generator_says_all_that_is_needed_to_use_it(small):
    tensors, card = train_anew("postcards-32")
    assert (card["format"], card["data"], card["size"], card["channels"]) == (1, "sprites", 16, 3)
    assert (card["schedule"], card["kind"]) == ("cosine", "x_0")
    assert card["factors"] == {k: list(v) for k, v in data.load("sprites", 16).factors.items()}
    assert card["recipe"] == json.loads(json.dumps(dataclasses.asdict(SPRITES)))
    assert card["pictures seen"] == 24 and card["torch"] == torch.__version__
    network = models.UNet(**card["unet"])
    workspace.fit_weights(network, tensors, "postcards-32")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    scores = card["scores"]
    low, high = scores["object and colour right, 95 % interval"]
    assert low <= scores["object and colour right"] <= high and scores["pictures"] == 48
    assert scores["Frechet distance"] > scores["Frechet distance of real pictures"]
    sheet = Image.open(small / "my_weights" / card["first seeds"]["file"])
    assert sheet.width > 8 * 16 and len(card["first seeds"]["asked for"]) == 16
    assert not (small / "data").exists(), "what ships is not touched"
    list(fit := SPRITES.begin("postcards-32", torch.device("cpu")))
    assert torch.equal(tensors["stem.weight"], fit.ema.stem.weight.half()), "the average is kept"
    assert not torch.equal(tensors["stem.weight"], fit.model.stem.weight.half())


def test_a_picture_follows_from_its_seed_and_its_labels():
    torch.manual_seed(0)
    model = models.UNet(**SPRITES.network()).eval()
    labels = scoring.asked("sprites", 3, 0)
    three = SPRITES.make(model, labels, range(5, 8))
    assert three.shape == (3, 3, 16, 16) and three.abs().max() <= 1
    assert torch.allclose(three[2:], SPRITES.make(model, labels[2:], range(7, 8)), atol=1e-5)


def test_the_judge_of_clothes_is_made_and_scored():
    tensors, card = train_anew("fashion-judge")
    workspace.fit_weights(networks.FashionJudge(), tensors, "fashion-judge")
    assert card["scores"]["test pictures"] == 60 and 0 <= card["scores"]["right"] <= 1
    assert "for measuring only" in card["purpose"]


def test_there_is_a_recipe_for_every_shipped_weight():
    assert set(recipes.NAMES) == SHIPPED


# ---- the command line ------------------------------------------------------------------------


def test_the_command_line_stops_with_a_sentence(stop_at, capsys):
    stop_at(2)
    assert __main__.main(["train", "postcards-32"]) == 130
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "stopped at step 2 of 6; run the same line again to go on"
    assert __main__.main(["train", "postcards-32"]) == 0


def unavailable(split):
    raise data.DataUnavailable("no Fashion-MNIST. Fix: connect.")


FAULTS = [
    ("fashion", "data.fashion.fashion_mnist", unavailable, "no Fashion-MNIST. Fix: connect.\n"),
    ("postcards-32", "training.loss.target", lambda _, x_0, *rates: x_0 * torch.nan,
     "at step 0 of 6: training fell apart"),
    ("postcards", "recipes.NAMES", recipes.NAMES, "captions.json is missing. Fix:"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "part", "stand_in", "says"), FAULTS)
def test_the_command_line_says_what_is_wrong(name, part, stand_in, says, monkeypatch, capsys):
    monkeypatch.setattr(f"diffusion_lessons.{part}", stand_in)
    assert __main__.main(["train", name]) == 1
    assert says in capsys.readouterr().err


# ---- text to image: three weights that build on each other -----------------------------------


def test_the_parts_of_text_to_image_are_made_and_work_together(small):
    for name in (*TEXT_PARTS, "postcards"):
        recipes.train(name)
    _, codes = made("autoencoder")
    _, card = made("postcards")
    assert codes["scaling_factor"] > 0
    assert set(codes["scores"]) >= {"single", "single, held-out pairs", "group", "pair", "styled"}
    assert card["parts"] == {"captions": "captions", "autoencoder": "autoencoder"}
    assert card["scaling_factor"] == codes["scaling_factor"]
    assert len(card["first seeds"]["asked for"]) == 16
    assert Image.open(small / "my_weights" / "postcards.png").width > 8 * 64
    recipes.train("controlnet-outline")
    assert made("controlnet-outline")[1]["parts"] == {"unet": "postcards"}
    pipe = TextToImage.from_pretrained("postcards", controlnet="controlnet-outline")
    assert pipe("a red house", output_type="pt").images.shape == (1, 3, 64, 64)


def test_the_parts_that_write_codes_are_made_and_work_together():
    for name in (*TEXT_PARTS, "tokeniser", "postcards-codes"):
        recipes.train(name)
    (_, tokens), (_, card) = made("tokeniser"), made("postcards-codes")
    assert tokens["tokeniser"]["codes"] == 16 and 1 <= tokens["scores"]["perplexity"] <= 16
    assert set(tokens["scores"]) >= {"single", "pair"}
    assert card["parts"] == {part: part for part in ("captions", "autoencoder", "tokeniser")}
    assert (card["temperature"], card["guidance_scale"]) == (0.5, 2.0)
    pipe = PatchByPatch.from_pretrained()
    assert pipe("a red house", output_type="pt").images.shape == (1, 3, 64, 64)


def test_a_transformer_stands_in_the_place_of_the_unet():
    for part in TEXT_PARTS:
        recipes.train(part)
    TRANSFORMER.train("postcards-dit", "A test.")
    pipe = TextToImage.from_pretrained("postcards-dit")
    assert (pipe.card["sampler"], pipe.card["transformer"]["depth"]) == ("euler", 1)
    quick = pipe("a red house", output_type="pt", generator=torch.Generator().manual_seed(0))
    pipe._quick = {}
    plain = pipe("a red house", output_type="pt", generator=torch.Generator().manual_seed(0))
    assert torch.allclose(quick.images, plain.images, atol=1 / 255)
    with pytest.raises(ValueError, match="'controlnet-outline' steers a U-Net, and this model"):
        TextToImage.from_pretrained("postcards-dit", controlnet="controlnet-outline")


def test_the_captions_to_learn_from_hold_empty_and_full_ones():
    written = recipes.readers.captions(100, 1)
    assert len(written) == 100 and [caption.text for caption in written].count("") == 3
    facts = (recipes.readers.examples(written)[2][:, [0, 1, 2, 3, 4, 5]] > 0).all(dim=1)
    assert 35 <= int(facts.sum()) <= 50  # the full ones, and a few that left out nothing
    assert written == recipes.readers.captions(100, 1) != recipes.readers.captions(100, 2)


def test_of_things_that_a_caption_does_not_name_nothing_is_asked():
    prompts = ["a red cat and a tree", "a red cat", "at night"]
    written = [postcards.Caption(prompt, postcards.parse(prompt)) for prompt in prompts]
    two, one, none = recipes.readers.examples(written)[2]
    assert (two >= 0).all()
    assert (one[:7] >= 0).all() and (one[7:] < 0).all()
    assert (none[:2] >= 0).all() and (none[2:] < 0).all()


def test_text_to_image_learns_from_the_kinds_of_scenes_that_its_recipe_says():
    shown = TEXT.scenes()
    assert len(shown) == TEXT.pictures
    assert postcards.kinds(shown).tolist() == [0] * 6 + [2] * 6


def test_a_style_that_is_not_there_is_named_with_those_that_are():
    unknown = dataclasses.replace(recipes.LIVE_LORA, style="sephia")
    with pytest.raises(ValueError, match="style is 'sephia': choose one of 'plain'|'sepia'"):
        unknown.draw(postcards.sample_scenes(1, seed=0))
