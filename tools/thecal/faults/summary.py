"""The summary of a campaign: a row for each kind of fault, a column for each class. What is detected, or undetected, is
safe."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from thecal.faults.verdict import CLASSES, UNSAFE
from thecal.powercut.parts import PartResult

_LINES_SHOWN = 40
_HEADS = ("masked", "detected", "undetected", "unsafe")


def show(console: Console, results: dict[str, PartResult]) -> None:
    """The table of all kinds, and the unsafe cases, each with what replays it."""
    table = Table(title="Faults", box=SIMPLE_HEAD)
    table.add_column("kind", no_wrap=True)
    for head in ("injections", *_HEADS):
        table.add_column(head, justify="right", no_wrap=True)
    total = dict.fromkeys(("injections", *CLASSES), 0.0)
    for kind, result in results.items():
        found = {name.removeprefix(f"{kind}_"): value for name, value in result.numbers.items()}
        for name in total:
            total[name] += found[name]
        texts = [f"{value:,.0f}" for value in (found["injections"], *(found[name] for name in CLASSES))]
        if found[UNSAFE]:
            texts[-1] = f"[bold red]{texts[-1]}[/]"
        table.add_row(kind, *texts)
    table.add_section()
    table.add_row("all", *(f"{value:,.0f}" for value in total.values()))
    console.print(table)
    lines = [line for result in results.values() for line in result.violations]
    for line in lines[:_LINES_SHOWN]:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    if len(lines) > _LINES_SHOWN:
        console.print(f"and more: {total[UNSAFE]:,.0f} in all, {len(lines):,} of them told", style="red")
    console.print(f"unsafe: {total[UNSAFE]:,.0f}", style="red" if total[UNSAFE] else "green")
