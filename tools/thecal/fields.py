"""Errors that name a field, its value and what is allowed there, as every reader of files and arguments
raises them.
"""

from __future__ import annotations

import datetime
import json
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_SHOWN = 60


class Absent(Enum):
    """The value of a field that is not there, which None could not be told from."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class FieldError(ValueError):
    """A value that is refused.

    `field` names it with its path, `value` is what was found, `allowed` what may stand there.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        head = field if value is ABSENT else f"{field} = {shown(value)}"
        super().__init__(f"{head}: {allowed}" if head else allowed)


def shown(value: object) -> str:
    """A value of a TOML file as it may be printed on one line: escaped, in the spelling of TOML, and cut when
    long.
    """
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, (str, bool)):
        text = json.dumps(value)
    elif isinstance(value, (datetime.date, datetime.time)):
        text = value.isoformat()
    elif isinstance(value, int) and value.bit_length() > 128:
        return "a number of more than 38 digits"  # Python refuses to print the largest of them
    else:
        text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def key_shown(key: str) -> str:
    """A key as it stands in a path: bare where TOML allows that, else quoted."""
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else shown(key)


def listed(names: Iterable[str]) -> str:
    """Names as "one of a, b, c"."""
    return "one of " + ", ".join(names)


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """A hint for a misspelt name: ' (did you mean "basal"?)', or nothing when no name is near."""
    near = get_close_matches(name, list(names), n=1) if isinstance(name, str) and len(name) < 40 else []
    return f' (did you mean "{near[0]}"?)' if near else ""
