"""Where things lie in a checkout: the one place that knows the layout of the repository."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
FIRMWARE_BUILD = BUILD / "firmware"
MANIFEST = FIRMWARE_BUILD / "manifest.json"
DRUG_LIBRARY = ROOT / "drugs.toml"
COMPILED_LIBRARY = ROOT / "firmware" / "drugs.py"


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises OSError if it cannot be read and tomllib.TOMLDecodeError if it is not TOML."""
    with path.open("rb") as file:
        return tomllib.load(file)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML text. Raises tomllib.TOMLDecodeError with line and column."""
    return tomllib.loads(text)


TOMLDecodeError = tomllib.TOMLDecodeError


def project() -> dict[str, Any]:
    """The parsed pyproject.toml, in which every pinned version stands."""
    return load_toml(ROOT / "pyproject.toml")
