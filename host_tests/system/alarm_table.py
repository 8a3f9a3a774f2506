"""What must come of every alarm, in every mode, state and bolus state: from the design, not read from the firmware."""

from __future__ import annotations

from typing import NamedTuple

from alarm_rig import BASAL, FLOWS, LOWEST, MEAN, MINIMUM, SAVED

from thecal.faults import reacting
from thecal.faults.reacting import HIGH, LOW, LOWEST_RATE, MEDIUM, STOP

CLEAR, ITSELF, RESUME, WORD = "clear", "by itself", "resume", "clear repeated"  # how it ends once its cause is gone

_ENDS = {"alarm_repeated": WORD, "stopped_48h": RESUME}  # those that stop delivery by `clear`, the others by themselves
# code: priority, delivery, how it ends
TABLE = {
    code: (priority, delivery, _ENDS.get(code, CLEAR if delivery == STOP else ITSELF))
    for code, (priority, delivery, _) in reacting.TABLE.items()
}
TONES = {HIGH: {1_000, 1_500}, MEDIUM: {1_000}, LOW: set[int]()}
LENGTH_MS = {HIGH: 3_000, MEDIUM: 1_000, LOW: 0}
WATCHED_S = 20
# Scheduled boluses that a bolus state begins or drops, and boluses that end, when everything is cancelled.
ENDED = {"clinician": 1, "patient": 1, "scheduled": 1, "aside": 2, "waiting": 1, "prime": 1}
PRIME = 28_800_000


class Setting(NamedTuple):
    """What a pump does before any alarm: nL/day in all, the basal rate, the lowest programmed; whether boluses flow."""

    flow: int
    basal: int
    lowest: int
    with_boluses: bool


def undisturbed(mode: str, state: str, bolus: str) -> Setting:
    """By mode, state and bolus state."""
    basal = {"stopped": 0, "minimum": MINIMUM}.get(mode, BASAL)
    lowest = LOWEST if mode == "flex" else basal
    if bolus == "bridge" and mode != "stopped":
        basal = lowest = MEAN if mode == "flex" else BASAL  # the old prescription's mean
    elif bolus == "trial" and mode in ("continuous", "flex"):
        basal = SAVED
        lowest = LOWEST if mode == "flex" else SAVED
    with_boluses = state == "running" and mode in ("continuous", "flex")
    flow = basal
    if with_boluses and bolus == "prime":
        flow = PRIME
    elif with_boluses:
        kind = {"aside": "patient", "waiting": "scheduled"}.get(bolus, bolus)
        flow += FLOWS.get(kind, 0) * 86_400
    return Setting(flow if state == "running" else 0, basal, lowest, with_boluses)


def after(found: Setting, state: str, delivery: str) -> int:
    """What flows while the alarm is active, nL/day."""
    if delivery == STOP or state != "running":
        return 0
    return found.lowest if delivery == LOWEST_RATE else found.flow


# Seconds between two sounds, and their tones.
CADENCE = {HIGH: (600, [1_000, 1_500, 1_000]), MEDIUM: (3_600, [1_000])}
STOPS = sorted(code for code, (_, delivery, _) in TABLE.items() if delivery == STOP and code != "alarm_repeated")
