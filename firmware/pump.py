"""Starts the application and ends in a safe restart whatever happens: never in the REPL (F12; invariant 8)."""

from firmware import board, image


def run():
    """Run the application for ever. Any way out of it makes the outputs safe and restarts the pump."""
    hardware = None
    try:
        if board.IMAGE_ROOT is not None:
            image.serve(board.IMAGE_ROOT)
        from firmware.app import App  # here: whatever goes wrong in it must end in the restart

        hardware = board.Board()
        App(hardware).run()
    except BaseException as error:  # noqa: BLE001 - the last line of defence: nothing may pass it
        board.safe_outputs()
        board.note_error(error)
        if hardware is not None:
            hardware.note_exception(error)
    board.restart()


board.arm()
# On CPython (no root) the sources themselves are the image.
_fault = image.fault(board.IMAGE_ROOT) if board.IMAGE_ROOT is not None else None
if _fault is None:
    run()
else:
    # Nothing of the application has run, the outputs are safe: the board waits at the REPL for the next `make flash`.
    board.disarm()
    print("thecal: the image is damaged, the pump does not start. " + _fault)
