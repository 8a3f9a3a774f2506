"""The image hashed once more while the pump runs, a piece at a time: all of it in about 45 min (F14; R26)."""

from binascii import hexlify
from hashlib import sha256

from micropython import const

from firmware import image

_PIECE = const(512)  # bytes of a file
_WAITS = const(360)  # pieces, of which one comes every 10 s: an hour without memory fails the test


class Rehash:
    """Hashes the flashed files, a piece at a time, over and over. To be made when their place is known (image.root)."""

    def __init__(self):
        self._names = []
        self._digests = {}
        self._file = None
        self._waited = 0  # pieces in a row for which there was no memory
        self._digest = sha256()
        self._buffer = bytearray(_PIECE)

    def work(self):
        """The next piece. Returns whether all is well so far."""
        try:
            file = self._file
            if file is None:
                file = self._next()
            count = file.readinto(self._buffer)
            if count:
                self._digest.update(memoryview(self._buffer)[:count])
                return True
            file.close()
            self._file = None
            self._waited = 0
            return hexlify(self._digest.digest()).decode() == self._digests[self._names.pop()]
        except MemoryError:
            # To open a file takes 1.2 kB in one piece; what the console needs just now may be in the way.
            self._file = None
            self._waited += 1
            return self._waited < _WAITS
        except (OSError, ValueError, KeyError):
            self._file = None
            return False

    def _next(self):
        if not self._names:
            self._digests = image.digests(image.root)
            self._names = list(self._digests)
        self._file = file = open(image.root + self._names[-1], "rb")  # noqa: SIM115 - read in many pieces
        self._digest = sha256()
        return file
