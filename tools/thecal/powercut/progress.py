"""What the campaign shows while it runs and when it has ended; and its file of figures."""

from __future__ import annotations

import json
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from thecal.powercut.parts import PartResult

_LINES_SHOWN = 40


class Shown:
    """A parts.Progress with one bar for each part. `bars` is to be entered."""

    def __init__(self, console: Console) -> None:
        self.bars = Progress(
            TextColumn("{task.description:12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
            console=console,
        )
        self._task: TaskID | None = None

    def begin(self, part: str) -> None:
        """The next part begins."""
        self._task = self.bars.add_task(part, total=None, text="")

    def advance(self, done: int, total: int, text: str) -> None:
        """done of total units of this part are finished."""
        if self._task is not None:
            self.bars.update(self._task, completed=done, total=total, text="" if done == total else text)


def show(console: Console, results: dict[str, PartResult]) -> None:
    """The table of all figures, and the violations."""
    table = Table(title="Power cuts", box=SIMPLE_HEAD)
    table.add_column("part", no_wrap=True)
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    for part, result in results.items():
        for name, value in result.numbers.items():
            short = name.removeprefix(part + "_")
            is_bad = short.startswith("violation") and value > 0
            table.add_row(part, short, f"[bold red]{_text(value)}[/]" if is_bad else _text(value))
    console.print(table)
    lines = [f"{part}: {line}" for part, result in results.items() for line in result.violations]
    for line in lines[:_LINES_SHOWN]:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    if len(lines) > _LINES_SHOWN:
        console.print(f"and {len(lines) - _LINES_SHOWN} more", style="red")
    console.print(f"{len(lines)} violations" if lines else "no violations", style="red" if lines else "green")


def _text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) or value == int(value) else f"{value:,.3f}"


def merge(path: Path, numbers: dict[str, float]) -> None:
    """Put figures into a flat JSON object beside those that are there already."""
    try:
        figures = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        figures = {}
    figures.update(numbers)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(sorted(figures.items())), indent=1) + "\n", "utf-8")
