"""The commands of `thecal` that give something, or change a therapy for a time: each shows first what will happen.

A therapy action is never a single action (R21, R22): it is shown with the volumes and versions that it rests on, and
begins once the operator has said yes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thecal import cli_staging
from thecal.cli_common import REFUSED, WRONG_USE, AsJson, Port, fail, out
from thecal.cli_staging import Confirm
from thecal.cli_talk import ask, need_yes, print_reply, show
from thecal.link import parse_status
from thecal.quantities import Dimension, QuantityError, ascii_units, parse_any

commands = typer.Typer()
trial_commands = typer.Typer(help="A time-limited prescription, its scores, and what becomes of it.")
commands.add_typer(trial_commands, name="trial", invoke_without_command=True)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
_STATE = ("state", "mode", "prescription", "rate", "bolus", "reservoir_nl", "alarms", "bridge_left_nl", "trial_left_s")
_AMOUNT = (Dimension.MASS, Dimension.VOLUME)


def _quantity(field: str, text: str, *dimensions: Dimension) -> str:
    """The text of a quantity as the pump's console takes it; one that cannot be read is wrong use."""
    try:
        parse_any(text, dimensions, field)
    except QuantityError as error:
        fail(WRONG_USE, error)
    return ascii_units(text)


def _show_state(port: str) -> dict[str, str]:
    """Show what the pump is doing now."""
    (reply,) = ask(port, "status")
    status = parse_status(reply.lines)
    for key in _STATE:
        if key in status:
            print(f"{key}: {status[key]}")
    return status


def _in_force(port: str) -> dict[str, str]:
    """The rows of the prescription in force."""
    (reply,) = ask(port, "program show")
    return parse_status(reply.lines)


# -- boluses ----------------------------------------------------------------------------------------------------


@commands.command()
def bolus(
    port: Port,
    dose: Annotated[str, typer.Argument(help='The dose, for instance "25 ug"; or cancel.')],
    over: Annotated[str | None, typer.Option(help='How long it takes, for instance "10 min".')] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="The dose may be beyond the drug's soft limit.")] = False,
    yes: Yes = False,
) -> None:
    """Give a clinician bolus on top of the basal rate, or cancel the boluses that flow."""
    if dose == "cancel":
        if over is not None:
            fail(WRONG_USE, "--over: a bolus that is cancelled takes none")
        _show_state(port)
        need_yes("Cancel every bolus? What is left of it is not given later.", yes)
        ask(port, "bolus cancel")
        out.print("cancelled", highlight=False)
        return
    if over is None:
        fail(WRONG_USE, '--over: how long the bolus takes is needed, for instance --over "10 min"')
    line = f"bolus {_quantity('bolus', dose, *_AMOUNT)} over {_quantity('--over', over, Dimension.DURATION)}"
    print(f"drug: {_drug(_in_force(port))}")
    _show_state(port)
    need_yes(f"Give a {line}?", yes)
    show(ask(port, f"{line} confirm" if confirm else line)[0])


def _drug(rows: dict[str, str]) -> str:
    """Drug and concentration in force: what a mass is reckoned with."""
    return f"{rows.get('drug', 'none')}, concentration {rows.get('concentration', 'none')}"


@commands.command()
def dose(port: Port, yes: Yes = False) -> None:
    """Ask for the patient bolus, as the button does: it counts for lockout and limits."""
    rows = _in_force(port)
    print(f"patient_bolus: {rows.get('patient_bolus', 'none')}")
    _show_state(port)
    need_yes("Ask for a patient bolus?", yes)
    show(ask(port, "dose")[0])


# -- reservoir, path --------------------------------------------------------------------------------------------


@commands.command()
def refill(
    port: Port,
    volume: Annotated[str, typer.Argument(help='In the reservoir afterwards, for instance "18 mL".')],
    measured: Annotated[str | None, typer.Option(help='Residual that was withdrawn, for instance "2.1 mL".')] = None,
    because: Annotated[str | None, typer.Option(help="Why the residual is not what was expected, one word.")] = None,
    yes: Yes = False,
) -> None:
    """Tell the pump that its reservoir has been filled: what came out of it, and what it holds now."""
    line = "refill " + _quantity("refill", volume, Dimension.VOLUME)
    if measured is not None:
        line += " measured " + _quantity("--measured", measured, Dimension.VOLUME)
    if because is not None:
        line += " because " + because
    _show_state(port)
    need_yes(f"{line}: right?", yes)
    show(ask(port, line)[0])


@commands.command()
def prime(
    port: Port,
    only_show: Annotated[bool, typer.Option("--show", help="Show what priming would do, and do not.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Fill pump tubing and catheter; a bolus that flows is cancelled."""
    (planned,) = ask(port, "prime show")
    print_reply(planned, as_json)
    if only_show or as_json:
        return
    need_yes("Prime? Check the path against what is implanted. Every bolus is cancelled, no limit counts it.", yes)
    ask(port, "prime")
    out.print("priming", highlight=False)


@commands.command()
def bridge(
    port: Port,
    verb: Annotated[str | None, typer.Argument(help="cancel: the path has been flushed by hand.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show the bridge from one concentration to another, or cancel it."""
    if verb not in (None, "cancel"):
        fail(WRONG_USE, f"bridge {verb}: nothing, or cancel")
    (reply,) = ask(port, "bridge")
    print_reply(reply, as_json)
    if verb is None:
        return
    need_yes("Cancel it? The new dose begins at once: right only if the path holds the new drug.", yes)
    ask(port, "bridge cancel")
    out.print("cancelled", highlight=False)


# -- trial ------------------------------------------------------------------------------------------------------


@trial_commands.callback()
def trial(
    context: typer.Context,
    port: Annotated[str | None, typer.Option("--port", "-p", help="Serial port of the pump.", envvar="PORT")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the trial and its scores."""
    if context.invoked_subcommand is None:
        if port is None:
            fail(WRONG_USE, "--port: the serial port of the pump is needed")
        print_reply(ask(port, "trial")[0], as_json)
    elif port is not None:
        context.default_map = {context.invoked_subcommand: {"port": port}}  # before the verb it counts as well


@trial_commands.command()
def start(  # noqa: PLR0913, PLR0917 - each is an option of the command
    port: Port,
    file: Annotated[Path, typer.Argument(help="Prescription file (TOML).")],
    how_long: Annotated[str, typer.Option("--for", help='1 h to 14 d, for instance "3 d".')],
    then: Annotated[str, typer.Option(help="What comes after it: minimum or stopped.")],
    confirm: Confirm = None,
    yes: Yes = False,
) -> None:
    """Put a prescription in force for a time; it ends by itself. --yes confirms no warning."""
    if then not in ("minimum", "stopped"):
        fail(WRONG_USE, f"--then = {then}: minimum or stopped")
    line = f"trial start {_quantity('--for', how_long, Dimension.DURATION)} then {then}"
    lines = cli_staging.file_lines(port, file)
    with cli_staging.staging(port):
        staged = ask(port, *lines)[-1]
        show(staged)
        cli_staging.confirm(port, staged, confirm, f"Put this in force for {how_long}, then {then}?", yes)
        started = ask(port, line)[0]
    show(started)


@trial_commands.command()
def score(
    port: Port,
    pain: Annotated[int | None, typer.Option(min=0, max=10, help="Numeric rating scale, 0 to 10.")] = None,
    spasticity: Annotated[int | None, typer.Option(min=0, max=4, help="Ashworth scale, 0 to 4.")] = None,
    effects: Annotated[list[str] | None, typer.Argument(help="Side effects, for instance nausea.")] = None,
) -> None:
    """Store how the patient is."""
    words = [] if pain is None else [f"pain {pain}"]
    words += [] if spasticity is None else [f"spasticity {spasticity}"]
    words += effects or []
    if not words:
        fail(WRONG_USE, "score: at least one of --pain, --spasticity and a side effect is needed")
    ask(port, " ".join(["score", *words]))


@trial_commands.command()
def end(port: Port, yes: Yes = False) -> None:
    """End the trial now."""
    show(ask(port, "trial")[0])
    need_yes("End the trial now?", yes)
    ask(port, "trial end")
    out.print("ended", highlight=False)


@trial_commands.command()
def keep(port: Port, confirm: Confirm = None, yes: Yes = False) -> None:
    """Put the prescription of the trial in force for good. --yes confirms no warning."""
    _take_over(port, "keep", confirm, yes)


@trial_commands.command()
def discard(port: Port, confirm: Confirm = None, yes: Yes = False) -> None:
    """Put the prescription before the trial in force again, or stop if it is not known any more.

    --yes confirms no warning.
    """
    _take_over(port, "discard", confirm, yes)


def _take_over(port: str, verb: str, given: list[str] | None, yes: bool) -> None:
    """Stage what the pump proposes, show it beside what is in force, and commit it once confirmed."""
    with cli_staging.staging(port):
        (staged,) = ask(port, f"trial {verb}")
        show(staged)
        digests = [line.removeprefix("digest: ") for line in staged.lines if line.startswith("digest: ")]
        if len(digests) != 1:
            fail(REFUSED, f"trial {verb}: the pump named no digest")
        cli_staging.confirm(port, staged, given, "Put this prescription in force?", yes)
        ask(port, f"program commit {digests[0]}")
    out.print("in force", highlight=False)
