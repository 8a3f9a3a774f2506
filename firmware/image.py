"""Is the firmware on this board what was flashed? (F14; R25: program memory checked before the pump may infuse)

The manifest is the last file that a deployment writes, so a board without one holds an unfinished deployment. Once all
files are what the manifest says, the application is imported from the one that holds its modules, and from nowhere
else: to find and open a file for each module would take longer than to check and to load them.
"""

import gc
import io
import json
import os
import sys
from binascii import hexlify
from hashlib import sha256

from micropython import const

_MANIFEST = "manifest.json"
_MODULES = "firmware/modules.pack"
_PIECE = const(4_096)
_ENOENT = const(2)
_GC_IMPORTING = const(184_000)  # bytes
_GET_BUFFER_SIZE = const(11)  # MP_STREAM_GET_BUFFER_SIZE
_BUFFER = const(255)  # bytes that an import reads at a time: the most it can
_FILE = (0x8000, 0, 0, 0, 0, 0, 0, 0, 0, 0)  # what stat says of a file
_POINT = "/modules"
_FROZEN = ".frozen"

IMAGE_ROOT = "/"  # where the flashed files lie

_mounted = None  # the modules, while they can be imported
root = None  # where the files of the image lie, once it is known to be whole


def fault(place):
    """Why the image under place (for instance "/") must not run, or None if every file is what the manifest says."""
    try:
        files = digests(place)
        buffer = bytearray(_PIECE)
        for name in files:
            if _hash(place + name, buffer) != files[name]:
                return name + ": not what was flashed"
        return _stranger(place, files)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the image, the pump must not start
        return "manifest: %s" % error


def digests(place):
    """What the manifest says: the SHA-256 in hex of each file, by its path below place. Raises OSError, ValueError or
    KeyError."""
    with open(place + _MANIFEST) as file:
        return json.load(file)["files"]


def _stranger(place, files):
    """A code file that the manifest does not name, and that an import could find in place of one that it does."""
    for folder in ("", "lib/", "firmware/"):
        for name in os.listdir(place + folder if folder else place):
            if (name.endswith(".py") or name.endswith(".mpy")) and folder + name not in files:  # noqa: PIE810 - MicroPython
                return folder + name + ": was not flashed"
    return None


def _hash(path, buffer):
    digest = sha256()
    view = memoryview(buffer)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                break
            digest.update(view[:count])
    return hexlify(digest.digest()).decode()


class Stream(io.IOBase):
    """A file from some place on, as MicroPython reads a module: it says itself where it ends. One is enough for all
    imports, as none begins while another one reads. Nothing is copied: garbage between the modules, and a collection of
    it, would make every further import slower."""

    def __init__(self, file):
        """file: stays open when an import closes the stream."""
        self._file = file

    def readinto(self, buffer):
        """Part of being a stream."""
        return self._file.readinto(buffer)

    def ioctl(self, request, argument):
        """Part of being a stream."""
        return _BUFFER if request == _GET_BUFFER_SIZE else 0


class Modules:
    """The modules of the application as a file system that only an import reads. Their file begins with the length of
    its index (two bytes, low one first) and the index, `/name.mpy:begin ` for each, of 6 digits.
    """

    def __init__(self, path):
        """path: the file. Raises OSError or ValueError."""
        self._file = open(path, "rb")  # noqa: SIM115 - umount() closes it
        self._index = self._file.read(int.from_bytes(self._file.read(2), "little")).decode()
        self._stream = Stream(self._file)
        self._absent = OSError(_ENOENT)

    def mount(self, readonly, mkfs):
        """Part of being a file system."""

    def umount(self):
        """Nothing is read any more."""
        self._file.close()

    def stat(self, path):
        """What an import asks of each name that a module might have."""
        if path[-4:] == ".mpy" and path[0] == "/" and self._index.find(path) >= 0:
            return _FILE
        raise self._absent

    def open(self, path, mode):
        """A module, to be read."""
        found = self._index.find(path) + len(path) + 1
        self._file.seek(int(self._index[found : found + 6]))
        return self._stream


def serve(place):
    """From now on modules come from the file of modules under place, or are part of MicroPython: whatever else lies on
    the board cannot be imported, nor is it looked for, which takes 3 ms each time. Raises OSError or ValueError."""
    global _mounted, root
    root = place
    _mounted = Modules(place + _MODULES)
    os.mount(_mounted, _POINT)
    sys.modules["firmware"].__path__ = _POINT  # pyright: ignore[reportAttributeAccessIssue]
    sys.path[:] = [_FROZEN, _POINT]  # without the first what is loaded already would be hidden
    # One collection on the way leaves room in large pieces; with none the heap would be full before the last module,
    # and of what a collection frees then no 2 kB are in one piece.
    gc.collect()
    gc.threshold(_GC_IMPORTING)


def drivers_loaded():
    """What is imported from now on is of the application, or part of MicroPython, which is looked for in all of
    sys.path before it is found."""
    sys.path[:] = [_FROZEN]


def forget(names):
    """These modules of the application are needed no more: their memory is free once nobody holds anything of them. A
    further import loads them again. Without an image (on CPython) they stay."""
    if _mounted is None:
        return
    package = sys.modules["firmware"]
    for name in names:
        if sys.modules.pop("firmware." + name, None) is not None:
            delattr(package, name)
