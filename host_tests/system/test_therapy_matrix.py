"""Every mode x every command x every bolus under way: what the pump answers, and what flows afterwards (F1-F7, R06).

The table is the specification: a command is answered `ok`, and then what flows is named, or it is refused with these
words and what flows is unchanged. A pump that leaves the modes in which boluses flow has none any more, so there the
answer does not depend on which bolus was under way; the bolus states are made all the same, and run.
"""

from __future__ import annotations

from typing import Any

import pytest
from matrix_rig import (
    BASAL,
    BOLUSES,
    BRIDGE,
    FLOWS,
    KEEPING,
    LONG_S,
    LOWEST,
    MINIMUM,
    MODES,
    PRESS,
    SAVED,
    STEP_NL,
    WATCHED_S,
    Command,
    Outcome,
    other,
    outcome,
    staged,
)

_NEW = staged(other("continuous", basal=f"{SAVED} nL/day"))
COMMANDS: dict[str, Command] = {
    "program discard": ("program discard",),  # long before what stages something
    "button": PRESS,
    "dose": ("dose",),
    "bolus": (f"bolus {FLOWS['order'] * 600} nL over 600 s",),
    "bolus cancel": ("bolus cancel",),
    "stop": ("stop",),
    "stop for": ("stop for 20 min",),
    "resume": ("resume",),
    "prime": ("prime",),
    "bridge cancel": ("bridge cancel",),
    "trial start": (*_NEW[:-1], "trial start 2 h then stopped"),
    "trial end": ("trial end",),
    "trial keep": ("trial keep",),
    "trial discard": ("trial discard",),
    "score": ("score pain 3 spasticity 1",),
    "program commit": tuple(_NEW),
    "calibrate commit": ("calibrate commit",),
    "refill": ("refill 20 mL",),
    "clear": ("clear",),
    "clear repeated": ("clear repeated",),
    "silence": ("silence",),
    "clock set": ("clock set 2026-03-02T06:00:00",),
}
# What flows in the minute after, nL/day; a bolus in nL/s beside basal.
FLOW = {
    "nothing": 0,
    "basal": BASAL,
    "lowest": LOWEST,
    "minimum": MINIMUM,
    "new": SAVED,
    "bridge": BRIDGE,
    "after bridge": 600_000,
    "clinician": BASAL + FLOWS["clinician"] * 86_400,
    "scheduled": BASAL + FLOWS["scheduled"] * 86_400,
    "patient": BASAL + FLOWS["patient"] * 86_400,
    "order": BASAL + FLOWS["order"] * 86_400,
    "prime": 28_800_000,
    # The bridge gives what they would have given a day.
    "bridge, scheduled": BRIDGE + FLOWS["scheduled"] * LONG_S,
    "bridge, suspended": BRIDGE + FLOWS["scheduled"] * LONG_S,
    "bridge, waiting": BRIDGE + FLOWS["scheduled"] * LONG_S * 2,
}
DENIED = {"button", "dose", "bolus"}  # what a denial is logged of
STOPPED = "delivery is stopped"
NONE_RUNS = "bridge cancel: none runs"
NO_TRIAL = "there is none"
NO_BOLUS = "bolus cancel: none is running"
RUNNING = "resume: delivery is not stopped"
NOT_STAGED = "program discard: nothing is staged"
CALIBRATE = "calibrate commit: `stop` comes first"
TENFOLD = "comes first: ten times or more from 6 uL/day"

# What each command comes to: "-> FLOW", "->" (what flows is unchanged), or the words of the refusal.
_COMMON = {
    "bolus cancel": NO_BOLUS,
    "stop": "-> nothing",
    "stop for": "-> nothing",
    "resume": RUNNING,
    "bridge cancel": NONE_RUNS,
    "trial start": "-> new",
    "trial end": NO_TRIAL,
    "trial keep": NO_TRIAL,
    "trial discard": NO_TRIAL,
    "score": "->",
    "program commit": "-> new",
    "program discard": NOT_STAGED,
    "calibrate commit": CALIBRATE,
    "refill": "->",
    "clear": "->",
    "clear repeated": "clear repeated: alarm_repeated is not active",
    "silence": "silence: no alarm sounds",
    "clock set": "->",
}


def _all_boluses(words: str) -> dict[str, str]:
    return {"button": words, "dose": words, "bolus": words}


# mode: what flows in it, and what its commands come to when no bolus is under way.
TABLE: dict[str, tuple[str, dict[str, str]]] = {
    "continuous": (
        "basal",
        {**_COMMON, "button": "-> patient", "dose": "-> patient", "bolus": "-> order", "prime": "-> prime"},
    ),
    "flex": (
        "basal",
        {**_COMMON, "button": "-> patient", "dose": "-> patient", "bolus": "-> order", "prime": "-> prime"},
    ),
    "stopped": ("nothing", {**_COMMON, **_all_boluses("the prescription allows none"), "prime": STOPPED}),
    "minimum": (
        "minimum",
        {
            **_COMMON,
            **_all_boluses("the prescription allows none"),
            "prime": "-> prime",
            "trial start": TENFOLD,
            "program commit": TENFOLD,
        },
    ),
    "bridge": (
        "bridge",
        {
            **_COMMON,
            **_all_boluses("a bridge runs"),
            "prime": "a bridge runs; `bridge cancel` ends it",
            "bridge cancel": "-> after bridge",
            "trial start": "-> new",  # back to the drug before
            "program commit": "-> new",
        },
    ),
    "trial over": (
        "minimum",
        {
            **_COMMON,
            **_all_boluses("the trial is over"),
            "prime": "the trial is over",
            "trial end": "trial end: it is over",
            "trial keep": "->",
            "trial discard": "->",
        },
    ),
    "stop": (
        "nothing",
        {
            **_COMMON,
            **_all_boluses(STOPPED),
            "stop for": "the pump is stopped until `resume`",
            "resume": "-> basal",
            "prime": STOPPED,
            "trial start": "->",
            "program commit": "->",
            "calibrate commit": "->",
        },
    ),
    "stop for": (
        "nothing",
        {
            **_COMMON,
            **_all_boluses(STOPPED),
            "resume": "-> basal",
            "prime": STOPPED,
            "trial start": "->",
            "program commit": "->",
        },
    ),
    "safe": (
        "nothing",
        {
            **_COMMON,
            **_all_boluses(STOPPED),
            "stop": "an alarm has stopped the pump already",
            "stop for": "an alarm has stopped the pump already",
            "resume": "resume: alarm reservoir_empty",
            "silence": "->",
            "prime": STOPPED,
            "trial start": "->",
            "program commit": "->",
            "calibrate commit": "->",
        },
    ),
    "rtc lost": (
        "lowest",
        {
            **_COMMON,
            **_all_boluses("alarm rtc_lost"),
            "prime": "prime: alarm rtc_lost",
            "silence": "->",
            "clock set": "-> basal",
        },
    ),
}
# In the modes in which boluses flow: what differs from no bolus under way.
_ONE_RUNS = "bolus: one is running"
UNDER_WAY: dict[str, dict[str, str]] = {
    "none": {},
    "clinician": {"bolus": _ONE_RUNS, "bolus cancel": "-> basal"},
    "scheduled": {"bolus": _ONE_RUNS, "bolus cancel": "-> basal"},
    "waiting": {"bolus": _ONE_RUNS, "bolus cancel": "-> basal"},
    "patient": {"button": "lockout", "dose": "lockout", "bolus": _ONE_RUNS, "bolus cancel": "-> basal"},
    "suspended": {"button": "lockout", "dose": "lockout", "bolus": _ONE_RUNS, "bolus cancel": "-> basal"},
    "prime": {
        "button": "a bolus is running",
        "dose": "a bolus is running",
        "bolus": _ONE_RUNS,
        "bolus cancel": "-> basal",
        "prime": "prime: one is running",
    },
}
BRIDGED = ("scheduled", "suspended", "waiting")  # states of a prescription with scheduled boluses
FLOWING = {"none": "basal", "suspended": "patient", "waiting": "scheduled"}
# Boluses that are ended, and scheduled ones that are dropped, by whatever ends boluses.
ENDED = {"none": 0, "suspended": 2}
DROPPED = {"waiting": 1}
GOES_ON = {"button", "dose", "bolus", "score", "refill", "clear", "clock set"}


def expected(mode: str, bolus: str) -> tuple[str, dict[str, str]]:
    """What flows in a mode with a bolus, and what each command comes to."""
    flow, answers = TABLE[mode]
    if mode == "bridge" and bolus in BRIDGED:
        flow = "bridge, " + bolus
    if mode in KEEPING:
        return FLOWING.get(bolus, bolus), {**answers, **UNDER_WAY[bolus]}
    return flow, answers


def flows(found: Outcome, flow: str, what: str) -> None:
    """The volume of a minute, to two steps; a prime to what its whole seconds take off its flow."""
    due = FLOW[flow] * WATCHED_S // 86_400
    assert abs(found.volume_nl - due) <= (2 * STEP_NL if flow != "prime" else 3 * STEP_NL), f"{what}: not {flow}"


def ended(logged: tuple[tuple[str, Any], ...]) -> tuple[int, int]:
    """How many boluses were cancelled, and how many dropped."""
    ends = [details["how"] for code, details in logged if code == "bolus_end"]
    assert set(ends) <= {"cancelled"}
    return len(ends), sum(details["count"] for code, details in logged if code == "bolus_skipped")


@pytest.mark.requirement("F3", "F5", "F7")
def test_the_table_names_every_combination():
    assert tuple(TABLE) == MODES
    assert set(UNDER_WAY) == set(BOLUSES)
    for mode in MODES:
        for bolus in BOLUSES:
            assert set(expected(mode, bolus)[1]) == set(COMMANDS)
    count = len(MODES) * len(COMMANDS) * len(BOLUSES)
    print(f"{len(MODES)} modes x {len(COMMANDS)} commands x {len(BOLUSES)} bolus states = {count}")


@pytest.mark.requirement("F3", "F5", "F7", "R05", "R06", "R07", "R21", "R22")
@pytest.mark.parametrize("bolus", BOLUSES)
@pytest.mark.parametrize("mode", MODES)
def test_every_command_in_every_mode_with_every_bolus_does_what_the_table_says(mode: str, bolus: str):
    flow, answers = expected(mode, bolus)
    under_way = mode in KEEPING
    refused = [name for name in COMMANDS if not answers[name].startswith("->")]
    together = outcome(mode, bolus, [COMMANDS[name] for name in refused])
    for name, answer in zip(refused, together.answers, strict=True):
        # The button answers nobody: its denial is in the log.
        assert answer.startswith("error: ") == (name != "button"), f"{name}: {answer or 'accepted'}"
        assert name == "button" or answers[name] in answer, f"{name}: {answer}"
    denials = [details["kind"] for code, details in together.logged if code == "bolus_denied"]
    assert sorted(denials) == sorted(_kind(name) for name in refused if name in DENIED)
    flows(together, flow, "after what was refused")
    assert ended(together.logged) == (0, 0)
    for name, answer in answers.items():
        if answer.startswith("->"):
            found = outcome(mode, bolus, [COMMANDS[name]])
            assert found.answers == ("",), name
            flows(found, answer[3:] or flow, name)
            ends = under_way and name not in GOES_ON
            assert ended(found.logged) == ((ENDED.get(bolus, 1), DROPPED.get(bolus, 0)) if ends else (0, 0)), name


def _kind(command: str) -> str:
    return "clinician" if command == "bolus" else "patient"
