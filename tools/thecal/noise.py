"""Noise for the console: random bytes, control characters, fragments of commands, endless lines; never a command."""

from __future__ import annotations

from random import Random

BYTES_PER_SECOND = 100_000  # what `console_flood` sends; USB full speed brings no more to a busy reader
_FRAGMENTS = (
    b"sto",
    b"stop for",
    b"stop for 90 min",
    b"stop for 30",
    b"resum",
    b"program commit",
    b"program commit 00000000",
    b"program stage",
    b"program stage end",
    b"clock set",
    b"clock set 2026-02-30T00:00:00",
    b"calibrate set pl_per_step -1",
    b"bolus 1e9 mL",
    b"\x01\x02\x03\x04\x05",
    b"import machine; machine.reset()",
    b"x" * 200,
)


def noise(rng: Random, count: int) -> bytes:
    """count bytes of noise."""
    made = bytearray()
    while len(made) < count:
        choice = rng.randrange(4)
        if choice == 0:
            made += rng.choice(_FRAGMENTS) + b"\r\n"
        elif choice == 1:
            # A byte that no line may hold comes first, so that what follows cannot become a command by chance.
            made += b"\x00" + rng.randbytes(rng.randrange(80)) + b"\n"
        elif choice == 2:
            made += bytes(rng.choices(range(33, 127), k=rng.randrange(1, 200))) + b"\r"
        else:
            made += bytes((rng.randrange(1, 6),)) * rng.randrange(1, 40)
    return bytes(made[:count])
