"""A whole number that proves its own range: all arithmetic with it stays inside MicroPython's small integers."""

from __future__ import annotations

from typing import Any

from typing_extensions import Self

LIMIT = 1 << 30  # MicroPython on a 32-bit processor allocates for anything outside -2**30 .. 2**30 - 1


class NotSmall(AssertionError):
    """A value that would have been allocated on the heap."""


class Tracked(int):
    """An int whose results are Tracked too, and that refuses to become larger than a small integer."""

    def __new__(cls, value: int) -> Self:
        if not -LIMIT <= value < LIMIT:
            raise NotSmall(f"{value} is no small integer")
        return super().__new__(cls, value)


def _wrap(name: str) -> Any:
    plain = getattr(int, name)

    def operation(self: int, *others: int) -> Any:
        result = plain(self, *others)
        if result is NotImplemented:
            return result
        if isinstance(result, tuple):
            return tuple(Tracked(part) for part in result)
        return Tracked(result)

    return operation


for _base in ("add", "sub", "mul", "floordiv", "mod", "divmod", "lshift", "rshift", "and", "or", "xor"):
    setattr(Tracked, f"__{_base}__", _wrap(f"__{_base}__"))
    setattr(Tracked, f"__r{_base}__", _wrap(f"__r{_base}__"))
for _base in ("neg", "pos", "abs", "invert"):
    setattr(Tracked, f"__{_base}__", _wrap(f"__{_base}__"))


def track(thing: Any) -> Any:
    """Make every int attribute of an object Tracked; returns the object."""
    for name, value in vars(thing).items():
        if type(value) is int:
            setattr(thing, name, Tracked(value))
    return thing
