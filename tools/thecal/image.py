"""Find or make the MicroPython image the pump runs on: `python -m thecal.image` prints its path.

Tried in this order: the file named by MICROPYTHON_UF2, the cache of this user, the official download, a build
from Debian's packages. The cache lies outside the checkout, so that a fresh clone does not build again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from thecal import image_debian, image_download
from thecal.image_common import ImageError, Progress, Wanted
from thecal.uf2 import Uf2Error, from_uf2

OVERRIDE = "MICROPYTHON_UF2"
# Longer than a build on a slow machine: whoever waits this long waits for something that hangs.
_LOCK_TIMEOUT_S = 1800


@dataclass(frozen=True)
class Way:
    """`make(wanted, work, progress)` returns the bytes of a UF2 file, or raises ImageError or OSError."""

    name: str
    make: Callable[[Wanted, Path, Progress], bytes]


WAYS = (
    Way("official download", image_download.make),
    Way("build from Debian's packages", image_debian.make),
)


def find_or_make_image(progress: Progress) -> Path:
    """Return the path of an RP2040 UF2 image of the pinned MicroPython; `progress` gets one line a step.

    Raises ImageError with the reason of every way that failed.
    """
    wanted = Wanted.pinned()
    override = os.environ.get(OVERRIDE)
    if override:
        return _given(Path(override), wanted, progress)
    cached = cache_directory() / wanted.file_name
    if _usable(cached, wanted, progress):
        return cached
    with _locked(cached.with_suffix(".lock"), progress):
        # Another process may have made it while this one waited for the lock.
        if not _usable(cached, wanted, progress):
            _store(_make(wanted, cached.parent / "work", progress), cached)
    return cached


def cache_directory() -> Path:
    """Return where images are kept, following the XDG base directory specification."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The specification tells to ignore a relative path.
    return (base if base.is_absolute() else Path.home() / ".cache") / "thecal"


def check(data: bytes, wanted: Wanted) -> None:
    """Raise ImageError unless `data` is an RP2040 UF2 image of the wanted MicroPython."""
    try:
        content = from_uf2(data)
    except Uf2Error as error:
        raise ImageError(f"no RP2040 image: {error}") from error
    if wanted.banner not in content:
        raise ImageError(f"the image does not contain {wanted.banner.decode()!r}: not the pinned version")


def _given(path: Path, wanted: Wanted, progress: Progress) -> Path:
    """Take the file that the user named. Another version is his choice, another processor cannot be meant."""
    try:
        content = from_uf2(path.read_bytes())
    except (OSError, Uf2Error) as error:
        raise ImageError(f"{OVERRIDE}={path}: {error}") from error
    if wanted.banner not in content:
        progress(f"{OVERRIDE}={path}: not MicroPython {wanted.version}, taken because it was asked for")
    return path.absolute()


def _usable(path: Path, wanted: Wanted, progress: Progress) -> bool:
    try:
        check(path.read_bytes(), wanted)
    except FileNotFoundError:
        return False
    except (OSError, ImageError) as error:
        progress(f"cached image {path}: {error}")
        return False
    return True


def _make(wanted: Wanted, work: Path, progress: Progress) -> bytes:
    """Try one way after the other. What lies in `work` is left over from a killed run: we hold the lock."""
    reasons = []
    for way in WAYS:
        progress(f"{way.name}: MicroPython {wanted.version} for {wanted.board}")
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            data = way.make(wanted, work, progress)
            check(data, wanted)
        except (ImageError, OSError) as error:
            reasons.append(f"{way.name}: {error}")
            progress(f"{way.name} failed: {error}")
        else:
            return data
        finally:
            shutil.rmtree(work, ignore_errors=True)
    reasons.append(f"or name an image with {OVERRIDE}=path.uf2")
    raise ImageError("no MicroPython image:\n  " + "\n  ".join(reasons))


def _store(data: bytes, path: Path) -> None:
    """Write atomically: a reader sees no image or the whole of it, after a power cut too."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    """Let one process at a time make the image. Raises ImageError if the other one comes to no end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    waiting = False
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ImageError(f"{path} is held by another process for over {_LOCK_TIMEOUT_S} s") from None
                if not waiting:
                    progress("another process is making the image: waiting for it")
                    waiting = True
                time.sleep(0.5)
        yield


def main() -> int:
    """Print the path of the image as the only line on stdout; everything else goes to stderr."""
    console = Console(stderr=True)
    try:
        with console.status("MicroPython image") as status:

            def progress(text: str) -> None:
                console.print(text, markup=False, highlight=False, soft_wrap=True)
                status.update(text.partition("\n")[0])

            path = find_or_make_image(progress)
    except (ImageError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
