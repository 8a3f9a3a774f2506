"""Thresholds of the guard, to the unit: time, too little demand, windows (F11; R17)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from guard_rig import PATIENT, Pump

from firmware.dosing import HELD, OFF, ON
from firmware.events import NAMES
from firmware.guard_flow import Flow
from firmware.guard_tick import Pulses, Tick

CHECK = {name: number for number, name in enumerate(NAMES["check"])}


class Watched:
    """A Tick on plain variables: 1 mL/day, 25 nL, running."""

    def __init__(self) -> None:
        self.now = 0
        board = SimpleNamespace(ticks_ms=lambda: self.now, ticks_diff=lambda end, start: end - start)
        self.ledger = SimpleNamespace(state=0, pl_per_step=25_000, counted=0, used=0)
        self.cascade = SimpleNamespace(pl_per_step=25_000, rate=0, flow_pl=0, flow_rem=0, acc_pl=0, rem=0)
        self.dosing = SimpleNamespace(mode=ON, day=1, second=2, pending=0)
        records: Any = SimpleNamespace(ledger=self.ledger, cascade=self.cascade)
        self.tick = Tick(board, records, self.dosing)
        self.set_rate(1_000_000)

    def set_rate(self, rate: int) -> None:
        self.cascade.rate = rate
        self.cascade.flow_pl, self.cascade.flow_rem = divmod(rate * 5, 432)


@pytest.mark.requirement("F11", "R17")
@pytest.mark.parametrize("expected", [0, 1, 1_000_000])
@pytest.mark.parametrize("given", [0, 1, 2, 999_999, 1_000_000, 1_000_001])
@pytest.mark.parametrize("mode", [OFF, HELD, ON])
@pytest.mark.parametrize("state", [0, 1, 2, 3])
def test_a_rate_may_be_lower_for_a_minute_and_never_higher(expected: int, given: int, mode: int, state: int):
    watched = Watched()
    watched.dosing.mode = mode
    watched.ledger.state = state
    watched.set_rate(given)
    is_wrong = mode == ON and (state != 0 or given > expected)
    is_low = state == 0 and (given < expected if mode == ON else True)
    for second in range(1, 63):
        check = watched.tick.compare(expected, 25_000, 1)
        if is_wrong:
            assert check == CHECK["rate"]
        else:
            assert check == (CHECK["under"] if is_low and second > 60 else 0)
    watched.dosing.mode, watched.ledger.state = ON, 0
    watched.set_rate(expected)
    assert watched.tick.compare(expected, 25_000, 1) == 0
    watched.set_rate(0)
    assert watched.tick.compare(1, 25_000, 60) == 0  # it begins to count anew
    assert watched.tick.compare(1, 25_000, 1) == CHECK["under"]


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("mode", [OFF, HELD, ON])
def test_while_nothing_may_flow_nothing_is_too_little(mode: int):
    watched = Watched()
    watched.set_rate(0)
    watched.dosing.mode = mode
    assert [watched.tick.compare(-1, 0, 1) for _ in range(200)] == [0] * 200


@pytest.mark.requirement("F11", "R18")
@pytest.mark.parametrize(
    ("part", "name", "first", "last"),
    [("dosing", "pending", 0, 1_000), ("cascade", "acc_pl", 0, 24_999), ("cascade", "rem", 0, 431)],
)
@pytest.mark.parametrize("rate", [-1, 0, 1_000_000])
def test_what_is_owed_is_within_its_bounds(part: str, name: str, first: int, last: int, rate: int):
    """Below 0 it would be long until the next step, and nothing would be too much."""
    watched = Watched()
    watched.set_rate(max(0, rate))
    for value, fits in ((first, True), (last, True), (first - 1, False), (-(1 << 30), False)):
        setattr(getattr(watched, part), name, value)
        assert watched.tick.compare(rate, 25_000, 1) == (0 if fits else CHECK["under"]), value
    if part == "cascade":
        setattr(watched.cascade, name, last + 1)
        assert watched.tick.compare(rate, 25_000, 1) == CHECK["under"]


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("rate", [-1, 0, 1_000_000])
@pytest.mark.parametrize("part", ["ledger", "cascade"])
def test_the_volume_of_a_step_is_compared_as_soon_as_it_is_known(rate: int, part: str):
    watched = Watched()
    watched.set_rate(max(0, rate))
    getattr(watched, part).pl_per_step = 24_999
    assert watched.tick.compare(rate, 25_000, 1) == (CHECK["books"] if rate >= 0 else 0)


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("first", [0, 700, 1_700])
@pytest.mark.parametrize("seconds", [1, 2, 5])
def test_frames_may_come_fifty_milliseconds_early_and_no_more(first: int, seconds: int):
    for early in (50, 51):
        watched = Watched()
        watched.now = 5_000
        assert watched.tick.check_time(1, 2, 1, first) == 0
        watched.now += 1_000 * seconds - first % 1_000 - early
        assert watched.tick.check_time(1, 2, seconds, 0) == (CHECK["time"] if early > 50 else 0)
    watched = Watched()
    for day, second in ((1, 3), (2, 2), (0, 2)):
        assert watched.tick.check_time(day, second, 1, 0) == CHECK["time"]


@pytest.mark.requirement("F11")
def test_each_part_of_what_is_owed_counts():
    watched = Watched()
    watched.dosing.pending, watched.cascade.acc_pl, watched.cascade.rem = 2, 7, 5
    assert watched.tick.owed(3, 1_000) == 5_000 + 7 * 432 + 5
    watched.ledger.counted, watched.ledger.used = 100, 11
    assert watched.tick.steps() == 111
    assert watched.tick.pending() == 2


@pytest.mark.requirement("F11")
def test_pulses_of_an_older_calibration_are_counted_and_are_no_flow():
    shown = [0]
    pulses = Pulses(SimpleNamespace(read=lambda: shown[0]))
    pulses.begin(100)
    assert pulses.check(110, 0) == 0
    pulses.rescale(1_000)
    flows = []
    for more in (4, 4, 4, 4):
        shown[0] += more
        pulses.look()
        assert pulses.take()
        flows.append(pulses.newest)
    assert flows == [0, 0, 2, 4]
    assert pulses.made == 1_000 - 10 + 16
    assert pulses.check(1_010, 0) == CHECK["pulses"]


@pytest.mark.requirement("F11")
def test_after_another_calibration_the_ledger_s_new_scale_holds():
    shown = [0]
    pulses = Pulses(SimpleNamespace(read=lambda: shown[0]))
    pulses.begin(100)
    assert pulses.check(110, 0) == 0
    pulses.rescale(1_000)
    assert (pulses.made, pulses.commanded, pulses.newest) == (990, 1_000, 0)
    shown[0] = 10
    pulses.look()
    assert pulses.take()
    assert pulses.check(1_005, 0) == 0
    assert pulses.made == 1_000
    pulses.begin(1_000)
    pulses.look()
    assert pulses.take()
    assert pulses.newest == 0
    assert pulses.check(1_001, 0) == 0


@pytest.mark.requirement("F11", "R18")
def test_a_counter_that_was_not_looked_at_has_not_answered():
    pulses = Pulses(SimpleNamespace(read=lambda: 7))
    assert pulses.made == 0
    assert not pulses.take()
    pulses.look()
    assert pulses.take()
    assert (pulses.newest, pulses.made) == (7, 7)
    assert not pulses.take()
    assert (pulses.newest, pulses.made) == (7, 7)


@pytest.mark.requirement("F11", "R18")
def test_a_counter_that_answers_no_more_has_not_answered_whatever_it_said_before():
    dead = [False]

    def read() -> int:
        if dead[0]:
            raise OSError(5, "no answer")
        return 7

    pulses = Pulses(SimpleNamespace(read=read))
    pulses.look()
    dead[0] = True
    pulses.look()
    assert not pulses.take()


@pytest.mark.requirement("F11")
def test_a_count_that_wraps_is_no_fault():
    shown = [0xFFFFFFFE]
    pulses = Pulses(SimpleNamespace(read=lambda: shown[0]))
    pulses.look()
    assert pulses.take()
    shown[0] = 3
    pulses.look()
    assert pulses.take()
    assert pulses.newest == 5


@pytest.mark.requirement("F11", "R08", "I6")
@pytest.mark.parametrize(("hour", "slots", "slot_s"), [(True, 59, 60), (False, 95, 900)])
def test_a_step_leaves_its_window_with_its_slot(hour: bool, slots: int, slot_s: int):
    flow = Flow()
    flow.scale(25_000 * 432, 28_800_000)
    flow.limit(1_000 if hour else 0, 0 if hour else 1_000, 25_000, 0)
    window = flow._hour if hour else flow._day
    assert window.most == 42
    flow.limit(1_000_000, 2_000_000, 25_000, 0)
    assert (flow._hour.most, flow._day.most) == (40_002, 80_002)
    flow.limit(1_000 if hour else 0, 0 if hour else 1_000, 25_000, 0)
    assert not flow.add(0, 42, 1)
    for _ in range(slots * slot_s - 2):
        assert not flow.add(0, 0, 1)
    assert window.total == 42
    assert not flow.add(0, 0, 1)
    assert window.total == 0
    assert flow.add(0, 43, 1) == CHECK["max_per_hour" if hour else "max_per_day"]


@pytest.mark.requirement("F11", "R17")
def test_the_bucket_takes_its_brim_and_no_more():
    step = 25_000 * 432
    flow = Flow()
    flow.scale(step, 28_800_000)
    brim = (7 * (28_800_000 * 5 // step + 1) + 1) * step
    assert flow.add(brim, 0, 1) == 0
    assert flow.add(1, 0, 0) == CHECK["ceiling"]


@pytest.mark.requirement("F11", "R18")
def test_whoever_speaks_to_a_guard_that_has_changed_by_itself_hears_of_it():
    for act in ("permit", "begins", "move"):
        pump = Pump({"basal": "480 uL/day", **PATIENT}).start().run(20).to_frame()
        assert "ok" in pump.say("dose", 0.2)
        record = pump.app.records.boluses.mirror.payload
        pump.guard._slack += 1
        values: dict[str, tuple[Any, ...]] = {"permit": (True,), "begins": (record,), "move": (1, 2, 0)}
        getattr(pump.guard, act)(*values[act])
        assert pump.trips == ["self"]


@pytest.mark.requirement("F11", "R19")
def test_steps_that_are_due_must_be_commanded_within_thirty_frames():
    """Whether they stay due, or are given up and due again."""
    for pending in ([1], [1, 2, 0], [20, 40, 0]):
        pulses = Pulses(SimpleNamespace(read=lambda: 0))
        pulses.begin(100)
        found = [pulses.check(100, pending[frame % len(pending)]) for frame in range(60)]
        waits = [frame for frame in range(60) if pending[frame % len(pending)]]
        first = waits[30]
        assert found[:first] == [0] * first
        assert found[first] == CHECK["silent"]
    pulses = Pulses(SimpleNamespace(read=lambda: 0))
    pulses.begin(100)
    for steps in range(100):  # one is commanded every 30 frames
        pulses.made = pulses.commanded
        assert pulses.check(101 + steps, 1) == 0
        for _ in range(30):
            assert pulses.check(101 + steps, 1) == 0
            pulses.made = pulses.commanded
    for frame in range(32):
        pulses.made = pulses.commanded
        assert pulses.check(201, 1) == (0 if frame < 31 else CHECK["silent"])
    pulses.begin(300)
    assert [pulses.check(300, 0) for _ in range(600)] == [0] * 600


@pytest.mark.requirement("F11", "R18")
def test_every_bit_of_the_frames_in_which_steps_waited_is_in_the_sum():
    pulses = Pulses(SimpleNamespace(read=lambda: 0))
    before = pulses.sum()
    pulses.check(0, 1)
    assert pulses.sum() == before + 1
