"""The picture of an infusion: what was demanded, what the motor delivered, and what happened (F15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    Floats = np.ndarray[Any, np.dtype[np.float64]]

_DEMANDED = "#D55E00"  # colours that stay apart for colour-blind readers and in grey print
_DELIVERED = "#0072B2"
_OFF = "#BBBBBB"
_EVENT = "#333333"
_REFUSED = "#B00020"
_KINDS = {"patient": "#CC79A7", "clinician": "#009E73", "scheduled": "#E69F00", "prime": "#56B4E9"}
_LABEL_SIZE = 9
_MAX_POINTS = 4_000  # more than a page has dots
_MAX_BINS = 240
_STEPS_PER_BIN = 25  # so that single steps do not look like a varying rate
_LABEL_ROWS = 6
_NS_PER_DAY = 86_400 * 10**9
_TICKS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440)
_MAX_TICKS = 13


class Bolus(NamedTuple):
    """A bolus, or the part of one, that flowed from begin_ns to end_ns. kind: as the pump's log has it."""

    kind: str
    begin_ns: int
    end_ns: int


@dataclass(frozen=True)
class Infusion:
    """What to draw. Times are ns of true time since the start.

    demand: (time, rate in nL/day) at each change, by time, the first at 0: the rate demanded from then on, 0
    while the pump is off or stopped. step_times_ns: of the steps that the motor made, rising. events: (time,
    label). refused: the same, of what the pump denied or skipped. off_spans: (from, to) of the time without power.
    start: what the clock showed at 0; without it the axis counts from there. time_label: what the axis shows with it.
    """

    duration_ns: int
    pl_per_step: int
    demand: Sequence[tuple[int, int]]
    step_times_ns: Sequence[int]
    events: Sequence[tuple[int, str]] = ()
    off_spans: Sequence[tuple[int, int]] = ()
    title: str = "Infusion"
    boluses: Sequence[Bolus] = ()
    refused: Sequence[tuple[int, str]] = ()
    start: datetime | None = None
    time_label: str = "local time"


@dataclass(frozen=True)
class _Scale:
    """Units of the axes, chosen so that their numbers are short."""

    ns: float
    time: str
    nl: float = 1.0
    volume: str = "nL"
    rate_nl: float = 1.0
    rate: str = "nL/day"


def draw(
    path: Path,
    infusion: Infusion,
    size: tuple[float, float] = (10, 6.4),
    dpi: int = 160,
    texts: dict[str, str] | None = None,
) -> None:
    """Draw the infusion into an image file (PNG by its suffix). size: inches; texts: kept in a PNG beside the image.

    Raises ValueError if there is no time to draw.
    """
    if infusion.duration_ns <= 0:
        raise ValueError(f"duration = {infusion.duration_ns} ns: more than 0 is needed")
    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    scale = _scale(infusion)
    strip, volume, rate = figure.subplots(3, 1, sharex=True, height_ratios=[_label_height(infusion, size[1]), 3, 2])
    figure.suptitle(infusion.title, fontsize=12, fontweight="bold")
    _draw_volume(volume, infusion, scale)
    _draw_rate(rate, infusion, scale)
    _draw_events(strip, (volume, rate), infusion, scale)
    for axes in (volume, rate):
        _show_boluses(axes, infusion, scale, named=axes is rate)
        _shade(axes, infusion, scale)
        axes.grid(visible=True, alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper left", ncols=6, fontsize=8, framealpha=0.9)
        axes.set_ylim(bottom=0)
    rate.set_xlim(0, infusion.duration_ns / scale.ns)
    _draw_time(rate, infusion, scale)
    figure.savefig(path, metadata={"Software": None, **(texts or {})} if path.suffix == ".png" else None)


def demanded_volume(demand: Sequence[tuple[int, int]], times_ns: Floats) -> Floats:
    """Volume (nL) demanded up to each of the times: the integral of the step curve `demand`."""
    changes = np.array([time for time, _ in demand] or [0], dtype=float)
    rates = np.array([rate for _, rate in demand] or [0], dtype=float)
    before = np.concatenate([[0.0], np.cumsum(rates[:-1] * np.diff(changes))])
    last = np.clip(np.searchsorted(changes, times_ns, side="right") - 1, 0, None)
    return (before[last] + rates[last] * np.clip(times_ns - changes[last], 0, None)) / _NS_PER_DAY


def delivered_rate(infusion: Infusion) -> tuple[Floats, Floats]:
    """Edges (ns) of equal bins over the whole time, and the mean rate (nL/day) delivered in each of them."""
    steps = len(infusion.step_times_ns)
    bins = int(np.clip(steps // _STEPS_PER_BIN, 12, _MAX_BINS))
    edges = np.linspace(0, infusion.duration_ns, bins + 1)
    counts, _ = np.histogram(np.asarray(infusion.step_times_ns, dtype=float), edges)
    return edges, counts * (infusion.pl_per_step / 1000) * _NS_PER_DAY / (infusion.duration_ns / bins)


def _draw_time(axes: Axes, infusion: Infusion, scale: _Scale) -> None:
    if infusion.start is None or infusion.duration_ns < 2 * 60 * 10**9:
        axes.set_xlabel(f"time since start ({scale.time})", fontsize=_LABEL_SIZE)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=_MAX_TICKS, steps=[1, 2, 3, 4, 5, 6, 10]))
        return
    ticks = _clock_ticks(infusion.start, infusion.duration_ns)
    axes.set_xticks([ns / scale.ns for ns, _ in ticks], [label for _, label in ticks])
    axes.set_xlabel(infusion.time_label, fontsize=_LABEL_SIZE)


def _clock_ticks(start: datetime, duration_ns: int) -> list[tuple[int, str]]:
    """(ns, label) of full times of day, at most _MAX_TICKS; a new day shows its name."""
    every = next((step for step in _TICKS_MIN if duration_ns <= step * 60 * 10**9 * _MAX_TICKS), _TICKS_MIN[-1])
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    ticks: list[tuple[int, str]] = []
    for number in count(-(-(start - midnight) // timedelta(minutes=every))):
        at = midnight + number * timedelta(minutes=every)
        ns = (at - start) // timedelta(microseconds=1) * 1_000
        if ns > duration_ns:
            break
        name = f"{at:%a}\n" if at.hour == at.minute == 0 or not ticks else ""
        ticks.append((ns, f"{at:%H:%M}\n{name}".rstrip()))
    return ticks


def _scale(infusion: Infusion) -> _Scale:
    hours = infusion.duration_ns / 3.6e12
    ns, time = (1e9, "s") if hours < 0.1 else (6e10, "min") if hours < 3 else (3.6e12, "h")
    if hours > 24 * 7:
        ns, time = float(_NS_PER_DAY), "days"
    demanded = demanded_volume(infusion.demand, np.array([float(infusion.duration_ns)]))[0]
    volume = max(demanded, len(infusion.step_times_ns) * infusion.pl_per_step / 1000)
    rate = max([rate for _, rate in infusion.demand] or [0])
    return _Scale(ns, time, *_volume_unit(volume), *_volume_unit(rate, "/day"))


def _volume_unit(largest: float, suffix: str = "") -> tuple[float, str]:
    for nl, name in ((1e6, "mL"), (1e3, "\N{GREEK SMALL LETTER MU}L")):
        if largest >= 2 * nl:
            return nl, name + suffix
    return 1.0, "nL" + suffix


def _draw_volume(axes: Axes, infusion: Infusion, scale: _Scale) -> None:
    steps = np.asarray(infusion.step_times_ns, dtype=float)
    grid = np.linspace(0, infusion.duration_ns, _MAX_POINTS)
    if len(steps) < _MAX_POINTS:
        grid = np.union1d(grid, steps[steps <= infusion.duration_ns])
    delivered = np.searchsorted(steps, grid, side="right") * (infusion.pl_per_step / 1000)
    demanded = demanded_volume(infusion.demand, grid)
    # Demand lies broad and pale under delivery: they agree to the width of a line, and both must be seen.
    times = grid / scale.ns
    axes.plot(times, demanded / scale.nl, color=_DEMANDED, linewidth=5, alpha=0.4, label="demanded")
    axes.step(times, delivered / scale.nl, color=_DELIVERED, linewidth=1.4, where="post", label="delivered")
    axes.set_ylabel(f"cumulative volume ({scale.volume})", fontsize=_LABEL_SIZE)
    if not max(demanded[-1], delivered[-1]):
        axes.set_ylim(0, 1)


def _draw_rate(axes: Axes, infusion: Infusion, scale: _Scale) -> None:
    edges, rates = delivered_rate(infusion)
    axes.stairs(rates / scale.rate_nl, edges / scale.ns, fill=True, color=_DELIVERED, alpha=0.35, label="delivered")
    times = [time / scale.ns for time, _ in infusion.demand] + [infusion.duration_ns / scale.ns]
    demand = [rate / scale.rate_nl for _, rate in infusion.demand]
    axes.step(
        times,
        [*demand, demand[-1] if demand else 0],
        color=_DEMANDED,
        where="post",
        linewidth=1.4,
        label="demanded",
    )
    axes.set_ylabel(f"rate ({scale.rate})", fontsize=_LABEL_SIZE)
    top = max([*demand, float(np.max(rates)) / scale.rate_nl])
    axes.set_ylim(0, top * 1.35 if top else 1)  # room for the legend


def _shade(axes: Axes, infusion: Infusion, scale: _Scale) -> None:
    for number, (start, end) in enumerate(infusion.off_spans):
        label = "power off" if number == 0 else None
        axes.axvspan(start / scale.ns, end / scale.ns, color=_OFF, alpha=0.5, linewidth=0, label=label)


def _show_boluses(axes: Axes, infusion: Infusion, scale: _Scale, named: bool) -> None:
    seen: set[str] = set()
    for bolus in infusion.boluses:
        colour = _KINDS.get(bolus.kind, _EVENT)
        name = f"{bolus.kind} bolus" if bolus.kind != "prime" else "prime"
        label = name if named and bolus.kind not in seen else None
        seen.add(bolus.kind)
        # An edge of its own, so that a bolus of minutes is seen on a page of days.
        axes.axvspan(
            bolus.begin_ns / scale.ns, bolus.end_ns / scale.ns,
            facecolor=colour, edgecolor=colour, linewidth=1, alpha=0.3, label=label, zorder=0.5,
        )  # fmt: skip


def _labels(infusion: Infusion) -> list[tuple[int, str, str]]:
    """(ns, label, colour), by time."""
    told = [(time, label, _EVENT) for time, label in infusion.events]
    refused = [(time, label, _REFUSED) for time, label in infusion.refused]
    return sorted(told + refused, key=lambda entry: entry[0])


def _rows(infusion: Infusion) -> list[int]:
    """A row for each event label such that none covers another; -1 where there is no room."""
    free = [-1.0] * _LABEL_ROWS
    rows: list[int] = []
    for time, label, _ in _labels(infusion):
        start = time / infusion.duration_ns
        width = 0.012 + 0.0075 * len(label)  # of the width of the axes, at the size of the labels
        left = start - width if start + width > 1 else start
        row = next((row for row, taken in enumerate(free) if taken <= left), -1)
        if row >= 0:
            free[row] = max(start, left + width)
        rows.append(row)
    return rows


def _label_height(infusion: Infusion, height: float) -> float:
    """Of the strip of labels, where the others take 5 of a picture so many inches high."""
    return 0.12 + 1.09 / height * (max(_rows(infusion), default=-1) + 1)


def _draw_events(strip: Axes, others: tuple[Axes, ...], infusion: Infusion, scale: _Scale) -> None:
    rows = _rows(infusion)
    count = max(rows, default=-1) + 1
    strip.set_ylim(0, max(count, 1))
    strip.axis("off")
    for (time, label, colour), row in zip(_labels(infusion), rows, strict=True):
        at = time / scale.ns
        for axes in others:
            axes.axvline(at, color=colour, linewidth=0.7, linestyle=":")
        if row < 0:
            continue
        strip.plot([at, at], [0, row + 0.5], color=colour, linewidth=0.7, linestyle=":")
        width = 0.012 + 0.0075 * len(label)
        right = time / infusion.duration_ns + width > 1
        strip.annotate(
            label, (at, row + 0.5), (-4 if right else 4, 0), textcoords="offset points", va="center",
            ha="right" if right else "left", fontsize=8, color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
