"""Bits of the running application's variables, flipped.

Every integer, truth value and buffer that can be reached from the App object, through attributes of the firmware's own
objects, lists, tuples, dictionaries and arrays, the scratch registers among them. Constants of modules, pointers, and
MicroPython's own memory are not reached: the emulated board's part flips any bit of the RAM.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

BITS = 31  # of a small integer of MicroPython, the sign included
_SIGN = 30
_NOT_FOLLOWED = ("board", "_board", "eeprom", "_eeprom", "train", "_train")
_OF_THE_BOARD = ("_cut",)  # variables of firmware/board.py that stand for its own on the fast board, too


class Leaf(NamedTuple):
    """One variable. group: where it is, the elements of a list being one group. holder: the object or container that
    can be written; key: attribute or index; inner: indices into the tuple that stands there."""

    group: str
    holder: Any
    key: Any
    inner: tuple[int, ...]

    @property
    def path(self) -> str:
        """Where it is, in words."""
        index = f"[{self.key}]" if _is_container(self.holder) else ""
        return self.group + index + "".join(f"[{number}]" for number in self.inner)


Leaves = dict[str, list[Leaf]]  # by group


def leaves(root: Any, name: str = "app") -> Leaves:
    """Every variable below root, in an order that does not change."""
    found: Leaves = {}
    _visit(root, name, found, set())
    board = getattr(root, "board", None)
    for key in _OF_THE_BOARD:
        if hasattr(board, key):
            found[f"{name}.board.{key}"] = [Leaf(f"{name}.board.{key}", board, key, ())]
    return found


def _visit(thing: Any, path: str, found: Leaves, seen: set[int]) -> None:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    for key, value, below in _inside(thing, path):
        _leaf_or_visit((thing, key, ()), value, below, found, seen)


def _inside(thing: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """(key, value, group) of what a thing holds."""
    if isinstance(thing, (list, array)):
        for index, value in enumerate(thing):
            yield index, value, path
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield key, value, path
    elif type(thing).__module__.startswith("firmware"):
        for key, value in vars(thing).items():
            if key not in _NOT_FOLLOWED:
                yield key, value, f"{path}.{key}"


def _leaf_or_visit(
    place: tuple[Any, Any, tuple[int, ...]], value: Any, path: str, found: Leaves, seen: set[int]
) -> None:
    if isinstance(value, int) or (isinstance(value, (bytes, bytearray)) and len(value)):
        found.setdefault(path, []).append(Leaf(path, *place))
    elif isinstance(value, tuple):
        holder, key, inner = place
        for index, part in enumerate(value):
            _leaf_or_visit((holder, key, (*inner, index)), part, path, found, seen)
    elif not (value is None or isinstance(value, str) or callable(value)):
        _visit(value, path, found, seen)


def choose(found: Leaves, rng: Random, wanted: tuple[str, ...] = ("",)) -> Leaf:
    """A group whose name begins like one of those that are wanted, or any if there is none; and of it a variable."""
    groups = [group for group in found if group.startswith(wanted)] or list(found)
    return rng.choice(found[rng.choice(groups)])


def flip(leaf: Leaf, rng: Random, bits: int = BITS) -> str:
    """Flip a bit of it, one of the lowest `bits` of a number. Returns what was done, in words."""
    old = _get(leaf)
    if isinstance(leaf.holder, array):
        bits = min(bits, 8 * leaf.holder.itemsize)
    new = flipped(old, rng, bits)
    _set(leaf, new)
    shown = f"{old!r} -> {new!r}" if not isinstance(old, (bytes, bytearray)) else f"{len(old)} bytes"
    return f"{leaf.path}: {shown}"


def flipped(value: Any, rng: Random, bits: int = BITS) -> Any:
    """The same with one bit flipped: of an integer one of so many, by default all 31 of a small one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return flipped_bit(value, rng.randrange(bits))
    changed = bytearray(value)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed) if isinstance(value, bytes) else changed


def flipped_bit(value: int, bit: int) -> int:
    """An integer with one bit flipped; bit 30 of a small one is its sign."""
    if -(1 << _SIGN) <= value < 1 << _SIGN:
        word = (value ^ 1 << bit) & (1 << BITS) - 1
        return word - (1 << BITS) if word >> _SIGN else word
    return value ^ 1 << bit


def _get(leaf: Leaf) -> Any:
    value = leaf.holder[leaf.key] if _is_container(leaf.holder) else getattr(leaf.holder, leaf.key)
    for index in leaf.inner:
        value = value[index]
    return value


def _set(leaf: Leaf, new: Any) -> None:
    if leaf.inner:
        outer = _get(leaf._replace(inner=()))
        new = _rebuilt(outer, leaf.inner, new)
    if isinstance(leaf.holder, array):
        new &= (1 << 8 * leaf.holder.itemsize) - 1
    if _is_container(leaf.holder):
        leaf.holder[leaf.key] = new
    else:
        _assign(leaf.holder, leaf.key, new)


def _assign(holder: Any, key: str, new: Any) -> None:
    current = getattr(holder, key)
    if isinstance(current, bytearray):
        current[:] = new  # whoever else holds the buffer sees it too
    else:
        setattr(holder, key, new)


def _rebuilt(value: tuple[Any, ...], indices: tuple[int, ...], new: Any) -> tuple[Any, ...]:
    first, *rest = indices
    parts = list(value)
    parts[first] = _rebuilt(parts[first], tuple(rest), new) if rest else new
    return tuple(parts)


def _is_container(thing: Any) -> bool:
    return isinstance(thing, (list, dict, array))
