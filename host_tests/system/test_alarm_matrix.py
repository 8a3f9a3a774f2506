"""Every alarm in every mode, state and bolus state: reaction, rate, sound, light, log, clearing (F11; R28 to R32, I8).

alarm_table.py, and reacting.py of the fault campaign below it, are the specification, written from the design and not
read from the firmware. Each combination is a pump of its own on the real application. What stops boluses on the way
into a mode or state stops them; the combination runs all the same.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from alarm_causes import CAUSES, Cause
from alarm_rig import (
    BOLUSES,
    MINIMUM,
    MODES,
    STATES,
    STEP_NL,
    US,
    Pump,
    setting,
)
from alarm_table import (
    ENDED,
    LENGTH_MS,
    PRIME,
    RESUME,
    TABLE,
    TONES,
    WATCHED_S,
    WORD,
    Setting,
    after,
    undisturbed,
)

from thecal.faults.reacting import HIGH, LOW, LOWEST_RATE, MEDIUM, NO_BOLUS, STOP, UNCHANGED


def flows(pump: Pump, nl_day: int, what: str) -> None:
    """The volume of some seconds, to two steps; a prime's whole seconds take a little off its flow."""
    made = pump.steps_in(WATCHED_S) * STEP_NL
    slack = (3 if nl_day == PRIME else 2) * STEP_NL
    assert abs(made - nl_day * WATCHED_S / 86_400) <= slack, f"{pump.name}: {what}: {made} nL"
    assert nl_day or made == 0, f"{pump.name}: {what}: {made} nL"
    assert pump.board.powered or not nl_day, f"{pump.name}: {what}: without power"
    # A step of it comes too seldom to be told from none.
    assert nl_day != MINIMUM or pump.app.cascade.rate == MINIMUM, f"{pump.name}: {what}: {pump.app.cascade.rate} nL/day"


def sounds(pump: Pump, priority: str, raised_us: int) -> None:
    """The first sound after the alarm was raised."""
    tones = pump.tones(raised_us)
    assert {hz for _, hz, _ in tones} == TONES[priority], pump.name
    assert abs(sum(length for _, _, length in tones) - LENGTH_MS[priority]) <= 50, pump.name
    if tones:
        assert 0 <= tones[0][0] - raised_us <= 1.1 * US, pump.name


def shines(pump: Pump, priority: str, since_us: int) -> None:
    """Rate and duty of the light, period by period; or that it is steady."""
    lights = pump.board.lights
    changes = [t for t, _ in lights if t >= since_us]
    if priority == LOW:
        assert not changes, pump.name
        assert lights[-1][1], pump.name
        return
    least, most = {HIGH: (1.4, 2.8), MEDIUM: (0.4, 0.8)}[priority]
    assert len(changes) >= least * 2 * (pump.board.now_us - since_us) / US - 2, pump.name
    for begin, middle, end in zip(changes[::2], changes[1::2], changes[2::2], strict=False):
        assert least <= US / (end - begin) <= most, pump.name
        assert 0.2 <= (middle - begin) / (end - begin) <= 0.8, pump.name


def is_logged(pump: Pump, code: str, known: int) -> list[dict[str, str]]:
    """The alarm is in the log, once, with its priority. Returns the events since `known`."""
    events = [event for event in pump.log() if int(event["seq"]) > known]
    (raised,) = [event for event in events if event["code"] == "alarm" and event["alarm"] == code]
    assert raised["severity"] == TABLE[code][0], pump.name
    return events


def boluses_end(events: list[dict[str, str]], found: Setting, bolus: str, delivery: str, name: str) -> None:
    """Those under way are cancelled, those that wait dropped; or they go on, and none begins."""
    ends = [event for event in events if event["code"] == "bolus_end"]
    skipped = [event["reason"] for event in events if event["code"] == "bolus_skipped"]
    cancels = found.with_boluses and delivery in (STOP, LOWEST_RATE)
    assert len(ends) == (ENDED.get(bolus, 0) if cancels else 0), name
    assert all(event["how"] == "cancelled" for event in ends), name
    dropped = found.with_boluses and bolus == "waiting" and delivery != UNCHANGED
    assert len(skipped) == dropped, name
    # It is cancelled with the others, or its turn comes in the very second of the alarm.
    reasons = {STOP: {"interruption", "stopped"}, LOWEST_RATE: {"interruption", "alarm"}, NO_BOLUS: {"low_reservoir"}}
    assert set(skipped) <= reasons.get(delivery, set()), name


def check_stop(pump: Pump, code: str, cause: Cause, state: str, found: Setting) -> None:
    """The way out of an alarm that stops delivery: cause gone, `clear`, `resume`; and what was missed."""
    word = "clear repeated" if TABLE[code][2] == WORD else "clear"
    assert not pump.board.powered, pump.name
    if not cause.physical:
        cause.come(pump)  # a watcher of it may have found nothing
    assert any(line.startswith(f"stays: {code}") for line in pump.say(word)), pump.name
    assert code in pump.refusal("resume"), pump.name
    cause.go(pump)
    pump.run(3)
    assert code in pump.active(), pump.name  # it does not end by itself
    assert not pump.board.powered, pump.name
    if word != "clear":
        assert any(line.startswith(f"stays: {code}") for line in pump.say("clear")), pump.name
    pump.say(word)
    assert pump.active() <= cause.remain, pump.name
    assert not pump.board.powered, pump.name
    flows(pump, 0, "cleared")
    held_s = (pump.board.now_us - pump.held_us) / US
    pump.say("resume")
    pump.run(2)
    flows(pump, found.basal, "resumed")
    if code == "eeprom_dead":
        pump.run(22)
    missed = [event for event in pump.log() if event["code"] == "missed" and event["why"] == "stop_alarm"]
    expected = found.basal * held_s / 86_400 if state != "stopped" else 0
    slack = 2 * STEP_NL + 2 * found.basal / 86_400 + len(missed)
    assert abs(sum(int(event["volume_nl"]) for event in missed) - expected) <= slack, pump.name


def check_other(pump: Pump, code: str, cause: Cause, state: str, found: Setting) -> None:
    """The way out of one that does not."""
    assert pump.active() == {code} | cause.together, pump.name
    if not cause.physical:
        cause.come(pump)
    assert any(line == f"stays: {code}" for line in pump.say("clear")), pump.name
    cause.go(pump)
    flow = after(found, state, UNCHANGED)
    if TABLE[code][2] == RESUME or (TABLE[code][1] == LOWEST_RATE and state == "running"):
        flow = found.basal
    assert pump.active() <= cause.remain, pump.name
    pump.run(2)
    flows(pump, flow, "ended")


def check(mode: str, state: str, bolus: str, code: str) -> None:
    """One combination."""
    priority, delivery, _ = TABLE[code]
    cause = CAUSES[code]
    found = undisturbed(mode, state, bolus)
    pump = setting(mode, state, bolus).copy()
    pump.name += f": {code}"
    known = max(int(event["seq"]) for event in pump.log())
    if state not in cause.states:
        cause.never_comes(pump)
        return
    raised_us = cause.come(pump)
    assert code in pump.active(), pump.name
    if delivery == STOP and state in ("running", "paused"):
        pump.held_us = raised_us
    pump.run(1.1)
    assert not (delivery == STOP and pump.board.powered), pump.name
    light_us = pump.board.now_us
    pump.run(5)
    flows(pump, after(found, state, delivery), "alarm")
    sounds(pump, priority, raised_us)
    shines(pump, priority, light_us)
    if code != "eeprom_dead":
        boluses_end(is_logged(pump, code, known), found, bolus, delivery, pump.name)
    assert pump.active() == {code} | cause.together, pump.name
    book = pump.app.ledger
    names = {0: "running", 1: "stopped", 2: "safe", 3: "paused"}
    assert names[book.state] == ("safe" if delivery == STOP and state != "stopped" else state), pump.name
    (check_stop if delivery == STOP else check_other)(pump, code, cause, state, found)
    if code == "eeprom_dead":  # it has taken no event meanwhile, and is tried again every 20 s
        pump.run(22)
        boluses_end(is_logged(pump, code, known), found, bolus, delivery, pump.name)
    ends = [event for event in pump.log() if event["code"] == "alarm_end" and event["alarm"] == code]
    assert len(ends) == (2 if (state, code) == ("safe", "over_temperature") else 1), pump.name
    if not pump.active():
        dark_us = pump.board.now_us
        pump.run(3)
        assert not pump.tones(dark_us), pump.name
        assert not pump.board.lights[-1][1], pump.name


@pytest.mark.requirement("F11")
def test_the_table_names_every_combination(record_property: Callable[[str, object], None]) -> None:
    firmware_table = __import__("firmware.alarms", fromlist=["TABLE"]).TABLE
    assert set(TABLE) == {row[0] for row in firmware_table} == set(CAUSES)
    count = len(TABLE) * len(MODES) * len(STATES) * len(BOLUSES)
    physical = sum(cause.physical for cause in CAUSES.values())
    assert (count, physical) == (4_032, 15)
    of = f"{len(TABLE)} alarms x {len(MODES)} modes x {len(STATES)} states x {len(BOLUSES)} bolus states"
    record_property("count", f"{of} = {count}; {physical} of the alarms are raised by their own watcher")


@pytest.mark.requirement("F11", "R28", "R30", "R31", "R32", "I8")
@pytest.mark.parametrize("bolus", BOLUSES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("mode", MODES)
def test_every_alarm_in_every_mode_and_state_with_every_bolus(mode: str, state: str, bolus: str) -> None:
    pump = setting(mode, state, bolus).copy()
    flows(pump, undisturbed(mode, state, bolus).flow, "before")
    for code in TABLE:
        check(mode, state, bolus, code)
