"""The guard's own reading of prescriptions, held against two others: the host's, minute by minute, and the pump's."""

from __future__ import annotations

from random import Random
from struct import unpack_from
from typing import Any

import pytest
from course_rig import device_rx

from firmware import course
from firmware.calibration import Calibration
from firmware.guard_demand import Demand
from firmware.guard_flow import Boluses
from thecal.demand import weekly_rates
from thecal.models.bench import PumpConfig
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import device_prescription

CALIBRATION = Calibration().pack(b"12345678")
PATIENT, CLINICIAN, SCHEDULED, PRIME = range(4)
DAY0 = 9_555  # 2026-03-02, a Monday, is 9,557


def taken(rx: Any, plan: course.Course | None = None, pump_time: int = 0) -> Demand:
    if plan is not None:
        rx.course = plan
    demand = Demand()
    demand.take(rx.record(), CALIBRATION, pump_time)
    return demand


def bare(mode: str) -> Any:
    """A prescription of a mode that uses nothing else."""
    return device_prescription(
        parse_prescription({"patient": "bench-07", "drug": "saline", "mode": mode}, RateRange(6_000, 28_800_000))
    )


def drawn(random: Random) -> dict[str, Any]:
    """A flex prescription whose periods do not overlap, many of them over midnight or the week's end."""
    used = [False] * 10_080
    periods: list[dict[str, str]] = []
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    for _ in range(random.randint(0, 24)):
        days = sorted(random.sample(range(7), random.choice((1, 1, 2, 7))))
        start = random.choice((0, 1_439, random.randrange(1_440), 60 * random.randrange(24)))
        length = random.choice((1, 1_440, random.randint(1, 1_440), random.randint(1, 240)))
        laid = [(1_440 * day + start + minute) % 10_080 for day in days for minute in range(length)]
        if len(set(laid)) < len(laid) or any(used[minute] for minute in laid):
            continue
        for minute in laid:
            used[minute] = True
        end = (start + length) % 1_440
        periods.append(
            {
                "days": ",".join(names[day] for day in days),
                "from": f"{start // 60:02}:{start % 60:02}",
                "to": f"{end // 60:02}:{end % 60:02}",
                "rate": f"{random.choice((0, random.randint(6_000, 9_000_000)))} nL/day",
            }
        )
    base = random.choice((0, random.randint(6_000, 9_000_000)))
    if not periods:
        return {"mode": "continuous", "basal": f"{base} nL/day"}
    return {"mode": "flex", "basal": f"{base} nL/day", "period": periods}


@pytest.mark.requirement("F11", "F2", "R17")
@pytest.mark.parametrize("seed", range(12))
def test_the_guard_finds_the_rate_of_every_minute_of_a_week(seed: int):
    pump = PumpConfig()
    table = {"patient": "bench-07", "drug": "saline", **drawn(Random(seed))}
    rx = parse_prescription(table, RateRange(pump.min_rate, pump.max_rate))
    demand = taken(device_prescription(rx))
    rates = weekly_rates(rx, pump)
    lowest = device_prescription(rx).schedule(Calibration()).lowest()
    for minute, rate in enumerate(rates):
        day, second = 9_557 + minute // 1_440, 60 * (minute % 1_440) + seed
        assert demand.rate(day, second, 0) == rate
        assert demand.rate(day, second, 1) == (lowest or rate)


@pytest.mark.requirement("F11", "F2", "R17")
def test_a_late_tick_over_midnight_demands_the_rates_of_its_last_two_seconds():
    period = {"days": "tue", "from": "00:00", "to": "01:00", "rate": "2 mL/day"}
    demand = taken(device_rx(mode="flex", period=[period]))
    one, two = 5_000_000, 10_000_000
    for begin, seconds, wanted in (
        (86_399, 1, one),
        (86_399, 2, one + two),
        (86_398, 3, one + two),
        (86_397, 2, 2 * one),
        (86_397, 5, 2 * two),
    ):
        assert demand.demanded(9_557, begin, seconds, 0, Boluses()) == wanted


@pytest.mark.requirement("F11", "F5", "F7")
def test_each_mode_and_course_has_its_rate():
    whole = Calibration()
    assert taken(bare("minimum")).rate(DAY0, 0, 0) == whole.min_rate
    assert taken(bare("stopped")).rate(DAY0, 0, 0) == 0
    for then, rate in ((0, whole.min_rate), (1, 0)):
        plan = course.Course()
        plan.trial_s, plan.trial_start, plan.afterwards = 3_600, 1_000, then
        demand = taken(device_rx(), plan, 1_000)
        assert not demand.follow(0, 3_599)
        assert demand.rate(DAY0, 0, 0) == 1_000_000
        assert demand.follow(0, 1)
        assert demand.rate(DAY0, 0, 0) == rate
        assert not demand.in_course
        demand.trial_left = 50
        assert not demand.follow(0, 0)  # it does not come back
        assert demand.over
        plan.trial_over = True
        assert taken(device_rx(), plan, 1_000).rate(DAY0, 0, 0) == rate
    plan = course.Course()
    plan.trial_s, plan.trial_start = 3_600, 1_000
    assert not taken(device_rx(), plan, 998).follow(0, 0)  # pump time has followed the RTC
    early = taken(device_rx(), plan, 997)  # it went back
    assert early.follow(0, 0)
    assert early.over
    assert early.limits() == (0, 0)


@pytest.mark.requirement("F11", "F7")
@pytest.mark.parametrize(("rate", "flows"), [(50_000, 50_000), (1, 6_000), (28_800_000, 28_800_000)])
@pytest.mark.parametrize("end", [1_000_000, 100])
def test_a_bridge_lasts_until_its_volume_has_been_counted(rate: int, flows: int, end: int):
    plan = course.Course()
    plan.bridge_nl, plan.bridge_rate, plan.bridge_end = 316_000, rate, end
    demand = taken(device_rx(), plan)
    begin = end - 316_000
    for volume in (begin, begin + 1, end - 1):
        assert not demand.follow(volume & 0xFFFFFFFF, 1)
        assert demand.bridging
        assert demand.rate(DAY0, 0, 0) == flows
    assert demand.follow(end, 1)
    assert demand.rate(DAY0, 0, 0) == 1_000_000
    assert not demand.in_course
    for volume in (begin - 1, end, end + 1_000_000):
        demand = taken(device_rx(), plan)
        assert demand.follow(volume & 0xFFFFFFFF, 1)
        assert not demand.bridging
    stopped = taken(bare("stopped"), plan)
    assert stopped.rate(DAY0, 0, 0) == 0


@pytest.mark.requirement("F11", "I4")
def test_what_is_no_prescription_asks_for_nothing():
    whole = device_rx(
        mode="flex",
        period=[{"days": "daily", "from": "01:00", "to": "02:00", "rate": "2 mL/day"}],
        scheduled_bolus=[{"days": "daily", "at": "05:00", "dose": "1 uL", "over": "1 min"}],
    ).record()
    for size in range(len(whole) + 2):
        demand = Demand()
        demand.take((whole + b"\0")[:size], CALIBRATION, 0)
        assert demand.rate(DAY0, 3_600, 0) == (2_000_000 if size == len(whole) else 0)
    for records in ((None, CALIBRATION), (whole, None), (None, None)):
        demand = Demand()
        demand.take(*records, 0)
        assert demand.rate(DAY0, 0, 0) == 0
        assert not demand.allows(PATIENT, 0, 0, 0)
        assert not demand.allows(SCHEDULED, 0, 0, 0)


@pytest.mark.requirement("F11", "F3")
def test_only_boluses_of_the_prescription_are_known():
    demand = taken(
        device_rx(
            scheduled_bolus=[
                {"days": "daily", "at": f"{hour:02}:00", "dose": f"{hour} uL", "over": "10 min"} for hour in (5, 6)
            ],
            patient_bolus={"dose": "7 uL", "over": "5 min", "lockout": "2 h", "max_per_day": 4},
        )
    )
    known = {(SCHEDULED, 0, 5_000, 600), (SCHEDULED, 1, 6_000, 600), (PATIENT, 0, 7_000, 300), (PRIME, 0, 316_000, 951)}
    for kind in (PATIENT, SCHEDULED):
        for index in range(4):
            for dose in (5_000, 6_000, 7_000, 0):
                for seconds in (300, 600, 0):
                    expected = (kind, index if kind == SCHEDULED else 0, dose, seconds) in known
                    assert demand.allows(kind, index, dose, seconds) == expected
    assert demand.allows(PRIME, 0, 316_000, 951)
    assert not demand.allows(PRIME, 0, 316_001, 951)
    assert demand.allows(CLINICIAN, 0, 123, 45)
    assert not demand.allows(4, 0, 5_000, 600)


@pytest.mark.requirement("F11", "R08")
def test_limits_are_those_of_the_record():
    demand = taken(device_rx(limits={"max_per_hour": "60 uL"}))
    assert demand.limits() == (60_000, 0)
    demand = taken(device_rx(limits={"max_per_day": "2 mL"}))
    assert demand.limits() == (0, 2_000_000)


@pytest.mark.requirement("F11", "F3")
def test_scheduled_boluses_stand_behind_the_periods_and_none_behind_the_last():
    table: Any = {
        "mode": "flex",
        "period": [
            {"days": "daily", "from": f"{hour:02}:00", "to": f"{hour + 1:02}:00", "rate": "2 mL/day"} for hour in (1, 3)
        ],
        "scheduled_bolus": [
            {"days": "daily", "at": f"{hour:02}:00", "dose": f"{hour} uL", "over": "10 min"} for hour in (5, 6)
        ],
    }
    rx = device_rx(**table)
    demand = taken(rx)
    assert demand.allows(SCHEDULED, 0, 5_000, 600)
    assert demand.allows(SCHEDULED, 1, 6_000, 600)
    behind = unpack_from("<II", rx.record(), 35 + 2 * 9 + 4 + 2 * 11)
    assert not demand.allows(SCHEDULED, 2, *behind)


@pytest.mark.requirement("F11", "F5", "F7")
def test_the_shortest_trial_and_the_smallest_bridge():
    plan = course.Course()
    plan.trial_s, plan.trial_start = 1, 1_000
    demand = taken(device_rx(), plan, 1_000)
    assert demand.in_course
    assert not demand.follow(0, 0)  # all of it is to come
    assert not demand.over
    assert demand.follow(0, 1)
    assert demand.over
    plan = course.Course()
    plan.bridge_nl, plan.bridge_rate, plan.bridge_end = 1, 50_000, 10
    demand = taken(device_rx(), plan)
    assert demand.bridging
    assert demand.in_course
    assert not demand.follow(9, 1)
    assert demand.rate(DAY0, 0, 0) == 50_000
    assert demand.follow(10, 1)


@pytest.mark.requirement("F11", "I4", "R17")
@pytest.mark.parametrize("records", [(None, CALIBRATION), (b"no prescription", CALIBRATION), (b"", None)])
def test_nothing_of_a_prescription_stays_when_it_is_gone(records: tuple[bytes | None, bytes | None]):
    plan = course.Course()
    plan.trial_s, plan.trial_start, plan.afterwards, plan.trial_over = 3_600, 1_000, 1, True
    plan.bridge_nl, plan.bridge_rate, plan.bridge_end = 316_000, 50_000, 400_000
    period = {"days": "daily", "from": "01:00", "to": "02:00", "rate": "2 mL/day"}
    limits = {"max_per_hour": "600 uL", "max_per_day": "7 mL"}
    demand = taken(device_rx(mode="flex", period=[period], limits=limits), plan, 2_000)
    demand.rate(DAY0, 3_600, 0)
    demand.take(records[0], records[1], 0)
    assert vars(demand) == vars(Demand())
    assert (demand.mode, demand.max_rate, demand.trial_left) == (0, 0, 0)
    assert (demand.over, demand.bridging, demand.in_course) == (False, False, False)
    assert demand.limits() == (0, 0)
    assert not demand.follow(1_000, 1)
    for day in range(-1, 3):
        for second in range(0, 180, 60):
            assert demand.rate(day, second, 0) == demand.rate(day, second, 1) == 0
