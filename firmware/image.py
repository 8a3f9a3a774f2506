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

MANIFEST = "manifest.json"
_MODULES = "firmware/modules.pack"
_PIECE = const(4_096)
_ENOENT = const(2)
_FILE = (0x8000, 0, 0, 0, 0, 0, 0, 0, 0, 0)  # what stat says of a file
_POINT = "/modules"

_mounted = None  # the modules, while they can be imported
root = None  # where the files of the image lie, once it is known to be whole


def fault(place):
    """Why the image under place (for instance "/") must not run, or None if every file is what the manifest says."""
    try:
        with open(place + MANIFEST) as file:
            files = json.load(file)["files"]
        buffer = bytearray(_PIECE)
        for name in files:
            if _hash(place + name, buffer) != files[name]:
                return name + ": not what was flashed"
        return _stranger(place, files)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the image, the pump must not start
        return "manifest: %s" % error


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


class Modules:
    """The modules of the application as a file system that only an import reads. Their file begins with the length of
    its index (two bytes, low one first) and the index, ` /name.mpy:begin:length` for each.
    """

    def __init__(self, path):
        """path: the file. Raises OSError or ValueError."""
        self._path = path
        self.whole = True  # whether a module may take as much of the heap as it is long
        self._file = open(path, "rb")  # noqa: SIM115 - umount() closes it
        self._index = self._file.read(int.from_bytes(self._file.read(2), "little"))
        self._absent = OSError(_ENOENT)

    def mount(self, readonly, mkfs):
        """Part of being a file system."""

    def umount(self):
        """Nothing is read any more."""
        self._file.close()

    def stat(self, path):
        """What an import asks of each name that a module might have."""
        if self._find(path) < 0:
            raise self._absent
        return _FILE

    def _find(self, path):
        """Where in the index the place of a module begins; -1: it is not there."""
        name = " %s:" % path
        at = self._index.find(name.encode())
        return at + len(name) if at >= 0 else -1

    def open(self, path, mode):
        """A module: read, which is faster, or to be read in small pieces."""
        found = self._find(path)
        end = self._index.find(b" ", found)
        at, size = self._index[found : end if end >= 0 else len(self._index)].split(b":")
        at = int(at)
        if self.whole:
            self._file.seek(at)
            return io.BytesIO(self._file.read(int(size)))
        file = open(self._path, "rb")  # noqa: SIM115 - the import closes it
        file.seek(at)
        return file


def serve(place):
    """From now on modules come from the file of modules under place, or are part of MicroPython: whatever else lies on
    the board cannot be imported, nor is it looked for, which takes 3 ms each time. Raises OSError or ValueError."""
    global _mounted, root
    root = place
    _mounted = Modules(place + _MODULES)
    os.mount(_mounted, _POINT)
    sys.modules["firmware"].__path__ = _POINT  # pyright: ignore[reportAttributeAccessIssue]
    sys.path[:] = [".frozen"]  # empty, it would hide what is loaded already


def in_pieces():
    """The application runs: its heap may have no large pieces any more, so from now on modules are read in small ones.
    What the start has left on the heap is collected, or they would lie scattered among it."""
    if _mounted is not None:
        _mounted.whole = False
        gc.collect()


def forget(names):
    """These modules of the application are needed no more: their memory is free once nobody holds anything of them. A
    further import loads them again. Without an image (on CPython) they stay."""
    if _mounted is None:
        return
    package = sys.modules["firmware"]
    for name in names:
        if sys.modules.pop("firmware." + name, None) is not None:
            delattr(package, name)
