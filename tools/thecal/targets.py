"""Makes the target that a simulation or an emulation runs on."""

from __future__ import annotations

from collections.abc import Callable

from thecal.build import build, littlefs_image
from thecal.image import find_or_make_image
from thecal.models.bench import Bench
from thecal.target import Target
from thecal.twin.twin import Twin

NAMES = ("twin", "board")


def make_target(name: str, bench: Bench, seed: int, report: Callable[[str], None]) -> Target:
    """The twin, or the emulated board with the compiled firmware in its flash.

    Raises ImageError or BuildError when there is no MicroPython image or no compiled firmware to be had.
    """
    if name == "twin":
        return Twin(bench, seed)
    from thecal.emulated.board import EmulatedBoard  # not needed, and slow to import, for the twin

    image = find_or_make_image(report)
    build()
    return EmulatedBoard(bench, image, littlefs_image(), seed=seed)
