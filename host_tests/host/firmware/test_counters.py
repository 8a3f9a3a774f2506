"""What happens to a pump over its life is counted, and no cut loses a count that was stored (F10, R24)."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom

from firmware import counters as counters_module
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
NO_WORK = (0,) * 9


def loaded(eeprom: MemoryEeprom) -> Counters:
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    return counters


@pytest.mark.requirement("F10", "R24")
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20_000)), max_size=40))
def test_every_start_is_counted_by_its_cause(starts: list[tuple[int, int]]):
    eeprom = MemoryEeprom()
    for cause, assumed in starts:
        counters = loaded(eeprom)
        counters.count_start(cause, assumed)
        counters.save()
    causes = [cause for cause, _ in starts]
    ordered = sum(cause > 1 for cause in causes)
    by_cause = (causes.count(0), causes.count(1), ordered)
    assert loaded(eeprom).values() == (*by_cause, sum(assumed for _, assumed in starts), *NO_WORK)


@pytest.mark.requirement("R24")
def test_the_causes_are_those_of_the_log():
    names = {"power_on": "power_ons", "watchdog": "watchdog_resets", "commanded": "commanded_resets"}
    for cause, name in enumerate(events.CAUSES):
        counters = loaded(MemoryEeprom())
        counters.count_start(cause, 0)
        assert getattr(counters, names.get(name, "commanded_resets")) == 1
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
    assert loaded(eeprom).values() == (*expected, (1 << 40) + 3, *NO_WORK)


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
    assert found.values()[:4] in ((before, 0, 0, 7 * before), (before + 1, 0, 0, 7 * before + 7))
    assert found.values()[4:] == NO_WORK
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
    assert counters.values() == (0, 0, 0, 0, *NO_WORK)


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
    assert counters.values() == (1, 0, 0, 0, *NO_WORK)
    counters.count_start(2, 0)
    counters.save()
    assert loaded(eeprom).values() == (1, 0, 1, 0, *NO_WORK)


WORK = st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(0, 30), st.integers(0, 1 << 31))


@pytest.mark.requirement("F9", "F10")
@given(st.lists(WORK, max_size=20))
def test_work_adds_up_over_starts(spans: list[tuple[int, int, int, int]]):
    eeprom = MemoryEeprom()
    for span in spans:
        counters = loaded(eeprom)
        counters.count_work(*span)
        counters.save()
    counters = loaded(eeprom)
    found = (counters.powered_s, counters.eeprom_writes, counters.sounded_s, counters.charge_uas)
    assert found == tuple(sum(column) for column in zip(*spans, strict=True)) if spans else (0, 0, 0, 0)


@pytest.mark.requirement("F9", "F10")
def test_every_field_lies_where_the_table_says():
    table = re.findall(r"^\| (\d+) \| u(16|32|48) \| (\w+)", str(counters_module.__doc__), re.MULTILINE)
    eeprom = MemoryEeprom()
    for offset, bits, name in table:
        counters = Counters(eeprom, Retired(eeprom))
        counters.load()
        value = (1 << int(bits)) - 2
        setattr(counters, name, value)
        counters.save()
        payload = counters.mirror.payload
        assert payload is not None
        assert int.from_bytes(payload[int(offset) : int(offset) + int(bits) // 8], "little") == value
        assert getattr(loaded(eeprom), name) == value
    assert len(table) == len(loaded(eeprom).values())


@pytest.mark.requirement("F9")
def test_a_count_of_work_stays_at_its_end():
    counters = loaded(MemoryEeprom())
    counters.count_work(U32 - 1, U32 - 1, U32 - 1, 1 << 40)
    counters.count_work(5, 5, 5, 5)
    counters.save()
    assert (counters.powered_s, counters.eeprom_writes, counters.sounded_s) == (U32,) * 3
    assert counters.charge_uas == (1 << 40) + 5
    counters.count_work(0, 0, 0, 1 << 48)
    counters.count_start(0, 1 << 48)
    counters.save()
    assert counters.charge_uas == counters.assumed_steps == (1 << 48) - 1


@pytest.mark.requirement("F9", "F10", "R36")
def test_a_record_that_was_refused_is_written_over_by_the_one_that_holds():
    eeprom = UnreliableEeprom()
    counters = loaded(eeprom)
    counters.eri_at = 77
    counters.save()
    refusing = True
    eeprom.refuse = lambda page: "take" if refusing else ""
    counters.eri_at = 0
    with pytest.raises(WriteError):
        counters.save()
    counters.eri_at = 77
    counters.refused()
    with pytest.raises(WriteError):
        counters.withdraw()
    refusing = False
    assert counters.doubtful
    counters.withdraw()
    assert counters.doubtful is None
    assert loaded(eeprom).eri_at == 77
