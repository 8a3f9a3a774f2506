"""A wrong bit of the prescription in RAM ends no bridge and no trial, and is never stored (F11; R17, R18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from course_rig import App, device_rx
from guard_rig import Pump
from pump_rig import prescription

from firmware.alarms import GUARD, SELF_TEST_FAILED
from firmware.prescription import STOPPED
from firmware.selftest import PRESCRIPTION
from thecal.prescription import stage_lines
from thecal.programming import pack

pytestmark = pytest.mark.requirement("F5", "F7", "F11", "I4", "R17", "R18")

HOUR = 3_600
TRIAL = {"basal": "6 mL/day"}
MORPHINE = {"drug": "morphine", "concentration": "1 mg/mL", "basal": "10 mL/day"}


def in_force(app: App) -> Any:
    return app.records.prescription


def flip(name: str, bit: int) -> Callable[[App], None]:
    """One bit of a variable of the course in force."""

    def strike(app: App) -> None:
        course = in_force(app).course
        setattr(course, name, getattr(course, name) ^ 1 << bit)

    return strike


def basal(app: App) -> None:
    in_force(app).basal ^= 1 << 20


def frames(app: App, number: int) -> None:
    for _ in range(number):
        app.courses.keep()


def nothing_kept(app: App, payload: bytes | None, rate: int) -> None:
    """The record is as it was, what flows too, and the pump says that its prescription is damaged."""
    assert app.records.prescriptions.payload == payload
    assert app.rate() == rate
    assert app.selftest.failed == PRESCRIPTION
    assert app.alarms.active >> SELF_TEST_FAILED & 1
    assert not set(app.codes()) & {"trial_end", "bridge_end"}


@pytest.mark.parametrize("bit", range(31))
@pytest.mark.parametrize("name", ["trial_s", "bridge_nl"])
def test_a_course_that_a_wrong_bit_has_made_does_not_end(name: str, bit: int) -> None:
    app = App()
    rx = device_rx()
    rx.mode, rx.basal = STOPPED, 0
    app.commit(rx)
    app.events.clear()
    payload = app.records.prescriptions.payload
    flip(name, bit)(app)
    app.courses.keep()
    if app.selftest.failed < 0:
        assert app.courses.bridge_left_nl() or app.courses.trials.left_s()  # it has not ended either
        assert not app.selftest._prescription()  # and is found in its turn
    else:
        nothing_kept(app, payload, 0)
    app.restart()
    assert app.rate() == 0


@pytest.mark.parametrize("bit", range(31))
@pytest.mark.parametrize("name", ["bridge_end", "bridge_nl", "trial_s", "trial_start"])
def test_bridge_and_trial_do_not_end_by_a_wrong_bit(name: str, bit: int) -> None:
    app = App()
    app.commit(device_rx(**MORPHINE), (400 * HOUR // 2, 0))
    app.pass_time(HOUR)
    app.deliver(1_000)
    app.events.clear()
    payload = app.records.prescriptions.payload
    flip(name, bit)(app)
    app.courses.keep()
    if app.selftest.failed < 0:
        assert not app.selftest._prescription()
        assert app.records.prescriptions.payload == payload
        assert app.events == []
    else:
        nothing_kept(app, payload, 1_000_000)


@pytest.mark.parametrize("strike", [flip("bridge_end", 20), flip("trial_s", 0), flip("afterwards", 0), basal])
def test_a_true_end_does_not_store_what_is_damaged_beside_it(strike: Callable[[App], None]) -> None:
    app = App()
    app.commit(device_rx(**TRIAL), (HOUR, 0))
    app.pass_time(HOUR + 1)
    app.events.clear()
    payload = app.records.prescriptions.payload
    strike(app)
    app.courses.keep()
    nothing_kept(app, payload, 6_000_000)


@pytest.mark.parametrize("strike", [flip("bridge_end", 20), flip("trial_s", 20), flip("afterwards", 0), basal])
def test_what_waits_to_be_stored_is_stored_as_it_was_or_not(strike: Callable[[App], None]) -> None:
    app = App()
    app.commit(device_rx(**TRIAL), (HOUR, 0))
    app.refuse_prescriptions()
    app.pass_time(HOUR)
    app.courses.keep()
    assert app.courses.unsaved is app.records.prescription
    assert app.selftest.records_hold()
    payload = app.records.prescriptions.payload
    strike(app)
    app.refuse_prescriptions("")
    frames(app, 130)
    assert app.records.prescriptions.payload == payload
    assert app.selftest.failed == PRESCRIPTION


def test_what_waits_to_be_stored_is_stored_in_the_end() -> None:
    app = App()
    app.commit(device_rx(**TRIAL), (HOUR, 0))
    app.refuse_prescriptions()
    app.pass_time(HOUR)
    frames(app, 100)
    assert "write_failed" in app.codes()
    app.refuse_prescriptions("")
    frames(app, 65)
    assert app.courses.unsaved is None
    assert app.records.prescriptions.payload == in_force(app).record()
    assert app.selftest.records_hold()


@pytest.mark.parametrize("strike", [flip("bridge_end", 3), flip("trial_s", 20), basal])
@pytest.mark.parametrize(
    ("order", "said"),
    [
        (lambda app: app.courses.bridge(["cancel"]), "bridge cancel"),
        (lambda app: app.courses.trial(["end"]), "trial end"),
        (lambda app: app.courses.trial(["keep"]), "trial keep"),
        (lambda app: app.courses.at_commit(device_rx(basal="2 mL/day")), "program commit"),
        (lambda app: app.courses.at_commit(device_rx(**MORPHINE), (400 * HOUR // 2, 0)), "trial start"),
    ],
)
def test_an_order_that_rests_on_a_damaged_prescription_changes_nothing(
    order: Callable[[App], object], said: str, strike: Callable[[App], None]
) -> None:
    app = App()
    app.commit(device_rx(**MORPHINE), (200 * HOUR, 0))
    app.deliver(1_000)
    app.events.clear()
    payload = app.records.prescriptions.payload
    strike(app)
    damaged = in_force(app).record()
    with pytest.raises(ValueError, match=f"^{said}: alarm self_test_failed; nothing has changed$"):
        order(app)
    assert in_force(app).record() == damaged
    nothing_kept(app, payload, 1_000_000)


@pytest.mark.parametrize("trips", [True, False])
def test_an_end_that_the_guard_does_not_see_is_not_stored(trips: bool) -> None:
    """Pump time is told from a number in RAM, too."""
    app = App()
    app.commit(device_rx(**TRIAL), (200 * HOUR, 0))
    payload = app.records.prescriptions.payload
    app.ledger.shift ^= 1 << 30
    frames(app, 64)
    assert app.codes()[-1] == "trial_end"
    assert app.rate() == 6_000
    assert app.records.prescriptions.payload == payload
    if trips:
        app.alarms.raise_(GUARD)
    frames(app, 64)
    assert (app.records.prescriptions.payload == payload) == trips


@pytest.mark.requirement("F4", "R22")
@pytest.mark.parametrize("bit", range(25))
def test_what_has_changed_since_it_was_shown_is_not_put_in_force(bit: int) -> None:
    """A trial is begun without typing the digest."""
    pump = Pump({"basal": "3 mL/day"}).start().run(10)
    lines = stage_lines(prescription(drug="saline", concentration=None, basal="4 mL/day"), pack)
    for line in lines:
        assert "ok" in pump.say(line)
    before = pump.app.records.prescriptions.payload
    app: Any = pump.app
    programming = app.parts.part("programming")
    programming.complete.basal ^= 1 << bit
    again = "what is staged was not compared with what is in force; `program stage end "
    assert again in pump.say("trial start 1 h then stopped")
    digest = lines[-1].split()[-1]
    assert f"error: digest = {digest}: " in pump.say(f"program commit {digest}")
    assert pump.app.records.prescriptions.payload == before
