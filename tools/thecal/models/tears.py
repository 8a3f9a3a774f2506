"""What a 64-byte EEPROM page may hold when the supply fails while it is written.

The data sheet promises nothing for that moment, so there are six models, from the harmless to the worst; a write
refreshes the whole page, so bytes behind the cut are as much at risk as those before it. `Metastable` is a seventh case
on top: cells charged halfway, which read differently from one time to the next until the page is written again.
"""

from __future__ import annotations

from random import Random

PAGE_SIZE = 64
MODELS = ("old", "new", "prefix", "mix", "erased", "flips")
# What these leave does not depend on how many bytes came through.
ANY_BYTE = ("old", "new", "erased")
_MOST_FLIPS = 8


def torn(model: str, old: bytes, new: bytes, at: int, rng: Random) -> bytes:
    """The page after a cut. old, new: 64 bytes each; at: bytes that came through before the cut, 0..64.

    old: as it was; new: wholly written; prefix: new up to the cut, old behind it; mix: every byte old, new, 0x00, 0xFF
    or random; erased: all 0xFF; flips: the new page (at >= 32) or the old one, with 1..8 bits flipped. Raises
    ValueError for another model, length or place.
    """
    if len(old) != PAGE_SIZE or len(new) != PAGE_SIZE:
        raise ValueError(f"pages of {len(old)} and {len(new)} bytes: both must have {PAGE_SIZE}")
    if not 0 <= at <= PAGE_SIZE:
        raise ValueError(f"cut after {at} bytes: 0 to {PAGE_SIZE}")
    if model == "old":
        return bytes(old)
    if model == "new":
        return bytes(new)
    if model == "prefix":
        return bytes(new[:at]) + bytes(old[at:])
    if model == "mix":
        return _mix(old, new, rng)
    if model == "erased":
        return b"\xff" * PAGE_SIZE
    if model == "flips":
        return _flipped(new if at >= PAGE_SIZE // 2 else old, rng)
    raise ValueError(f"tear model {model!r}: one of {', '.join(MODELS)}")


def _mix(old: bytes, new: bytes, rng: Random) -> bytes:
    # Three random bits and a random byte for each of the page: one draw each, as campaigns tear millions of pages.
    fates = rng.getrandbits(3 * PAGE_SIZE)
    noise = rng.randbytes(PAGE_SIZE)
    page = bytearray(PAGE_SIZE)
    for offset in range(PAGE_SIZE):
        fate = fates & 7
        fates >>= 3
        # Old and new get two eighths each, random another two: pages that are nearly whole are the hard ones.
        was, comes, other = old[offset], new[offset], noise[offset]
        page[offset] = (was, was, comes, comes, 0x00, 0xFF, other, other)[fate]
    return bytes(page)


def _flipped(page: bytes, rng: Random) -> bytes:
    bits = rng.sample(range(8 * PAGE_SIZE), rng.randint(1, _MOST_FLIPS))
    flipped = bytearray(page)
    for bit in bits:
        flipped[bit >> 3] ^= 1 << (bit & 7)
    return bytes(flipped)


class Metastable:
    """A page whose cells a cut left between two contents: each read gives one of them at random. The EEPROM that holds
    it asks read() until the page is written again, and then forgets it."""

    def __init__(self, one: bytes, other: bytes, rng: Random) -> None:
        """one, other: 64 bytes each; rng decides each read."""
        if len(one) != PAGE_SIZE or len(other) != PAGE_SIZE:
            raise ValueError(f"contents of {len(one)} and {len(other)} bytes: both must have {PAGE_SIZE}")
        self.contents = (bytes(one), bytes(other))
        self._rng = rng

    def read(self) -> bytes:
        """One of the two contents, at random."""
        return self.contents[self._rng.getrandbits(1)]
