"""The site: its model is Python's, number by number, and its front page works for everyone."""

from __future__ import annotations

import html
import json
import random
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from diffusion_lessons import conditioning, pictures, pipeline, postcards, sampling
from diffusion_lessons.postcards import lexicon
from diffusion_lessons.widgets import gallery
from tests.browser.driving import axe_faults
from tests.browser.lab import saved
from web import lessons
from web.build import write_model

pytestmark = pytest.mark.both_browsers
HOUSE = "a red house on snow at night"
KNOWN = [*lexicon.MEANING_OF, *lexicon.SMALL_WORDS, *lexicon.JOINERS, "a", "an", "the"]
ODD = (  # words that this world lacks, and signs that a reader meets
    *lexicon.NEGATIONS, *" ".join(lexicon.ABSENT.values()).split(), *sorted(lexicon.EVERYDAY),
    *" ".join(lexicon.UNNAMED.values()).split(), "dragon", "castle", "naïve", "straße", "4", "-3",
    "2.5", "½", "²", "日本", "left of", "next to", "pair of", "space ship", "sail-boat", "don't",
    "it's", "—", " - ", "“", "(", "!", "?", "_", "É", "Ⅷ", "'", '"', "\\", "x" * 40,
    "left-hand side of the picture",
)  # fmt: skip


def front(page: Page, site: str, link: str = "") -> list[str]:
    """Open the front page, wait for its picture, and return what it asks for and what fails."""
    heard: list[str] = []
    page.on("request", lambda request: heard.append(request.url))
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.goto(site + link)
    drawn(page, 1)
    return heard


def drawn(page: Page, times: int) -> None:
    """Wait until so many pictures have been drawn, and the last one's way is there."""
    page.wait_for_function(f"Number(document.body.dataset.drawn ?? 0) >= {times}", timeout=60_000)
    page.wait_for_function("!document.querySelector('#way').disabled", timeout=60_000)


def shown(page: Page, canvas: str = "#held") -> np.ndarray:
    """The pixels (64, 64, 3) of a canvas."""
    script = """(canvas) => Array.from(document.querySelector(canvas).getContext("2d")
        .getImageData(0, 0, 64, 64).data)"""
    return np.array(page.evaluate(script, canvas), np.uint8).reshape(64, 64, 4)[..., :3]


# --- the model is Python's


def some_prompts(count: int) -> list[str]:
    """Captions, captions with a mistake in them, and words of all kinds in a row."""
    dice = random.Random(0)
    captions = postcards.captions(postcards.sample_scenes(2000, seed=5), seed=5)

    def mistyped(word: str) -> str:
        i, letter = dice.randrange(len(word)), dice.choice("abcdefghijklmnopqrstuvwxyz")
        return dice.choice([word[:i] + word[i + 1 :], word[:i] + letter + word[i:]])

    def one() -> str:
        words = dice.choice(captions).split()
        place = dice.randrange(len(words))
        words[place] = dice.choice([mistyped(words[place]), dice.choice(KNOWN), dice.choice(ODD)])
        row = [
            dice.choice([dice.choice(KNOWN)] * 6 + [dice.choice(ODD)])
            for _ in range(dice.randint(1, 11))
        ]
        return " ".join(dice.choice([words, row]))

    return [*captions, "", "  ", "a " * 600, "house " * 40, *(one() for _ in range(count - 2004))]


def test_the_page_reads_20000_prompts_as_python_does_refusals_included(page, site):
    prompts, read = some_prompts(20_000), []
    for prompt in prompts:
        try:
            read.append([postcards.parse(prompt), conditioning.tokenise([prompt])[0].tolist()])
        except postcards.PromptError as error:
            read.append(str(error))
    page.goto(site)
    found = page.evaluate(
        """async (prompts) => {
            const [{ reader, PromptError }, words] = [await import("./reading.js"),
                await (await fetch("vocabulary.json")).json()];
            const { parse, tokenise } = reader(words);
            return prompts.map((prompt) => {
                try { return [parse(prompt), tokenise(prompt)]; }
                catch (error) {
                    if (!(error instanceof PromptError)) throw error;
                    return error.message;
                }
            });
        }""",
        prompts,
    )
    differ = [row for row in zip(prompts, read, found, strict=True) if row[1] != row[2]]
    assert differ == [], f"{len(differ)} differ, such as {differ[:3]}"
    assert 5_000 < sum(isinstance(one, str) for one in read) < 15_000


WALKS = [  # prompt, negative prompt, seed, steps, scale
    *((text, "", 100 + i, 4, 2.5) for i, text in enumerate(
        postcards.captions(postcards.sample_scenes(36, seed=9), seed=9))),
    (HOUSE, "", 0, 1, 2.5), (HOUSE, "", 2**32 - 1, 3, 0), (HOUSE, "", 2**31, 6, 1),
    (HOUSE, "", 7, 20, 8), ("", "", 1, 10, 2.5), ("a cabin", "", 2, 7, 0.5),
    ("two kittens", "", 3, 11, 5), ("a boat", "", 4, 4, 10), ("a tree and a red cat", "", 5, 5, 3),
    ("sunset", "", 6, 6, 2.5), (HOUSE, "snow", 8, 10, 2.5), ("", "a red boat", 9, 8, 4),
    ("a cat", "night", 10, 5, 0), ("a cat", "night", 10, 5, 1),
]  # fmt: skip


def test_the_page_paints_fifty_pictures_as_python_does(page, site):
    pipe, painted = pipeline.TextToImage.from_pretrained(), []
    for prompt, negative, seed, steps, scale in WALKS:
        noise = pipe.noise(1, torch.Generator().manual_seed(seed))
        walk = pipe.steps(prompt, negative or None, steps, scale, noise)
        painted.append(pictures.to_uint8(pipe.decode(sampling.finish(walk)))[0])
    page.goto(site)
    made = page.evaluate(
        """async (walks) => {
            const { load, pixels } = await import("./painter.js");
            const { paint, decode } = await load();
            return walks.map(([prompt, negative_prompt, seed, steps, scale]) => {
                const { latents } = paint({ prompt, negative_prompt, seed, steps, scale });
                return Array.from(pixels(decode(latents.slice(-1))[0]));
            });
        }""",
        WALKS,
    )
    theirs = np.array(made, int).reshape(-1, 64, 64, 4)[..., :3]
    off = np.abs(theirs - np.stack(painted).astype(int))
    assert len(WALKS) == 50 and off.max() <= 1, off.max(axis=(1, 2, 3))
    assert (off > 0).mean() < 1e-3


def test_any_places_on_a_way_are_seen_as_in_python(page, site):
    pipe, places = pipeline.TextToImage.from_pretrained(), [0, 2, 5, 6]
    noise = pipe.noise(1, torch.Generator().manual_seed(12))
    steps = list(pipe.steps(HOUSE, "night", 6, 2.5, noise))
    held = [*(step.x_t for step in steps), steps[-1].x_next]
    guesses = [*(step.prediction.x_0 for step in steps), steps[-1].x_next]
    wanted = torch.cat([row[i] for row in (held, guesses) for i in places])
    page.goto(site)
    made = page.evaluate(
        """async ([prompt, places]) => {
            const { load } = await import("./painter.js");
            const { paint, frames } = await load();
            const way = paint({ prompt, negative_prompt: "night", seed: 12, steps: 6, scale: 2.5 });
            return frames(way, places).flat().map((bytes) => Array.from(bytes));
        }""",
        [HOUSE, places],
    )
    theirs = np.array(made, int).reshape(-1, 64, 64, 4)[..., :3]
    off = np.abs(theirs - pictures.to_uint8(pipe.decode(wanted)).astype(int))
    assert off.max() <= 1, off.max(axis=(1, 2, 3))


@pytest.mark.parametrize("count", [16, 256, 16 * 39, 16 * 40, 3 * 64 * 64])
def test_a_seed_gives_the_noise_that_torch_gives(page, site, count):
    seeds = [0, 1, 2**31, 2**32 - 1]  # beyond 624 numbers the generator's state is mixed again
    page.goto(site)
    made = page.evaluate(
        """async ([count, seeds]) => {
            const { randn } = await import("./noise.js");
            return seeds.map((seed) => Array.from(randn(count, seed)));
        }""",
        [count, seeds],
    )
    for seed, row in zip(seeds, made, strict=True):
        torchs = torch.randn(count, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(torch.tensor(row), torchs, rtol=1e-5, atol=2e-6)


def test_this_browser_can_run_both_modules(page, site):
    page.goto(site)
    script = "async (name) => WebAssembly.validate(await (await fetch(name)).arrayBuffer())"
    assert all(page.evaluate(script, f"product{end}.wasm") for end in ("", "-relaxed"))


def test_without_simd_plain_javascript_says_the_same(page, site):
    page.goto(site)
    off = page.evaluate(
        """async () => {
            const { load } = await import("./painter.js");
            const ends = [];
            for (const fast of [true, false]) {
                const { paint, decode } = await load(() => {}, "postcards", fast);
                const { latents } = paint({ prompt: "a red house", seed: 3, steps: 2, scale: 2.5 });
                ends.push(decode(latents.slice(-1))[0]);
            }
            return Math.max(...ends[0].map((value, i) => Math.abs(value - ends[1][i])));
        }"""
    )
    assert 0 < off < 1e-3


def test_a_class_can_build_in_its_own_networks(tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    with pytest.raises(ValueError, match="mine holds none of captions.safetensors, postcards"):
        write_model(tmp_path / "site", own)
    for kind in ("safetensors", "json"):
        shutil.copy(f"data/weights/postcards-turbo.{kind}", own / f"postcards.{kind}")
    with pytest.raises(ValueError, match="sampler of this network is ddim, and the page knows dpm"):
        write_model(tmp_path / "site", own)
    card = json.loads((own / "postcards.json").read_text("utf-8"))
    card |= {"sampler": "dpm_solver", "num_inference_steps": 7, "guidance_scale": 3}
    (own / "postcards.json").write_text(json.dumps(card), "utf-8")
    write_model(tmp_path / "site", own)
    about = json.loads((tmp_path / "site" / "model.json").read_text("utf-8"))
    assert (about["steps"], about["guidance"]) == (7, 3)
    built = tmp_path / "site" / "weights" / "postcards.safetensors"
    assert built.read_bytes() == (own / "postcards.safetensors").read_bytes()


# --- the front page


def test_a_visitor_gets_the_picture_of_the_link_and_no_other_host_is_asked(page, site):
    heard = front(page, site, "#prompt=a+blue+boat&seed=5&guidance=4")
    assert heard and all(url.startswith((site, "data:", "blob:")) for url in heard), heard
    assert page.input_value("#prompt") == "a blue boat" and page.input_value("#seed") == "5"
    pipe = pipeline.TextToImage.from_pretrained()
    noise = pipe.noise(1, torch.Generator().manual_seed(5))
    wanted = pipe.decode(sampling.finish(pipe.steps("a blue boat", None, 10, 4, noise)))
    off = np.abs(shown(page).astype(int) - pictures.to_uint8(wanted)[0].astype(int))
    assert off.max() <= 1
    assert page.context.cookies() == []


def test_guidance_repaints_while_its_slider_moves_by_keys_and_the_link_follows(page, site):
    front(page, site)
    before = shown(page)
    for key in ("ArrowRight", "ArrowRight", "PageDown", "Home", "End"):
        at = int(page.evaluate("document.body.dataset.drawn"))
        page.locator("#guidance").press(key)
        drawn(page, at + 1)
    assert page.inner_text("#guidance-said") == "10" and "guidance=10" in page.url
    assert (shown(page) != before).any()
    page.locator("#guidance").press("Home")
    assert page.inner_text("#guidance-said") == "0, the words are ignored"


def test_the_way_from_noise_is_walked_by_keys_with_the_guess_beside_it(page, site):
    front(page, site)
    end = shown(page)
    assert (
        page.inner_text("#way-said") == "after step 10 of 10"
        and (shown(page, "#guess") == end).all()
    )
    page.locator("#way").press("Home")
    assert page.inner_text("#way-said") == "pure noise"
    assert page.get_attribute("#held", "aria-label").endswith("in the model's hands, pure noise")
    assert (shown(page) != end).any() and (shown(page, "#guess") != shown(page)).any()
    page.locator("#way").press("End")
    assert (shown(page) == end).all()


def test_noise_becomes_the_picture_by_itself_where_motion_is_welcome(moving_page, site):
    front(moving_page, site)
    assert moving_page.inner_text("#way-said") != "after step 10 of 10"
    moving_page.wait_for_function(
        "document.querySelector('#way-said').textContent === 'after step 10 of 10'"
    )


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("#prompt", "a dragon", "'dragon': not a word of this world."),
        ("#prompt", "a huose", "'huose': did you mean 'house'?"),
        ("#prompt", " ", "There are no words yet."),
        ("#seed", "1.5", "The seed is '1.5': write any whole number"),
        ("#seed", "-1", "The seed is -1: give a whole number from 0 to 4294967295"),
        ("#seed", "4294967296", "from 0 to 4294967295"),
        ("#prompt", "<img src=x onerror=alert(1)> house", "not a word of this world"),
    ],
)
def test_what_makes_no_sense_gets_the_courses_sentence_and_the_picture_stays(
    page, site, field, text, sentence
):
    front(page, site)
    before = shown(page)
    page.fill(field, text)
    page.locator(field).press("Enter")
    page.wait_for_function("document.querySelector('#problem').textContent !== ''")
    assert sentence in page.inner_text("#problem") and (shown(page) == before).all()
    page.fill("#prompt", "a cat")
    page.fill("#seed", "1 000")  # as people type it
    page.locator("#prompt").press("Enter")
    drawn(page, 2)
    assert page.inner_text("#problem") == "" and (shown(page) != before).any()


def test_a_saved_picture_carries_its_words_and_the_gallery_reads_it(page, browser, site):
    front(page, site, "#prompt=a+small+house&seed=3&guidance=2.5")
    path = saved(browser, page, "#save")
    kept = gallery.read(path)
    assert path.name == "a-small-house.png"
    assert kept.settings == gallery.Settings("a small house", "", 3, 10, 2.5)
    assert (kept.pixels == shown(page)).all()


def test_a_model_that_does_not_come_is_said_once(page, site):
    page.route("**/weights/postcards.safetensors", lambda route: route.fulfill(status=503))
    page.goto(site)
    page.wait_for_function("document.querySelector('#problem').textContent !== ''")
    said = "weights/postcards.safetensors could not be loaded (503). Reload the page."
    assert page.inner_text("#problem") == f"This could not be drawn. {said}"
    assert not page.is_visible("#loading-row")


def test_a_link_and_a_surprise(page, site):
    front(page, site)
    page.click("#share")
    assert (
        page.input_value("#link")
        == f"{site}#prompt=a+red+house+on+snow+at+night&seed=0&guidance=2.5"
    )
    page.click("#surprise")
    drawn(page, 2)
    assert page.input_value("#prompt") != HOUSE and page.inner_text("#problem") == ""
    page.get_by_role("button", name="three blue boats on the sea at sunset").click()
    drawn(page, 3)
    assert page.input_value("#prompt") == "three blue boats on the sea at sunset"


def small(page: Page) -> list[str]:
    """Controls less than 24 pixels high; of a radio button or a box its label counts, too."""
    return page.evaluate(
        """() => [...document.querySelectorAll("main button, main input, nav a")]
            .filter((one) => one.offsetParent && one.offsetHeight < 24
                && !(one.labels?.[0]?.offsetHeight >= 24))
            .map((one) => one.outerHTML)"""
    )


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390, 320])
def test_it_is_for_everyone(browser, site, colours, width):
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=colours, reduced_motion="reduce"
    )
    page = context.new_page()
    front(page, site)
    assert axe_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert small(page) == []
    context.close()


def test_all_that_a_visitor_loads_is_small(page, site):
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
    front(page, site)
    assert 13 * 10**6 < sum(sizes) <= 16 * 10**6


# --- the lessons as pages

PAGES = [*lessons.titles(), "glossary"]


LOOKS = ((1100, "light"), (390, "dark"))
SEEN = [  # every page once, in one look after the other; the longest in both
    *((name, LOOKS[place % 2]) for place, name in enumerate(PAGES)), ("07_todays_models", LOOKS[0]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "look"), SEEN)
def test_a_lesson_can_be_read_by_everyone_and_asks_no_other_host(browser, site, name, look):
    size = {"width": look[0], "height": 900}
    context, heard = browser.new_context(viewport=size, color_scheme=look[1]), []
    page = context.new_page()
    page.on("response", lambda answer: heard.append((answer.status, answer.url)))
    page.goto(f"{site}{name}.html")
    page.wait_for_function("document.body.dataset.alive", timeout=60_000)
    wrong = [one for one in heard if one[0] >= 400 or not one[1].startswith((site, "data:"))]
    assert wrong == [] and len(heard) >= 3
    assert page.evaluate("document.documentElement.scrollWidth") <= look[0]
    assert axe_faults(page) == [] and small(page) == []
    context.close()


def test_where_a_copy_came_from_github_colab_and_binder_can_open_its_lessons(monkeypatch):
    said = "git@github.com:school/diffusion.git\n"
    monkeypatch.setattr(lessons.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=said))
    page = lessons._elsewhere("01_forward_noising", lessons._repository())
    assert "mybinder.org/v2/gh/school/diffusion/main?urlpath=lab/tree/notebooks/01_forward" in page
    said = "/home/ada/course\n"
    assert lessons._elsewhere("01_forward_noising", lessons._repository()) == ""


def test_the_pages_are_small_and_whole(site_folder):
    for name in PAGES:
        text = (site_folder / f"{name}.html").read_text("utf-8")
        shown = {f"{name}.html", f"{name}.bin", *re.findall(r'src="([^":]+)"', text)}
        assert sum((site_folder / file).stat().st_size for file in shown) < 2.5e6, name
        assert "<!-- " not in text
        assert text.count(".ipynb") == text.count(f'"notebooks/{name}.ipynb"') == 1
        prose = re.sub(r"<pre.*?</pre>|<code.*?</code>|<script.*?</script>", "", text, flags=re.S)
        assert "$" not in re.sub(r'"data:[^"]*"', "", prose), "a formula was left as it was typed"
    texts = {name: (site_folder / f"{name}.html").read_text("utf-8") for name in PAGES}
    known = {name: set(re.findall(r'id="([^"]+)"', text)) for name, text in texts.items()}
    for text in texts.values():
        for there, anchor in re.findall(r'href="(?:([\w]+)\.html)?(?:#([^"]+))?"', text):
            if there in known and anchor:
                assert html.unescape(anchor) in known[there], (there, anchor)
            assert there in ("", "index", *known), there


def test_the_code_of_the_page_stays_small():
    """Lines of code: neither blank nor a comment."""
    lines = [line for path in Path("web/page").glob("*.js") for line in path.open(encoding="utf-8")]
    assert len([line for line in lines if not re.match(r"\s*(//.*|/?\*.*)?$", line)]) <= 1500
