"""Answers are kept: another start, two tabs, a full disk, a damaged file. Rounds are fair."""

import dataclasses
import itertools
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from diffusion_lessons import quiz, workspace
from diffusion_lessons.quiz import answers, questions
from diffusion_lessons.quiz.answers import FILE, Answer, Answers, Round, shuffled

FIFTEEN = questions.fifteen()
IDS = [one.id for one in FIFTEEN]
AGAIN = [one.again.id for one in FIFTEEN]
WEEK = 7 * 24 * 3600
BY_ID = {form.id: form for one in FIFTEEN for form in (one, one.again)}
OLD = {  # as the first version of the course wrote it: an id for each answer
    "version": 1,
    "rounds": [
        {"id": "r2", "number": 2, "at": 2e9, "questions": ["gone", IDS[3]]},
        {"id": "r3", "number": 3, "at": 3e9, "questions": ["gone"]},
    ],
    "answers": [
        {"id": "a4", "at": 9e8, "round": "first", "question": IDS[0], "option": "b", "sure": True},
        {"id": "a1", "at": 8e8, "round": "first", "question": IDS[0], "option": "a", "sure": True},
        {"id": "a2", "at": 2e9, "round": "r2", "question": IDS[3], "option": "z", "sure": True},
        {"id": "a3", "at": 2e9, "round": "r2", "question": "gone", "option": "a", "sure": True},
    ],
}


def key_of(name, rightly):
    """A key of the question `name` that is right, or one that is not."""
    return next(key for key in BY_ID[name].options if BY_ID[name].is_right(key) == rightly)


def tab(folder=None):
    return Answers(FIFTEEN, folder and folder / FILE)


def fill(one, mistakes=()):
    """Answer all questions of the round; `mistakes` says of which one is wrong, and how sure."""
    mistakes = dict(mistakes)
    for name in one.order:
        one.answer(name, key_of(name, name not in mistakes), mistakes.get(name, True))
    return one


# --- rounds ---


def test_all_are_asked_in_order_and_the_first_answer_counts():
    one = tab()
    assert one.order == IDS and one.given() == {} and one.by_need(missed_only=True) == []
    fill(one, {IDS[2]: True, IDS[5]: False})
    fill(one)
    assert [*one.given()] == [*one.latest()] == IDS and one.right() == 13
    sections = {FIFTEEN[2].section, FIFTEEN[5].section}
    assert one.visit_again() == sorted(sections, key=lambda s: (s.lesson, s.heading))


@pytest.mark.parametrize(("name", "key"), [("no-such", "a"), (IDS[0], "e")])
def test_what_cannot_be_answered_is_refused(name, key):
    one = tab()
    with pytest.raises(ValueError, match="no-such|'e'"):
        one.answer(name, key, True)
    assert one.latest() == {}


def test_mistakes_of_which_one_was_sure_come_back_first():
    one = fill(tab(), {IDS[1]: False, IDS[4]: True, IDS[9]: False, IDS[12]: True})
    wanted = [IDS[4], IDS[12], IDS[1], IDS[9]]
    assert one.by_need(missed_only=True) == wanted
    one.begin(missed_only=True)
    assert one.round.number == 2 and one.order == wanted and one.given() == {}
    fill(one, {IDS[1]: True})
    assert one.by_need(missed_only=True) == [IDS[1]] and one.right() == 3
    one.begin(missed_only=False)
    assert one.order == [IDS[1], *[name for name in IDS if name != IDS[1]]]


def test_the_latest_round_decides_what_is_missed_not_the_latest_look():
    one = fill(tab(), {IDS[0]: True})
    one.begin(missed_only=True)
    fill(one)
    assert one.visit_again() == []
    one.begin(missed_only=True)
    assert one.round.number == 2  # without a mistake there is no round of missed ones
    one.begin(missed_only=False)
    one.answer(IDS[7], key_of(IDS[7], False), False)
    assert one.by_need(missed_only=True) == [IDS[7]]


@pytest.mark.parametrize("name", IDS)
def test_another_round_shows_the_same_options_in_another_order(name):
    orders = [shuffled(list("abcd"), name, number) for number in range(1, 30)]
    assert orders[0] == list("abcd")
    for before, after in itertools.pairwise(orders):
        assert before != after and sorted(after) == list("abcd")
    assert orders[7] == shuffled(list("abcd"), name, 8)  # the same in every tab


def test_shuffling_keeps_the_key_and_no_place_is_favoured():
    one, places = tab(), Counter()
    for _ in range(40):
        for question in FIFTEEN:
            keys = one.options(question.id)
            place = keys.index(question.right)
            assert question.options[keys[place]].misconception is None
            places[place] += 1
        one.begin(missed_only=False)
    assert set(places) == {0, 1, 2, 3} and max(places.values()) < 1.3 * min(places.values())


# --- the second form, a week later ---


@pytest.fixture
def clock(monkeypatch):
    """The time that answers and rounds get, in seconds; a test moves it on."""
    now = [1e9]
    monkeypatch.setattr(answers.time, "time", lambda: now[0])
    return now


def test_a_week_later_a_retry_asks_the_other_form_and_then_stays_with_it(tmp_path, clock):
    one = fill(tab(tmp_path), {IDS[2]: True})
    clock[0] += WEEK - 1
    one.begin(missed_only=True)
    assert one.order == [IDS[2]], "not a week yet"
    fill(one, {IDS[2]: True})
    clock[0] += 2  # a week after all the others
    one.begin(missed_only=False)
    assert one.order == [IDS[2], *(name for name in AGAIN if name != AGAIN[2])]
    assert tab(tmp_path).order == one.order, "kept with the round"
    fill(one, {AGAIN[4]: False})
    assert one.right() == 14 and one.by_need(missed_only=True) == [IDS[4]]
    assert one.visit_again() == [FIFTEEN[4].again.section]
    clock[0] += 60
    one.begin(missed_only=True)
    assert one.order == [AGAIN[4]], "at once, the same form comes back"
    fill(one)
    clock[0] += WEEK
    one.begin(missed_only=False)
    assert one.order == [*IDS[:2], AGAIN[2], *IDS[3:]] and not one.given(), "then the first form"
    assert len(one.latest()) == 15 and [*tab(tmp_path).questions] == IDS


def test_a_file_with_second_forms_keeps_its_format_and_a_form_that_is_gone_does_no_harm(
    tmp_path, clock
):
    one = fill(tab(tmp_path))
    clock[0] += WEEK
    one.begin(missed_only=False)
    fill(one)
    assert json.loads(one.path.read_text())["version"] == answers.VERSION == 1
    older = Answers([dataclasses.replace(question, again=None) for question in FIFTEEN], one.path)
    assert older.notice == "" and older.round.number == 1 and [*older.given()] == IDS


# --- the file ---


def test_answers_come_back_from_the_file(tmp_path):
    folder = tmp_path / "new" / "folder"
    one = fill(tab(folder), {IDS[2]: True})
    one.begin(missed_only=True)
    known = tab(folder)
    assert known.latest() == one.latest() and known.round == one.round and one.notice == ""
    assert known.order == [IDS[2]]


def test_the_usual_place_is_the_user_s_and_not_in_the_clone(project):
    path = quiz.start().answers.path
    assert path.name == FILE and path.parent.name == "diffusion-lessons"
    assert not path.is_relative_to(project)


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_an_old_file_is_read_and_loses_nothing(tmp_path, unit):
    """Of two answers the earlier counts; what the course no longer has does no harm, and stays."""
    rows = {k: [r | {"at": r["at"] * unit} for r in OLD[k]] for k in ("rounds", "answers")}
    (tmp_path / FILE).write_text(json.dumps(OLD | rows))
    one = tab(tmp_path)
    assert one.notice == "" and one.round == Round("r2", 2, 2e9, ["gone", IDS[3]])
    assert one.order == [IDS[3]] and one.given() == {}
    earlier = Answer(f"first {IDS[0]}", 8e8, "first", IDS[0], "a", True)
    assert one.latest() == {IDS[0]: earlier}
    one.begin(missed_only=False)
    stored = json.loads(one.path.read_text())
    assert all(row in stored["rounds"] for row in OLD["rounds"]) and len(stored["rounds"]) == 3
    given = {(row["round"], row["question"], row["option"], row["at"]) for row in stored["answers"]}
    old = {(row["round"], row["question"], row["option"], row["at"]) for row in OLD["answers"]}
    assert given == old - {("first", IDS[0], "b", 9e8)}


def test_two_tabs_lose_nothing_and_agree(tmp_path):
    one, two = tab(tmp_path), tab(tmp_path)
    for name in IDS[:4]:
        one.answer(name, key_of(name, True), True)
    for name in IDS[3:8]:
        two.answer(name, key_of(name, False), False)
    one.refresh()
    assert one.given() == two.given() == tab(tmp_path).given()
    assert set(one.given()) == set(IDS[:8])
    assert one.right() == 4  # of two answers to a question, the earlier one counts
    for each, missed_only in ((one, True), (two, False)):  # neither knows of the other's round
        each.begin(missed_only)
    one.refresh()
    assert one.round == two.round == tab(tmp_path).round


def test_tabs_that_write_at_the_same_moment_lose_nothing(tmp_path):
    def work(place):
        mine = tab(tmp_path)
        for name in IDS[place::4]:
            mine.answer(name, "a", True)
        return mine.notice

    with ThreadPoolExecutor(4) as tabs:
        assert set(tabs.map(work, range(4))) == {""}
    assert set(tab(tmp_path).given()) == set(IDS)


# --- what goes wrong ---

WHOLE = json.dumps(OLD)
DAMAGED = {
    "empty": b"",
    "cut": WHOLE.encode()[: len(WHOLE) // 2],
    "not text": b"\x00\xff\xfe\x80",
    "other json": b"[1, 2]",
    "no version": b'{"rounds": [], "answers": []}',
    "older": WHOLE.replace('"version": 1', '"version": 0').encode(),
    "wrong types": WHOLE.replace('"sure": true', '"sure": "yes"').encode(),
    "wrong questions": WHOLE.replace('"gone"', "[1]").encode(),
    "a row that is none": b'{"version": 1, "rounds": [3], "answers": []}',
    "missing": b'{"version": 1, "rounds": []}',
    "nan": WHOLE.replace("800000000.0", "NaN").encode(),
    "beyond the year 3000": WHOLE.replace("800000000.0", "4e10").encode(),
    "more": WHOLE.replace('"sure": true', '"sure": true, "more": 1').encode(),
    "deep": b"[" * 200_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_or_older_file_is_kept_aside_and_said(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    (tmp_path / "quiz-progress.unread-1.json").write_text("of an earlier time")
    one, aside = tab(tmp_path), tmp_path / "quiz-progress.unread-2.json"
    assert one.latest() == {} and one.round.number == 1
    assert aside.read_bytes() == content and str(aside) in one.notice
    fill(one)
    assert [*tab(tmp_path).given()] == IDS
    assert "the quiz starts again" in one.notice  # still to be read after the first answer


@pytest.mark.parametrize("what", ["a newer file", "a folder", "a file where a folder is needed"])
def test_what_cannot_be_kept_is_said_and_memory_takes_over(tmp_path, what):
    path, newer = tmp_path / FILE, WHOLE.replace('"version": 1', '"version": 2')
    path.mkdir() if what == "a folder" else path.write_text(newer)
    one = tab(path if what.endswith("needed") else tmp_path)
    assert "could not be read" in one.notice
    assert ("it is of version 2" in one.notice) == (what == "a newer file")
    assert fill(one).right() == 15 and "cannot be kept on disk" in one.notice
    assert "goes on" in one.notice and "forgets" in one.notice
    assert path.is_dir() if what == "a folder" else path.read_text() == newer


def test_answers_that_could_not_be_kept_are_written_as_soon_as_it_works(tmp_path, monkeypatch):
    """A full disk leaves the old file whole; so does a tab that holds the file for long."""
    one = tab(tmp_path)
    one.answer(IDS[0], "a", True)

    def full(path, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(answers, "write_whole", full)
        one.answer(IDS[1], "a", True)
    assert "No space left" in one.notice and [*tab(tmp_path).given()] == IDS[:1]
    monkeypatch.setattr(answers, "_PATIENCE_S", 0.05)
    with workspace.only_one(one.path):
        one.answer(IDS[2], "a", True)
    assert "cannot be kept" in one.notice and [*one.given()] == IDS[:3]
    one.answer(IDS[3], "a", True)
    assert one.notice == "" and [*tab(tmp_path).given()] == IDS[:4]
    one.path.unlink()
    one.answer(IDS[4], "a", True)
    assert [*tab(tmp_path).given()] == IDS[:5], "what one has is not lost with the file"


def test_a_read_only_folder_is_said_and_memory_takes_over(read_only_folder):
    one = tab(read_only_folder)
    assert one.notice == ""
    assert fill(one).right() == 15 and "cannot be kept on disk" in one.notice
    assert list(read_only_folder.iterdir()) == []
