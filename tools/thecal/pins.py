"""Prints the requirements of an extra of pyproject.toml, for what is installed beside the environment."""

from __future__ import annotations

import sys

from thecal.paths import project

if __name__ == "__main__":
    print(" ".join(project()["project"]["optional-dependencies"][sys.argv[1]]))
