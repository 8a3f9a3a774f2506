"""The coming 24 hours of a pump in a terminal: basal as bars, scheduled boluses as marks, and what happens when."""

from __future__ import annotations

from dataclasses import replace

from rich.text import Text

from thecal.coming_day import DAY_S, Day, Given, Skipped
from thecal.prescription import Prescription

ROWS = 6
MARGIN = 18  # columns left of the chart, for what a row stands for
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ASCII_EIGHTHS = " ...::###"
_MARK, _ASCII_MARK = "\N{BLACK DOWN-POINTING TRIANGLE}", "v"
_NL_PER_ML = 1_000_000
_SKIPPED = {
    "stopped": "the pump is stopped",
    "alarm": "an alarm",
    "low_reservoir": "low reservoir",
    "bridge": "a bridge runs",
    "trial_over": "the trial is over",
    "late": "another one flows for 30 min",
    "interruption": "dropped with the one that it waits for",
}
_AFTERWARDS = {"minimum": "the minimum rate", "stopped": "nothing"}


def draw(day: Day, width: int = 80, *, ascii_only: bool = False) -> Text:
    """The chart: 15 min a column where the width allows it, else 30. A column is as high as the highest rate in it."""
    seconds = 900 if width >= MARGIN + DAY_S // 900 + 5 else 1_800
    columns = [day.highest(first, first + seconds) for first in range(0, DAY_S, seconds)]
    text = Text()
    text.append(f"{'boluses':>{MARGIN - 2}}  ")
    text.append(_marks(day, seconds, len(columns), _ASCII_MARK if ascii_only else _MARK) + "\n", "bold yellow")
    top = max(columns)
    for row in reversed(range(ROWS)):
        label = dose_text(top, _flowing(day), "/day") if row == ROWS - 1 else "0" if not row else ""
        text.append(f"{label:>{MARGIN - 2}} |" if ascii_only else f"{label:>{MARGIN - 2}} │")
        text.append(_row(columns, row, _ASCII_EIGHTHS if ascii_only else _EIGHTHS).rstrip() + "\n", "cyan")
    text.append(" " * MARGIN + _axis(day, seconds, len(columns)) + "\n")
    text.append("\n".join(_legend(day)))
    return text


def _flowing(day: Day) -> Prescription:
    """What doses of basal are told by: while a bridge gives another drug or concentration, in volumes."""
    return replace(day.rx, concentration_ng_per_ml=0) if day.now.bridge_nl else day.rx


def _marks(day: Day, seconds: int, width: int, mark: str) -> str:
    counts = [0] * width
    for one in day.given:
        counts[one.second // seconds] += 1
    signs = [" " if not count else mark if count == 1 else str(count) if count < 10 else "+" for count in counts]
    return "".join(signs).rstrip()


def _row(columns: list[int], row: int, eighths: str) -> str:
    """One row of the bars; row 0 is the lowest. What is above 0 shows, however little it is."""
    top = max(*columns, 1)
    heights = [-(-rate * ROWS * 8 // top) for rate in columns]
    return "".join(eighths[min(8, max(0, height - row * 8))] for height in heights)


def _axis(day: Day, seconds: int, width: int) -> str:
    """Every third hour, where it begins."""
    axis = [" "] * (width + 5)
    first = -(day.start.hour * 60 + day.start.minute) % 180
    for second in range(first * 60, DAY_S, 10_800):
        column = -(-second // seconds)
        axis[column : column + 5] = day.at(second).strftime("%H:%M")
    return "".join(axis).rstrip()


def _legend(day: Day) -> list[str]:
    rx = day.rx
    first = day.start.strftime("%a %H:%M").lower()
    basal = f"basal {dose_text(int(day.basal_nl()), _flowing(day))}"
    given = sum(one.given_nl for one in day.given)
    count = f"{len(day.given)} scheduled bolus{'es' if len(day.given) > 1 else ''}"
    also = f", {count} {dose_text(given, rx)}" if day.given else ""
    lines = [f"24 h from {first}: {basal}{also}", *(f"  {what}" for what in _holds(day))]
    lines += [f"  {day.at(second):%H:%M}  {what}" for second, what in _happens(day)]
    bolus = rx.patient_bolus
    if bolus:
        what = f"{dose_text(bolus.dose_nl, rx)} over {_duration(bolus.seconds)}"
        lines.append(f"  button  {what}, lockout {_duration(bolus.lockout_s)}, at most {bolus.max_per_day} in 24 h")
    return lines


def _holds(day: Day) -> list[str]:
    """What the pump is in the middle of, beside what its prescription says."""
    now = day.now
    lines = []
    if now.alarms:
        what = "no bolus" if now.no_bolus else "only the lowest rate, no bolus" if now.lowest else ""
        what = "nothing flows until `clear` and `resume`" if now.halted == "safe" else what
        lines.append(f"alarm {', '.join(now.alarms)}: {what}")
    elif now.halted == "safe":
        lines.append("an alarm has stopped the pump: nothing flows until `clear` and `resume`")
    if now.halted == "stopped":
        until = "`resume`" if now.halted_s is None else f"{day.at(day.halt_end or DAY_S):%H:%M}"
        lines.append(f"stopped until {until}: nothing flows, no bolus")
    if now.bridge_nl and all(rate != now.bridge_rate for _, rate in day.changes):
        lines.append("a bridge, which waits: no bolus")
    elif now.bridge_nl:
        until = "" if day.bridge_end is None else f" until {day.at(day.bridge_end):%H:%M}"
        lines.append(f"a bridge{until}: {_decimal(now.bridge_rate)} uL/day of what the path holds, no bolus")
    if now.trial_s is not None:
        until = "over" if not now.trial_s else f"{'beyond' if day.trial_end is None else 'ends within'} these 24 h"
        lines.append(f"a trial, {until}: then {_AFTERWARDS[now.afterwards]}, no bolus")
    return lines


def _happens(day: Day) -> list[tuple[int, str]]:
    """(second, what), in the order in which it happens."""
    rx = day.rx
    happens = [
        (day.halt_end, "the stop ends"),
        (day.bridge_end, "the bridge ends"),
        (day.trial_end, "the trial ends: " + _AFTERWARDS[day.now.afterwards]),
        (day.low, "low reservoir: no bolus from then on"),
        (day.empty, "the reservoir is empty"),
    ]
    happens += [(second, dose_text(rate, _flowing(day), "/day")) for second, rate in day.changes]
    for one in day.given:
        part = "" if one.given_nl == one.bolus.dose_nl else f", {dose_text(one.given_nl, rx)} of it"
        happens.append((one.second, _bolus(one, rx) + part))
    happens += [(one.second, f"{_bolus(one, rx)}: skipped, {_SKIPPED[one.reason]}") for one in day.skipped]
    return sorted(((second, what) for second, what in happens if second is not None), key=lambda pair: pair[0])


def _bolus(one: Given | Skipped, rx: Prescription) -> str:
    return f"bolus {dose_text(one.bolus.dose_nl, rx)} over {_duration(one.bolus.seconds)}"


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
