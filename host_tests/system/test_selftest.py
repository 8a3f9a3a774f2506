"""The self-test at the start: whichever part fails, nothing is infused, and the log says which (F11; R25; I8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import at24c256
import pytest
from selftest_rig import LINES, Break, Patch, StuckBit, attribute, named, run
from support import S

from firmware import layout, selftest
from firmware.app import App
from firmware.records import Records
from thecal.models import pins
from thecal.models.bench import Bench
from thecal.twin.twin import Twin


def loaded(change: Callable[[Records], None]) -> Break:
    """A bit flips between the reading of the records and their use."""

    def broken(bench: Bench, patch: Patch) -> None:
        kept = Records.load

        def load(self: Records) -> Any:
            found = kept(self)
            if self.prescription is not None:
                change(self)
            return found

        patch.setattr(Records, "load", load)

    return broken


def unreadable(page: int) -> Break:
    """One page of the EEPROM cannot be read."""

    def broken(bench: Bench, patch: Patch) -> None:
        kept = at24c256.AT24C256.read_into

        def read_into(self: Any, address: int, buffer: Any) -> None:
            if address <= page * 64 < address + len(buffer):
                raise OSError(5)
            kept(self, address, buffer)

        patch.setattr(at24c256.AT24C256, "read_into", read_into)

    return broken


def unreadable_since(page: int) -> Break:
    """It could be read when the records were loaded, and cannot since."""

    def broken(bench: Bench, patch: Patch) -> None:
        kept = Records.load

        def load(self: Records) -> Any:
            found = kept(self)
            unreadable(page)(bench, patch)
            return found

        patch.setattr(Records, "load", load)

    return broken


def flipped(field: str, bit: int = 0) -> Break:
    def change(records: Records) -> None:
        setattr(records.prescription, field, getattr(records.prescription, field) ^ 1 << bit)

    return loaded(change)


def calibrated(field: str, bit: int = 0) -> Break:
    def change(records: Records) -> None:
        setattr(records.calibration, field, getattr(records.calibration, field) ^ 1 << bit)

    return loaded(change)


def scaled(records: Records) -> None:
    records.cascade.pl_per_step ^= 1


def scaled_ledger(records: Records) -> None:
    records.ledger.pl_per_step ^= 1


def huge(records: Records) -> None:
    assert records.prescription is not None
    records.prescription.basal = -1  # cannot even be packed


def huge_calibration(records: Records) -> None:
    assert records.calibration is not None
    records.calibration.max_rate = -1


BROKEN: dict[str, tuple[str, Break]] = {
    "ram": ("ram", lambda bench, patch: patch.setattr(selftest, "bytearray", StuckBit, raising=False)),
    "eeprom: first page of the events": ("eeprom", unreadable(layout.EVENTS_FIRST)),
    "eeprom: last page": ("eeprom", unreadable(layout.EVENTS_FIRST + layout.EVENTS_PAGES - 1)),
    "eeprom: faults": ("eeprom", unreadable(layout.FAULTS_FIRST)),
    "eeprom: diary": ("eeprom", unreadable(layout.DIARY_FIRST)),
    **{
        f"eeprom: {name}": ("eeprom", unreadable_since(page))
        for name, page in (
            ("prescription", layout.PRESCRIPTION_FIRST),
            ("calibration", layout.CALIBRATION_FIRST),
            ("ledger", layout.LEDGER_FIRSTS[0]),
            ("ledger, second copy", layout.LEDGER_FIRSTS[1]),
            ("counters", layout.COUNTERS_FIRSTS[0]),
            ("counters, second copy", layout.COUNTERS_FIRSTS[1]),
        )
    },
    "watchdog": ("watchdog", attribute("broken", "watchdog_off", value=True)),
    "DRIVE stuck high": ("outputs", attribute("broken", "pins", value={pins.DRIVE: True})),
    "DIR stuck high": ("outputs", attribute("broken", "pins", value={pins.DIR: True})),
    "STEP stuck high": ("outputs", attribute("broken", "pins", value={pins.STEP: True})),
    "buzzer": ("buzzer", attribute("broken", "pwm", value=True)),
    "button": ("button", attribute("sensors", "dose_button", value=True)),
    "battery": ("battery", attribute("sensors", "battery_mv", value=2_990)),
    "prescription: basal": ("prescription", flipped("basal")),
    "prescription: basal, high bit": ("prescription", flipped("basal", 20)),
    "prescription: limit": ("prescription", flipped("max_per_day", 30)),
    "prescription: mode": ("prescription", flipped("mode")),
    "prescription: not to be packed": ("prescription", loaded(huge)),
    "calibration: rate": ("calibration", calibrated("max_rate")),
    "calibration: step": ("calibration", calibrated("pl_per_step", 3)),
    "calibration: step of the dose": ("calibration", loaded(scaled)),
    "calibration: step of the ledger": ("calibration", loaded(scaled_ledger)),
    "calibration: not to be packed": ("calibration", loaded(huge_calibration)),
}
# What the guard finds by itself beside that: at the start, and once more after `clear`, when it begins anew.
GUARD = {
    "DRIVE stuck high": ["start"],
    "STEP stuck high": ["start"],
    "calibration: step of the dose": ["books", "books"],
    "calibration: step of the ledger": ["books", "books"],
}


@pytest.mark.requirement("F11", "I8", "R25")
@pytest.mark.parametrize("part", BROKEN)
def test_whichever_part_fails_at_the_start_nothing_flows_and_the_log_names_it(
    part: str, monkeypatch: pytest.MonkeyPatch, guard_trips: list[str]
) -> None:
    """Not even after `clear` and `resume`, as the cause is still there."""
    name, broken = BROKEN[part]

    def before(twin: Twin) -> None:
        broken(twin.bench, monkeypatch)

    result = run("40 s", *LINES, {"at": "30 s", "do": "command", "line": "status"}, before=before)
    if name == "eeprom":  # of which the log is a part
        assert f"self_test: {name}\r\n".encode() in result.console
    else:
        assert named(result.events) == [name]
    assert result.summary.steps == 0
    assert result.summary.step_pulses == 0
    assert "self_test_failed" in result.summary.alarms_active
    assert result.summary.state == "safe"
    assert guard_trips == GUARD.get(part, [])
    guard_trips.clear()


@pytest.mark.requirement("F11", "R25")
def test_what_passes_again_after_a_power_cut_needs_clear_and_resume() -> None:
    def before(twin: Twin) -> None:
        twin.bench.broken.pwm = True
        twin.at(10 * S, lambda: setattr(twin.bench.broken, "pwm", False))

    cut = {"at": "10 s", "do": "power_cut", "for": "2 s"}
    stays = run("40 s", cut, before=before)
    assert (stays.summary.steps, stays.summary.alarms_active) == (0, ["self_test_failed"])
    result = run("60 s", cut, *LINES, before=before)
    assert named(result.events) == ["buzzer"]
    assert result.summary.alarms_active == []
    assert result.step_times_ns[0] > 21 * S


@pytest.mark.requirement("F11", "R25", "R38")
@pytest.mark.parametrize(("name", "value", "well"), [("dose_button", True, False), ("battery_mv", 2_900, 3_900)])
def test_button_and_battery_are_looked_at_again_while_the_pump_runs(name: str, value: Any, well: Any) -> None:
    def before(twin: Twin) -> None:
        setattr(twin.bench.sensors, name, value)
        twin.at(10 * S, lambda: setattr(twin.bench.sensors, name, well))

    result = run("60 s", *LINES, before=before)
    assert result.summary.alarms_active == []
    assert result.step_times_ns[0] > 21 * S


@pytest.mark.requirement("F11", "I8", "R25")
@pytest.mark.parametrize("later", ["prescription: basal", "calibration: rate"])
@pytest.mark.parametrize("first", ["button", "battery"])
def test_button_and_battery_hide_nothing_that_is_tested_after_them(
    first: str, later: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what fails beside them does not go when they are well again."""

    def before(twin: Twin) -> None:
        for part in (first, later):
            BROKEN[part][1](twin.bench, monkeypatch)
        twin.at(10 * S, lambda: setattr(twin.bench.sensors, "dose_button", False))
        twin.at(10 * S, lambda: setattr(twin.bench.sensors, "battery_mv", 3_900))

    result = run("40 s", *LINES, before=before)
    assert named(result.events) == [first, BROKEN[later][0]]
    assert result.summary.alarms_active == ["self_test_failed"]
    assert result.summary.steps == 0


@pytest.mark.requirement("F11", "I8", "R25", "R38")
@pytest.mark.parametrize("well", [("dose_button",), ("battery_mv",), ("dose_button", "battery_mv")])
def test_with_button_and_battery_both_must_be_well_again(well: tuple[str, ...]) -> None:
    def before(twin: Twin) -> None:
        sensors = twin.bench.sensors
        sensors.dose_button, sensors.battery_mv = True, 2_900
        for name in well:
            twin.at(10 * S, lambda name=name: setattr(sensors, name, False if name == "dose_button" else 3_900))

    result = run("40 s", *LINES, before=before)
    assert named(result.events) == ["button", "battery"]
    assert result.summary.alarms_active == ([] if len(well) == 2 else ["self_test_failed"])
    assert (result.summary.steps > 0) == (len(well) == 2)


@pytest.mark.requirement("F11", "R25")
def test_every_test_has_passed_before_drive_goes_high(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def before(twin: Twin) -> None:
        motor = twin.bench.motor
        kept = selftest.SelfTest.start

        def start(self: Any, bites: bool) -> None:
            assert not motor.drive
            kept(self, bites)
            assert not motor.drive
            seen.append("tested")

        monkeypatch.setattr(selftest.SelfTest, "start", start)

    result = run("20 s", before=before)
    assert seen == ["tested"]
    assert result.summary.steps > 0


@pytest.mark.requirement("F11", "I8", "R25")
@pytest.mark.parametrize("cause", ["power_on", "watchdog", "exception"])
def test_the_self_test_is_run_at_every_start_whatever_has_caused_it(
    cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pump that dosed, and a button that is held since."""
    kept = App._keep

    def fails(self: App, late: int) -> int:
        if self.board.reset_cause == 0 and self._executive.number == 20:
            raise ValueError
        return kept(self, late)

    events = {
        "power_on": [{"at": "21 s", "do": "power_cut", "for": "1 s"}],
        "watchdog": [{"at": "21 s", "do": "hang"}],
    }.get(cause, [])
    if cause == "exception":
        monkeypatch.setattr(App, "_keep", fails)

    def before(twin: Twin) -> None:
        twin.at(20 * S, lambda: setattr(twin.bench.sensors, "dose_button", True))

    result = run("60 s", *events, before=before)
    assert [event.details["cause"] for event in result.events if event.code == "boot"] == ["power_on", cause]
    assert named(result.events) == ["button"]
    assert "self_test_failed" in result.summary.alarms_active
    assert [t for t in result.step_times_ns if t < 20 * S]
    assert not [t for t in result.step_times_ns if t > 28 * S]
