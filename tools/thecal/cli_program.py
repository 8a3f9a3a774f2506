"""The command `thecal program`: a prescription is shown, compared, confirmed and put in force (F4, R22)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from thecal import cli_staging
from thecal.cli_common import REFUSED, AsJson, Port, fail, out
from thecal.cli_staging import Confirm
from thecal.cli_talk import ask, print_reply, show
from thecal.coming_day import Day, coming_day
from thecal.day_answers import AnswerError, in_force, middle
from thecal.day_chart import draw
from thecal.link import Reply, parse_status
from thecal.models.bench import PumpConfig
from thecal.prescription import Prescription, commit_line

commands = typer.Typer()


@commands.command()
def program(
    port: Port,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE|show|history", help="Prescription file (TOML); one named show is ./show."),
    ] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Put it in force without asking.")] = False,
    confirm: Confirm = None,
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
        lines = cli_staging.file_lines(port, Path(file))
        with cli_staging.staging(port):
            staged = ask(port, *lines)[-1]
            show(staged)
            cli_staging.confirm(port, staged, confirm, "Put this prescription in force?", commit)
            ask(port, commit_line(lines))
        out.print("in force", highlight=False)


def _show_day(port: str, as_json: bool) -> None:
    """What is in force, and the coming 24 h of it."""
    shown, state, limits = ask(port, "program show", "status", "calibrate show")
    values, status = parse_status(shown.lines), parse_status(state.lines)
    try:
        rx = in_force(values)
        day = None if rx is None else _coming_day(port, rx, status, limits)
    except AnswerError as error:
        fail(REFUSED, error)
    if as_json:
        coming = None if day is None else day.record()
        print(json.dumps({**values, "clock": _clock(status).isoformat(), "coming": coming}, indent=2))
        return
    show(shown)
    if day is None:
        out.print("no prescription is in force", highlight=False)
        return
    out.print(draw(day, out.width, ascii_only=out.options.ascii_only), highlight=False, soft_wrap=True)
    rate = status.get("rate", "").split(",")[0]
    if rate and rate != f"{day.changes[0][1]} nL/day":
        out.print(f"now: {status.get('state', '')}, {rate} (`thecal status` says why)", highlight=False)


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


def _coming_day(port: str, rx: Prescription, status: dict[str, str], calibrated: Reply) -> Day:
    """The coming 24 h. Asks for bridge and trial only where there is one. Raises AnswerError."""
    bridge = parse_status(ask(port, "bridge")[0].lines) if "bridge_left_nl" in status else {}
    trial = parse_status(ask(port, "trial")[0].lines) if "trial_left_s" in status else {}
    lowest, highest = cli_staging.rates(calibrated)
    now = middle(status, bridge, trial, parse_status(calibrated.lines))
    return coming_day(rx, PumpConfig(min_rate=lowest, max_rate=highest), _clock(status), now)


def _clock(status: dict[str, str]) -> datetime:
    return datetime.fromisoformat(status["clock"].split(".")[0])
