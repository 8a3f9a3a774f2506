"""One wrong bit in what is active ends no alarm: the second copy has it (F11; R26, R28, R30)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import alarms
from firmware.alarms import ALARM_REPEATED, STALL, STOP, TABLE, Alarms
from thecal.faults import memory

BITS = range(memory.BITS)
EVERY = (1 << len(TABLE)) - 1
COPIES = ["active", "_ended", "present", "_absent"]


def flip(found: Alarms, name: str, bit: int) -> None:
    setattr(found, name, memory.flipped_bit(getattr(found, name), bit))


def made(*active: int, gone: tuple[int, ...] = ()) -> Alarms:
    """Alarms of which these were raised; the causes of some are gone."""
    found = Alarms(lambda code, **fields: None, lambda: 0)
    for alarm in active:
        found.raise_(alarm)
    for alarm in gone:
        found.gone(alarm)
    return found


STORIES = [(), (STALL,), (STALL, alarms.RTC_LOST, alarms.BATTERY_LOW, alarms.INPUT_PENDING)]


@pytest.mark.requirement("F11", "R26", "R28")
@pytest.mark.parametrize("active", STORIES)
@pytest.mark.parametrize("name", COPIES)
def test_every_bit_is_found_and_what_either_copy_has_is_there(name: str, active: tuple[int, ...]) -> None:
    for bit in BITS:
        found = made(*active, gone=(STALL,))
        before, present = found.active, found.present
        found.history = 0
        found.changed = False
        assert found.hold()
        assert (found.history, found.changed) == (0, False)
        flip(found, name, bit)
        assert found.hold() is False
        wrong = 1 << bit & EVERY
        assert found.active == before | (wrong if name in COPIES[:2] else 0)
        assert found.present == present | (wrong if name in COPIES[2:] else 0)
        assert found.history == found.active
        assert found.changed
        assert found.hold()  # said once


@pytest.mark.requirement("F11", "R26", "R28")
@pytest.mark.parametrize("name", COPIES[:2])
@pytest.mark.parametrize("alarm", range(len(TABLE)), ids=lambda alarm: TABLE[alarm][0])
def test_an_alarm_that_only_one_copy_has_sounds_and_no_other(name: str, alarm: int) -> None:
    found = made()
    flip(found, name, alarm)
    found.hold()
    assert found.take_fresh() == (TABLE[alarm][1] != alarms.LOW)
    assert not found.take_fresh()
    found = made(STALL)
    found.take_fresh()
    found.present ^= 1 << alarm
    assert not found.hold()
    assert not found.take_fresh()


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("name", COPIES[:2])
def test_no_record_forgets_a_latch_before_it_is_found(name: str) -> None:
    for bit in BITS:
        found = made(STALL, alarms.RTC_LOST)
        latched = found.latched()
        flip(found, name, bit)
        assert found.latched() & latched == latched
        assert found.latched() & ~latched & ~(1 << bit) == 0


@pytest.mark.requirement("F11", "R26", "R30")
@pytest.mark.parametrize("alarm", range(len(TABLE)), ids=lambda alarm: TABLE[alarm][0])
def test_neither_clear_nor_the_next_alarm_hides_a_lost_bit(alarm: int) -> None:
    other = STALL if alarm != STALL else alarms.GUARD
    for name in COPIES[:2]:
        found = made(alarm)
        found.gone(other)
        flip(found, name, alarm)
        found.raise_(other)
        found.gone(other)
        found.clear()
        assert found.active >> other & 1 == 0
        assert not found.hold()
        assert found.active == 1 << alarm


@pytest.mark.requirement("F11", "R30")
@pytest.mark.parametrize("name", COPIES[2:])
def test_an_alarm_whose_cause_was_lost_stays(name: str) -> None:
    found = made(STALL)
    flip(found, name, STALL)
    assert not found.hold()
    assert found.clear() == ["stall"]
    found.gone(STALL)
    assert found.clear() == []
    assert found.hold()


@pytest.mark.requirement("F11", "R30")
@given(
    st.integers(0, EVERY),
    st.lists(st.tuples(st.sampled_from(["raise_", "gone", "clear", "repeated"]), st.integers(0, len(TABLE) - 1))),
)
def test_what_is_right_is_never_called_wrong(restored: int, story: list[tuple[str, int]]) -> None:
    """Nor changed: both masks are those of a plain reckoning."""
    found = made()
    found.restore(restored)
    active = {alarm for alarm in range(len(TABLE)) if restored >> alarm & 1}
    present = {alarm for alarm in active if TABLE[alarm][2] != STOP}
    for what, alarm in story:
        if what == "raise_":
            found.raise_(alarm)
            active.add(alarm)
            present.add(alarm)
            if found.active >> ALARM_REPEATED & 1:
                active.add(ALARM_REPEATED)
                present -= {ALARM_REPEATED} - {alarm}
        elif what == "gone":
            found.gone(alarm)
            present.discard(alarm)
            if TABLE[alarm][2] != STOP:
                active.discard(alarm)
        else:
            found.clear(what == "repeated")
            active &= present | ({ALARM_REPEATED} if what == "clear" else set())
        assert found.hold()
        assert found.active == sum(1 << alarm for alarm in active)
        if ALARM_REPEATED not in active:
            assert found.present == sum(1 << alarm for alarm in present)


def lose(found: Alarms, name: str, alarm: int) -> None:
    """The bit of what is not heard yet, in one of the two places that say so."""
    if name == "_fresh":
        assert found._fresh >> alarm & 1
    flip(found, name, alarm)


SOUNDING = [alarm for alarm in range(len(TABLE)) if TABLE[alarm][1] != alarms.LOW]


@pytest.mark.requirement("F11", "R26", "R28")
@pytest.mark.parametrize("name", ["_fresh", "_heard"])
@pytest.mark.parametrize("active", [None, (), (STALL,), (alarms.BATTERY_LOW,)])
def test_no_wrong_bit_keeps_a_new_alarm_silent(name: str, active: tuple[int, ...] | None) -> None:
    """Whatever is active already, of the same priority or of another; None: before the first frame asks."""
    for alarm in SOUNDING:
        if alarm in (active or ()):
            continue
        for how in ("raise_", "restore"):
            found = made(*(active or ()))
            if active is not None:
                found.take_fresh()
            getattr(found, how)(alarm if how == "raise_" else 1 << alarm)
            lose(found, name, alarm)
            assert found.take_fresh(), (how, TABLE[alarm][0])
            assert not found.take_fresh()


@pytest.mark.requirement("F11", "R26", "R28")
def test_what_only_one_copy_of_the_active_alarms_has_sounds_though_it_was_heard() -> None:
    found = made(STALL)
    found.take_fresh()
    found.active = 0
    assert not found.hold()
    assert found.take_fresh()


@pytest.mark.requirement("F11", "R28")
def test_an_alarm_that_ended_and_came_again_before_anyone_asked_is_new() -> None:
    found = made(STALL, gone=(STALL,))
    found.take_fresh()
    found.clear()
    found.raise_(STALL)
    assert found.take_fresh()


@pytest.mark.requirement("F11", "R28")
def test_a_wrong_bit_makes_an_alarm_new_once_at_most() -> None:
    for name in ("_fresh", "_heard"):
        for bit in BITS:
            found = made(STALL)
            found.take_fresh()
            flip(found, name, bit)
            assert found.take_fresh() == (bit == STALL)
            assert not found.take_fresh()
