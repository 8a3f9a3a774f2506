"""The firmware's event log on a part of a campaign."""

from __future__ import annotations

from typing import Any

from thecal.programming import firmware


def event_log(records: Any, part: Any) -> Any:
    """The firmware's EventLog on these records' part, as the application makes it. Nothing is searched yet."""
    layout, pages, rings = firmware("layout"), firmware("pages"), firmware("rings")
    rings_of_log = (
        rings.Ring(part, layout.EVENTS_FIRST, layout.EVENTS_PAGES, pages.EVENT, records.retired),
        rings.Ring(part, layout.FAULTS_FIRST, layout.FAULTS_PAGES, pages.FAULT, records.retired),
    )
    return firmware("eventlog").EventLog(*rings_of_log, lambda: (9_557, 3_600, 12))


def work_off(log: Any) -> None:
    """Let an EventLog search its rings and write what is queued."""
    log.idle = False
    while not log.idle:
        log.work()


def digests(log: Any, count: int) -> list[int]:
    """The digests of the `committed` events among the newest `count` events, oldest first."""
    return [int(line.split("digest=")[1].split()[0], 16) for line in log.newest(count) if " committed " in line]
