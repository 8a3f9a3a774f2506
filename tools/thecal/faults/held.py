"""A programmed pump that was off while it was stopped or in a safe state."""

from __future__ import annotations

from thecal.models.bench import PumpConfig
from thecal.models.board_id import board_id
from thecal.programming import MemoryEeprom, firmware


def held_image(config: PumpConfig, image: bytes, state: int, seconds: int = 0, latched: int = 0) -> bytes:
    """The EEPROM of a running pump, with one more record of the ledger: state; a stop that began at the time of the
    newest record, or ends so many seconds after it; mask of alarms that are latched."""
    eeprom = MemoryEeprom(image)
    records = firmware("records").Records(eeprom, [0, 0, 0, 0], board_id(config.serial))
    records.load()
    book = records.ledger
    day, second = book.recorded
    day_s = firmware("civil").SECONDS_PER_DAY
    book.state = state
    book.stop_day, book.stop_second = day + (second + seconds) // day_s, (second + seconds) % day_s
    book.alarms = latched
    book.close(records.cascade, day, second)
    return bytes(eeprom.memory)
