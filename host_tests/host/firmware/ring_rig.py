"""A ring of twelve pages, records to put into it, and what a scan finds."""

from __future__ import annotations

from firmware.pages import LEDGER, PAGE, examine, seal
from firmware.rings import Ring
from thecal.programming import MemoryEeprom

LAST = 0xFFFFFFFF
FIRST, COUNT = 5, 12


def payload(number: int) -> bytes:
    return b"%051d" % number


def record(number: int, kind: int = LEDGER) -> bytes:
    page = bytearray(PAGE)
    page[8:59] = payload(number)
    seal(page, kind, number)
    return bytes(page)


def ring_on(eeprom: MemoryEeprom, sequence: int = -1, page: int = -1) -> Ring:
    ring = Ring(eeprom, FIRST, COUNT, LEDGER)
    ring.sequence, ring.page = sequence, page
    return ring


def scanned(eeprom: MemoryEeprom) -> Ring:
    ring = Ring(eeprom, FIRST, COUNT, LEDGER)
    ring.scan()
    return ring


def found(eeprom: MemoryEeprom) -> tuple[int, int]:
    ring = scanned(eeprom)
    return ring.sequence, ring.page


def filled(eeprom: MemoryEeprom, count: int) -> Ring:
    ring = ring_on(eeprom)
    for number in range(count):
        ring.append(payload(number))
    return ring


def put(eeprom: MemoryEeprom, page: int, content: bytes) -> None:
    eeprom.memory[page * PAGE : page * PAGE + PAGE] = content


def condition_of(eeprom: MemoryEeprom, page: int) -> tuple[int, int]:
    return examine(bytearray(eeprom.memory[page * PAGE : page * PAGE + PAGE]))[:2]
