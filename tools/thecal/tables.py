"""Reading TOML tables strictly: no key unread, none missing, nothing of the wrong kind, every error with its
path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from thecal.fields import ABSENT, FieldError, did_you_mean, key_shown, listed
from thecal.paths import load_toml
from thecal.quantities import Dimension, Quantity, QuantityError, parse_any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    ErrorMaker = Callable[[str, object, str], FieldError]


class Table:
    """One table of a file: where it stands, what was found, and the error that its reader promises."""

    def __init__(self, data: object, path: str, error: ErrorMaker) -> None:
        """path: as in "prescription.period[2]", empty for the file itself.

        Raises the error if data is no table.
        """
        self.path = path
        self.error = error
        if not isinstance(data, dict):
            raise error(path, data, "a table is needed")
        self.data: dict[str, Any] = data

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def where(self, key: str) -> str:
        """The path of a key of this table."""
        return f"{self.path}.{key_shown(key)}" if self.path else key_shown(key)

    def refuse(self, key: str, allowed: str) -> NoReturn:
        """Raise the table's error for a key, with the value it has."""
        raise self.error(self.where(key), self.data.get(key, ABSENT), allowed)

    def only(self, keys: Iterable[str]) -> None:
        """Refuse any key that is not one of these."""
        known = tuple(keys)
        for key in self.data:
            if key not in known:
                hint = did_you_mean(key, known)
                raise self.error(self.where(key), ABSENT, f"unknown key{hint}; allowed is {listed(known)}")

    def need(self, key: str, allowed: str) -> Any:
        """The value of a key that must be there."""
        if key not in self.data:
            raise self.error(self.where(key), ABSENT, f"missing; {allowed}")
        return self.data[key]

    def choice(self, key: str, names: tuple[str, ...], otherwise: str = "unknown") -> str:
        """One of some names, in exactly this spelling. otherwise: what any other is called in the error."""
        value = self.need(key, f"{listed(names)} is needed")
        if not isinstance(value, str) or value not in names:
            self.refuse(key, f"{otherwise}{did_you_mean(value, names)}; {listed(names)} is needed")
        return value

    def text(self, key: str, longest: int, *, spaces: bool) -> str:
        """1..longest printable ASCII characters, with spaces among them if allowed."""
        allowed = f"1 to {longest} printable ASCII characters" + ("" if spaces else " without spaces")
        value = self.need(key, allowed)
        first = " " if spaces else "!"
        if not isinstance(value, str) or not 1 <= len(value) <= longest or not all(first <= c <= "~" for c in value):
            self.refuse(key, allowed)
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number of low..high."""
        allowed = f"a whole number of {low} to {high}"
        value = self.need(key, allowed)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(key, allowed)
        return value

    def quantity(self, key: str, *dimensions: Dimension) -> Quantity:
        """A quantity of one of the dimensions, exact, in base units."""
        self.need(key, "a number, a space and a unit is needed")
        try:
            return parse_any(self.data[key], dimensions, self.where(key))
        except QuantityError as error:
            self.refuse(key, error.allowed)

    def table(self, key: str) -> Table:
        """The table under a key."""
        return Table(self.need(key, f"a table [{self.where(key)}] is needed"), self.where(key), self.error)

    def tables(self, key: str) -> list[Table]:
        """The list of tables under a key, numbered from 1 in their paths; empty if the key is not there."""
        items = self.data.get(key, [])
        if not isinstance(items, list):
            self.refuse(key, f"a list of tables, each headed [[{self.where(key)}]], is needed")
        return [Table(item, f"{self.where(key)}[{i}]", self.error) for i, item in enumerate(items, 1)]


class DocumentError(ValueError):
    """A file that is no TOML document; the text says why, without the name of the file."""


def read_document(path: Path) -> dict[str, Any]:
    """The parsed TOML of a file. Raises DocumentError if it cannot be read or is not TOML."""
    try:
        return load_toml(path)
    except OSError as cause:
        raise DocumentError(f"cannot be read: {cause.strerror or cause}") from cause
    except ValueError as cause:  # not TOML, not UTF-8, a number beyond reading, or an impossible file name
        raise DocumentError(f"is not a TOML file: {cause}") from cause
    except RecursionError as cause:
        raise DocumentError("is not a TOML file: nested too deep") from cause
