"""The rules that hold between the parts of a prescription: flow, the limits of the drug, and its own limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thecal.drug_library import Drug, library, micrograms
from thecal.fields import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thecal.prescription import Prescription, RateRange
    from thecal.tables import Table

_NL_PER_ML = 1_000_000
_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S
MAX_DAY_BOLUSES = 30  # scheduled and patient boluses in any 24 h: the pump's history surely keeps 32


def refuse_what_cannot_be_given(table: Table, rx: Prescription, rates: RateRange) -> None:
    """Raise the table's error unless every rule holds. table: what the prescription was read from."""
    for inner, dose, seconds in _boluses(table, rx):
        _refuse_flow(inner, dose, seconds, rx.highest_rate(), rates.highest)
    if rx.concentration_ng_per_ml:
        _refuse_drug_limits(table, rx, library()[rx.drug], rates.lowest)
    _refuse_alone_exceeding(table, rx)
    _refuse_too_many(table, rx)


def _boluses(table: Table, rx: Prescription) -> Iterator[tuple[Table, int, int]]:
    """(where it stands, dose in nL, seconds) of every bolus."""
    for inner, bolus in zip(table.tables("scheduled_bolus"), rx.scheduled, strict=True):
        yield inner, bolus.dose_nl, bolus.seconds
    if rx.patient_bolus:
        yield table.table("patient_bolus"), rx.patient_bolus.dose_nl, rx.patient_bolus.seconds


def _refuse_flow(table: Table, dose: int, seconds: int, highest: int, most: int) -> None:
    """A bolus flows on top of basal, and one at a time (R04). Compared as the exact rationals that they are."""
    if dose * _DAY_S + highest * seconds > most * seconds:
        room = most - highest
        hint = f"at least {-(-dose * _DAY_S // room)} s is needed" if room else "there is no room for any bolus"
        table.refuse("over", f"{hint}: the pump gives {most} nL/day, and the highest rate is {highest} nL/day")


def _refuse_drug_limits(table: Table, rx: Prescription, drug: Drug, min_rate: int) -> None:
    """The hard limits of the library (R10), against the masses that the rounded volumes really carry."""
    ng = rx.concentration_ng_per_ml
    low, high = drug.basal.hard_low, drug.basal.hard_high
    if rx.mode == "minimum":
        low = None
    for inner, key, rate in _rates(table, rx, min_rate):
        if high is not None and rate * ng > high * _NL_PER_ML:
            inner.refuse(key, f"at most {micrograms(high)}/day of {drug.name} is allowed")
        if low is not None and rate and rate * ng < low * _NL_PER_ML:
            inner.refuse(key, f"0 or at least {micrograms(low)}/day of {drug.name} is needed")
    most = drug.bolus.hard_high
    for inner, dose, _ in _boluses(table, rx):
        if most is not None and dose * ng > most * _NL_PER_ML:
            inner.refuse("dose", f"at most {micrograms(most)} of {drug.name} is allowed")
    most = drug.day.hard_high
    day = min_rate if rx.mode == "minimum" else rx.most_in_a_day()
    if most is not None and day * ng > most * _NL_PER_ML:
        reach = f"basal and boluses can reach {micrograms(-(-day * ng // _NL_PER_ML))}"
        raise table.error(
            table.path, ABSENT, f"in 24 h at most {micrograms(most)} of {drug.name} is allowed, and {reach}"
        )


def _rates(table: Table, rx: Prescription, min_rate: int) -> Iterator[tuple[Table, str, int]]:
    """(table, key, nL/day) of every rate."""
    if rx.mode == "minimum":
        yield table, "mode", min_rate
    yield table, "basal", rx.basal_nl_day
    for inner, period in zip(table.tables("period"), rx.periods, strict=True):
        yield inner, "rate", period.rate_nl_day


def _refuse_alone_exceeding(table: Table, rx: Prescription) -> None:
    """The window is taken to be full of the highest basal (R09) and to hold the scheduled boluses that meet in it at
    worst; reaching the limit is allowed (R08)."""
    for key, limit, window_s in (
        ("max_per_hour", rx.max_per_hour_nl, 3_600),
        ("max_per_day", rx.max_per_day_nl, _DAY_S),
    ):
        if limit is None:
            continue
        need = -(-rx.highest_rate() * window_s // _DAY_S) + rx.scheduled_within(window_s)
        if need > limit:
            what = "the highest rate over the window" + (" and its scheduled boluses" if rx.scheduled else "")
            table.table("limits").refuse(key, f"at least {need} nL, {what}, and this is {limit} nL")


def _refuse_too_many(table: Table, rx: Prescription) -> None:
    """The pump gives no bolus that would push one of the last 24 h out of its history: scheduled ones would be skipped
    whenever the patient has used all of his."""
    if not rx.patient_bolus:
        return
    starts = [start for bolus in rx.scheduled for start in bolus.starts()]
    most = max((sum((other - first) % _WEEK_S < _DAY_S for other in starts) for first in starts), default=0)
    if most + rx.patient_bolus.max_per_day > MAX_DAY_BOLUSES:
        room = MAX_DAY_BOLUSES - most
        hint = f"1 to {room} beside the {most} scheduled boluses that begin within 24 h"
        table.table("patient_bolus").refuse("max_per_day", hint)
