"""The answer to `status`: one `key: value` line for each thing worth knowing."""

from firmware import alarms, events, ledger, library, units, version
from firmware.dosing import HELD, ON
from firmware.prescription import MODES, STOPPED
from firmware.staging import digest


def state_name(app):
    """dosing, stopped or safe."""
    mode = app.mode()
    if mode == HELD or app.alarms.reaction() == alarms.STOP:
        return "safe"
    return "dosing" if mode == ON and app.courses.mode() not in (None, STOPPED) else "stopped"


def lines(app):
    """The lines, in a fixed order. Volumes nL, rates nL/day; masses beside them in brackets."""
    book = app.ledger
    counters = app.records.counters
    rx = app.records.prescription
    # While a bridge runs another concentration flows: its mass is not reckoned by the new one.
    ng = rx.concentration if rx is not None and not app.courses.bridge_left_nl() else 0
    rate = app.cascade.rate if app.dosing.mode == ON else 0
    found = [
        "state: " + state_name(app),
        "firmware: " + version.FIRMWARE,
        "clock: " + app.operations.now_text(),
        "prescription: " + ("%s %s" % (digest(rx), MODES[rx.mode]) if rx is not None else "none"),
        "library: " + library.LIBRARY,
        "rate: %d nL/day, %s" % (rate, units.both_text(rate, ng, "/day")),
        "ledger_steps: %d" % book.steps,
        "ledger_nl: %d" % book.volume_nl,
        "reserved_steps: %d" % (book.reserved - book.used),
        "missed_nl: %d" % book.missed_nl,
        "reservoir_nl: %d" % book.reservoir_nl,
        "alarms: " + _list(alarms.codes(app.alarms.active)),
        "alarm_history: " + _list(alarms.codes(app.alarms.history)),
        "power_ons: %d" % counters.power_ons,
        "watchdog_resets: %d" % counters.watchdog_resets,
        "commanded_resets: %d" % counters.commanded_resets,
        "assumed_steps: %d" % counters.assumed_steps,
        "retired_pages: %d" % len(app.records.retired.pages),
        "reset_cause: " + events.CAUSES[app.board.reset_cause],
        "refused_lines: %d" % app.console.refused,
        "pulses: %d" % app.board.counter.read(),
    ]
    if book.state == ledger.PAUSED:
        found.append("stop_left_s: %d" % app.stop_left)
    for part in (app.therapy, app.courses, app.reservoir, app.battery):
        found += part.status()
    return found


def _list(codes):
    return ",".join(codes) if codes else "none"
