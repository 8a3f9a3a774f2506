"""The commands of `thecal` that talk to a pump over its serial port."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from thecal.cli_common import NO_PUMP, REFUSED, WRONG_USE, AsJson, Port, fail, out
from thecal.link import NoPump, PumpLink, Reply, parse_log, parse_status
from thecal.models.bench import PumpConfig
from thecal.prescription import PrescriptionError, RateRange, stage_lines
from thecal.prescription_toml import load_prescription
from thecal.programming import calibration, calibration_values, pack
from thecal.pump_toml import load_pump

commands = typer.Typer()


def _ask(port: str, *lines: str) -> list[Reply]:
    """Send lines to the pump. The first refusal ends the command."""
    replies = []
    try:
        with PumpLink(port) as link:
            for line in lines:
                reply = link.command(line)
                if not reply.ok:
                    fail(REFUSED, reply.reason)
                replies.append(reply)
    except NoPump as error:
        fail(NO_PUMP, error)
    except ValueError as error:
        fail(WRONG_USE, error)
    return replies


def _print(reply: Reply, as_json: bool) -> None:
    """Print `key: value` lines, or the JSON object that they make."""
    if as_json:
        print(json.dumps(parse_status(reply.lines), indent=2))
    else:
        _show(reply)


def _show(reply: Reply) -> None:
    for line in reply.lines:
        print(line)


@commands.command()
def status(port: Port, as_json: AsJson = False) -> None:
    """What the pump is doing."""
    (reply,) = _ask(port, "status")
    _print(reply, as_json)


@commands.command()
def log(
    port: Port,
    count: Annotated[int, typer.Argument(min=1, max=1000, help="How many of the newest events.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest events of the pump's log, oldest first."""
    (reply,) = _ask(port, f"log {count}")
    if as_json:
        print(json.dumps(parse_log(reply.lines), indent=2))
    else:
        _show(reply)


@commands.command()
def program(
    port: Port,
    file: Annotated[Path | None, typer.Argument(help="Prescription file (TOML).")] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Put it in force without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the prescription in force; with a file, stage it, show both side by side, and commit it once confirmed."""
    if file is None:
        (reply,) = _ask(port, "program show")
        _print(reply, as_json)
        return
    lines = _stage_lines(port, file)
    staged = _ask(port, *lines)[-1]
    _show(staged)
    if commit or typer.confirm("Put this prescription in force?", err=True):
        _ask(port, f"program commit {lines[-1].split()[-1]}")
        out.print("in force", highlight=False)
    else:
        _ask(port, "program discard")
        fail(REFUSED, "not confirmed: nothing was changed")


def _stage_lines(port: str, file: Path) -> list[str]:
    """The console lines for a prescription file, read against the rates that the pump's own calibration allows."""
    (reply,) = _ask(port, "calibrate show")
    values = parse_status(reply.lines)
    lowest, highest = (
        int(values[key].split()[0]) if key in values else getattr(PumpConfig(), key) for key in ("min_rate", "max_rate")
    )
    try:
        return stage_lines(load_prescription(file, RateRange(lowest, highest)), pack)
    except (PrescriptionError, OSError) as error:
        fail(WRONG_USE, f"{file}: {error}")


@commands.command()
def calibrate(
    port: Port,
    file: Annotated[Path | None, typer.Argument(help="TOML file with a [pump] table, as in a scenario.")] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Put it in force without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the calibration; with a file, stage it, show it beside the old one, and commit it once confirmed.

    What the file does not name is the reference hardware's. The first calibration of a new pump also begins its ledger.
    """
    if file is None:
        (reply,) = _ask(port, "calibrate show")
        _print(reply, as_json)
        return
    try:
        values = calibration(load_pump(file))
    except ValueError as error:
        fail(WRONG_USE, f"{file}: {error}")
    lines = [f"calibrate set {key} {value}" for key, value in calibration_values(values)]
    _show(_ask(port, "calibrate discard", *lines, "calibrate show")[-1])
    if not commit and not typer.confirm("Put this calibration in force?", err=True):
        _ask(port, "calibrate discard")
        fail(REFUSED, "not confirmed: nothing was changed")
    _ask(port, "calibrate commit")
    out.print("in force", highlight=False)


@commands.command()
def stop(
    port: Port,
    minutes: Annotated[
        int | None, typer.Option("--for", min=1, max=60, help="Resume by itself after so many minutes.")
    ] = None,
) -> None:
    """Stop delivery."""
    _ask(port, f"stop for {minutes} min" if minutes else "stop")


@commands.command()
def resume(port: Port) -> None:
    """Start delivery again."""
    _ask(port, "resume")


@commands.command()
def clear(port: Port) -> None:
    """End the alarms whose cause is gone."""
    (reply,) = _ask(port, "clear")
    _show(reply)


@commands.command()
def clock(
    port: Port,
    to: Annotated[str | None, typer.Argument(help="New local time, YYYY-MM-DDThh:mm:ss.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show or set the pump's clock."""
    (reply,) = _ask(port, f"clock set {to}" if to else "clock")
    _print(reply, as_json)
