"""The answer to `status`: one `key: value` line for each thing worth knowing."""

from firmware import alarms, events, ledger, library, units, version
from firmware.dosing import HELD, ON
from firmware.prescription import MODES, STOPPED
from firmware.pressure import ZERO_MV


def state_name(app):
    """dosing, stopped or safe."""
    mode = app.mode()
    if mode == HELD or app.alarms.reaction() == alarms.STOP:
        return "safe"
    return "dosing" if mode == ON and app.courses.mode() not in (None, STOPPED) else "stopped"


def lines(app):
    """The lines, in a fixed order. Volumes nL, rates nL/day; masses beside them in brackets. A generator: each is made
    when the console takes it, as all at once would delay the tick. What is counted is of one instant, the first."""
    book = app.ledger
    rx = app.records.prescription
    rate = app.cascade.rate if app.dosing.mode == ON else 0
    counted = (
        ("ledger_steps: %d", book.steps),
        ("ledger_nl: %d", book.volume_nl),
        ("reserved_steps: %d", book.reserved - book.used),
        ("missed_nl: %d", book.missed_nl),
        ("reservoir_nl: %d", book.reservoir_nl),
    )
    pulses = app.board.counter.read()
    yield "state: " + state_name(app)
    yield "firmware: " + version.FIRMWARE
    yield "clock: " + app.operations.now_text()
    yield "prescription: " + ("%s %s" % (rx.digest(), MODES[rx.mode]) if rx is not None else "none")
    yield "library: " + library.LIBRARY
    # While a bridge runs another concentration flows: its mass is not reckoned by the new one.
    ng = rx.concentration if rx is not None and not app.courses.bridge_left_nl() else 0
    yield "rate: %d nL/day, %s" % (rate, units.both_text(rate, ng, "/day"))
    for text, value in counted:
        yield text % value
    yield "alarms: " + _list(alarms.codes(app.alarms.active))
    yield "alarm_history: " + _list(alarms.codes(app.alarms.history))
    counters = app.records.counters
    yield "power_ons: %d" % counters.power_ons
    yield "watchdog_resets: %d" % counters.watchdog_resets
    yield "commanded_resets: %d" % counters.commanded_resets
    yield "assumed_steps: %d" % counters.assumed_steps
    yield "retired_pages: %d" % len(app.records.retired.pages)
    yield "reset_cause: " + events.CAUSES[app.resets.cause]
    yield "refused_lines: %d" % app.console.refused
    yield "pulses: %d" % pulses
    if app.signals.silent_s:
        yield "silence_left_s: %d" % app.signals.silent_s
    if book.state == ledger.PAUSED:
        yield "stop_left_s: %d" % app.stop_left
    yield "rotor_indices: %d" % app.motion.indices
    yield "pressure_kpa: " + _tenths(app.pressure.millivolts + 1 - ZERO_MV)  # the ADC shows up to a count less
    quarters = app.temperature.quarters
    yield "temperature_c: " + (_tenths(quarters * 10 // 4) if quarters is not None else "unknown")
    for part in (app.selftest, app.therapy, app.courses, app.reservoir, app.battery):
        for line in part.status():
            yield line


def _tenths(value):
    """Tenths, with a sign if below 0."""
    return "%s%d.%d" % ("-" if value < 0 else "", abs(value) // 10, abs(value) % 10)


def _list(codes):
    return ",".join(codes) if codes else "none"
