"""Mocked `micropython`: what the firmware uses of it on CPython."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def const(value: T) -> T:
    """A compile-time constant on the device; just its value here."""
    return value


def heap_lock() -> None:
    """CPython has no heap to lock; the emulated board proves that the tick allocates nothing."""


def heap_unlock() -> None:
    """See heap_lock."""


def kbd_intr(character: int) -> None:
    """The twin's console has no interrupt character to begin with."""
