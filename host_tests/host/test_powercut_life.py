"""The whole application, cut at every write of a short life (F10, F4; invariants 2, 3, 4, 5, 12), and proof that such a
campaign finds what is broken on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware import ledger, mirror, rings, startup, store
from thecal.powercut import __main__ as command
from thecal.powercut import cuts, sampled, whole
from thecal.powercut.expected import Violation
from thecal.powercut.life import LOW, Life, Recorded, lead
from thecal.powercut.parts import PartResult, Settings, Silent
from thecal.powercut.recovery import Tally

pytestmark = [pytest.mark.requirement("F10", "F4", "I2", "I3", "I4", "I5", "I6", "I12", "R23")]

CASES = 2_000


def settings(folder: Path, ops: int = CASES) -> Settings:
    return Settings(jobs=1, seed=1, ops=ops, reduced=True, folder=folder)


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return whole.life(True)


def test_the_life_has_everything_that_an_operator_does(recorded: Recorded) -> None:
    lines = [line for line, _ in recorded.answers]
    for wanted in ("calibrate commit", "program commit", "resume", "stop", "stop for", "bolus", "refill", "clock set"):
        assert any(line.startswith(wanted) for line in lines), wanted
    assert all(answer[-1] == "ok" for _, answer in recorded.answers)
    assert len(recorded.points) > 150
    written = {name: any(point.page in pages for point in recorded.points) for name, pages in regions().items()}
    assert written == dict.fromkeys(written, True)


def regions() -> dict[str, range]:
    """Pages that a life must write to: the retired pages are not among them, as none wears out here."""
    return {
        "prescription": range(48),
        "calibration": range(48, 56),
        "ledger": range(64, 112),
        "boluses": range(112, 152),
        "counters": range(152, 160),
        "faults": range(164, 256),
        "ledger, copy": range(256, 304),
        "boluses, copy": range(304, 344),
        "counters, copy": range(344, 352),
        "events": range(356, 512),
    }


@pytest.mark.parametrize(
    ("part", "fewest"),
    [("singles", 1_500), ("metastable", 300), ("pulses", 3_000), ("pairs", 500), ("sampled", 2 * CASES)],
)
def test_no_cut_loses_anything(part: str, fewest: int, tmp_path: Path) -> None:
    result = whole.PARTS[part].run(settings(tmp_path), Silent())
    assert result.violations == []
    assert result.numbers[f"{part}_violations"] == 0
    assert result.numbers[f"{part}_cuts"] >= fewest


def test_a_start_is_bounded_work(tmp_path: Path) -> None:
    numbers = whole.PARTS["sampled"].run(settings(tmp_path, 300), Silent()).numbers
    assert 200 < numbers["sampled_recovery_reads_max"] < 512
    assert 2 < numbers["sampled_recovery_writes_max"] < 32
    assert 900 < numbers["sampled_recovery_ms_max"] < 2_100


def test_a_case_follows_from_seed_and_index_alone(recorded: Recorded) -> None:
    tallies = [Tally("sampled") for _ in range(3)]
    for tally, seed in zip(tallies, (5, 5, 6), strict=True):
        for index in range(20):
            sampled.try_case(tally, recorded, seed, index)
    assert tallies[0] == tallies[1]
    assert tallies[0] != tallies[2]


# -- broken on purpose ---------------------------------------------------------------------------------------------


def append_to_one_copy(self: Any, payload: bytes) -> None:
    self.sequence = mirror.following(self.sequence)
    self.copies[0].append(payload, self.sequence)
    self.condition = mirror.GOOD
    self.payload = payload


def take_unreserved(self: Any, steps: int) -> int:
    self.used += steps
    return steps


def reserve_too_much(self: Any, cascade: Any, pending: int, day: int, second: int) -> None:
    self._write(cascade.steps_in(60) * 3, cascade, day, second)


def commit_over_the_old(original: Callable[..., Any]) -> Callable[..., Any]:
    def commit(self: Any, payload: bytes) -> None:
        if self.condition == store.GOOD:
            self._void(self._slot)
        original(self, payload)

    return commit


def forget_the_number(original: Callable[..., Any]) -> Callable[..., Any]:
    def append(self: Any, payload: bytes, sequence: int = -1) -> None:
        original(self, payload, sequence if sequence < 3 else sequence & ~1)

    return append


def want_too_late(self: Any, cascade: Any, pending: int) -> bool:
    return self.used > self.reserved


SABOTAGE: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "records in one copy": ((mirror.Mirror, "append", append_to_one_copy),),
    "reserved after the step": (
        (ledger.Ledger, "take", take_unreserved),
        (ledger.Ledger, "wants_record", want_too_late),
    ),
    "three minutes reserved": ((ledger.Ledger, "reserve", reserve_too_much),),
    "the old record goes first": ((store.Store, "commit", commit_over_the_old(store.Store.commit)),),
    "numbers given twice": ((rings.Ring, "append", forget_the_number(rings.Ring.append)),),
    "an alarm at every start": ((startup, "_raise_alarms", lambda app, *_: app.alarms.raise_(0)),),
    "the clock moves pump time": ((ledger.Ledger, "pump_time", lambda self, day, second: day * 86_400 + second),),
    "a start that hangs": ((startup, "_count", lambda app, *_: app.board.sleep_ms(6_000)),),
}


@pytest.mark.parametrize("what", SABOTAGE)
def test_what_is_broken_on_purpose_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for target, name, broken in SABOTAGE[what]:
        monkeypatch.setattr(target, name, broken)
    assert violations() > 0


def test_the_same_short_life_is_sound_when_nothing_is_broken() -> None:
    assert violations() == 0


def violations() -> int:
    """Of the single cuts of a very short life, up to the first write that has any. One without any cut counts too."""
    steps = [
        lambda life: life.calibrate(),
        lambda life: life.program(LOW),
        lambda life: life.set_clock(180),
        lambda life: life.say("resume"),
        lambda life: life.run(130),
        lambda life: life.program({**LOW, "basal": "60 uL/day"}),
        lambda life: life.run(3),
    ]
    tally = Tally("singles")
    try:
        short = lead(steps=steps)
    except (Violation, ValueError):
        return 1
    for index in range(len(short.points)):
        cuts.try_singles(tally, short, index, 1, range(0, 65, 32))
        if tally.violated:
            break
    return tally.violated


# -- the command ---------------------------------------------------------------------------------------------------


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["thecal.powercut", "--reduced", "--jobs", "1", *words])
    return command.main()


def test_the_command_keeps_figures_and_finished_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, folder = tmp_path / "powercut.json", tmp_path / "kept"
    out.write_text('{"other": 1, "sampled_cuts": 0}')
    words = ["--parts", "sampled", "--ops", "40", "--out", str(out), "--folder", str(folder)]
    assert run(monkeypatch, *words) == 0
    figures = json.loads(out.read_text())
    assert figures["other"] == 1
    assert figures["sampled_cuts"] >= 80
    monkeypatch.setattr(whole, "try_case", lambda *_: pytest.fail("a finished package is run again"))
    assert run(monkeypatch, *words) == 0
    assert json.loads(out.read_text())["sampled_cuts"] == figures["sampled_cuts"]


def test_the_command_fails_when_something_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lose(tally: Tally, recorded: Recorded, seed: int, index: int) -> None:
        tally.violation(f"--replay {seed}:{index}", Violation("a step is missing"))

    monkeypatch.setattr(whole, "try_case", lose)
    words = ["--parts", "sampled", "--ops", "3", "--out", str(tmp_path / "o.json"), "--folder", str(tmp_path / "kept")]
    assert run(monkeypatch, *words) == 1
    said = capsys.readouterr().out
    assert "--replay 1:2: a step is missing" in said
    assert "3 violations" in said


def test_a_case_can_be_replayed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--replay", "1:7") == 0
    assert "0 violations" in capsys.readouterr().out
    for wrong in ("1", "a:2", "1:-2"):
        with pytest.raises(SystemExit) as stopped:
            run(monkeypatch, "--replay", wrong)
        assert stopped.value.code == 2


def test_results_of_packages_add_up() -> None:
    one = Tally("pairs", cuts=2, reads=10)
    other = Tally("pairs", cuts=3, reads=7)
    other.violation("here", Violation("lost"))
    total = PartResult()
    for tally in (one, other):
        total.add(tally.result())
    assert total.numbers["pairs_cuts"] == 5
    assert total.numbers["pairs_recovery_reads_max"] == 10
    assert total.numbers["pairs_violations"] == 1
    assert total.violations == ["here: lost"]


def test_an_operator_is_told_of_a_refusal() -> None:
    with pytest.raises(ValueError, match=r"resume: error: resume: there is no prescription"):
        Life().say("resume")
