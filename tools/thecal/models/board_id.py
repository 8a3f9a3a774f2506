"""The id that the Pico of a pump answers to `machine.unique_id()`."""

from __future__ import annotations

from hashlib import sha256

BYTES = 8


def board_id(serial: str) -> bytes:
    """The 8 bytes of the pump with this serial number.

    On a Pico they are burnt into its flash chip and have nothing to do with the pump's serial. On the bench they follow
    from it, so that two pumps have two boards and each run of a scenario the same one.
    """
    return sha256(serial.encode()).digest()[:BYTES]
