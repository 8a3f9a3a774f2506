"""What a pump answered, as the coming day needs it: the prescription in force, and what it is in the middle of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from thecal.coming_day import Now
from thecal.prescription import DAYS, PatientBolus, Period, Prescription
from thecal.prescription import ScheduledBolus as Bolus
from thecal.programming import firmware

_UNITS = {"s": 1, "min": 60, "h": 3_600}


class AnswerError(ValueError):
    """What a pump showed is not what this program knows."""


_VOLUME = re.compile(r"([0-9]+)(?:\.([0-9]{1,3}))? uL(?:/day)?")
_PERIOD = re.compile(r"(\S+) (\d\d):(\d\d)-(\d\d):(\d\d) (.+)")
_SCHEDULED = re.compile(r"(\S+) (\d\d):(\d\d) (.+) over (.+)")
_PATIENT = re.compile(r"(.+) over (.+), lockout (.+), ([0-9]+) per day")


def in_force(shown: Mapping[str, str]) -> Prescription | None:
    """The prescription in force, from the `key: value` lines of `program show`; None if there is none.

    Of `old -> staged` the old one counts. Raises AnswerError.
    """
    values = {key: value.split(" -> ")[0] for key, value in shown.items()}
    values = {key: value for key, value in values.items() if value != "none"}
    if "mode" not in values:
        return None
    try:
        return _read(values)
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise AnswerError(f"the pump's prescription cannot be read: {error}") from error


def _read(values: dict[str, str]) -> Prescription:
    patient = values.get("patient_bolus")
    return Prescription(
        patient=values["patient"],
        drug=values["drug"],
        concentration_ng_per_ml=_concentration(values["concentration"]) if "concentration" in values else 0,
        mode=values["mode"],
        basal_nl_day=_nanolitres(values["basal"]) if "basal" in values else 0,
        periods=tuple(_period(value) for key, value in values.items() if key.startswith("period ")),
        scheduled=tuple(_scheduled(value) for key, value in values.items() if key.startswith("scheduled_bolus ")),
        patient_bolus=_patient(patient) if patient else None,
    )


def _nanolitres(text: str) -> int:
    match = _VOLUME.match(text)
    if not match:
        raise AnswerError(f"{text!r}: a volume in uL is expected")
    return int(match[1]) * 1_000 + int((match[2] or "").ljust(3, "0"))


def _concentration(text: str) -> int:
    return int(Fraction(text.removesuffix(" ug/mL")) * 1_000)


def _mask(text: str) -> int:
    return 0x7F if text == "daily" else sum(1 << DAYS.index(day) for day in text.split(","))


def _seconds(text: str) -> int:
    number, unit = text.split(" ")
    return int(number) * _UNITS[unit]


def _period(text: str) -> Period:
    days, *clocks, rate = _matched(_PERIOD, text)
    from_hour, from_minute, to_hour, to_minute = map(int, clocks)
    return Period(_mask(days), from_hour * 60 + from_minute, to_hour * 60 + to_minute, _nanolitres(rate))


def _scheduled(text: str) -> Bolus:
    days, hour, minute, dose, over = _matched(_SCHEDULED, text)
    return Bolus(_mask(days), int(hour) * 60 + int(minute), _nanolitres(dose), _seconds(over))


def _patient(text: str) -> PatientBolus:
    dose, over, lockout, count = _matched(_PATIENT, text)
    return PatientBolus(_nanolitres(dose), _seconds(over), _seconds(lockout), int(count))


def _matched(form: re.Pattern[str], text: str) -> tuple[str, ...]:
    match = form.fullmatch(text)
    if not match:
        raise AnswerError(f"{text!r} is not of the form expected")
    return match.groups()


# -- what the pump is in the middle of -------------------------------------------------------------------------------


def middle(
    status: Mapping[str, str], bridge: Mapping[str, str], trial: Mapping[str, str], calibration: Mapping[str, str]
) -> Now:
    """What a pump is in the middle of, from the `key: value` lines of `status`, `bridge`, `trial` and `calibrate show`;
    the second and third are needed only if `status` speaks of one. Raises AnswerError."""
    try:
        return _middle(status, bridge, trial, calibration)
    except (KeyError, ValueError, AttributeError) as error:
        raise AnswerError(f"what the pump says of its state cannot be read: {error}") from error


def _middle(
    status: Mapping[str, str], bridge: Mapping[str, str], trial: Mapping[str, str], calibration: Mapping[str, str]
) -> Now:
    table = firmware("alarms")
    reactions = {row[0]: row[2] for row in table.TABLE}
    # An alarm of a newer firmware that stops the pump shows in its state.
    alarms = {code: reactions.get(code, table.UNCHANGED) for code in status["alarms"].split(",")}
    state = status["state"]
    is_halted = state == "safe" or (state == "stopped" and status["mode"] != "stopped")
    bridge_nl = int(status.get("bridge_left_nl", 0))
    left_s = status.get("trial_left_s")
    return Now(
        halted=state if is_halted else "",
        halted_s=int(status["stop_left_s"]) if state == "stopped" and "stop_left_s" in status else None,
        alarms=tuple(code for code, reaction in alarms.items() if reaction != table.UNCHANGED),
        no_bolus=table.NO_BOLUS in alarms.values(),
        lowest=table.LOWEST in alarms.values(),
        bridge_nl=bridge_nl,
        bridge_rate=_nanolitres(bridge["bridge_rate"]) if bridge_nl else 0,
        trial_s=None if left_s is None else int(left_s),
        afterwards="minimum" if left_s is None else trial["afterwards"],
        reservoir_nl=int(status["reservoir_nl"]),
        low_nl=int(calibration["low_reservoir_nl"].split()[0]) if "low_reservoir_nl" in calibration else 0,
    )
