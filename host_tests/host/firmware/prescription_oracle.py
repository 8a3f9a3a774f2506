"""What a prescription may hold, written a second time from the rules: slow, with fractions, and minute by minute."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import accumulate
from math import floor
from random import Random
from typing import Any

from hypothesis import strategies as st
from test_schedule import courses, overlap

from firmware import drugs
from firmware.calibration import Calibration
from firmware.prescription import CONTINUOUS, FLEX, MINIMUM, MODES, NO_LIMIT, STOPPED, Prescription

PUMP = Calibration()
DAY_S = 86_400
HOUR_S = 3_600
WEEK_S = 7 * DAY_S
Scheduled = tuple[int, int, int, int]
ROWS = {row[0]: row for row in drugs.DRUGS}
DRUGS = tuple(ROWS)


def row(name: str) -> tuple[Any, ...]:
    """The drug's row as the firmware has it now."""
    return next(found for found in drugs.DRUGS if found[0] == name)


def mass_ng(nl: int | Fraction, rx: Prescription) -> Fraction:
    """The mass that a volume carries."""
    return Fraction(nl) * rx.concentration / 1_000_000


def highest(rx: Prescription) -> int:
    return max([rx.basal, *(period[3] for period in rx.periods)])


def worst_case(scheduled: list[Scheduled], window: int) -> int:
    """The highest sum of doses at any second, looked for at every start, with the week before laid out too."""
    laid = [
        (week * WEEK_S + day * DAY_S + minute * 60, seconds, dose)
        for week in (-1, 0)
        for days, minute, dose, seconds in scheduled
        for day in range(7)
        if days >> day & 1
    ]
    return max(
        (
            sum(dose for start, seconds, dose in laid if start <= t < start + seconds + window)
            for t in {start for start, _, _ in laid if 0 <= start < WEEK_S}
        ),
        default=0,
    )


def most_begun(scheduled: list[Scheduled]) -> int:
    """The most that begin in any 24 h, from every minute of the week on, with the week after laid out too."""
    begun = [0] * (2 * 10_080 + 1)
    for days, minute, _, _ in scheduled:
        for day in range(14):
            begun[day * 1_440 + minute + 1] += days >> day % 7 & 1
    until = list(accumulate(begun))
    return max(until[first + 1_440] - until[first] for first in range(10_080))


def worst_day(rx: Prescription) -> int:
    patient = rx.patient_bolus[0] * rx.patient_bolus[3] if rx.patient_bolus else 0
    return highest(rx) + worst_case(rx.scheduled, DAY_S) + patient


def within(value: Fraction, low: int, high: int) -> bool:
    return value >= low and (not high or value <= high)


def is_concentration(rx: Prescription) -> bool:
    known = row(rx.drug)[1]
    if not known:
        return rx.concentration == 0
    return 1 <= rx.concentration <= known[1] if known[0] == 0 else rx.concentration in known


def is_allowed(rx: Prescription, pump: Calibration = PUMP) -> bool:
    """Whether this pump may run it, by every rule."""
    known = re.fullmatch("[!-~]{1,16}", rx.patient) and rx.drug in DRUGS and 0 <= rx.mode <= 3
    if not known or not is_concentration(rx):
        return False
    if rx.mode in (STOPPED, MINIMUM):
        return without_doses(rx, pump)
    return all(rule(rx, pump) for rule in (rates_allowed, calendar_allowed, boluses_allowed, windows_allowed))


def without_doses(rx: Prescription, pump: Calibration) -> bool:
    _, _, basal, _, day = row(rx.drug)
    used = rx.basal or rx.periods or rx.scheduled or rx.patient_bolus is not None
    flows = mass_ng(pump.min_rate if rx.mode == MINIMUM else 0, rx)
    unlimited = rx.max_per_hour == rx.max_per_day == NO_LIMIT
    return not used and unlimited and within(flows, 0, basal[3]) and within(flows, 0, day[1])


def rates_allowed(rx: Prescription, pump: Calibration) -> bool:
    limits = row(rx.drug)[2]
    return all(
        rate == 0 or (pump.min_rate <= rate <= pump.max_rate and within(mass_ng(rate, rx), limits[0], limits[3]))
        for rate in (rx.basal, *(period[3] for period in rx.periods))
    )


def calendar_allowed(rx: Prescription, _: Calibration) -> bool:
    days = [item[0] for item in (*rx.periods, *rx.scheduled)]
    minutes = [minute for period in rx.periods for minute in period[1:3]] + [item[1] for item in rx.scheduled]
    in_range = all(1 <= mask <= 127 for mask in days) and all(0 <= minute <= 1_439 for minute in minutes)
    count = max(len(rx.periods), len(rx.scheduled))
    return in_range and count <= 24 and not (rx.mode == CONTINUOUS and rx.periods) and not overlap(rx.periods)


def boluses_allowed(rx: Prescription, pump: Calibration) -> bool:
    if rx.patient_bolus:
        _, seconds, lockout, count = rx.patient_bolus
        if not (seconds <= lockout <= WEEK_S and 1 <= count <= 24):
            return False
        if count > 6 and most_begun(rx.scheduled) + count > 30:
            return False
    return all(
        1 <= dose <= 10**9
        and 1 <= seconds <= DAY_S
        and within(mass_ng(dose, rx), 0, row(rx.drug)[3][2])
        and Fraction(dose * DAY_S, seconds) + highest(rx) <= pump.max_rate
        for dose, seconds in [item[2:4] for item in rx.scheduled] + ([rx.patient_bolus[:2]] if rx.patient_bolus else [])
    )


def windows_allowed(rx: Prescription, _: Calibration) -> bool:
    for limit, window in ((rx.max_per_hour, HOUR_S), (rx.max_per_day, DAY_S)):
        least = Fraction(highest(rx) * window, DAY_S) + worst_case(rx.scheduled, window)
        if limit != NO_LIMIT and not (1 <= limit <= 10**9 and least <= limit):
            return False
    return within(mass_ng(worst_day(rx), rx), 0, row(rx.drug)[4][1])


names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)


@st.composite
def boluses(draw: st.DrawFn) -> list[Scheduled]:
    """Scheduled boluses that crowd: at few times of the day, short ones and ones of a day."""
    random = Random(draw(st.integers(0, 1 << 32)))
    times = [random.randrange(1_440) for _ in range(random.choice((1, 3, 24)))] + [0, 1_439]
    longest = random.choice((1, 600, 7_200, 86_400))
    found = []
    for _ in range(draw(st.sampled_from((0, 1, 2, 5, 24)))):
        days = random.choice((0x7F, 1 << random.randrange(7), random.randrange(1, 128), 0b1000001))
        start = random.choice(times)
        until = (random.choice(times) - start) * 60 % DAY_S  # often one ends when another begins, or the week does
        seconds = random.choice((random.randint(1, longest), until or DAY_S))
        found.append((days, start, random.randint(1, 50_000), seconds))
    return found


@st.composite
def prescriptions(draw: st.DrawFn) -> Prescription:
    """Any valid prescription: what the drug or the pump does not allow is left out or made smaller."""
    rx = Prescription()
    rx.patient = draw(names)
    rx.drug = draw(st.sampled_from(DRUGS))
    known = row(rx.drug)[1]
    if known:
        rx.concentration = draw(st.integers(1, known[1]) if known[0] == 0 else st.sampled_from(known))
    rx.mode = draw(st.sampled_from((STOPPED, CONTINUOUS, FLEX, FLEX, FLEX, MINIMUM)))
    if not rx.gives_doses:
        return rx
    rx.basal = draw(rates(rx))
    if rx.mode == FLEX:
        rx.periods = [(*period[:3], draw(rates(rx))) for period in draw(courses())]
    room = PUMP.max_rate - highest(rx)
    for days, minute, dose, seconds in draw(boluses()):
        most = min(dose, room * seconds // DAY_S)
        if most:
            rx.scheduled.append((days, minute, most, seconds))
    if room and draw(st.booleans()):
        seconds = draw(st.integers(1, DAY_S))
        most = min(50_000, room * seconds // DAY_S)
        if most:
            lockout = draw(st.integers(seconds, WEEK_S))
            rx.patient_bolus = (draw(st.integers(1, most)), seconds, lockout, draw(st.integers(1, 24)))
            rx.patient_bolus = (*rx.patient_bolus[:3], min(rx.patient_bolus[3], 30 - most_begun(rx.scheduled)))
    if mass_ng(worst_day(rx), rx) > (row(rx.drug)[4][1] or 10**18):
        rx.scheduled, rx.patient_bolus = [], None
    for name, window in (("max_per_hour", HOUR_S), ("max_per_day", DAY_S)):
        least = max(1, -(-highest(rx) * window // DAY_S) + worst_case(rx.scheduled, window))
        setattr(rx, name, draw(st.one_of(st.just(NO_LIMIT), st.just(least), st.integers(least, 10**9))))
    return rx


def rates(rx: Prescription) -> st.SearchStrategy[int]:
    """Rates that pump and drug allow, 0 among them."""
    _, _, basal, _, day = row(rx.drug)
    ng = rx.concentration
    low, high = PUMP.min_rate, PUMP.max_rate
    if ng:
        low = max(low, -(-basal[0] * 1_000_000 // ng))
        bounds = [bound for bound in (basal[3], day[1]) if bound]
        high = min([high, *(bound * 1_000_000 // ng for bound in bounds)])
    return st.one_of(st.just(0), st.integers(low, high)) if low <= high else st.just(0)


MASS = {"ng": 1, "ug": 10**3, "mcg": 10**3, "mg": 10**6}
VOLUME = {"nL": 1, "uL": 10**3, "mL": 10**6}
SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read_number(text: str) -> Fraction:
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII)
    return Fraction(text)


def read_volume(number: str, unit: str, ng_per_ml: int) -> Fraction:
    """nL of a mass or a volume."""
    if unit in VOLUME:
        return read_number(number) * VOLUME[unit]
    return read_number(number) * MASS[unit] * 1_000_000 / ng_per_ml


def read_rate(number: str, unit: str, ng_per_ml: int) -> int:
    amount, per = unit.split("/")
    return floor(read_volume(number, amount, ng_per_ml) * {"h": 24, "day": 1}[per])


def read_seconds(number: str, unit: str) -> int:
    found = read_number(number) * SECONDS[unit]
    assert found.denominator == 1
    return int(found)


def read_clock(text: str) -> int:
    assert re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", text, re.ASCII)
    return int(text[:2]) * 60 + int(text[3:])


def read_days(text: str) -> int:
    found: list[int] = []
    for part in text.split(","):
        if part == "daily":
            found += range(7)
            continue
        first, *last = (DAYS.index(name) for name in part.split("-"))
        if last:
            assert len(last) == 1
            assert last[0] != first
            found += [(first + n) % 7 for n in range((last[0] - first) % 7)]
        found.append(last[0] if last else first)
    assert len(set(found)) == len(found)
    return sum(1 << day for day in found)


def read(lines: list[list[str]]) -> Prescription:
    """What accepted console lines mean. Lines that mean nothing raise whatever comes."""
    single = {key: words for key, *words in lines if key not in ("period", "scheduled_bolus")}
    assert len(single) == len([line for line in lines if line[0] not in ("period", "scheduled_bolus")])
    rx = Prescription()
    (rx.patient,), (rx.drug,) = single.pop("patient"), single.pop("drug")
    (mode,) = single.pop("mode")
    rx.mode = MODES.index(mode)
    if "concentration" in single:
        number, unit = single.pop("concentration")
        found = read_number(number) * {mass + "/mL": ng for mass, ng in MASS.items()}[unit]
        assert found.denominator == 1
        rx.concentration = int(found)
        assert ROWS[rx.drug][1]
    ng = rx.concentration
    assert ("basal" in single) == (rx.mode in (CONTINUOUS, FLEX))
    if "basal" in single:
        number, unit = single.pop("basal")
        rx.basal = read_rate(number, unit, ng)
    for name in ("max_per_hour", "max_per_day"):
        if name in single:
            number, unit = single.pop(name)
            setattr(rx, name, floor(read_volume(number, unit, ng)))
            assert getattr(rx, name) < NO_LIMIT
    if "patient_bolus" in single:
        dose, dose_unit, over, over_unit, lockout, lockout_unit, count = single.pop("patient_bolus")
        rx.patient_bolus = (
            floor(read_volume(dose, dose_unit, ng)),
            read_seconds(over, over_unit),
            read_seconds(lockout, lockout_unit),
            int(count),
        )
    assert not single
    for key, *words in lines:
        if key == "period":
            days, start, end, number, unit = words
            rate = read_rate(number, unit, ng)
            rx.periods.append((read_days(days), read_clock(start), read_clock(end), rate))
        elif key == "scheduled_bolus":
            days, at, number, unit, over, over_unit = words
            dose = floor(read_volume(number, unit, ng))
            rx.scheduled.append((read_days(days), read_clock(at), dose, read_seconds(over, over_unit)))
    return rx
