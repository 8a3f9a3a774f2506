"""The self-test: whichever part fails, nothing is infused, and the log says which (F11; R25, R26; invariant 8)."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import at24c256
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import S, continuous, scenario

from firmware import image, layout, selftest
from firmware.app import App
from firmware.records import Records
from firmware.startup import start as started
from thecal.models import pins
from thecal.models.bench import Bench
from thecal.outputs import LoggedEvent
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

RX = continuous("1 mL/day")
Patch = pytest.MonkeyPatch
Break = Callable[[Bench, Patch], None]


class StuckBit(bytearray):
    """RAM with a bit that is always 1."""

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value | 0x10 if index == len(self) - 3 else value)


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


def attribute(*path: str, value: Any) -> Break:
    """Something on the bench is as it must not be."""

    def broken(bench: Bench, patch: Patch) -> None:
        thing: Any = bench
        for name in path[:-1]:
            thing = getattr(thing, name)
        setattr(thing, path[-1], value)

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
    "watchdog": ("watchdog", attribute("broken", "watchdog_off", value=True)),
    "DRIVE stuck high": ("outputs", attribute("broken", "pins", value={pins.DRIVE: True})),
    "STEP stuck high": ("outputs", attribute("broken", "pins", value={pins.STEP: True})),
    "buzzer": ("buzzer", attribute("broken", "pwm", value=True)),
    "button": ("button", attribute("sensors", "dose_button", value=True)),
    "battery": ("battery", attribute("sensors", "battery_mv", value=2_950)),
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


def named(events: list[LoggedEvent]) -> list[Any]:
    return [event.details["test"] for event in events if event.code == "self_test"]


def run(duration: str, *events: dict[str, Any], before: Callable[[Twin], None] = lambda twin: None) -> Result:
    plan = scenario(RX, duration, *events)
    twin = Twin(make_bench(plan))
    before(twin)
    try:
        return simulate(plan, twin)
    finally:
        twin.close()


LINES = (
    {"at": "20 s", "do": "command", "line": "clear"},
    {"at": "21 s", "do": "command", "line": "resume"},
)


@pytest.mark.requirement("F11", "I8", "R25")
@pytest.mark.parametrize("part", BROKEN)
def test_whichever_part_fails_at_the_start_nothing_flows_and_the_log_names_it(
    part: str, monkeypatch: pytest.MonkeyPatch
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


def later(change: Callable[[App], None], patch: Patch) -> Callable[[Twin], None]:
    """At 30.2 s something in the RAM of the running pump changes."""
    made: list[App] = []

    def startup(app: App) -> None:
        made.append(app)
        started(app)

    def before(twin: Twin) -> None:
        patch.setattr("firmware.startup.start", startup)
        twin.at(30 * S + S // 5, lambda: change(made[-1]))

    return before


def worn(app: App) -> None:
    app.selftest.buffer = StuckBit(len(app.selftest.buffer))


def course(app: App) -> None:
    app.dosing.schedule._rates[0] ^= 1 << 4


def base(app: App) -> None:
    app.dosing.schedule.base ^= 1


def basal(app: App) -> None:
    assert app.records.prescription is not None
    app.records.prescription.basal ^= 1 << 18


def bridge(app: App) -> None:
    assert app.records.prescription is not None
    app.records.prescription.course.bridge_rate = 1


def step(app: App) -> None:
    app.cascade.pl_per_step ^= 1 << 4


LATER: dict[str, tuple[str, Callable[[App], None], int]] = {
    "ram": ("ram", worn, 330),
    "schedule": ("schedule", course, 25),
    "schedule, its base": ("schedule", base, 25),
    "prescription": ("prescription", basal, 25),
    "prescription, its course": ("prescription", bridge, 25),
    "calibration": ("calibration", step, 25),
}


@pytest.mark.requirement("F11", "I8", "R26")
@pytest.mark.parametrize("part", LATER)
def test_what_goes_wrong_in_ram_while_the_pump_runs_stops_it(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, change, within_s = LATER[part]
    result = run("400 s", before=later(change, monkeypatch))
    assert named(result.events) == [name]
    assert result.summary.state == "safe"
    assert result.summary.alarms_active == ["self_test_failed"]
    (alarm,) = [event for event in result.events if event.code == "alarm"]
    assert 30 * S < alarm.t_ns <= (30 + within_s) * S
    assert not [t for t in result.step_times_ns if t > alarm.t_ns + S]


@pytest.mark.requirement("F11", "I8", "R26")
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("watchdog", attribute("broken", "watchdog_off", value=True)),
        ("outputs", attribute("broken", "pins", value={pins.DRIVE: False})),
    ],
)
def test_outputs_and_watchdog_are_read_back_every_five_seconds(
    name: str, broken: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    def before(twin: Twin) -> None:
        twin.at(30 * S, lambda: broken(twin.bench, monkeypatch))

    result = run("60 s", before=before)
    assert named(result.events) == [name]
    (alarm,) = [event for event in result.events if event.code == "alarm"]
    assert 30 * S < alarm.t_ns <= 36 * S
    assert result.summary.state == "safe"


@pytest.mark.requirement("F11", "R26")
def test_a_healthy_pump_passes_for_hours_through_every_kind_of_change() -> None:
    lines = ["stop", "resume", "bolus 5 uL over 1 min", "clock set 2026-03-02T02:00:00", "stop for 5 min", "prime"]
    events = [
        {"at": f"{600 * n + 300} s", "do": "command", "line": text} for n, text in enumerate(["stop", *lines[1:]])
    ]
    program = {"at": "2 h", "do": "program", "prescription": continuous("2 mL/day")}
    result = run("4 h", *events, program)
    assert named(result.events) == []
    assert "self_test_failed" not in result.summary.alarms_history


# -- its parts alone ------------------------------------------------------------------------------------------


class Coupled(bytearray):
    """RAM in which writing one byte changes a bit of another."""

    writer = victim = 0

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        if index == self.writer:
            super().__setitem__(self.victim, self[self.victim] ^ 0x04)


class Aliased(bytearray):
    """RAM in which two addresses are one cell."""

    one = other = 0

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(self.other if index == self.one else index, value)

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(self.other if index == self.one else index)


@pytest.mark.requirement("F11", "R25")
@given(st.integers(0, 255), st.integers(0, 7), st.booleans())
def test_a_stuck_bit_is_found(place: int, bit: int, high: bool) -> None:
    class Stuck(bytearray):
        def __setitem__(self, index: Any, value: Any) -> None:
            if index == place:
                value = value | 1 << bit if high else value & ~(1 << bit)
            super().__setitem__(index, value)

    assert not selftest.march(Stuck(256), 0, 256)
    assert selftest.march(bytearray(256), 0, 256)


@pytest.mark.requirement("F11", "R25")
@given(st.integers(0, 255), st.integers(0, 255))
def test_coupled_and_aliased_cells_are_found(one: int, other: int) -> None:
    if one == other:
        return
    coupled, aliased = Coupled(256), Aliased(256)
    coupled.writer, coupled.victim = one, other
    aliased.one, aliased.other = one, other
    assert not selftest.march(coupled, 0, 256)
    assert not selftest.march(aliased, 0, 256)


@pytest.mark.requirement("F14", "R26")
def test_every_byte_of_the_image_is_hashed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.py": b"x" * 1_300, "lib/b.mpy": bytes(range(256)) * 4, "c": b""}
    (tmp_path / "lib").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    digests = {name: sha256(content).hexdigest() for name, content in files.items()}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": digests}))
    monkeypatch.setattr(image, "root", f"{tmp_path}/")
    turns = (3 + 1) + (2 + 1) + 1
    again = selftest._Image()
    assert all(again.work() for _ in range(3 * turns))
    for name, content in files.items():
        for at in range(0, len(content), 97):
            flipped = bytearray(content)
            flipped[at] ^= 0x20
            (tmp_path / name).write_bytes(flipped)
            again = selftest._Image()
            results = [again.work() for _ in range(turns)]
            assert results.count(False) == 1, (name, at)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "c").unlink()
    again = selftest._Image()
    assert not all(again.work() for _ in range(turns))


@pytest.mark.requirement("F11", "R26")
def test_an_image_that_rots_stops_the_pump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"as flashed")
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"a": sha256(b"as flashed").hexdigest()}}))
    monkeypatch.setattr(image, "root", f"{tmp_path}/")

    def rots() -> None:
        (tmp_path / "a").write_bytes(b"As flashed")

    result = run("120 s", before=lambda twin: twin.at(60 * S, rots))
    assert named(result.events) == ["image"]
    (alarm,) = [event for event in result.events if event.code == "alarm"]
    assert 60 * S < alarm.t_ns <= 100 * S


@pytest.mark.requirement("F11", "R25")
def test_a_cell_that_forgets_at_the_last_is_found() -> None:
    class Last(bytearray):
        """Loses what it was given in the last of the passes only."""

        writes = 0

        def __setitem__(self, index: Any, value: Any) -> None:
            self.writes += index == 7
            super().__setitem__(index, value ^ 1 if index == 7 and self.writes == 5 else value)

    assert not selftest.march(Last(32), 0, 32)


@pytest.mark.requirement("F5", "F7", "F11", "R26")
def test_a_course_that_the_eeprom_refuses_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial has ended in RAM and its record cannot say so yet: the therapy itself is still compared."""
    made: list[App] = []

    def startup(app: App) -> None:
        made.append(app)
        started(app)

    def unsaved() -> None:
        rx = made[-1].records.prescription
        assert rx is not None
        rx.course = rx.course.copy()
        rx.course.bridge_end = 1
        made[-1].courses.unsaved = rx
        made[-1].courses._wait = 1 << 20

    def flips() -> None:
        basal(made[-1])

    def before(twin: Twin) -> None:
        monkeypatch.setattr("firmware.startup.start", startup)
        twin.at(20 * S, unsaved)

    assert named(run("100 s", before=before).events) == []

    def then(twin: Twin) -> None:
        before(twin)
        twin.at(40 * S, flips)

    assert named(run("100 s", before=then).events) == ["prescription"]


@pytest.mark.requirement("F11", "R26")
def test_a_pump_without_prescription_or_calibration_has_nothing_to_compare() -> None:
    bench = make_bench(scenario(RX, "1 min"))
    bench.eeprom.load(b"\xff" * 32_768)
    twin = Twin(bench)
    output = bytearray()
    twin.on_console = output.extend
    twin.at(50 * S, lambda: twin.send(b"status\r"))
    twin.run(52 * S)
    twin.close()
    assert b"self_test: passed\r\n" in output
