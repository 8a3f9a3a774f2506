"""What the guard must not find: a sound pump never trips it, whatever its operator, its supply, its EEPROM, its clock
and its console do (F11; R17). A false trip stops a therapy."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from guard_rig import Pump, S
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from thecal.powercut.snapshot import Bite
from thecal.prescription import RateRange, commit_line, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import confirmations, pack

EXAMPLES = int(os.environ.get("GUARD_EXAMPLES", "25"))  # thousands find more, and take minutes
MORPHINE = {"patient": "bench-07", "drug": "morphine"}
PRESS = {"dose": "2 uL", "over": "1 min", "lockout": "2 min", "max_per_day": 20}
THERAPIES: tuple[dict[str, Any], ...] = (
    {"mode": "continuous", "basal": "36 uL/day", "patient_bolus": PRESS},
    {"mode": "continuous", "basal": "1.4 mL/day", "limits": {"max_per_hour": "70 uL"}, "patient_bolus": PRESS},
    {
        "mode": "flex",
        "basal": "0 mL/day",
        "period": [
            {"days": "daily", "from": f"{hour:02}:{minute:02}", "to": f"{hour:02}:{minute + 3:02}", "rate": rate}
            for hour in range(24)
            for minute, rate in ((0, "6 mL/day"),)
        ],
        "scheduled_bolus": [{"days": "daily", "at": "08:03", "dose": "3 uL", "over": "2 min"}],
        "patient_bolus": PRESS,
    },
    {"mode": "minimum"},
    {"mode": "stopped"},
    {
        "mode": "continuous",
        "basal": "12 mL/day",
        "patient_bolus": {**PRESS, "dose": "20 uL", "over": "5 min", "lockout": "5 min"},
    },
)
STRENGTHS = ("500 ug/mL", "400 ug/mL", "300 ug/mL")
LINES = (
    "stop",
    "stop for 1 min",
    "resume",
    "resume",
    "clear",
    "dose",
    "dose",
    "bolus 5 uL over 2 min",
    "bolus 1 uL over 1 s",
    "bolus cancel",
    "prime",
    "bridge cancel",
    "trial end",
    "silence",
    "refill 20 mL",
)


FIRST = {**MORPHINE, "concentration": STRENGTHS[0], "mode": "continuous", "basal": "2 mL/day"}


class Life:
    """One pump after the other, as resets come."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.config: dict[str, Any] = {
            "pl_per_step": self.random.choice((1_000, 25_000, 25_000, 1_000_000)),
            "tubing_nl": self.random.choice((140_000, 2_000)),
            "catheter_mm": self.random.choice((800, 0)),
        }
        self.pump = Pump(FIRST, **self.config).start()
        self.check()

    def check(self) -> None:
        assert self.pump.trips == []

    def run(self, seconds: float) -> None:
        self.pump.run(seconds)
        self.check()

    def say(self, line: str, seconds: float = 0.5) -> str:
        answer = self.pump.say(line, seconds)
        self.check()
        return answer

    def now(self) -> datetime:
        dosing = self.pump.app.dosing
        return datetime(2000, 1, 1) + timedelta(days=dosing.day, seconds=dosing.second)

    def late(self, seconds: float) -> None:
        """The background is busy for so long."""
        try:
            self.pump.board.advance(round(seconds * S))
            self.run(0.1)
        except Bite:
            self.bite()

    def cut(self, seconds: int) -> None:
        self.pump = Pump(snapshot=self.pump.off(seconds), **self.config).start()
        self.check()

    def bite(self) -> None:
        self.pump = Pump(snapshot=self.pump.board.bitten(), **self.config).start()
        self.check()

    def set_clock(self, by: int) -> None:
        self.say(f"clock set {(self.now() + timedelta(seconds=by)).isoformat()}", 2)

    def drift(self, by: int) -> None:
        """The RTC runs away from the processor, as far as the pump follows it, or further."""
        rtc = self.pump.board.rtc
        rtc.setting = (rtc.setting[0] + by, rtc.setting[1])
        self.run(45)

    def program(self, which: int, strength: int, trial: bool, then: str = "") -> None:
        """then: what follows the trial; drawn, if nothing is said."""
        table = {**MORPHINE, **THERAPIES[which]}
        table["concentration"] = STRENGTHS[strength]
        rx = parse_prescription(table, RateRange(6_000, 28_800_000))
        lines = stage_lines(rx, pack)
        answer = ""
        for line in lines:
            answer = self.say(line, 0.3)
        for line in confirmations(answer.splitlines()):
            self.say(line, 0.2)
        if trial:
            self.say(f"trial start 1 h then {then or self.random.choice(('minimum', 'stopped'))}")
        else:
            self.say(commit_line(lines))

    def calibrate(self, pl: int) -> None:
        self.say("stop")
        self.say(f"calibrate set pl_per_step {pl}")
        self.say("calibrate commit", 1)
        self.config["pl_per_step"] = pl
        self.say("clear")
        self.say("resume")

    def refuse(self, seconds: float) -> None:
        """The EEPROM takes nothing for so long."""
        eeprom = self.pump.board.eeprom
        write = eeprom.write_page

        def refused(page: int, data: bytes) -> None:
            raise OSError(5, "refused")

        eeprom.write_page = refused
        self.run(seconds)
        eeprom.write_page = write
        self.run(2)


def in_a_trial() -> Life:
    """One of an hour has just begun."""
    life = Life(3)
    life.program(1, 0, trial=True, then="minimum")
    return life


def in_a_bridge() -> Life:
    """A short one has just begun: it takes two minutes."""
    life = Life(1)
    life.config.update(tubing_nl=2_000, catheter_mm=0, pl_per_step=25_000)
    life.pump = Pump(FIRST, **life.config).start().run(90)
    life.program(1, 1, trial=False)
    return life


acts = st.one_of(
    st.tuples(st.just("run"), st.sampled_from((0.3, 1.0, 7.2, 61.0, 200.0))),
    st.tuples(st.just("say"), st.sampled_from(LINES)),
    st.tuples(st.just("late"), st.floats(0.1, 4.5)),
    st.tuples(st.just("cut"), st.sampled_from((1, 40, 4_000))),
    st.tuples(st.just("bite")),
    st.tuples(st.just("set_clock"), st.sampled_from((-3_700, -61, -1, 1, 59, 3_600, 43_000))),
    st.tuples(st.just("drift"), st.sampled_from((-2, -1, 1, 2, 30))),
    st.tuples(st.just("program"), st.integers(0, len(THERAPIES) - 1), st.sampled_from((0, 0, 1, 2)), st.booleans()),
    st.tuples(st.just("calibrate"), st.sampled_from((1_000, 24_000, 1_000_000))),
    st.tuples(st.just("refuse"), st.sampled_from((0.5, 3.0, 12.0, 80.0))),
)


def lead(seed: int, plan: list[tuple[Any, ...]]) -> Life:
    life = Life(seed)
    life.run(3)
    for name, *values in plan:
        getattr(life, name)(*values)
    life.run(10)
    return life


@pytest.mark.requirement("F11", "R17", "I2")
@settings(max_examples=EXAMPLES, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 999), plan=st.lists(acts, min_size=4, max_size=14))
def test_a_sound_pump_never_trips_the_guard(seed: int, plan: list[tuple[Any, ...]]):
    lead(seed, plan)


@pytest.mark.requirement("F11", "F5")
@pytest.mark.parametrize("then", ["minimum", "stopped"])
@pytest.mark.parametrize("late", [0.0, 1.7])
def test_the_end_of_a_trial_is_no_fault_even_if_the_tick_is_late(then: str, late: float):
    life = Life(1)
    life.run(5)
    life.program(1, 0, trial=True, then=then)
    life.run(3_590)
    assert "trial_left_s" in life.say("status", 0.1)
    while life.pump.guard._evidence.demand.trial_left > 2:
        life.pump.to_frame()
    if late:
        life.late(late)
    life.run(10)
    assert life.pump.guard._evidence.demand.over
    life.cut(5)
    life.run(10)
    assert life.pump.guard._evidence.demand.over


@pytest.mark.requirement("F11", "F7")
@pytest.mark.parametrize("late", [0.0, 1.7])
def test_the_end_of_a_bridge_is_no_fault(late: float):
    life = in_a_bridge()
    demand = life.pump.guard._evidence.demand
    life.run(2)
    assert demand.bridging
    waited = 0
    while demand.bridging:
        if late and waited % 7 == 0:
            life.late(late)
        life.run(1)
        waited += 1
        assert waited < 300
    life.run(10)
    life.check()


@pytest.mark.requirement("F11", "F3", "R08")
def test_limits_that_are_reached_to_the_last_nanolitre_are_no_fault():
    rx = {
        **MORPHINE,
        "concentration": STRENGTHS[0],
        "mode": "continuous",
        "basal": "480 uL/day",
        "limits": {"max_per_hour": "70 uL"},
    }
    pump = Pump(rx).start().run(5)
    assert "ok" in pump.say("bolus 50 uL over 4 min", 1)
    pump.run(300)
    assert "error" in pump.say("bolus 1 uL over 4 min", 1)
    pump.run(3_620)
    assert "ok" in pump.say("bolus 50 uL over 4 min", 1)
    pump.run(300)
    assert "ok" in pump.say("prime", 1_100)
    assert pump.trips == []
    assert pump.guard._flow._hour.most == 70_000 // 25 + 2
