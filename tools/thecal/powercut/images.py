"""EEPROM contents that no pump may dose by: noise, other formats, another pump's, half erased ones."""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random

from thecal.models.bench import PumpConfig
from thecal.powercut.parts import PartResult, Progress, Settings, run_packages
from thecal.prescription import Prescription
from thecal.programming import firmware, pack
from thecal.scenario import Scenario, parse_scenario
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

NAME = "images"
_PACKAGES = 20
_NOISE, _SEALED = 2_000, 1_000  # images of the full run
_REDUCED = 20  # of each, in the reduced form

PAGE = 64
PAGES = 512
SIZE = PAGE * PAGES
_FORMAT_AT = 2  # in every page record of every format, as magic, kind, sequence and CRC are
_CRC_AT = 60
_EIGHTH = PAGES // 8
_MAGIC = 0x4354
_RESERVED_S = 55


def noise(seed: int) -> bytes:
    """Random bytes."""
    return Random(seed).randbytes(SIZE)


def sealed_noise(seed: int) -> bytes:
    """Every page is a whole record of some kind and number, and what it says is noise."""
    pages = firmware("pages")
    rng = Random(seed)
    kinds = (
        pages.VOID,
        pages.LEDGER,
        pages.BOLUS,
        pages.COUNTERS,
        pages.RETIRED,
        pages.PRESCRIPTION,
        pages.CALIBRATION,
    )
    image = bytearray()
    for _ in range(PAGES):
        page = bytearray(rng.randbytes(PAGE))
        pages.seal(page, rng.choice(kinds), rng.randrange(1 << 32))
        image += page
    return bytes(image)


def other_format(image: bytes, number: int) -> bytes:
    """The same pages, each sealed as a record of format `number`."""
    changed = bytearray(image)
    for first in range(0, SIZE, PAGE):
        if struct.unpack_from("<H", changed, first)[0] == _MAGIC:
            changed[first + _FORMAT_AT] = number
            struct.pack_into("<I", changed, first + _CRC_AT, crc32(changed[first : first + _CRC_AT]))
    return bytes(changed)


def half_erased(image: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, image) of everything that one erasure may have left: halves, eighths, every second page or byte."""
    yield "lower half", _erased(image, range(SIZE // 2))
    yield "upper half", _erased(image, range(SIZE // 2, SIZE))
    for odd in (0, 1):
        yield f"every second page from {odd}", _erased(image, (a for a in range(SIZE) if a // PAGE % 2 == odd))
        yield f"every second byte from {odd}", _erased(image, range(odd, SIZE, 2))
    for eighth in range(8):
        first = eighth * _EIGHTH * PAGE
        yield (
            f"pages {eighth * _EIGHTH} to {(eighth + 1) * _EIGHTH - 1}",
            _erased(image, range(first, first + _EIGHTH * PAGE)),
        )


def format_one(config: PumpConfig, rx: Prescription, start: datetime) -> bytes:
    """What a pump with the first format had in its EEPROM: slots of the magic TS, one ledger ring from page 64 on."""
    image = bytearray(b"\xff" * SIZE)
    day = (start - datetime(2000, 1, 1)).days
    calibration = _calibration_payload(config)
    for first, kind, payload in ((0, 1, pack(rx)), (32, 2, calibration)):
        record = struct.pack("<HBBIH", 0x5354, 1, kind, 1, len(payload)) + payload
        record += struct.pack("<I", crc32(record))
        image[first * PAGE : first * PAGE + len(record)] = record
    for sequence in range(2):
        ledger = struct.pack(
            "<QQQIIIHIHIHBB", 0, 0, config.reservoir_nl * 1_000, _RESERVED_S, 0, 0, day, sequence, 0, 0, 0, 0, 0
        )
        page = struct.pack("<HBBI", _MAGIC, 1, 1, sequence) + ledger
        image[(65 + sequence) * PAGE : (66 + sequence) * PAGE] = page + struct.pack("<I", crc32(page))
    return bytes(image)


def _calibration_payload(config: PumpConfig) -> bytes:
    """The packed calibration of format 1: nine numbers and the serial number."""
    names = [field[0] for field in firmware("calibration").FIELDS[:9]]  # the others came later
    return struct.pack("<9I16s", *(getattr(config, name) for name in names), config.serial.encode())


def _erased(image: bytes, addresses: Iterator[int] | range) -> bytes:
    erased = bytearray(image)
    for address in addresses:
        erased[address] = 0xFF
    return bytes(erased)


# -- the part of the campaign -----------------------------------------------------------------------------------------


def plan() -> Scenario:
    """What each image is tried in: a pump that would dose at once, for some seconds."""
    rx = {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": "20 mL/day"}
    return parse_scenario({"start": "2026-03-02T00:00:00", "duration": "8 s", "prescription": rx}, Path())


def run(settings: Settings, progress: Progress) -> PartResult:
    """Images of noise, whole pumps on the twin: an alarm, no step, no reset."""
    return run_packages(settings, NAME, package, _PACKAGES, progress)


def package(settings: Settings, index: int) -> PartResult:
    """A twentieth of the images, every other one of them with records of noise."""
    result = PartResult({"images": 0.0})
    scenario = plan()
    for make, count in ((noise, _NOISE), (sealed_noise, _SEALED)):
        for number in range(index, _REDUCED if settings.reduced else count, _PACKAGES):
            seed = settings.seed * 1_000_000 + number
            wrong = refused(start_with(scenario, make(seed)))
            result.numbers["images"] += 1
            if wrong:
                result.violations.append(f"images {make.__name__}({seed}): {wrong}")
    return result


def start_with(scenario: Scenario, image: bytes) -> Result:
    """A whole pump, on the twin, that finds this image."""
    bench = make_bench(scenario)
    bench.eeprom.load(image)
    twin = Twin(bench, scenario.seed)
    try:
        return simulate(scenario, twin)
    finally:
        twin.close()


def refused(result: Result) -> str:
    """What is wrong with a pump that should have refused its EEPROM; empty if nothing is."""
    if result.step_times_ns:
        return f"{len(result.step_times_ns)} steps"
    if result.summary.state != "safe" or not result.summary.alarms_active:
        return f"state {result.summary.state}, alarms {result.summary.alarms_active}"
    if result.summary.resets != {"power_on": 1, "watchdog": 0, "commanded": 0}:
        return f"resets {result.summary.resets}"
    return ""
