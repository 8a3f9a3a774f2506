"""What the commands of `thecal` that talk to a pump share: send lines, show answers, ask before anything changes."""

from __future__ import annotations

import json
import os
from typing import NoReturn

import typer

from thecal.cli_common import NO_PUMP, REFUSED, WRONG_USE, fail
from thecal.link import NoPump, PumpLink, Reply, parse_status

PATIENCE = "THECAL_PATIENCE_S"
"""Environment variable: seconds of silence within an answer after which there is no pump; for a slow line or host."""
_LONGEST_S = 600.0


def patience() -> float:
    """Seconds, 6 if nothing else is set. Raises ValueError outside 0.1 to 600."""
    text = os.environ.get(PATIENCE, "6")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= _LONGEST_S:
        raise ValueError(f"{PATIENCE} = {text}: 0.1 to {_LONGEST_S:g}")
    return seconds


def ask(port: str, *lines: str, quiet: bool = False) -> list[Reply]:
    """Send lines to the pump. The first refusal ends the command. quiet: without a word, as another reason was told."""
    replies = []
    try:
        with PumpLink(port, patience()) as link:
            for line in lines:
                reply = link.command(line)
                if not reply.ok:
                    _end(REFUSED, reply.reason, quiet)
                replies.append(reply)
    except NoPump as error:
        _end(NO_PUMP, error, quiet)
    except ValueError as error:
        fail(WRONG_USE, error)
    return replies


def _end(status: int, reason: object, quiet: bool) -> NoReturn:
    if quiet:
        raise typer.Exit(status)
    fail(status, reason)


def show(reply: Reply) -> None:
    """Print the lines of an answer."""
    for line in reply.lines:
        print(line)


def print_reply(reply: Reply, as_json: bool) -> None:
    """Print `key: value` lines, or the JSON object that they make."""
    if as_json:
        print(json.dumps(parse_status(reply.lines), indent=2))
    else:
        show(reply)


def need_yes(question: str, yes: bool) -> None:
    """Go on only if the operator says so, or has said so before."""
    if not yes and not typer.confirm(question, err=True):
        fail(REFUSED, "not confirmed: nothing was changed")
