"""The picture of the ways to step: how often an interval was off by more than so much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_COLOURS = ("#D55E00", "#E69F00", "#CC79A7", "#56B4E9", "#0072B2")  # stay apart for colour-blind readers
_STYLES = ("-", "--", "-.", ":", "-")
_FLOOR_US = 0.001  # below it the emulator's clock shows nothing


def draw(path: Path, ways: Mapping[str, Sequence[float]], interval_us: int) -> None:
    """Draw deviations (us) of each way into a PNG; the folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(9, 4.8), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for index, (name, deviations) in enumerate(ways.items()):
        sizes = sorted((max(abs(us), _FLOOR_US) for us in deviations), reverse=True)
        shares = [(rank + 1) / len(sizes) for rank in range(len(sizes))]
        colour, style = _COLOURS[index % len(_COLOURS)], _STYLES[index % len(_STYLES)]
        axes.step(sizes, shares, where="post", color=colour, linestyle=style, linewidth=1.8, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("deviation of a step interval (us)")
    axes.set_ylabel("share of intervals that are off by more")
    axes.set_title(
        f"Steps every {interval_us:,} us under load: EEPROM pages, JSON, garbage collection\n"
        "emulated RP2040 at 125 MHz, 75 kB of live heap"
    )
    axes.grid(visible=True, which="major", alpha=0.25, linewidth=0.6)
    axes.legend(loc="lower center", frameon=False)
    figure.savefig(path)
