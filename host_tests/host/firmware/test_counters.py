"""What happens to a pump over its life is counted, and no cut loses a count that was stored (F10, R24)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom

from firmware import events
from firmware.counters import Counters
from firmware.layout import COUNTERS_FIRSTS, COUNTERS_PAGES
from firmware.mirror import DAMAGED, EMPTY
from firmware.pages import PAGE
from firmware.retirement import Retired
from firmware.rings import WriteError
from thecal.models.tears import MODELS, torn
from thecal.programming import MemoryEeprom

U32 = 0xFFFFFFFF


def loaded(eeprom: MemoryEeprom) -> Counters:
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    return counters


@pytest.mark.requirement("F10", "R24")
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20_000)), max_size=40))
def test_every_start_is_counted_by_its_cause(starts: list[tuple[int, int]]):
    eeprom = MemoryEeprom()
    for cause, assumed in starts:
        counters = loaded(eeprom)
        counters.count_start(cause, assumed)
        counters.save()
    causes = [cause for cause, _ in starts]
    assert loaded(eeprom).values() == (*map(causes.count, range(3)), sum(assumed for _, assumed in starts))


@pytest.mark.requirement("R24")
def test_the_causes_are_those_of_the_log():
    names = {"power_on": "power_ons", "watchdog": "watchdog_resets", "commanded": "commanded_resets"}
    for cause, name in enumerate(events.CAUSES):
        counters = loaded(MemoryEeprom())
        counters.count_start(cause, 0)
        assert getattr(counters, names[name]) == 1
        assert sum(counters.values()) == 1


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("cause", [0, 1, 2])
def test_a_count_stays_at_its_end(cause: int):
    eeprom = MemoryEeprom()
    counters = loaded(eeprom)
    counters.power_ons = counters.watchdog_resets = counters.commanded_resets = U32 - 1
    counters.assumed_steps = 1 << 40
    for _ in range(3):
        counters.count_start(cause, 1)
    counters.save()
    expected = [U32 - 1] * 3
    expected[cause] = U32
    assert loaded(eeprom).values() == (*expected, (1 << 40) + 3)


@pytest.mark.requirement("F10", "I12")
@given(st.integers(0, 1 << 32), st.sampled_from(MODELS), st.integers(1, 20), st.sampled_from((0, 1)))
def test_a_cut_leaves_the_counts_before_or_the_new_ones(seed: int, model: str, before: int, write: int):
    random = Random(seed)
    eeprom = CuttingEeprom()
    counters = loaded(eeprom)
    for _ in range(before):
        counters.count_start(0, 7)
        counters.save()
    eeprom.cut_at = eeprom.writes + write
    eeprom.tear = lambda old, new: torn(model, old, new, random.randrange(PAGE + 1), random)
    counters.count_start(0, 7)
    with pytest.raises(Cut):
        counters.save()
    found = loaded(MemoryEeprom(bytes(eeprom.memory)))
    assert found.values() in ((before, 0, 0, 7 * before), (before + 1, 0, 0, 7 * before + 7))
    if write:  # the first copy was verified
        assert found.power_ons == before + 1


@pytest.mark.requirement("F10")
def test_blank_and_damaged_pages_count_nothing_and_are_told_apart():
    assert loaded(MemoryEeprom()).mirror.condition == EMPTY
    eeprom = MemoryEeprom()
    for first in COUNTERS_FIRSTS:
        eeprom.memory[first * PAGE : (first + COUNTERS_PAGES) * PAGE] = bytes(COUNTERS_PAGES * PAGE)
    counters = loaded(eeprom)
    assert counters.mirror.condition == DAMAGED
    assert counters.values() == (0, 0, 0, 0)


@pytest.mark.requirement("F10")
def test_a_part_that_refuses_raises_and_the_next_start_counts_on():
    eeprom = UnreliableEeprom()
    counters = loaded(eeprom)
    counters.count_start(0, 0)
    counters.save()
    eeprom.refuse = lambda page: "keep"
    counters.count_start(1, 0)
    with pytest.raises(WriteError):
        counters.save()
    eeprom.refuse = lambda page: ""
    counters = loaded(eeprom)
    assert counters.values() == (1, 0, 0, 0)
    counters.count_start(2, 0)
    counters.save()
    assert loaded(eeprom).values() == (1, 0, 1, 0)
