"""From power-on to the first frame: read the records, find the second's edge, say what was lost, power the motor."""

from micropython import const

from firmware import alarms, civil, events, interrupted, ledger, missed, resets
from firmware.dosing import OFF

# Reset to the first line of App on the bench: MicroPython's start, the image check, the imports. No clock of the pump
# saw it, so it is a measured constant.
_BOOT_MS = const(1_308)
_LOAD_TRIES = const(5)
_LOAD_AGAIN_MS = const(200)
_HANG_MAX_S = const(60)  # a bite comes within 10 s; more is a clock that cannot be believed
_BEHIND_MAX_S = const(2)  # the RTC may be behind the pump's seconds by so much, and is followed (wallclock.py)


def start(app):
    """Bring up an app.App until its first frame may begin, which is at app.frame + 1 s."""
    found = _load(app)
    watchdog_bites = app.resets.prove_watchdog()
    now = app.wallclock.wait_for_edge()
    app.frame = app.board.ticks_ms()
    start_ms = app.board.ticks_diff(app.frame, app.began) + _BOOT_MS + app.resets.extra_ms
    _, exact, assumed, last_day, last_second = app.records.recovered
    behind = 0  # seconds, of the RTC
    if app.ledger.alarms & 1 << alarms.RTC_LOST:
        now = None  # only an operator makes the clock believed again
    elif now is not None:
        since = civil.seconds_between(last_day, last_second, *now)
        if since < -_BEHIND_MAX_S or (exact and since > _HANG_MAX_S):
            now = None  # time does not go back, nor a reset take that long: a clock has moved by itself (R49)
            behind = max(0, -since)
    day, second = now if now is not None else (last_day, last_second)
    app.dosing.set_time(day, second)
    app.resets.count(day, second)
    app.log.log("boot", cause=app.resets.cause, firmware=resets.firmware_number(), start_ms=start_ms)
    app.resets.log()
    _raise_alarms(app, found, now is None)
    app.board.mark(resets.SELF_TEST)
    app.selftest.start(watchdog_bites)
    app.board.mark(resets.PASSED)
    if assumed:
        app.log.log("assumed", steps=assumed, volume_nl=assumed * app.cascade.pl_per_step // 1_000)
    ended = _take_up_stop(app, day, second, behind)
    app.schedule()
    if app.mode() != OFF:  # by an alarm that stops delivery too
        since = (last_day, last_second) if exact and now is not None else None
        if since is not None and ended is not None and civil.seconds_between(*since, *ended) > 0:
            since = ended
        _miss_start(app, since, start_ms)
    if app.records.has_ledger and app.records.calibration is not None:
        since = _since_record(app, last_day, last_second) if exact else None
        app.therapy.scheduled.begin(last_day, last_second, interrupted.take_up(app, since))
    app.battery.start()
    app.temperature.start()
    app.must_record = True
    app.guard.start(day, second)
    app.apply()
    app.dosing.begin_second()
    app.ledger.note(day, second, app.cascade)  # the record makes the scratch registers valid: all four of them
    if app.resets.loop:
        app.record_state()  # the latch before the bites that it follows from
    _count(app, assumed)
    app.record_state()  # the first second's steps are reserved before its tick


def _count(app, assumed):
    """Count this start, and log what was found damaged and made empty."""
    records = app.records
    for region, mirror in enumerate(
        (app.ledger.mirror, records.boluses.mirror, records.counters.mirror, records.retired.mirror)
    ):
        if mirror.scrubbed:
            app.log.log("scrubbed", region=region, pages=mirror.scrubbed)
    records.counters.count_start(app.board.reset_cause, assumed)
    app.battery.seal()
    if not records.has_ledger:
        return  # never programmed, or unreadable: nothing is written
    try:
        records.counters.save()
        app.board.booked()
    except OSError:
        app.log.log("write_failed", record=3)


def _load(app):
    """Read the records; a part that does not answer at once gets a second. Returns the alarms that they call for."""
    found = app.records.load()
    for _ in range(_LOAD_TRIES):
        if app.records.loaded:
            break
        app.board.sleep_ms(_LOAD_AGAIN_MS)
        found = app.records.load()
    return found


def _raise_alarms(app, found, clock_lost):
    app.alarms.restore(app.ledger.alarms)
    if clock_lost:
        app.alarms.raise_(alarms.RTC_LOST)
    if app.resets.loop:
        app.alarms.raise_(alarms.RESET_LOOP)
        app.alarms.gone(alarms.RESET_LOOP)  # what is over can be cleared
    for alarm in found:
        app.alarms.raise_(alarm)


def _take_up_stop(app, day, second, behind):
    """A stop goes on; a timed one may have ended meanwhile: returns when, as (day, second), else None. behind: seconds
    that the RTC is behind; it may be right, and then a timed stop lasts so much longer, though no longer than it still
    had to last when the newest record was written."""
    state = app.ledger
    if not app.records.has_ledger:
        return None
    if state.state == ledger.PAUSED:
        more = max(0, min(behind, _since_record(app, day, second)))
        state.stop_day, state.stop_second = civil.shifted(state.stop_day, state.stop_second, more)
        left = app.operations.until(state.stop_day, state.stop_second, day, second)
        app.stop_left = max(0, min(left, 3_600))
        if not app.stop_left:
            state.state = ledger.RUNNING
            app.log.log("stop_end")
            return state.stop_day, state.stop_second
    elif state.state == ledger.STOPPED:
        app.operations.count_stop(max(0, -app.operations.until(state.stop_day, state.stop_second, day, second)))
    return None


def _miss_start(app, since, start_ms):
    """What was demanded while the pump hung or started: from the last sign of life, or from the power-on."""
    week_second = app.operations.week_second()
    if since is None:
        rate = app.dosing.schedule.rate_at(week_second)
        app.missed.add(missed.START_UP, rate * start_ms // 86_400, (start_ms + 999) // 1_000)
    else:
        seconds = -app.operations.until(since[0], since[1], app.dosing.day, app.dosing.second)
        seconds = max(0, min(seconds, _HANG_MAX_S))
        whole, rest = app.dosing.schedule.demand((week_second - seconds) % 604_800, seconds)
        hung = events.CAUSES[app.board.reset_cause] == "watchdog"
        why = missed.HANG if hung else missed.START_UP
        app.missed.add(why, whole * 1_000 + rest * 1_000 // 86_400, seconds)
    app.missed.report()


def _since_record(app, day, second):
    """Seconds from the ledger's newest record to the last sign of life."""
    record_day, record_second = app.ledger.recorded
    return app.operations.until(day, second, record_day, record_second)
