"""What all commands of `thecal` share: exit statuses, messages, common options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

REFUSED, WRONG_USE, NO_PUMP = 1, 2, 3

out = Console()
err = Console(stderr=True, highlight=False, soft_wrap=True)

Port = Annotated[str, typer.Option("--port", "-p", help="Serial port of the pump.", envvar="PORT")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def fail(status: int, reason: object) -> NoReturn:
    """Say why on stderr, and end with an exit status."""
    err.print(str(reason), markup=False)
    raise typer.Exit(status)


@contextmanager
def long_work(title: str) -> Iterator[Callable[[float], None]]:
    """A progress bar on stderr for work that reports the share done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err, transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def note(line: str) -> None:
    """One line of progress on stderr."""
    err.print(line, markup=False)
