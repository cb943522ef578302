"""What the learner made is kept, with its words, and nothing is ever lost."""

import numpy as np
import pytest
from PIL import Image

from diffusion_lessons import workspace
from diffusion_lessons.widgets import gallery
from diffusion_lessons.widgets.gallery import Gallery, Settings

PIXELS = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
HOUSE = Settings("a red house on snow at night", "", 7, 8, 3.0)


def _settings(prompt, **changes):
    return Settings(**(vars(HOUSE) | {"prompt": prompt} | changes))


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        (HOUSE.prompt, "0001-a-red-house-on-snow-at-night.png"),
        ("<img src=x onerror=a(1)> & \"one\" 'two'", "0001-img-src-x-onerror-a-1-one-two.png"),
        ("<b>家</b>", "0001-b-b.png"),
        ("ein grünes Haus, 雪の上の家, 🏠", "0001-ein-gr-nes-haus.png"),
        ("two\nlines\ttabbed", "0001-two-lines-tabbed.png"),
        ("  blanks  ", "0001-blanks.png"),
        ("a house " * 1250, f"0001-{'a-house-' * 4}a-house.png"),
        ("", "0001-picture.png"),
        ("../../etc/passwd\0 C:\\x", "0001-etc-passwd-c-x.png"),
        ("...", "0001-picture.png"),
        ("a " * 500, f"0001-{'a-' * 19}a.png"),
    ],
)
def test_a_picture_comes_back_with_its_settings_from_a_plain_name_in_the_folder(
    tmp_path, prompt, name
):
    settings = _settings(prompt, negative_prompt="night", guidance_scale=2.5)
    path = Gallery(tmp_path / "new").keep(PIXELS, settings)
    (kept,) = Gallery(tmp_path / "new").pictures()
    assert kept.settings == settings and kept.path == path == tmp_path / "new" / name
    assert np.array_equal(kept.pixels, PIXELS)


def test_the_texts_have_the_names_of_a_pipeline_s_arguments(tmp_path):
    path = Gallery(tmp_path).keep(PIXELS, HOUSE)
    with Image.open(path) as image:
        texts = dict(image.text)
    assert texts.pop("Software").startswith("diffusion-lessons ")
    assert texts == {
        "prompt": "a red house on snow at night",
        "negative_prompt": "",
        "seed": "7",
        "num_inference_steps": "8",
        "guidance_scale": "3.0",
    }


def test_the_newest_comes_first_and_most_limits_them(tmp_path):
    keeper = Gallery(tmp_path)
    for seed in range(12):
        keeper.keep(PIXELS, _settings("a house", seed=seed))
    assert [one.settings.seed for one in keeper.pictures()] == list(range(11, -1, -1))
    assert [one.settings.seed for one in keeper.pictures(most=3)] == [11, 10, 9]
    assert len(list(tmp_path.iterdir())) == 12  # the same words again are another picture


def test_two_notebooks_with_one_folder_do_not_write_over_each_other(tmp_path, monkeypatch):
    first, second = Gallery(tmp_path), Gallery(tmp_path)
    monkeypatch.setattr(Gallery, "_files", lambda self: [])  # neither has seen the other's file
    one, two = first.keep(PIXELS, HOUSE), second.keep(255 - PIXELS, HOUSE)
    assert one != two
    assert np.array_equal(gallery.read(one).pixels, PIXELS)


def test_other_files_and_damaged_ones_are_left_out_and_left_alone(tmp_path):
    keeper = Gallery(tmp_path)
    whole = keeper.keep(PIXELS, HOUSE)
    half = tmp_path / "0002-half.png"
    half.write_bytes(whole.read_bytes()[:100])
    (tmp_path / "notes.txt").write_text("mine")
    Image.new("RGB", (9, 9)).save(tmp_path / "9999-holiday.png")
    (tmp_path / "folder.png").mkdir()
    wrong = keeper.keep(PIXELS, _settings("a cat", guidance_scale=float("nan")))
    before = sorted(tmp_path.iterdir())
    assert [one.path for one in keeper.pictures()] == [whole]
    assert wrong.name.startswith("10000-") and sorted(tmp_path.iterdir()) == before


def test_without_a_folder_it_is_the_user_s_own_and_made_late(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace.platformdirs, "user_data_path", lambda name, **_: tmp_path / name)
    keeper = Gallery()
    assert keeper.pictures() == [] and list(tmp_path.iterdir()) == []
    assert keeper.keep(PIXELS, HOUSE).parent == tmp_path / "diffusion-lessons" / "gallery"
    assert len(Gallery().pictures()) == 1


def test_a_folder_that_cannot_be_written_gives_a_sentence_and_nothing_is_lost(tmp_path):
    (tmp_path / "file").write_text("where a folder is needed")  # root could write anywhere else
    keeper = Gallery(tmp_path / "file" / "gallery")
    for seed in (1, 2):
        with pytest.raises(OSError, match=r"gallery could not be written \(.*\)\. The picture st"):
            keeper.keep(PIXELS, _settings("a cat", seed=seed))
    assert [(one.settings.seed, one.path) for one in keeper.pictures()] == [(2, None), (1, None)]
    (tmp_path / "file").unlink()
    keeper.keep(PIXELS, _settings("a cat", seed=3))  # now there is room: for those before too
    assert [one.settings.seed for one in Gallery(keeper.folder).pictures()] == [3, 2, 1]


def test_a_full_disk_leaves_no_half_picture(tmp_path, monkeypatch):
    def full(one):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gallery, "as_png", full)
    keeper = Gallery(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        keeper.keep(PIXELS, HOUSE)
    assert list(tmp_path.iterdir()) == [] and len(keeper.pictures()) == 1
