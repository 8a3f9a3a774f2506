"""The coming 24 hours of a prescription in a terminal: basal as bars, scheduled boluses as marks, times of day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from rich.text import Text

from thecal.demand import weekly_rates
from thecal.models.bench import PumpConfig
from thecal.prescription import DAYS, MINUTES_PER_DAY, MINUTES_PER_WEEK, PatientBolus, Period, Prescription
from thecal.prescription import ScheduledBolus as Bolus

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS = 6
MARGIN = 18  # columns left of the chart, for what a row stands for
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ASCII_EIGHTHS = " ...::###"
_MARK, _ASCII_MARK = "\N{BLACK DOWN-POINTING TRIANGLE}", "v"
_NL_PER_ML = 1_000_000
_UNITS = {"s": 1, "min": 60, "h": 3_600}


class AnswerError(ValueError):
    """What a pump showed is no prescription that this program knows."""


@dataclass(frozen=True)
class Day:
    """What a prescription gives in the 24 h from a full minute on.

    rates: nL/day, one for each minute. boluses: (minute from the start, bolus), in their order.
    """

    rx: Prescription
    start: datetime
    rates: tuple[int, ...]
    boluses: tuple[tuple[int, Bolus], ...]

    def basal_nl(self) -> Fraction:
        """The basal volume of the 24 h, nL."""
        return Fraction(sum(self.rates), MINUTES_PER_DAY)

    def changes(self) -> list[tuple[int, int]]:
        """(minute from the start, nL/day from then on): the first rate, and every other where it begins."""
        pairs = enumerate(self.rates)
        return [(minute, rate) for minute, rate in pairs if not minute or rate != self.rates[minute - 1]]

    def at(self, minute: int) -> datetime:
        """Pump time, so many minutes from the start."""
        return self.start + timedelta(minutes=minute)

    def record(self) -> dict[str, Any]:
        """For --json: volumes in nL, rates in nL/day, local times in ISO form."""
        return {
            "from": self.start.isoformat(),
            "basal_nl": int(self.basal_nl()),
            "rates": [{"at": self.at(minute).isoformat(), "nl_per_day": rate} for minute, rate in self.changes()],
            "scheduled_boluses": [
                {"at": self.at(minute).isoformat(), "dose_nl": bolus.dose_nl, "seconds": bolus.seconds}
                for minute, bolus in self.boluses
            ],
        }


def coming_day(rx: Prescription, pump: PumpConfig, now: datetime) -> Day:
    """The 24 h from the minute of `now` on."""
    start = now.replace(second=0, microsecond=0)
    first = start.weekday() * MINUTES_PER_DAY + start.hour * 60 + start.minute
    weekly = weekly_rates(rx, pump)
    rates = tuple(weekly[(first + minute) % MINUTES_PER_WEEK] for minute in range(MINUTES_PER_DAY))
    starts = [((second // 60 - first) % MINUTES_PER_WEEK, bolus) for bolus in rx.scheduled for second in bolus.starts()]
    boluses = sorted((pair for pair in starts if pair[0] < MINUTES_PER_DAY), key=lambda pair: pair[0])
    return Day(rx, start, rates, tuple(boluses))


# -- from what the pump shows --------------------------------------------------------------------------------------

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


# -- drawing -------------------------------------------------------------------------------------------------------


def draw(day: Day, width: int = 80, *, ascii_only: bool = False) -> Text:
    """The chart: 15 min a column where the width allows it, else 30. A column is as high as the highest rate in it."""
    minutes = 15 if width >= MARGIN + MINUTES_PER_DAY // 15 + 5 else 30
    columns = [max(day.rates[first : first + minutes]) for first in range(0, MINUTES_PER_DAY, minutes)]
    text = Text()
    text.append(f"{'boluses':>{MARGIN - 2}}  ")
    text.append(_marks(day, minutes, len(columns), _ASCII_MARK if ascii_only else _MARK) + "\n", "bold yellow")
    top = max(columns)
    for row in reversed(range(ROWS)):
        label = dose_text(top, day.rx, "/day") if row == ROWS - 1 else "0" if not row else ""
        text.append(f"{label:>{MARGIN - 2}} |" if ascii_only else f"{label:>{MARGIN - 2}} │")
        text.append(_row(columns, row, _ASCII_EIGHTHS if ascii_only else _EIGHTHS).rstrip() + "\n", "cyan")
    text.append(" " * MARGIN + _axis(day, minutes, len(columns)) + "\n")
    text.append("\n".join(_legend(day)))
    return text


def _marks(day: Day, minutes: int, width: int, mark: str) -> str:
    counts = [0] * width
    for minute, _ in day.boluses:
        counts[minute // minutes] += 1
    signs = [" " if not count else mark if count == 1 else str(count) if count < 10 else "+" for count in counts]
    return "".join(signs).rstrip()


def _row(columns: list[int], row: int, eighths: str) -> str:
    """One row of the bars; row 0 is the lowest. What is above 0 shows, however little it is."""
    top = max(*columns, 1)
    heights = [-(-rate * ROWS * 8 // top) for rate in columns]
    return "".join(eighths[min(8, max(0, height - row * 8))] for height in heights)


def _axis(day: Day, minutes: int, width: int) -> str:
    """Every third hour, where it begins."""
    axis = [" "] * (width + 5)
    first = -(day.start.hour * 60 + day.start.minute) % 180
    for minute in range(first, MINUTES_PER_DAY, 180):
        column = -(-minute // minutes)
        axis[column : column + 5] = day.at(minute).strftime("%H:%M")
    return "".join(axis).rstrip()


def _legend(day: Day) -> list[str]:
    rx = day.rx
    first = day.start.strftime("%a %H:%M").lower()
    basal = f"basal {dose_text(int(day.basal_nl()), rx)}"
    given = sum(bolus.dose_nl for _, bolus in day.boluses)
    count = f"{len(day.boluses)} scheduled bolus{'es' if len(day.boluses) > 1 else ''}"
    also = f", {count} {dose_text(given, rx)}" if day.boluses else ""
    lines = [f"24 h from {first}: {basal}{also}"]
    happens = [(minute, dose_text(rate, rx, "/day")) for minute, rate in day.changes()]
    for minute, bolus in day.boluses:
        happens.append((minute, f"bolus {dose_text(bolus.dose_nl, rx)} over {_duration(bolus.seconds)}"))
    lines += [f"  {day.at(minute):%H:%M}  {what}" for minute, what in sorted(happens, key=lambda pair: pair[0])]
    bolus = rx.patient_bolus
    if bolus:
        what = f"{dose_text(bolus.dose_nl, rx)} over {_duration(bolus.seconds)}"
        lines.append(f"  button  {what}, lockout {_duration(bolus.lockout_s)}, at most {bolus.max_per_day} in 24 h")
    return lines


def dose_text(nl: int, rx: Prescription, suffix: str = "") -> str:
    """A volume (nL) as the mass that it carries, or in uL where the drug has no mass."""
    if rx.concentration_ng_per_ml:
        return _decimal(nl * rx.concentration_ng_per_ml // _NL_PER_ML) + " ug" + suffix
    return _decimal(nl) + " uL" + suffix


def _decimal(thousandths: int) -> str:
    whole, rest = divmod(thousandths, 1_000)
    return f"{whole}.{rest:03}".rstrip("0").rstrip(".")


def _duration(seconds: int) -> str:
    for unit, length in (("h", 3_600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
