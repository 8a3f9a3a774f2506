"""Short lives of a programmed pump, drawn at random."""

from __future__ import annotations

import math
from datetime import timedelta
from random import Random
from typing import Any

from thecal.faults.held import course_image, held_image
from thecal.faults.life import LENGTH_S, MONDAY, Life
from thecal.faults.lives_programmed import commit
from thecal.faults.plans import MAX_RATE, MIN_RATE, Plan, drawn_dose, pages, planned_life, schedule_bolus
from thecal.powercut.snapshot import S, module

_STEPS_A_LIFE = 12_000  # at most: more would only cost time
_SIZES = (25_000, 25_000, 25_000, 1_000, 10_000, 100_000, 1_000_000)  # pL
_FIRST_EVENT_S, _LAST_EVENT_S = 12, 110
_SHORT_STOPS = 0.4  # of the timed ones
_UNCLEARED = 0.5
_SMALL = (1_000, 10_000)  # pL: the lowest rate shows by them in the time for which a pump is followed
_NO_BASAL = 0.3  # of the trials
_FOLLOWED_S = 25_200  # for longer no life is
_BRIDGE_MAX = 30_000_000  # nL, as of a calibration
_DELIVERED_MAX = 1 << 34  # nL: beyond the 32 bits in which a bridge tells its end
# When a stop has been typed, the second in progress is still demanded, and the line takes its time.
_STOP_LAG_US = 2 * S
KINDS = (
    "basal",
    "basal",
    "clinician",
    "clinician",
    "patient",
    "scheduled",
    "flex",
    "stopped",
    "stop for",
    "held",
    "minimum",
    "low then empty",
    "console",
    "mode stopped",
    "basal 0",
    "trial",
    "bridge",
    "commit",
    "commit",
)


def draw(rng: Random) -> Life:
    """A life."""
    kind = rng.choice(KINDS)
    size = rng.choice(_SIZES)
    most = min(MAX_RATE, _STEPS_A_LIFE * size * 86_400 // 1_000 // LENGTH_S)
    rate = round(math.exp(rng.uniform(math.log(MIN_RATE), math.log(most))))
    start = MONDAY + timedelta(seconds=rng.randrange(86_400))
    table: dict[str, Any] = {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": f"{rate} nL/day"}
    return _MAKERS.get(kind, _basal)(rng, kind, Plan(size, rate, most, start, table))


def _basal(rng: Random, kind: str, plan: Plan) -> Life:
    return planned_life(kind, plan)


def _moment(rng: Random) -> int:
    return rng.randrange(_FIRST_EVENT_S * S, _LAST_EVENT_S * S)


def _clinician(rng: Random, kind: str, plan: Plan) -> Life:
    dose, seconds = drawn_dose(rng, plan)
    at = _moment(rng)
    lines = [(at, f"bolus {dose} nL over {seconds} s")]
    if rng.random() < 0.3:
        lines.append((at + rng.randrange(5, 100) * S, lines[0][1]))  # refused while it runs, or given again
        return _twice(kind, plan, lines, (at, seconds, dose))
    return planned_life(kind, plan, boluses=[(at, seconds, dose)], lines=lines)


def _twice(kind: str, plan: Plan, lines: list[tuple[int, str]], bolus: tuple[int, int, int]) -> Life:
    """The bolus is ordered by the first of the lines, and once more by the second."""
    at, seconds, dose = bolus
    boluses, orders = [bolus], []
    again = lines[1][0]
    if again > at + (seconds + 2) * S:
        boluses.append((again, seconds, dose))
    elif again > at + (seconds - 2) * S:
        del lines[1]  # too near to its end to say whether it runs
    else:
        orders.append((again, seconds, dose))
    return planned_life(kind, plan, boluses=boluses, orders=orders, lines=lines)


def _patient(rng: Random, kind: str, plan: Plan) -> Life:
    """A press, and a second one within the lockout: to be denied."""
    dose, seconds = drawn_dose(rng, plan)
    plan.table["patient_bolus"] = {
        "dose": f"{dose} nL",
        "over": f"{seconds} s",
        "lockout": "10 min",
        "max_per_day": rng.choice((1, 4)),
    }
    at = _moment(rng)
    presses = [at, at + rng.randrange(5, 120) * S]
    return planned_life(
        kind, plan, boluses=[(at, seconds, dose)], orders=[(presses[1], seconds, dose)], presses=presses
    )


def _scheduled(rng: Random, kind: str, plan: Plan) -> Life:
    """A scheduled bolus at the minute that begins in the life."""
    dose, seconds = drawn_dose(rng, plan)
    plan.start = plan.start.replace(hour=plan.start.hour % 23)
    at = plan.start.replace(second=0) + timedelta(minutes=1)
    if (at - plan.start).total_seconds() < _FIRST_EVENT_S:
        at += timedelta(minutes=1)
    boluses = [schedule_bolus(plan, plan.table, at, dose, seconds)]
    return planned_life(kind, plan, boluses=boluses)


def _flex(rng: Random, kind: str, plan: Plan) -> Life:
    """A period of another rate for a minute of the life."""
    other = rng.choice((0, rng.randrange(MIN_RATE, plan.most)))
    plan.start = plan.start.replace(hour=plan.start.hour % 23)
    first = plan.start.replace(second=0) + timedelta(minutes=1)
    last = first + timedelta(minutes=1)
    plan.table["mode"] = "flex"
    plan.table["period"] = [
        {"days": "daily", "from": f"{first:%H:%M}", "to": f"{last:%H:%M}", "rate": f"{other} nL/day"}
    ]
    edges = [round((edge - plan.start).total_seconds()) * S for edge in (first, last)]
    return planned_life(kind, plan, [(0, plan.rate), (edges[0], other), (edges[1], plan.rate)])


def _stopped(rng: Random, kind: str, plan: Plan) -> Life:
    at = _moment(rng)
    return planned_life(kind, plan, [(0, plan.rate), (at + _STOP_LAG_US, 0)], lines=[(at, "stop")])


def _stop_s(rng: Random) -> int:
    """How long a timed stop lasts: it ends in the life, or by a bit that is wrong in what is left of it."""
    if rng.random() < _SHORT_STOPS:
        return rng.randrange(10, 60)
    return (1 << rng.randrange(6, 12)) + rng.randrange(10, 200)


def _stop_for(rng: Random, kind: str, plan: Plan) -> Life:
    at, seconds = _moment(rng), _stop_s(rng)
    rates = [(0, plan.rate), (at + _STOP_LAG_US, 0), (at + seconds * S, plan.rate)]
    return planned_life(kind, plan, rates, lines=[(at, f"stop for {seconds} s")])


def _held(rng: Random, kind: str, plan: Plan) -> Life:
    """It begins in a stop of the operator's, timed or not, or in a safe state, whose alarm is still to be cleared or
    has been."""
    ledger, alarms = module("ledger"), module("alarms")
    state = rng.choice((ledger.STOPPED, ledger.PAUSED, ledger.PAUSED, ledger.SAFE, ledger.SAFE))
    seconds = _stop_s(rng) if state == ledger.PAUSED else 0
    latched = 1 << alarms.OCCLUSION if state == ledger.SAFE and rng.random() < _UNCLEARED else 0
    rates = [(0, 0), (seconds * S, plan.rate)] if seconds else [(0, 0)]
    lines = [(_moment(rng), "clear")] if latched and rng.random() < _UNCLEARED else []
    life = planned_life(kind, plan, rates, lines=lines, held=True)
    life.snapshot.pages[:] = pages(held_image(life.config, b"".join(life.snapshot.pages), state, seconds, latched))
    return life


def _minimum(rng: Random, kind: str, plan: Plan) -> Life:
    plan.table["mode"] = "minimum"
    del plan.table["basal"]
    plan.rate = MIN_RATE
    return planned_life(kind, plan)


def _no_flow(rng: Random, kind: str, plan: Plan) -> Life:
    """Nothing is demanded: by the mode, or by a basal rate of 0."""
    plan.rate, plan.size = 0, rng.choice(_SMALL)
    if kind == "basal 0":
        plan.table["basal"] = "0 nL/day"
    else:
        plan.table["mode"] = "stopped"
        del plan.table["basal"]
    return planned_life(kind, plan)


def _in_course(life: Life, rng: Random, **course: int) -> Life:
    image = b"".join(life.snapshot.pages)
    life.snapshot.pages[:] = pages(course_image(life.config, image, rng.randrange(_DELIVERED_MAX), **course))
    return life


def _trial(rng: Random, kind: str, plan: Plan) -> Life:
    """It ends long after the life; after it the lowest rate or nothing would flow."""
    if rng.random() < _NO_BASAL:
        plan.rate, plan.size = 0, rng.choice(_SMALL)
        plan.table["basal"] = "0 nL/day"
    return _in_course(
        planned_life(kind, plan), rng, trial_s=rng.randrange(_FOLLOWED_S, 14 * 86_400), afterwards=rng.randrange(2)
    )


def _bridge(rng: Random, kind: str, plan: Plan) -> Life:
    """The old rate flows; after it, long after the life, up to ten times as much would."""
    plan.table["basal"] = f"{min(MAX_RATE, plan.rate * rng.randrange(2, 11))} nL/day"
    least = plan.rate * _FOLLOWED_S // 86_400 + 1
    return _in_course(planned_life(kind, plan), rng, bridge_nl=rng.randrange(least, _BRIDGE_MAX), bridge_rate=plan.rate)


def _empty(rng: Random, kind: str, plan: Plan) -> Life:
    """The reservoir is found empty before its time."""
    return planned_life(kind, plan, empty_us=rng.randrange(100, 200) * S)


def _console(rng: Random, kind: str, plan: Plan) -> Life:
    """Lines that read, and some that are refused."""
    lines = (
        "status",
        "log",
        "program show",
        "prime show",
        "help",
        "bolus 1 nL",
        "resume",
        "trial",
        "clear",
        "?",
    )
    typed = sorted((_moment(rng), rng.choice(lines)) for _ in range(4))
    return planned_life(kind, plan, lines=[(at, line) for at, line in typed])


_MAKERS = {
    "clinician": _clinician,
    "patient": _patient,
    "scheduled": _scheduled,
    "flex": _flex,
    "stopped": _stopped,
    "stop for": _stop_for,
    "held": _held,
    "minimum": _minimum,
    "low then empty": _empty,
    "console": _console,
    "mode stopped": _no_flow,
    "basal 0": _no_flow,
    "trial": _trial,
    "bridge": _bridge,
    "commit": commit,
}
