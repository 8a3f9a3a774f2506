"""The `thecal` command. Exit status: 0 done, 1 refused by the pump, 2 wrong use, 3 no pump."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from thecal import demo as demonstration
from thecal import sim as simulation
from thecal import targets
from thecal.build import BuildError, build
from thecal.cli_common import NO_PUMP, REFUSED, WRONG_USE, AsJson, Port, fail, long_work, note, out
from thecal.cli_program import commands as program_commands
from thecal.cli_pump import commands
from thecal.cli_therapy import commands as therapy_commands
from thecal.flash import FlashError
from thecal.flash import flash as deploy
from thecal.image import ImageError
from thecal.paths import BUILD
from thecal.plot import Infusion, draw
from thecal.scenario import Scenario, ScenarioError, load_scenario
from thecal.therapy_plots import infusion_of

__all__ = ("NO_PUMP", "REFUSED", "WRONG_USE", "app", "main")

app = typer.Typer(
    help="Thecal: open firmware for a bench infusion pump. A research system, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        fail(WRONG_USE, f"--out = {folder}: {error}")


def _simulate(scenario: Scenario, target: str, bench: simulation.Bench) -> simulation.Result:
    try:
        pump = targets.make_target(target, bench, scenario.seed, note)
    except (ImageError, BuildError) as error:
        fail(WRONG_USE, error)
    with long_work(f"simulating on the {target}") as progress:
        return simulation.simulate(scenario, pump, progress)


def _draw(path: Path, infusion: Infusion) -> None:
    try:
        draw(path, infusion)
    except OSError as error:
        fail(WRONG_USE, f"--plot = {path}: {error}")


@app.command()
def sim(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (TOML).")],
    target: Annotated[str, typer.Option(help="twin (CPython) or board (emulated RP2040).")] = "twin",
    folder: Annotated[Path, typer.Option("--out", help="Folder for the output.")] = BUILD / "sim",
    plot: Annotated[Path | None, typer.Option(help="Draw demand, delivery and boluses into this PNG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a scenario."""
    if target not in targets.NAMES:
        fail(WRONG_USE, f"--target = {target}: {' or '.join(targets.NAMES)}")
    if plot is not None and (plot.suffix != ".png" or not plot.parent.is_dir()):
        fail(WRONG_USE, f"--plot = {plot}: a file in a folder that exists, ending in .png, is needed")
    plan = _scenario(scenario)
    bench = _bench(plan)
    with _writing(folder):
        simulation.prepare(folder)  # before the work, not after it
    result = _simulate(plan, target, bench)
    with _writing(folder):
        simulation.write(result, folder)
    if plot is not None:
        _draw(plot, infusion_of(plan, result, scenario.stem.replace("_", " ")))
    for refusal in result.refusals:
        note(f"event {refusal.event}: {refusal.answer}")
    record = result.summary.record()
    if as_json:
        print(json.dumps(record, indent=2))
        return
    for key, value in record.items():
        out.print(f"{key}: {value}", highlight=False)
    out.print(f"steps.csv, events.jsonl, summary.json and console.txt are in {folder}", highlight=False)


@app.command()
def demo() -> None:
    """A day of flex therapy with boluses, a power cut, a stop and a hang, on the twin."""
    plan = _scenario(demonstration.SCENARIO)
    result = _simulate(plan, "twin", _bench(plan))
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


# `sim`, `demo`, `emulate` and `flash` above need no running pump; the rest does.
app.add_typer(commands)
app.add_typer(program_commands)
app.add_typer(therapy_commands)


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    sys.exit(main())
