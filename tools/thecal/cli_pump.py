"""The commands of `thecal` that talk to a pump over its serial port."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from thecal.cli_common import REFUSED, WRONG_USE, AsJson, Port, fail, out
from thecal.cli_talk import ask, print_reply, show
from thecal.link import parse_log
from thecal.programming import calibration, calibration_values
from thecal.pump_toml import load_pump

commands = typer.Typer()


@commands.command()
def status(port: Port, as_json: AsJson = False) -> None:
    """What the pump is doing."""
    (reply,) = ask(port, "status")
    print_reply(reply, as_json)


@commands.command()
def log(
    port: Port,
    count: Annotated[int, typer.Argument(min=1, max=1000, help="How many of the newest events.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest events of the pump's log, oldest first."""
    (reply,) = ask(port, f"log {count}")
    if as_json:
        print(json.dumps(parse_log(reply.lines), indent=2))
    else:
        show(reply)


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
        (reply,) = ask(port, "calibrate show")
        print_reply(reply, as_json)
        return
    try:
        values = calibration(load_pump(file))
    except ValueError as error:
        fail(WRONG_USE, f"{file}: {error}")
    lines = [f"calibrate set {key} {value}" for key, value in calibration_values(values)]
    show(ask(port, "calibrate discard", *lines, "calibrate show")[-1])
    if not commit and not typer.confirm("Put this calibration in force?", err=True):
        ask(port, "calibrate discard")
        fail(REFUSED, "not confirmed: nothing was changed")
    ask(port, "calibrate commit")
    out.print("in force", highlight=False)


@commands.command()
def stop(
    port: Port,
    minutes: Annotated[
        int | None, typer.Option("--for", min=1, max=60, help="Resume by itself after so many minutes.")
    ] = None,
) -> None:
    """Stop delivery."""
    ask(port, f"stop for {minutes} min" if minutes else "stop")


@commands.command()
def resume(port: Port) -> None:
    """Start delivery again."""
    ask(port, "resume")


@commands.command()
def clear(
    port: Port,
    repeated: Annotated[
        bool, typer.Option("--repeated", help="End alarm_repeated too: a stop alarm came three times in 10 min.")
    ] = False,
) -> None:
    """End the alarms whose cause is gone."""
    (reply,) = ask(port, "clear repeated" if repeated else "clear")
    show(reply)


@commands.command()
def silence(port: Port) -> None:
    """No sound of alarms for up to 2 min."""
    ask(port, "silence")


@commands.command()
def test_alarms(port: Port) -> None:
    """Sound and light of an alarm of high, then of medium priority."""
    ask(port, "test alarms")


@commands.command()
def clock(
    port: Port,
    to: Annotated[str | None, typer.Argument(help="New local time, YYYY-MM-DDThh:mm:ss.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show or set the pump's clock."""
    (reply,) = ask(port, f"clock set {to}" if to else "clock")
    print_reply(reply, as_json)
