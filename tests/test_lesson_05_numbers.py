"""What lesson 05 claims, held against the package, its kept outputs and the live settings."""

import re

import nbformat
import pytest
import torch

from bench import guidance, results
from diffusion_lessons import conditioning, models, postcards, recipes
from tools import notebooks as tool

CELLS = {
    cell.id: cell
    for cell in nbformat.read(tool.NOTEBOOKS / "05_classifier_free_guidance.ipynb", 4).cells
}
TEXT = " ".join(re.sub(r"\s+", " ", cell.source) for cell in CELLS.values())


def says(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in TEXT, f"the lesson does not say: {sentence}"


def printed(name: str) -> str:
    """What the cell printed when it was last run."""
    return "".join(output.get("text", "") for output in CELLS[name].outputs)


def test_places_words_and_numbers_of_the_context():
    says("one vector of D = 128 numbers for each of L = 32 places", "`tokens` (1, 32)")
    network = recipes.RECIPES["captions"].network()
    assert (network["width"], network["length"]) == (128, 32) == (128, conditioning.LENGTH)
    known = len(conditioning.WORDS) - 1  # number 0 is no word
    assert printed("tokens").startswith(f"{known} words are known")


def test_a_cabin_is_a_house():
    says('a "cabin" is a house here')
    cabin, house = conditioning.tokenise(["a red cabin", "a red house"])
    assert torch.equal(cabin, house)


def test_synonyms_lie_side_by_side_and_rows_do_not():
    says("synonyms lie side by side", "neighbours mean nothing")
    lines = re.findall(
        r"^(\w+) +row: (\w+) ([\d.]+).*meant: (\w+) ([\d.]+)", printed("near"), re.MULTILINE
    )
    assert len(lines) == 5
    synonyms = {
        "red": {"scarlet"},
        "house": {"cottage", "hut", "huts", "cottages", "houses"},
        "large": {"big", "huge"},
        "tiny": {"small", "little"},
        "kitten": {"cat", "cats", "kittens"},
    }
    for word, _, row, near, meant in lines:
        assert near in synonyms[word] and float(meant) > 0.7 > 0.4 > float(row)


def test_the_written_out_encoder_is_the_package_s():
    assert printed("encode") == "equal to the package's encoder: True\n"
    assert len(CELLS["encode"].source.splitlines()) <= 20
    found = re.search(r"cosine: (\d\.\d+) in the table, (\d\.\d+)", printed("bind"))
    assert float(found[1]) == 1.0 and float(found[2]) < 0.9, "attention tells the houses apart"


def test_the_encoder_was_trained_as_the_text_says():
    says("two about the scene, its sky and its ground, from the *mean*", "five about each thing")
    says("the vector of *one* word, the noun that names it", "Ask it the five questions")
    about = conditioning.attribute_classes()
    assert (len(about["scene"]), len(about["thing"])) == (2, 5)
    reader = models.CaptionReader(len(conditioning.WORDS), 32, 1, conditioning.LENGTH, **about)
    tokens = conditioning.tokenise(["a red house on the left and a small blue boat"])
    nouns = conditioning.noun_places(tokens)
    with torch.inference_mode():
        words = reader.encoder(tokens)
        answers = reader(tokens, nouns)
        scene = reader.scene(words.mean(dim=1)).split(about["scene"], dim=1)
        boat = reader.thing(words[:, nouns[0, 1]]).split(about["thing"], dim=1)
    for mine, its in zip((*scene, *boat), answers[:2] + answers[7:], strict=True):
        assert torch.allclose(mine, its, atol=1e-5)


def test_a_noun_says_all_of_its_thing():
    assert printed("says").splitlines() == [
        "house says: house, red, –, left, one",
        "boat  says: boat, blue, small, –, one",
    ]


def test_pairs_are_as_right_as_the_card_says():
    share = float(re.search(r"of 1,024 pairs ([\d.]+)% all right", printed("binding"))[1])
    _, card = models.load_text_unet("postcards")
    kept = card["scores"]["pair, full captions"]
    assert share == pytest.approx(100 * kept["what was said is right"], abs=0.06)
    assert share > 5 * 100 / 15, "the point of the section"
    assert len(printed("card").splitlines()) == len(card["scores"])
    says("Of each kind of scene 1,024 were painted")
    assert {row["pictures"] for row in card["scores"].values()} == {1024}


def test_each_place_divides_its_attention_and_most_of_it_goes_to_small_words():
    says("it adds up to 1", "most looks go to small words")
    assert printed("maps") == "each place divides: True\n"
    page = CELLS["maps-show"].outputs[0].data["text/html"]
    assert float(re.search(r"the rest</b>: of all looks ([\d.]+)%", page)[1]) > 50


def test_a_tenth_of_the_captions_is_left_out():
    says("about one caption in ten", "live.p_uncond is 0.1")
    assert recipes.LIVE_LATENT.p_uncond == recipes.RECIPES["postcards"].p_uncond == 0.1


def test_an_answer_is_256_numbers_and_the_plane_holds_all_of_them():
    says("256 numbers each", "every guided answer lies in it")
    assert 4 * 8 * 8 == 256
    without, told = torch.randn(2, 256, generator=torch.Generator().manual_seed(0)).double()
    first = without / without.norm()
    second = told - (told @ first) * first
    plane = torch.stack([first, second / second.norm()], dim=1)
    for s in (0.0, 1.0, 7.5):
        guided = conditioning.guide(without, told, s)
        assert float((guided - plane @ (plane.T @ guided)).norm()) < 1e-9


@pytest.mark.parametrize("w", [-1.0, 0.0, 1.5, 9.0])
def test_both_conventions_are_the_same_line(w):
    says("**s = 1 + w**", "(1 + w) * told - w * without")
    without, told = torch.randn(2, 4, generator=torch.Generator().manual_seed(1)).double()
    ours = conditioning.guide(without, told, 1 + w)
    assert torch.allclose(ours, (1 + w) * told - w * without)
    assert printed("conventions").endswith(": 0.000\n"), "the pictures differ"


def test_the_slider_needs_few_steps():
    says('widgets.Slider("steps", 2, 8, start=6)', "and 8 steps")


def test_the_training_is_the_one_that_is_announced():
    says("It takes about a minute.")
    live = recipes.LIVE_LATENT
    marks = [int(n) for n in re.findall(r"\d+", re.search(r"step in \((.*?), live", TEXT)[1])]
    assert marks == sorted(marks) and marks[-1] < live.steps
    says("paints 64 full captions", "postcards.sample_scenes(64, 4_000_000_000")
    assert live.full == 1.0


def test_the_table_s_prompts_are_16_with_6_seeds():
    says("16 prompts with 6 seeds each", "96 pictures have wide intervals")
    assert 16 * 6 == 96


def rows_of_the_table() -> dict[str, list[float]]:
    """Name of a line to its numbers: right, diversity, pixels (each with its ends), clipped."""
    lines = [line for line in printed("table").splitlines() if line.startswith("s =")]
    return {line[:15].strip(): [float(n) for n in re.findall(r"\d+\.\d+", line[15:])]
            for line in lines}  # fmt: skip


def test_guidance_costs_diversity_and_clean_colours():
    says("more of it buys nothing for pairs that training showed", "it costs diversity and clean")
    rows = rows_of_the_table()
    right, diversity, clipped = (
        {name: row[place] for name, row in rows.items()} for place in (0, 3, 9)
    )
    assert right["s = 2.5"] >= right["s = 1"] and right["s = 10"] <= right["s = 2.5"] + 0.02
    assert diversity["s = 1"] > diversity["s = 2.5"] > diversity["s = 5"] > diversity["s = 10"]
    assert clipped["s = 10"] > 1.5 * clipped["s = 1"]


def test_held_out_pairs_still_gain_up_to_5():
    says("the dotted line still gains up to s = 5")
    rows = results.read("guidance")["rows"]
    right = {
        (row["split"], row["scale"]): row["everything right, 95 % interval"]
        for row in rows
        if row["interval"] == [0, 1]
    }
    assert right["held_out", 5.0][0] > right["held_out", 2.5][1]
    assert right["train", 10.0][1] < right["train", 2.5][1]


def test_the_middle_of_the_path_gives_some_of_it_back():
    says("gives some of that back", "0.25 ≤ t ≤ 0.75", "(0.25, 0.75)")
    rows = rows_of_the_table()
    assert rows["s = 10, middle"][3] > rows["s = 10"][3]
    assert rows["s = 10, middle"][9] < rows["s = 10"][9]


def test_contrast_moves_pixels_and_no_factor():
    times = dict(re.findall(r"by (\w+(?: x)?) +(\d\.\d+) times", printed("contrast")))
    assert float(times["pixels"]) > 1.15
    assert abs(float(times["horizon"]) - 1) < 0.1 and abs(float(times["sun x"]) - 1) < 0.1


def test_the_held_out_pairs_are_eight_and_painted():
    says("Eight pairs of object and colour", "no blue house, no red cat")
    assert len(postcards.HELD_OUT) == 8
    assert {("house", "blue"), ("cat", "red")} <= postcards.HELD_OUT
    shares = dict(re.findall(r"(\w+) +everything right: (\d+)%", printed("held-score")))
    assert int(shares["held_out"]) >= 85, "words that were learned apart combine"


def test_the_lines_of_the_plot_are_the_file_s():
    says("512 prompts a point")
    assert guidance.PROMPTS == 512 and guidance.INTERVAL == (0.25, 0.75)
    assert min(guidance.SCALES) == 0 and max(guidance.SCALES) == 10


def test_guidance_helps_most_where_training_showed_nothing():
    says("most of all for the pairs of the dotted line")
    rows = results.read("guidance").get("rows")
    if not rows:
        pytest.skip("data/bench/guidance.json is not there: python -m bench.guidance")
    right = {
        (row["split"], row["scale"]): row["everything right"]
        for row in rows
        if row["interval"] == [0, 1]
    }
    gain = {split: right[split, 2.5] - right[split, 1.0] for split in ("train", "held_out")}
    assert gain["held_out"] > gain["train"] > -0.01
