"""The command `thecal program`: a prescription is shown, compared, confirmed and put in force (F4, R22)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from thecal.cli_common import REFUSED, WRONG_USE, AsJson, Port, fail, out
from thecal.cli_talk import ask, print_reply, show
from thecal.day_chart import AnswerError, coming_day, draw, in_force
from thecal.link import Reply, parse_status
from thecal.models.bench import PumpConfig
from thecal.prescription import PrescriptionError, RateRange, stage_lines
from thecal.prescription_toml import load_prescription
from thecal.programming import pack, warnings

commands = typer.Typer()


@commands.command()
def program(
    port: Port,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE|show|history", help="Prescription file (TOML); one named show is ./show."),
    ] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Put it in force without asking.")] = False,
    confirm: Annotated[
        list[str] | None,
        typer.Option(
            "--confirm",
            metavar="'FIELD VALUE'",
            help="Confirm a warning, as it stands in it; may be given several times.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the prescription in force; with a file, stage it, show both side by side, and commit it once confirmed.

    What the pump warns of must be typed once more, or be given as --confirm. `show` adds a chart of the coming 24 h;
    `history` lists the prescriptions that the pump still holds.
    """
    if file is None:
        (reply,) = ask(port, "program show")
        print_reply(reply, as_json)
    elif file == "show":
        _show_day(port, as_json)
    elif file == "history":
        _show_history(port, as_json)
    else:
        lines = _stage_lines(port, Path(file))
        staged = ask(port, *lines)[-1]
        show(staged)
        typed = _confirmed(port, staged, confirm or [], commit)
        digest = lines[-1].split()[-1]
        ask(port, *(f"program confirm {warned}" for warned in typed), f"program commit {digest}")
        out.print("in force", highlight=False)


def _confirmed(port: str, staged: Reply, given: list[str], commit: bool) -> list[str]:
    """What the operator typed for the pump's warnings, after a yes to the whole; else nothing stays staged."""
    warned = warnings(staged.lines)
    typed = []
    for text in given:
        if text not in warned:
            _give_up(port, f'--confirm "{text}": the pump warns of no such thing')
    for text, why in warned.items():
        if text not in given and commit:
            _give_up(port, f'--confirm "{text}" is needed: {why}')
        typed.append(text if text in given else _retyped(port, text, why))
    if not commit and _answer(lambda: typer.confirm("Put this prescription in force?", err=True)) is not True:
        _give_up(port, "not confirmed")
    return typed


def _retyped(port: str, warned: str, why: str) -> str:
    """The field of a warning and its value, which the operator types."""
    field, _, value = warned.partition(" ")
    answer = _answer(lambda: typer.prompt(f"{field}: {why}\n{field}, type its value to confirm it", type=str, err=True))
    if not isinstance(answer, str) or answer.strip() != value:
        _give_up(port, f"not confirmed: {field} = {answer or 'nothing'}, and it is {value}")
    return f"{field} {answer.strip()}"


def _answer(question: Callable[[], object]) -> object:
    """The operator's answer, or None when there is none."""
    try:
        return question()
    except typer.Abort:
        return None


def _give_up(port: str, reason: str) -> NoReturn:
    ask(port, "program discard")
    fail(REFUSED, f"{reason}: nothing was changed")


def _show_day(port: str, as_json: bool) -> None:
    """What is in force, and the coming 24 h of it."""
    shown, clock_now, state, limits = ask(port, "program show", "clock", "status", "calibrate show")
    values = parse_status(shown.lines)
    now = datetime.fromisoformat(parse_status(clock_now.lines)["clock"].split(".")[0])
    try:
        rx = in_force(values)
    except AnswerError as error:
        fail(REFUSED, error)
    lowest, highest = _rates(limits)
    day = None if rx is None else coming_day(rx, PumpConfig(min_rate=lowest, max_rate=highest), now)
    if as_json:
        print(json.dumps({**values, "clock": now.isoformat(), "coming": day and day.record()}, indent=2))
        return
    show(shown)
    if day is None:
        out.print("no prescription is in force", highlight=False)
        return
    out.print(draw(day, out.width, ascii_only=out.options.ascii_only), highlight=False, soft_wrap=True)
    status_now = parse_status(state.lines)
    rate = status_now.get("rate", "").split(",")[0]
    if rate and rate != f"{day.rates[0]} nL/day":
        out.print(f"now: {status_now.get('state', '')}, {rate} (`thecal status` says why)", highlight=False)


def _show_history(port: str, as_json: bool) -> None:
    """The prescription in force and those that it has replaced, newest first."""
    (reply,) = ask(port, "program history")
    if as_json:
        print(json.dumps({"prescriptions": past(reply.lines)}, indent=2))
    else:
        show(reply)


def past(lines: tuple[str, ...]) -> list[dict[str, str | int]]:
    """Each prescription of the answer to `program history`: `sequence`, `state`, and its values by name."""
    found: dict[int, dict[str, str | int]] = {}
    for line in lines:
        head, _, rest = line.partition(": ")
        sequence = head.removesuffix(" gives")
        if not sequence.isdecimal():
            continue  # "history: none"
        fields = rest.split("; ")
        record = found.setdefault(int(sequence), {"sequence": int(sequence)})
        if head == sequence:
            record["state"] = fields.pop(0)
        for field in fields:
            name, _, value = field.partition(" ")
            record[name] = value
    return list(found.values())


def _stage_lines(port: str, file: Path) -> list[str]:
    """The console lines for a prescription file, read against the rates that the pump's own calibration allows."""
    (reply,) = ask(port, "calibrate show")
    try:
        return stage_lines(load_prescription(file, _rates(reply)), pack)
    except (PrescriptionError, OSError) as error:
        fail(WRONG_USE, f"{file}: {error}")


def _rates(calibrated: Reply) -> RateRange:
    """The range of rates, from `calibrate show`; what a pump without calibration does not say is the reference's."""
    values = parse_status(calibrated.lines)
    lowest, highest = (
        int(values[key].split()[0]) if key in values else getattr(PumpConfig(), key) for key in ("min_rate", "max_rate")
    )
    return RateRange(lowest, highest)
