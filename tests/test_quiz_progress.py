"""Answers are kept: another start, two tabs, a full disk, a damaged file. Rounds are fair."""

import itertools
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from diffusion_lessons import quiz
from diffusion_lessons.quiz import deck, progress, questions, store
from diffusion_lessons.quiz.deck import Deck, shuffled
from diffusion_lessons.quiz.progress import Answer, NewerProgress, Progress, Round, from_json
from diffusion_lessons.quiz.store import FILE, Store

FIFTEEN = questions.fifteen()
IDS = [one.id for one in FIFTEEN]


def new_deck(known=Progress()):  # noqa: B008, it cannot be changed
    """A deck whose clock gives 1, 2, 3, ..."""
    return Deck(FIFTEEN, known, itertools.count(1).__next__)


def wrong(name):
    question = next(one for one in FIFTEEN if one.id == name)
    return next(key for key in question.options if key != question.right)


def right(name):
    return next(one.right for one in FIFTEEN if one.id == name)


def fill(one, mistakes=()):
    """Answer all questions of the round; `mistakes` says of which one is wrong, and how sure."""
    mistakes = dict(mistakes)
    for name in one.order:
        one.answer(name, wrong(name) if name in mistakes else right(name), mistakes.get(name, True))
    return one


# --- the deck ---


def test_a_deck_asks_all_in_order_and_counts_what_is_right():
    one = new_deck()
    assert one.order == IDS and not one.done() and one.missed() == []
    fill(one, {IDS[2]: True, IDS[5]: False})
    assert one.done() and one.right() == 13
    assert one.visit_again() == sorted(
        {FIFTEEN[2].section, FIFTEEN[5].section}, key=lambda s: (s.lesson, s.heading)
    )


def test_the_first_answer_of_a_round_counts():
    one = new_deck()
    one.answer(IDS[0], wrong(IDS[0]), True)
    one.answer(IDS[0], right(IDS[0]), True)
    assert one.right() == 0 and len(one.progress.answers) == 1


@pytest.mark.parametrize(("name", "key"), [("no-such", "a"), (IDS[0], "e")])
def test_what_cannot_be_answered_is_refused(name, key):
    one = new_deck()
    with pytest.raises(ValueError, match="no-such|'e'"):
        one.answer(name, key, True)
    assert one.progress == Progress()


def test_mistakes_of_which_one_was_sure_come_back_first():
    one = fill(new_deck(), {IDS[1]: False, IDS[4]: True, IDS[9]: False, IDS[12]: True})
    assert one.missed() == [IDS[4], IDS[12], IDS[1], IDS[9]]
    one.begin(missed_only=True)
    assert one.round.number == 2 and one.order == [IDS[4], IDS[12], IDS[1], IDS[9]]
    assert not one.done() and one.right() == 0
    fill(one, {IDS[1]: True})
    assert one.missed() == [IDS[1]] and one.right() == 3
    one.begin(missed_only=False)
    assert one.order == [IDS[1], *[name for name in IDS if name != IDS[1]]]


def test_without_a_mistake_there_is_no_round_of_missed_ones():
    one = fill(new_deck())
    one.begin(missed_only=True)
    assert one.round.number == 1


def test_the_latest_round_decides_what_is_missed_not_the_latest_look():
    one = fill(new_deck(), {IDS[0]: True})
    one.begin(missed_only=True)
    fill(one)
    assert one.missed() == [] and one.visit_again() == []
    one.begin(missed_only=False)
    one.answer(IDS[7], wrong(IDS[7]), False)
    assert one.missed() == [IDS[7]]


def test_questions_that_the_course_no_longer_has_do_no_harm():
    old = Progress(
        (Round("r2", 2, 1.0, ("gone", IDS[3])), Round("r3", 3, 2.0, ("gone",))),
        (Answer("a1", 3.0, "r2", "gone", "a", True), Answer("a2", 4.0, "r2", IDS[3], "z", True)),
    )
    one = new_deck(old)
    assert one.round.id == "r2" and one.order == [IDS[3]] and one.answers() == {}


# --- another order ---


@pytest.mark.parametrize("question", FIFTEEN, ids=lambda one: one.id)
def test_another_round_shows_the_same_options_in_another_order(question):
    orders = [shuffled(list("abcd"), question.id, number) for number in range(1, 30)]
    assert orders[0] == list("abcd")
    for before, after in itertools.pairwise(orders):
        assert before != after and sorted(after) == list("abcd")
    assert orders[7] == shuffled(list("abcd"), question.id, 8)  # the same in every tab


def test_shuffling_keeps_the_key_and_no_place_is_favoured():
    one, places = new_deck(), Counter()
    for _ in range(40):
        for question in FIFTEEN:
            keys = one.options(question.id)
            place = keys.index(question.right)
            assert question.options[keys[place]].misconception is None
            places[place] += 1
        one.begin(missed_only=False)
    assert set(places) == {0, 1, 2, 3} and max(places.values()) < 1.3 * min(places.values())


# --- saved and loaded ---


def test_answers_come_back_from_the_file(tmp_path):
    one = fill(new_deck(), {IDS[2]: True})
    one.begin(missed_only=True)
    first = Store(tmp_path / "new" / "folder")
    first.save(one.progress)
    known = Store(tmp_path / "new" / "folder").load()
    assert known == one.progress and first.notice == ""
    assert new_deck(known).order == [IDS[2]]
    assert json.loads(first.path.read_text())["version"] == progress.VERSION


def test_nothing_is_written_before_the_first_answer(tmp_path):
    quiz.start(tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_the_usual_place_is_the_user_s_and_not_in_the_clone(monkeypatch, project):
    path = Store().path
    assert path.name == FILE and path.parent.name == "diffusion-lessons"
    assert not path.is_relative_to(project)


def test_two_tabs_lose_nothing_and_agree(tmp_path):
    tabs = [(new_deck(), Store(tmp_path)) for _ in range(2)]
    (one, its), (two, other) = tabs
    for name in IDS[:4]:
        one.answer(name, right(name), True)
        one.progress = its.save(one.progress)
    for name in IDS[3:8]:
        two.answer(name, wrong(name), False)
        two.progress = other.save(two.progress)
    one.progress = its.save(one.progress)
    assert one.progress == two.progress == Store(tmp_path).load()
    assert set(one.answers()) == set(IDS[:8])
    assert one.answers() == two.answers()
    assert one.right() == 3 and IDS[3] in one.missed()  # of two answers, the earlier one counts


def test_tabs_that_write_at_the_same_moment_lose_nothing(tmp_path):
    def work(tab):
        keeper, mine = Store(tmp_path), Progress()
        for number in range(15):
            new = Answer(f"{tab}-{number}", float(number), deck.FIRST, IDS[number], "a", True)
            mine = keeper.save(mine.merged(Progress(answers=(new,))))
        return keeper.notice

    with ThreadPoolExecutor(4) as tabs:
        assert set(tabs.map(work, "abcd")) == {""}
    assert len(Store(tmp_path).load().answers) == 4 * 15


def test_merging_does_not_depend_on_order_or_repetition():
    parts = [fill(new_deck(), {IDS[i]: True}).progress for i in range(3)]
    wanted = parts[0].merged(parts[1]).merged(parts[2])
    for order in itertools.permutations(parts):
        both = order[0].merged(order[1]).merged(order[2]).merged(order[0])
        assert both == wanted
    assert wanted.merged(Progress()) == wanted == Progress().merged(wanted)


def test_two_tabs_that_begin_a_round_at_once_settle_on_one():
    base = fill(new_deck(), {IDS[0]: True}).progress
    one, two = new_deck(base), new_deck(base)
    one.begin(missed_only=True)
    two.begin(missed_only=False)
    ids = {new_deck(a.merged(b)).round.id for a, b in
           itertools.permutations([one.progress, two.progress])}  # fmt: skip
    assert len(ids) == 1


# --- what goes wrong ---

WHOLE = fill(new_deck(), {IDS[0]: True}).progress.to_json()
DAMAGED = {
    "empty": b"",
    "cut": WHOLE.encode()[: len(WHOLE) // 2],
    "not text": b"\x00\xff\xfe\x80",
    "other json": b"[1, 2]",
    "no version": b'{"rounds": [], "answers": []}',
    "older": WHOLE.replace('"version": 1', '"version": 0').encode(),
    "wrong types": WHOLE.replace('"sure": true', '"sure": "yes"').encode(),
    "missing": b'{"version": 1, "rounds": []}',
    "nan": WHOLE.replace('"at": 1', '"at": NaN', 1).encode(),
    "more": WHOLE.replace('"sure": true', '"sure": true, "more": 1').encode(),
    "deep": b"[" * 200_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_or_older_file_is_kept_aside_and_said(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    (tmp_path / "quiz-progress.unread-1.json").write_text("of an earlier time")
    keeper = Store(tmp_path)
    assert keeper.load() == Progress()
    aside = tmp_path / "quiz-progress.unread-2.json"
    assert aside.read_bytes() == content and str(aside) in keeper.notice
    assert "you start anew" in keeper.notice
    keeper.save(fill(new_deck()).progress)
    assert new_deck(Store(tmp_path).load()).done()
    assert "you start anew" in keeper.notice  # still to be read after the first answer


def test_a_file_of_a_newer_course_is_left_alone_and_the_quiz_goes_on(tmp_path):
    newer = WHOLE.replace('"version": 1', '"version": 2')
    (tmp_path / FILE).write_text(newer)
    keeper = Store(tmp_path)
    assert keeper.load() == Progress() and "version 2" in keeper.notice
    mine = fill(new_deck()).progress
    assert keeper.save(mine) == mine and "forgets" in keeper.notice
    assert (tmp_path / FILE).read_text() == newer
    with pytest.raises(NewerProgress):
        from_json(newer)


def test_a_place_that_cannot_be_written_is_said_and_memory_takes_over(tmp_path):
    (tmp_path / "file").write_text("where a folder is needed")  # root could write anywhere else
    keeper = Store(tmp_path / "file" / "folder")
    assert keeper.load() == Progress()
    mine = fill(new_deck()).progress
    assert keeper.save(mine) == mine
    assert "cannot be kept on disk" in keeper.notice and "goes on" in keeper.notice
    (tmp_path / "file").unlink()
    keeper.save(mine)  # now there is room, also for what came before
    assert keeper.notice == "" and Store(keeper.path.parent).load() == mine


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    keeper = Store(tmp_path)
    old = keeper.save(fill(new_deck()).progress)

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_whole", full)
    more = new_deck(old)
    more.begin(missed_only=False)
    assert keeper.save(more.progress) == more.progress and "No space left" in keeper.notice
    assert Store(tmp_path).load() == old


def test_a_file_that_may_not_be_read_is_said(tmp_path):
    (tmp_path / FILE).mkdir()
    keeper = Store(tmp_path)
    assert keeper.load() == Progress() and "could not be read" in keeper.notice
    mine = fill(new_deck()).progress
    assert keeper.save(mine) == mine and "cannot be kept" in keeper.notice


def test_a_tab_that_holds_the_file_for_long_does_not_stop_the_quiz(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_PATIENCE_S", 0.05)
    keeper = Store(tmp_path)
    with store.filelock.FileLock(keeper.path.with_suffix(".lock")):
        mine = fill(new_deck()).progress
        assert keeper.save(mine) == mine and "cannot be kept" in keeper.notice
    keeper.save(mine)
    assert keeper.notice == ""


def test_the_deck_s_first_round_is_the_same_in_every_tab():
    assert new_deck().round.id == new_deck().round.id == deck.FIRST


def test_a_read_only_folder_is_said_and_memory_takes_over(read_only_folder):
    keeper = Store(read_only_folder)
    mine = fill(new_deck()).progress
    assert keeper.load() == Progress() and keeper.notice == ""
    assert keeper.save(mine) == mine and "cannot be kept on disk" in keeper.notice
    assert list(read_only_folder.iterdir()) == []
