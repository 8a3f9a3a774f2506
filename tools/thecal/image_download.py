"""The official MicroPython image, from the project's own download server.

The project publishes no checksums: that the file comes from there rests on TLS, that it is whole and the
right one on its structure and its version, which the caller checks.
"""

from __future__ import annotations

import http.client
import time
import urllib.request
from pathlib import Path

from thecal.image_common import ImageError, Progress, Wanted
from thecal.uf2 import BLOCK_BYTES, PAYLOAD_BYTES, PROGRAM_BYTES

BASE_URL = "https://micropython.org/resources/firmware/"
# A machine without a network must not wait long before it builds; a slow network gets its time.
_SOCKET_TIMEOUT_S = 10
_TOTAL_TIMEOUT_S = 120
_LARGEST_BYTES = PROGRAM_BYTES // PAYLOAD_BYTES * BLOCK_BYTES
_PIECE_BYTES = 65536


def url(wanted: Wanted) -> str:
    """Return the address of the official image. Raises ImageError if its release day is not pinned."""
    if wanted.released is None:
        raise ImageError("pyproject.toml [tool.thecal.image] has no released = YYYYMMDD, part of the official name")
    return f"{BASE_URL}{wanted.board}-{wanted.released}-v{wanted.version}.uf2"


def make(wanted: Wanted, work: Path, progress: Progress) -> bytes:
    """Download the image (`work` is not needed). Raises ImageError if too large or slow, else OSError."""
    del work
    address = url(wanted)
    progress(f"downloading {address}")
    deadline = time.monotonic() + _TOTAL_TIMEOUT_S
    data = bytearray()
    try:
        with urllib.request.urlopen(address, timeout=_SOCKET_TIMEOUT_S) as response:
            while piece := response.read(_PIECE_BYTES):
                data += piece
                if len(data) > _LARGEST_BYTES:
                    raise ImageError(f"{address}: more than {_LARGEST_BYTES} bytes, no image is so large")
                if time.monotonic() > deadline:
                    raise ImageError(f"{address}: only {len(data)} bytes in {_TOTAL_TIMEOUT_S} s")
    except http.client.HTTPException as error:
        raise ImageError(f"{address}: {error!r}") from error
    return bytes(data)
