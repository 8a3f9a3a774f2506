"""Which alarms are active: raising, ending, latching, priority, and the same one three times (F11; R30, R33)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import alarms
from firmware.alarms import ALARM_REPEATED, LOWEST, NO_BOLUS, STOP, TABLE, UNCHANGED, Alarms
from thecal.paths import ROOT

STOPS = [number for number, row in enumerate(TABLE) if row[2] == STOP and number != ALARM_REPEATED]
OTHERS = [number for number, row in enumerate(TABLE) if row[2] != STOP]
every_stop = pytest.mark.parametrize("alarm", STOPS, ids=lambda alarm: TABLE[alarm][0])
every_other = pytest.mark.parametrize("alarm", OTHERS, ids=lambda alarm: TABLE[alarm][0])


class Pump:
    """Alarms with a clock and a log."""

    def __init__(self) -> None:
        self.now = 0
        self.logged: list[tuple[str, int]] = []
        self.alarms = Alarms(self._log, lambda: self.now)

    def _log(self, code: str, **fields: Any) -> None:
        self.logged.append((code, fields["alarm"]))

    def active(self) -> set[str]:
        return set(alarms.codes(self.alarms.active))

    def comes_and_goes(self, alarm: int) -> None:
        """Raised, gone, cleared."""
        self.alarms.raise_(alarm)
        self.alarms.gone(alarm)
        self.alarms.clear()


def reset(pump: Pump) -> Pump:
    """The pump after a reset."""
    after = Pump()
    after.alarms.restore(pump.alarms.latched())
    return after


@pytest.mark.requirement("F11", "R30", "R32")
def test_the_table_is_that_of_the_document() -> None:
    """Code, priority, delivery, whether it survives a reset: docs/CONSOLE.md says it, row by row."""
    _, _, text = (ROOT / "docs" / "CONSOLE.md").read_text("utf-8").partition("\n## Alarms\n")
    rows = re.findall(
        r"^\| `(\w+)` \| (high|medium|low) \| (stops|no new bolus|lowest rate|unchanged)([^|]*)", text, re.MULTILINE
    )
    reactions = {"unchanged": UNCHANGED, "no new bolus": NO_BOLUS, "lowest rate": LOWEST, "stops": STOP}
    found = [(code, high, reactions[delivery], "survives resets" in rest) for code, high, delivery, rest in rows]
    assert found == list(TABLE)
    assert UNCHANGED < NO_BOLUS < LOWEST < STOP  # the strictest is the largest


@pytest.mark.requirement("F11", "I4")
def test_records_in_doubt_are_those_that_a_calibration_mends() -> None:
    mended = ["calibration_damaged", "ledger_damaged", "eeprom_format", "other_pump"]
    assert alarms.codes(alarms.RECORDS_IN_DOUBT) == mended
    assert alarms.RECORDS_IN_DOUBT.bit_length() <= len(TABLE)


@pytest.mark.requirement("F11", "R30")
def test_every_alarm_has_its_name_in_the_order_of_the_table() -> None:
    assert [getattr(alarms, row[0].upper()) for row in TABLE] == list(range(len(TABLE)))


@pytest.mark.requirement("F11")
def test_a_pump_begins_without_alarms() -> None:
    found = Pump().alarms
    assert (found.active, found.present, found.history, found.changed) == (0, 0, 0, False)
    assert (found.priority(), found.reaction(), found.latched(), found.take_fresh()) == (None, UNCHANGED, 0, False)


@pytest.mark.requirement("F11", "R30")
@pytest.mark.parametrize("alarm", range(len(TABLE)), ids=lambda alarm: TABLE[alarm][0])
def test_an_alarm_is_logged_once_when_it_comes_and_once_when_it_ends(alarm: int) -> None:
    pump = Pump()
    for _ in range(3):
        pump.alarms.raise_(alarm)
    assert pump.logged == [("alarm", alarm)]
    assert (pump.alarms.active, pump.alarms.history, pump.alarms.changed) == (1 << alarm, 1 << alarm, True)
    assert pump.alarms.clear(True) == [TABLE[alarm][0]]
    pump.alarms.changed = False
    pump.alarms.gone(alarm)
    assert pump.alarms.clear(True) == []
    pump.alarms.gone(alarm)
    assert pump.logged == [("alarm", alarm), ("alarm_end", alarm)]
    assert (pump.alarms.active, pump.alarms.history, pump.alarms.changed) == (0, 1 << alarm, True)


@pytest.mark.requirement("F11", "R33")
@every_stop
@pytest.mark.parametrize(
    ("second", "third", "repeated"), [(0, 0, True), (1, 600, True), (600, 600, True), (1, 601, False)]
)
def test_a_stop_alarm_raised_the_third_time_within_600_s_latches(
    alarm: int, second: int, third: int, repeated: bool
) -> None:
    pump = Pump()
    for at in (0, second):
        pump.now = 7 + at
        pump.comes_and_goes(alarm)
        assert pump.active() == set()
    pump.now = 7 + third
    pump.alarms.raise_(alarm)
    assert pump.active() == {TABLE[alarm][0]} | ({"alarm_repeated"} if repeated else set())
    assert pump.logged.count(("alarm", ALARM_REPEATED)) == repeated
    pump.alarms.gone(alarm)
    assert pump.alarms.clear() == (["alarm_repeated"] if repeated else [])
    assert pump.alarms.reaction() == (STOP if repeated else alarms.UNCHANGED)
    assert reset(reset(pump)).active() == pump.active()
    assert pump.alarms.clear(True) == []
    assert pump.active() == set()


@pytest.mark.requirement("F11", "R33")
def test_only_clear_repeated_ends_it_and_counting_begins_anew() -> None:
    pump = Pump()
    stall = alarms.STALL
    for _ in range(3):
        pump.comes_and_goes(stall)
    for _ in range(5):  # the loop that nobody is to go round blindly
        pump.comes_and_goes(stall)
        assert pump.active() == {"alarm_repeated"}
    pump.alarms.clear(True)
    for count in (1, 2):
        pump.comes_and_goes(stall)
        assert pump.active() == set(), count
    pump.alarms.raise_(stall)
    assert pump.active() == {"stall", "alarm_repeated"}
    assert pump.alarms.clear(True) == ["stall"]  # one whose cause is there stays


@pytest.mark.requirement("F11", "R33")
def test_different_alarms_and_a_cause_that_flutters_are_no_repetition() -> None:
    pump = Pump()
    for alarm in STOPS * 2:
        pump.comes_and_goes(alarm)
    assert pump.active() == set()
    pump = Pump()
    for _ in range(10):
        pump.alarms.raise_(alarms.STALL)
        pump.alarms.gone(alarms.STALL)
    assert pump.active() == {"stall"}


@pytest.mark.requirement("F11", "R33")
@every_other
def test_an_alarm_that_does_not_stop_delivery_may_repeat(alarm: int) -> None:
    pump = Pump()
    for _ in range(10):
        pump.alarms.raise_(alarm)
        pump.alarms.gone(alarm)
    assert pump.active() == set()


@pytest.mark.requirement("F11", "R33")
@every_stop
def test_a_reset_forgets_the_raisings_but_counts_what_it_finds_active(alarm: int) -> None:
    pump = Pump()
    for _ in range(2):
        pump.comes_and_goes(alarm)
    pump = reset(pump)
    pump.alarms.raise_(alarm)
    assert "alarm_repeated" not in pump.active()
    if not TABLE[alarm][3]:
        return
    pump = reset(pump)
    pump.alarms.clear()
    pump.comes_and_goes(alarm)
    assert pump.active() == set()
    pump.alarms.raise_(alarm)
    assert pump.active() == {TABLE[alarm][0], "alarm_repeated"}


@pytest.mark.requirement("F11", "R33")
@given(st.lists(st.tuples(st.sampled_from(STOPS[:3]), st.integers(0, 400)), max_size=30))
def test_it_is_raised_exactly_when_three_raisings_lie_within_600_s(story: list[tuple[int, int]]) -> None:
    pump = Pump()
    times: dict[int, list[int]] = {}
    for alarm, after in story:
        pump.now += after
        times.setdefault(alarm, []).append(pump.now)
        pump.comes_and_goes(alarm)
        expected = any(
            third - first <= 600 for raised in times.values() for first, third in zip(raised, raised[2:], strict=False)
        )
        assert (pump.active() == {"alarm_repeated"}) == expected
        if expected:
            pump.alarms.clear(True)
            times.clear()


@pytest.mark.requirement("F11", "R32")
@pytest.mark.parametrize("alarm", range(len(TABLE)), ids=lambda alarm: TABLE[alarm][0])
def test_an_alarm_alone_has_its_own_priority_reaction_and_latch(alarm: int) -> None:
    found = Pump().alarms
    found.raise_(alarm)
    code, priority, reaction, latched = TABLE[alarm]
    assert (found.priority(), found.reaction()) == (priority, reaction)
    assert alarms.codes(found.latched()) == ([code] if latched else [])
    assert found.foremost() == alarm


@pytest.mark.requirement("F11")
@given(st.integers(0, (1 << len(TABLE)) - 1))
def test_priority_reaction_and_latches_are_those_of_the_table(mask: int) -> None:
    pump = Pump()
    rows = [row for alarm, row in enumerate(TABLE) if mask & 1 << alarm]
    for alarm in range(len(TABLE)):
        if mask & 1 << alarm:
            pump.alarms.raise_(alarm)
    priorities = {row[1] for row in rows}
    first = next((name for name in ("high", "medium", "low") if name in priorities), None)
    assert pump.alarms.priority() == first
    assert pump.alarms.reaction() == max((row[2] for row in rows), default=alarms.UNCHANGED)
    latched = alarms.codes(pump.alarms.latched())
    assert latched == [row[0] for row in rows if row[3]]
    after = reset(pump)
    assert alarms.codes(after.alarms.active) == alarms.codes(after.alarms.history) == latched
    assert alarms.codes(after.alarms.present) == [row[0] for row in rows if row[3] and row[2] != STOP]
    assert after.alarms.clear(True) == alarms.codes(after.alarms.present)
    if first is None:
        with pytest.raises(ValueError, match="no alarm is active"):
            pump.alarms.foremost()
    else:
        assert TABLE[pump.alarms.foremost()][0] == next(row[0] for row in rows if row[1] == first)


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("alarm", range(len(TABLE)), ids=lambda alarm: TABLE[alarm][0])
def test_what_sounds_is_fresh_once_and_again_after_a_reset_that_it_survives(alarm: int) -> None:
    pump = Pump()
    assert not pump.alarms.take_fresh()
    pump.alarms.raise_(alarm)
    sounds = TABLE[alarm][1] != "low"
    assert pump.alarms.take_fresh() == sounds
    pump.alarms.raise_(alarm)
    assert not pump.alarms.take_fresh()
    after = reset(pump)
    assert after.alarms.take_fresh() == (sounds and TABLE[alarm][3])
    pump.alarms.gone(alarm)
    pump.alarms.clear(True)
    pump.alarms.raise_(alarm)
    pump.alarms.gone(alarm)
    pump.alarms.clear(True)
    assert not pump.alarms.take_fresh()  # it has ended meanwhile
