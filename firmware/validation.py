"""What a prescription may hold: every rule, each refused by field, value and range (F3, F4, F8; R04, R09, R10, R11).

All volumes are nL, rates nL/day, times s. Nothing is ever clipped, and every comparison is exact.
"""

from micropython import const

from firmware import schedule
from firmware.calibration import check_name
from firmware.days import PrescriptionError, minute_text, refuse
from firmware.library import Entry

MODES = ("stopped", "continuous", "flex", "minimum")
STOPPED, CONTINUOUS, FLEX, MINIMUM = range(4)
MAX_PERIODS = 24
MAX_SCHEDULED = 24
PATIENT_MAX = 16
MAX_LIMIT = 1_000_000_000  # nL, of a dose too: 1 L
NO_LIMIT = 0xFFFFFFFF
HOUR_S = const(3_600)
DAY_S = const(86_400)
_LOCKOUT_MAX_S = const(604_800)
_BOLUSES_MAX = const(24)
DAY_BOLUSES = 30  # two less than the history surely keeps: one that began earlier still counts while it flows
_INDEX = const(63)  # of a bolus or period, in the lowest bits of a mark


def validate(rx, calibration):
    """Raise PrescriptionError unless this pump can give a prescription.Prescription and the drug library allows it."""
    check_name("patient", rx.patient, PATIENT_MAX, PrescriptionError)
    entry = Entry(rx.drug, rx.concentration)
    entry.check_concentration()
    if not 0 <= rx.mode < len(MODES):
        refuse("mode", rx.mode, "one of " + ", ".join(MODES))
    _check_course(rx.course, calibration.min_rate, entry)
    if not rx.gives_doses:
        _refuse_unused(rx)
        if rx.mode == MINIMUM:  # the lower limits of a drug do not apply to it
            check_unasked("mode minimum", calibration.min_rate, entry)
        return
    if rx.periods and rx.mode != FLEX:
        refuse("period", len(rx.periods), "the mode continuous has none")
    _check_rates(rx, calibration, entry)
    _check_periods(rx.periods)
    _check_boluses(rx, calibration, entry)
    _check_windows(rx, entry)


def check_unasked(field, rate, entry):
    """Raise PrescriptionError if a drug, a library.Entry, must not flow at a rate (nL/day) all day that nobody need
    have programmed: the lowest one of the pump, or that of a bridge."""
    for most in (entry.basal[3], entry.day[1]):
        entry.check(field, rate, (0, most), "/day")


def _check_course(course, min_rate, entry):
    """Another calibration lets no bridge flow faster than it was confirmed, nor a drug after its trial at a lowest rate
    that its limits forbid (R10); be it one that takes the place of a damaged one."""
    if course.bridge_nl and min_rate > course.bridge_rate:
        refuse("calibration.min_rate", min_rate, "at most %d nL/day, at which the bridge runs" % course.bridge_rate)
    if course.trial_s and not course.afterwards:
        check_unasked("calibration.min_rate, after the trial", min_rate, entry)


def _refuse_unused(rx):
    name = MODES[rx.mode]
    for field, value, unused in (
        ("basal", rx.basal, 0),
        ("period", len(rx.periods), 0),
        ("scheduled_bolus", len(rx.scheduled), 0),
        ("patient_bolus", rx.patient_bolus, None),
        ("max_per_hour", rx.max_per_hour, NO_LIMIT),
        ("max_per_day", rx.max_per_day, NO_LIMIT),
    ):
        if value != unused:
            refuse(field, value, "the mode %s has none" % name)


def _check_rates(rx, calibration, entry):
    """A rate is 0, or within the pump's range and the drug's."""
    limits = entry.basal[0], entry.basal[3]
    least, most = entry.bounds(*limits)
    least = max(least, calibration.min_rate)
    most = min(most, calibration.max_rate)
    for index in range(-1, len(rx.periods)):
        rate = rx.basal if index < 0 else rx.periods[index][3]
        if rate and not least <= rate <= most:
            field = "basal" if index < 0 else "period %d rate" % (index + 1)
            if not calibration.min_rate <= rate <= calibration.max_rate:
                allowed = "0 or %d to %d nL/day" % (calibration.min_rate, calibration.max_rate)
                refuse(field, "%d nL/day" % rate, allowed)
            entry.check(field, rate, limits, "/day")


def _check_periods(periods):
    if len(periods) > MAX_PERIODS:
        refuse("period", len(periods), "at most %d periods" % MAX_PERIODS)
    for index, (days, start, end, _) in enumerate(periods):
        if not 1 <= days <= 0x7F:
            refuse("period %d days" % (index + 1), days, "a mask of 1 to 127")
        if not (0 <= start < 1440 and 0 <= end < 1440):
            refuse("period %d from, to" % (index + 1), "%d, %d" % (start, end), "minutes 0 to 1439 of the day")
    check_overlap(periods)


def check_overlap(periods):
    """Raise PrescriptionError if two of the periods (days mask, from minute, to minute, rate) share a minute of the
    week. None is longer than a day, so that one which overlaps any overlaps the next."""
    week = schedule.WEEK_S // 60
    lengths = [schedule.minutes(start, end) for _, start, end, _ in periods]
    before = (schedule.last_begin(periods) or 0) - (week << 6)
    for mark in schedule.begins(periods):
        if (before >> 6) + lengths[before & _INDEX] > mark >> 6:
            low, high = sorted((before & _INDEX, mark & _INDEX))
            text = "period %d, %d: they overlap at %s"
            raise PrescriptionError(text % (low + 1, high + 1, minute_text(mark >> 6)))
        before = mark


def _check_boluses(rx, calibration, entry):
    if len(rx.scheduled) > MAX_SCHEDULED:
        refuse("scheduled_bolus", len(rx.scheduled), "at most %d scheduled boluses" % MAX_SCHEDULED)
    room = calibration.max_rate - rx.highest_rate()
    for index, (days, minute, dose, seconds) in enumerate(rx.scheduled):
        try:
            if not 1 <= days <= 0x7F:
                refuse("days", days, "a mask of 1 to 127")
            if not 0 <= minute < 1440:
                refuse("at", minute, "a minute of 0 to 1439 of the day")
            _check_bolus(dose, seconds, room, entry)
        except PrescriptionError as error:
            raise PrescriptionError("scheduled_bolus %d %s" % (index + 1, error))
    if rx.patient_bolus is None:
        return
    try:
        dose, seconds, lockout, count = rx.patient_bolus
        _check_bolus(dose, seconds, room, entry)
        if not seconds <= lockout <= _LOCKOUT_MAX_S:
            refuse("lockout", "%d s" % lockout, "`over`, %d s, to 7 d" % seconds)
        if not 1 <= count <= _BOLUSES_MAX:
            refuse("max_per_day", count, "1 to %d" % _BOLUSES_MAX)
        _check_count(rx.scheduled, count)
    except PrescriptionError as error:
        raise PrescriptionError("patient_bolus %s" % error)


def _check_count(scheduled, count):
    """The history must hold the boluses of a day, or scheduled ones would have to be skipped (R09)."""
    most = most_a_day(scheduled) if len(scheduled) + count > DAY_BOLUSES else 0
    if most + count > DAY_BOLUSES:
        refuse("max_per_day", count, "1 to %d beside %d scheduled boluses in 24 h" % (DAY_BOLUSES - most, most))


def most_a_day(scheduled):
    """The most valid scheduled boluses that begin within any 24 h, as they repeat every week."""
    return most_within([(days, minute, 1, 0) for days, minute, _, _ in scheduled], DAY_S)


def _check_bolus(dose, seconds, room, entry):
    """A dose (nL) over so many seconds; its flow may be `room` nL/day at most, as basal flows beside it (R04)."""
    if not 1 <= dose <= MAX_LIMIT:
        refuse("dose", "%d nL" % dose, "1 to %d nL" % MAX_LIMIT)
    if not 1 <= seconds <= DAY_S:
        refuse("over", "%d s" % seconds, "1 s to 24 h")
    if dose * DAY_S > room * seconds:
        most = "at most %d nL, for max_rate less the highest basal, %d nL/day" % (room * seconds // DAY_S, room)
        refuse("dose", "%d nL over %d s" % (dose, seconds), most)
    if entry.bolus[2]:
        entry.check("dose", dose, (0, entry.bolus[2]))


def _check_windows(rx, entry):
    """No window may be exceeded by what goes on without anybody asking: a full window of the highest basal, rounded up
    (R09), and the worst case of the scheduled boluses. A day of the drug takes the allotted patient boluses too."""
    highest = rx.highest_rate()
    day = highest + most_within(rx.scheduled, DAY_S)
    for field, limit in (("max_per_hour", rx.max_per_hour), ("max_per_day", rx.max_per_day)):
        if limit == NO_LIMIT:
            continue
        check_limit(field, limit)
        least = day if field == "max_per_day" else -(-highest // 24) + most_within(rx.scheduled, HOUR_S)
        if least > limit:
            what = "at least %d nL, the highest basal and the scheduled boluses over the window"
            refuse(field, "%d nL" % limit, what % least)
    if rx.patient_bolus is not None:
        day += rx.patient_bolus[0] * rx.patient_bolus[3]
    entry.check("day_at_most", day, (0, entry.day[1]))
    rx.worst_day = day


def most_within(scheduled, window):
    """The most (nL) that valid scheduled boluses can add up to in a window of so many seconds, at most five days, as
    they repeat every week. A bolus counts with its whole dose while any part of it lies in the window (t - window, t],
    that is for begin <= t < end + window."""
    now = worst = 0
    count = len(scheduled)
    things = []  # when each counts no more, and then when each begins: at the same second that has its turn first
    for days, minute, dose, seconds in scheduled:
        days_later, second = divmod(minute * 60 + seconds + window, DAY_S)
        for day in range(7 - days_later, 7):
            now += dose * (days >> day & 1)  # begun in the week before, and still counts
        things.append(((days << 7 | days) >> 7 - days_later & 0x7F, second))
    for days, minute, _, _ in scheduled:
        things.append((days, minute * 60))
    for mark in schedule.begins(things, DAY_S):
        index = mark & _INDEX
        if index < count:
            now -= scheduled[index][2]
        else:
            now += scheduled[index - count][2]
            if now > worst:  # noqa: PLR1730 - a call costs more than the comparison
                worst = now
    return worst


def check_limit(field, limit):
    """Raise PrescriptionError unless limit (nL) is one that a window can have."""
    if not 1 <= limit <= MAX_LIMIT:
        refuse(field, "%d nL" % limit, "1 to %d nL" % MAX_LIMIT)
