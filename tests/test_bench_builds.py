"""This build beside an earlier one: they draw in turn, and the shipped file keeps the promise."""

import pytest

from bench import builds, results


class Stand:
    """A build whose jobs take so many seconds; `log` holds who ran which job."""

    def __init__(self, name, seconds, log):
        self.name, self.took, self.log = name, seconds, log

    def seconds(self, job):
        self.log.append((self.name, job))
        return self.took * (1 if self.log.count((self.name, job)) > 1 else 100)  # 100: warming up


def test_builds_take_turns_and_the_first_round_only_warms_up():
    log = []
    rows = builds.compare(Stand("earlier", 0.2, log), Stand("now", 0.1, log))
    assert [name for name, _ in log] == ["earlier", "now"] * (len(log) // 2)
    for row in rows.values():
        assert row == {"earlier, ms": 200, "now, ms": 100, "ratio": 2}


def test_without_the_earlier_commit_a_sentence_says_so(monkeypatch, capsys):
    monkeypatch.setattr(builds, "EARLIER", "0" * 40)
    builds.main()
    assert "git does not have 0000" in capsys.readouterr().out


def test_what_was_promised_was_measured():
    shipped = results.read("builds")
    if not shipped:
        pytest.skip("data/bench/builds.json is not there: python -m bench.builds")
    assert shipped["earlier"] == builds.EARLIER and list(shipped["rows"]) == list(builds.JOBS)
    for row in shipped["rows"].values():
        assert row["ratio"] == pytest.approx(row["earlier, ms"] / row["now, ms"], abs=0.01)
        assert row["ratio"] > 0.9, "nothing became slower"
    assert shipped["rows"]["guided picture, 10 steps"]["ratio"] >= 1.8
    assert shipped["largest difference of the picture, of 255"] <= 1
