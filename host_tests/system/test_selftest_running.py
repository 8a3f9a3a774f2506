"""The self-test while the pump runs: what goes wrong stops it, and nothing else does (F11; R26; invariant 8)."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from selftest_rig import RX, Break, Patch, StuckBit, attribute, named, run
from support import S, continuous, scenario

from firmware import image
from firmware.app import App
from firmware.startup import start as started
from thecal.models import pins
from thecal.sim import make_bench
from thecal.twin.twin import Twin


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


def tubing(app: App) -> None:
    assert app.records.calibration is not None
    app.records.calibration.tubing_nl ^= 1 << 4


def step(app: App) -> None:
    app.cascade.pl_per_step ^= 1 << 4


LATER: dict[str, tuple[str, Callable[[App], None], int]] = {
    "ram": ("ram", worn, 330),
    "schedule": ("schedule", course, 25),
    "schedule, its base": ("schedule", base, 25),
    "prescription": ("prescription", basal, 25),
    "prescription, its course": ("prescription", bridge, 25),
    "calibration": ("calibration", tubing, 25),
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


@pytest.mark.requirement("F11", "I8", "R18", "R26")
def test_the_volume_of_a_step_is_the_guards_too_and_the_self_test_finds_it_all_the_same(
    monkeypatch: pytest.MonkeyPatch, guard_trips: list[str]
) -> None:
    result = run("100 s", before=later(step, monkeypatch))
    assert guard_trips == ["books"]
    guard_trips.clear()
    assert named(result.events) == ["calibration"]
    assert sorted(result.summary.alarms_active) == ["guard", "self_test_failed"]
    first, second = [event.t_ns for event in result.events if event.code == "alarm"]
    assert 30 * S < first <= 32 * S
    assert second <= 55 * S
    assert not [t for t in result.step_times_ns if t > first]


@pytest.mark.requirement("F11", "I8", "R26")
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("watchdog", attribute("broken", "watchdog_off", value=True)),
        ("outputs", attribute("broken", "pins", value={pins.DRIVE: False})),
        ("outputs", attribute("broken", "pins", value={pins.DIR: True})),
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


@pytest.mark.requirement("F11", "I8", "R26")
@pytest.mark.parametrize("held", [("dose_button", True, False), ("battery_mv", 2_900, 3_900)])
@pytest.mark.parametrize("part", [*LATER, "watchdog", "outputs"])
def test_what_goes_wrong_while_button_or_battery_has_failed_is_found_too(
    part: str, held: tuple[str, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And stays when they are well again."""
    name, value, well = held

    def before(twin: Twin) -> None:
        setattr(twin.bench.sensors, name, value)
        if part in LATER:
            later(LATER[part][1], monkeypatch)(twin)
        else:
            broken = {"watchdog": ("watchdog_off", True), "outputs": ("pins", {pins.DRIVE: True})}[part]
            twin.at(30 * S, lambda: setattr(twin.bench.broken, *broken))
        twin.at(380 * S, lambda: setattr(twin.bench.sensors, name, well))

    lines = ({"at": f"{at} s", "do": "command", "line": "clear"} for at in (25, 395))
    result = run("400 s", *lines, before=before)
    assert named(result.events) == [
        {"dose_button": "button", "battery_mv": "battery"}[name],
        part if part not in LATER else LATER[part][0],
    ]
    first, second = [event.t_ns for event in result.events if event.code == "self_test"]
    assert first < 5 * S
    assert 30 * S < second <= (30 + (LATER[part][2] if part in LATER else 6)) * S
    assert "self_test_failed" in result.summary.alarms_active
    assert result.summary.steps == 0


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


@pytest.mark.requirement("F11", "R26")
@pytest.mark.parametrize("first", [[], ["battery"]])
def test_an_image_that_rots_stops_the_pump(first: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or is found in a pump that stands, as its battery has failed the test at the start."""
    (tmp_path / "a").write_bytes(b"as flashed")
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"a": sha256(b"as flashed").hexdigest()}}))
    monkeypatch.setattr(image, "root", f"{tmp_path}/")

    def rots() -> None:
        (tmp_path / "a").write_bytes(b"As flashed")

    def before(twin: Twin) -> None:
        twin.bench.sensors.battery_mv = 2_900 if first else 3_900
        twin.at(60 * S, rots)

    result = run("120 s", before=before)
    assert named(result.events) == [*first, "image"]
    found = [event for event in result.events if event.code == "self_test"][-1]
    assert 60 * S < found.t_ns <= 100 * S
    assert result.summary.alarms_active == ["self_test_failed"]
    assert result.summary.state == "safe"


@pytest.mark.requirement("F5", "F7", "F11", "R26")
def test_a_course_that_the_eeprom_refuses_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial has ended in RAM and its record cannot say so yet: therapy and course are still compared."""
    made: list[App] = []

    def startup(app: App) -> None:
        made.append(app)
        started(app)

    def unsaved() -> None:
        rx = made[-1].records.prescription
        assert rx is not None
        course = rx.course.copy()
        course.bridge_end = 1
        made[-1].courses._store_later(course)
        made[-1].courses._wait = 1 << 20

    def before(twin: Twin) -> None:
        monkeypatch.setattr("firmware.startup.start", startup)
        twin.at(20 * S, unsaved)

    assert named(run("100 s", before=before).events) == []

    def flip() -> None:
        rx = made[-1].records.prescription
        assert rx is not None
        rx.course.bridge_end ^= 1 << 20

    for damage in (lambda: basal(made[-1]), flip):

        def then(twin: Twin, damage: Callable[[], None] = damage) -> None:
            before(twin)
            twin.at(40 * S, damage)

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
