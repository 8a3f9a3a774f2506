"""The `thecal` command. Exit status: 0 done, 1 refused by the pump, 2 wrong use, 3 no pump."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from thecal import demo as demonstration
from thecal import sim as simulation
from thecal import targets
from thecal.build import BuildError, build
from thecal.flash import FlashError
from thecal.flash import flash as deploy
from thecal.image import ImageError
from thecal.link import NoPump, PumpLink, Reply, parse_log, parse_status
from thecal.models.bench import PumpConfig
from thecal.paths import BUILD
from thecal.prescription import PrescriptionError, RateRange, stage_lines
from thecal.prescription_toml import load_prescription
from thecal.programming import calibration, calibration_values, pack
from thecal.pump_toml import load_pump
from thecal.scenario import Scenario, ScenarioError, load_scenario

REFUSED, WRONG_USE, NO_PUMP = 1, 2, 3

app = typer.Typer(
    help="Thecal: open firmware for a bench infusion pump. A research system, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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


def _scenario(path: Path) -> Scenario:
    try:
        return load_scenario(path)
    except (ScenarioError, OSError) as error:
        fail(WRONG_USE, error)


def _bench(scenario: Scenario) -> simulation.Bench:
    try:
        return simulation.make_bench(scenario)
    except ValueError as error:  # the firmware refuses what the scenario says of its pump
        fail(WRONG_USE, error)


def _simulate(scenario: Scenario, target: str) -> simulation.Result:
    bench = _bench(scenario)
    try:
        pump = targets.make_target(target, bench, scenario.seed, note)
    except (ImageError, BuildError) as error:
        fail(WRONG_USE, error)
    with long_work(f"simulating on the {target}") as progress:
        return simulation.simulate(scenario, pump, progress)


@app.command()
def sim(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (TOML).")],
    target: Annotated[str, typer.Option(help="twin (CPython) or board (emulated RP2040).")] = "twin",
    folder: Annotated[Path, typer.Option("--out", help="Folder for steps.csv, events.jsonl, summary.json.")] = BUILD
    / "sim",
    as_json: AsJson = False,
) -> None:
    """Simulate a scenario."""
    if target not in targets.NAMES:
        fail(WRONG_USE, f"--target = {target}: {' or '.join(targets.NAMES)}")
    plan = _scenario(scenario)
    try:
        folder.mkdir(parents=True, exist_ok=True)  # before the work, not after it
        result = _simulate(plan, target)
        simulation.write(result, folder)
    except OSError as error:
        fail(WRONG_USE, f"--out = {folder}: {error}")
    record = result.summary.record()
    if as_json:
        print(json.dumps(record, indent=2))
        return
    for key, value in record.items():
        out.print(f"{key}: {value}", highlight=False)
    out.print(f"steps.csv, events.jsonl and summary.json are in {folder}", highlight=False)


@app.command()
def demo() -> None:
    """A day of flex therapy with a power cut, a stop and a hang, on the twin."""
    plan = _scenario(demonstration.SCENARIO)
    result = _simulate(plan, "twin")
    folder = BUILD / "demo"
    simulation.write(result, folder)
    demonstration.picture(plan, result, folder / "infusion.png")
    good = demonstration.report(plan, result, out)
    out.print(f"The therapy as a plot: {folder / 'infusion.png'}", highlight=False, soft_wrap=True)
    if not good:
        fail(REFUSED, "the balance is off by a step or more")


@app.command()
def emulate(
    scenario: Annotated[
        Path | None, typer.Option(help="Scenario whose pump and prescription are used; default: the demo's.")
    ] = None,
    blank: Annotated[bool, typer.Option(help="A board never flashed, with an erased EEPROM.")] = False,
    service: Annotated[bool, typer.Option(help="Start with the SERVICE strap set.")] = False,
    speed: Annotated[float, typer.Option(help="Simulated seconds a second, above 0.")] = 1.0,
) -> None:
    """An emulated pump on a pseudo-terminal, paced to real time."""
    from thecal.emulated.board import EmulatedBoard
    from thecal.emulated.pty import serve

    plan = _scenario(scenario or demonstration.SCENARIO)
    bench = simulation.Bench(plan.pump, plan.start, plan.seed) if blank else _bench(plan)
    try:
        image = targets.find_or_make_image(note)
        if not blank:
            build()
        flash = None if blank else targets.littlefs_image()
        board = EmulatedBoard(bench, image, flash, service=service, seed=plan.seed)
        serve(board, speed, lambda path: print(path, flush=True))
    except (ImageError, BuildError, ValueError) as error:
        fail(WRONG_USE, error)


@app.command()
def flash(port: Port) -> None:
    """Compile the firmware, copy it with mpremote, verify every file on the device, restart it."""
    try:
        build()
        report = deploy(port, report=note)
    except BuildError as error:
        fail(WRONG_USE, error)
    except FlashError as error:
        fail(error.exit_status, error)
    out.print(f"{report.files} files, {report.size} bytes on {report.port}, all verified", highlight=False)


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


@app.command()
def status(port: Port, as_json: AsJson = False) -> None:
    """What the pump is doing."""
    (reply,) = _ask(port, "status")
    _print(reply, as_json)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def stop(
    port: Port,
    minutes: Annotated[
        int | None, typer.Option("--for", min=1, max=60, help="Resume by itself after so many minutes.")
    ] = None,
) -> None:
    """Stop delivery."""
    _ask(port, f"stop for {minutes} min" if minutes else "stop")


@app.command()
def resume(port: Port) -> None:
    """Start delivery again."""
    _ask(port, "resume")


@app.command()
def clear(port: Port) -> None:
    """End the alarms whose cause is gone."""
    (reply,) = _ask(port, "clear")
    _show(reply)


@app.command()
def clock(
    port: Port,
    to: Annotated[str | None, typer.Argument(help="New local time, YYYY-MM-DDThh:mm:ss.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show or set the pump's clock."""
    (reply,) = _ask(port, f"clock set {to}" if to else "clock")
    _print(reply, as_json)


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    sys.exit(main())
