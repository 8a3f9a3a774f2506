"""The summary of a campaign: a row for each kind of fault, a column for each class."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from thecal.faults.verdict import CLASSES, UNSAFE
from thecal.powercut.parts import PartResult

_LINES_SHOWN = 40
_HEADS = ("masked", "detected, safe", "undetected, safe", "unsafe")


def show(console: Console, results: dict[str, PartResult]) -> None:
    """The table of all kinds, and the unsafe cases, each with what replays it."""
    table = Table(title="Faults", box=SIMPLE_HEAD)
    table.add_column("kind", no_wrap=True)
    for head in ("injections", *_HEADS, "ledger behind", "most beyond the demand, safe", "of all", "a second"):
        table.add_column(head, justify="right")
    total = dict.fromkeys(("injections", *CLASSES), 0.0)
    for kind, result in results.items():
        found = {name.removeprefix(f"{kind}_"): value for name, value in result.numbers.items()}
        for name in total:
            total[name] += found[name]
        row = [found["injections"], *(found[name] for name in CLASSES), found["ledger_behind"]]
        texts = [f"{value:,.0f}" for value in row]
        if found[UNSAFE]:
            texts[4] = f"[bold red]{texts[4]}[/]"
        nl = (found["excess_of_the_safe_nl_max"], found["excess_nl_max"])
        speed = found["injections"] / found["wall_s"] if found.get("wall_s") else 0
        table.add_row(kind, *texts, *(f"{value:,.0f} nL" for value in nl), f"{speed:,.1f}")
    table.add_section()
    table.add_row("all", *(f"{value:,.0f}" for value in total.values()))
    console.print(table)
    lines = [line for result in results.values() for line in result.violations]
    for line in lines[:_LINES_SHOWN]:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    if len(lines) > _LINES_SHOWN:
        console.print(f"and more: {total[UNSAFE]:,.0f} in all, {len(lines):,} of them told", style="red")
    console.print(f"unsafe: {total[UNSAFE]:,.0f}", style="red" if total[UNSAFE] else "green")
