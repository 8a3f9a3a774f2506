"""Is the firmware on this board what was flashed? (F14; R25: program memory checked before the pump may infuse)

The manifest is the last file that a deployment writes, so a board without one holds an unfinished deployment.
"""

import json
import os
from binascii import hexlify
from hashlib import sha256

from micropython import const

_MANIFEST = "manifest.json"
_PIECE = const(512)


def fault(root):
    """Why the image under root (for instance "/") must not run, or None if every file is what the manifest says."""
    try:
        with open(root + _MANIFEST) as file:
            files = json.load(file)["files"]
        buffer = bytearray(_PIECE)
        for name in files:
            if _hash(root + name, buffer) != files[name]:
                return name + ": not what was flashed"
        return _stranger(root, files)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the image, the pump must not start
        return "manifest: %s" % error


def _stranger(root, files):
    """A code file that the manifest does not name, and that an import could find in place of one that it does."""
    for folder in ("", "lib/", "firmware/"):
        for name in os.listdir(root + folder if folder else root):
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
