"""A programmed pump that was off in the middle of something: a stop, a safe state, a trial, a bridge."""

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


def course_image(config: PumpConfig, image: bytes, volume_nl: int, **course: int) -> bytes:
    """The EEPROM of a running pump that has delivered so much, and whose prescription is in this course: a bridge that
    has just begun (bridge_nl, bridge_rate), a trial (trial_s, afterwards) that began with the newest record."""
    eeprom = MemoryEeprom(image)
    records = firmware("records").Records(eeprom, [0, 0, 0, 0], board_id(config.serial))
    records.load()
    book, rx = records.ledger, records.prescription
    day, second = book.recorded
    book.volume_pl = volume_nl * 1_000
    if "bridge_nl" in course:
        course["bridge_end"] = (volume_nl + course["bridge_nl"]) & 0xFFFFFFFF
    else:
        course["trial_start"] = book.pump_time(day, second)
    for name, value in course.items():
        setattr(rx.course, name, value)
    records.commit_prescription(rx)
    book.close(records.cascade, day, second)
    return bytes(eeprom.memory)
