"""`python -m thecal.emulated IMAGE`: an emulated Pico on a pseudo-terminal, until SIGTERM or SIGINT.

The first line of the output is the path of the terminal. It can start blank and leave its flash in a file for
the next one: what a test of a deployment needs.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from thecal.emulated.board import EmulatedBoard
from thecal.emulated.pty import serve
from thecal.models.bench import Bench, PumpConfig


def main() -> int:
    """Serve one board; 0 at the end, 2 for a file that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m thecal.emulated", description="An emulated Pico on a pseudo-terminal, until SIGTERM or SIGINT."
    )
    parser.add_argument("image", type=Path, help="MicroPython UF2")
    parser.add_argument("--flash", type=Path, help="littlefs image to start with (default: never flashed)")
    parser.add_argument("--save", type=Path, help="write the littlefs region here at the end")
    parser.add_argument("--service", action="store_true", help="start with the SERVICE strap set")
    parser.add_argument("--speed", type=float, help="simulated seconds a second (default: as many as there can be)")
    options = parser.parse_args()
    try:
        flash = options.flash.read_bytes() if options.flash else None
        bench = Bench(PumpConfig(), start=datetime.now(), seed=1)
        board = EmulatedBoard(bench, options.image, flash, service=options.service)
        serve(board, options.speed, lambda path: print(path, flush=True))
        if options.save:
            options.save.write_bytes(board.flash_image())
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
