"""What every command that puts a prescription in force shares: staged, each warning confirmed, or discarded (R10, R22).

Nothing stays staged when such a command ends without having put it in force, whatever ended it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from thecal.cli_common import REFUSED, WRONG_USE, fail
from thecal.cli_talk import ask
from thecal.link import Reply, parse_status
from thecal.models.bench import PumpConfig
from thecal.prescription import PrescriptionError, RateRange, stage_lines
from thecal.prescription_toml import load_prescription
from thecal.programming import pack, warnings

Confirm = Annotated[
    list[str] | None,
    typer.Option(
        "--confirm",
        metavar="'FIELD VALUE'",
        help="Confirm a warning, as it stands in it; may be given several times.",
    ),
]


@contextmanager
def staging(port: str) -> Iterator[None]:
    """Stage within it, and put in force as its last act: whatever raises out of it discards what was staged."""
    try:
        yield
    except BaseException:
        with suppress(typer.Exit):  # nothing is staged, or there is no pump any more: it has been said
            ask(port, "program discard", quiet=True)
        raise


def file_lines(port: str, file: Path) -> list[str]:
    """The console lines for a prescription file, read against the rates that the pump's own calibration allows."""
    (reply,) = ask(port, "calibrate show")
    try:
        return stage_lines(load_prescription(file, rates(reply)), pack)
    except (PrescriptionError, OSError) as error:
        fail(WRONG_USE, f"{file}: {error}")


def rates(calibrated: Reply) -> RateRange:
    """The range of rates, from `calibrate show`; what a pump without calibration does not say is the reference's."""
    values = parse_status(calibrated.lines)
    lowest, highest = (
        int(values[key].split()[0]) if key in values else getattr(PumpConfig(), key) for key in ("min_rate", "max_rate")
    )
    return RateRange(lowest, highest)


def confirm(port: str, staged: Reply, given: list[str] | None, question: str, yes: bool) -> None:
    """Confirm to the pump what it warns of, once the operator has typed it and has said yes to the whole.

    given: --confirm, warnings that were typed already. yes: the question is not asked; it stands for no warning, so
    any that was not given ends the command.
    """
    warned = warnings(staged.lines)
    for text in given or []:
        if text not in warned:
            _give_up(f'--confirm "{text}": the pump warns of no such thing')
    missing = {text: why for text, why in warned.items() if text not in (given or [])}
    if missing and yes:
        _give_up("\n".join(f'--confirm "{text}" is needed: {why}' for text, why in missing.items()))
    for text, why in missing.items():
        _retype(text, why)
    if not yes and _answer(lambda: typer.confirm(question, err=True)) is not True:
        _give_up("not confirmed")
    if warned:
        ask(port, *(f"program confirm {text}" for text in warned))


def _retype(warned: str, why: str) -> None:
    """Go on only if the operator types the value of a warning."""
    field, _, value = warned.partition(" ")
    answer = _answer(lambda: typer.prompt(f"{field}: {why}\n{field}, type its value to confirm it", type=str, err=True))
    if not isinstance(answer, str) or answer.strip() != value:
        _give_up(f"not confirmed: {field} = {answer or 'nothing'}, and it is {value}")


def _answer(question: Callable[[], object]) -> object:
    """The operator's answer, or None when there is none: Ctrl-C, or the end of the input."""
    try:
        return question()
    except typer.Abort:
        return None


def _give_up(reason: str) -> NoReturn:
    fail(REFUSED, f"{reason}: nothing was changed")
