"""What every way to an image shares: which image is wanted, how progress is told, how failure is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from thecal.paths import project

# Called with one line of text a step.
Progress = Callable[[str], None]


class ImageError(Exception):
    """No image could be had; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """The pinned image. `released`, YYYYMMDD, is the day of the release: the official names contain it."""

    version: str
    board: str
    debian_suite: str
    released: str | None

    @classmethod
    def pinned(cls) -> Wanted:
        """Read [tool.thecal.image] of pyproject.toml. Raises KeyError naming a missing key."""
        table = project()["tool"]["thecal"]["image"]
        return cls(table["micropython"], table["board"], table["debian_suite"], table.get("released"))

    @property
    def file_name(self) -> str:
        """The name in the cache. It contains the version, so that a new pin never finds an old image."""
        return f"{self.board}-v{self.version}.uf2"

    @property
    def banner(self) -> bytes:
        """What MicroPython says of itself in sys.version, and so what a right image contains."""
        return f"MicroPython v{self.version} on ".encode()
