"""The diary keeps what was said of refills and of the patient, through cuts and damage (F5, F6, F10; I12)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom

from firmware.diary import REFILL, SCORE, Diary
from firmware.layout import DIARY_FIRST, DIARY_PAGES
from firmware.pages import DIARY, PAGE, seal
from firmware.rings import Ring, WriteError
from thecal.programming import MemoryEeprom

BIG = (825_000_000, 2**62, -(2**62), 5, 0, 2**40)


def diary_on(eeprom: MemoryEeprom) -> Diary:
    return Diary(Ring(eeprom, DIARY_FIRST, DIARY_PAGES, DIARY))


@pytest.mark.requirement("F5", "F6")
@given(st.lists(st.tuples(st.sampled_from((SCORE, REFILL)), st.booleans()), max_size=70))
def test_the_newest_of_a_kind_come_newest_first(entries: list[tuple[int, bool]]):
    """Also when the pump starts anew in between."""
    eeprom = MemoryEeprom()
    diary = diary_on(eeprom)
    said: dict[int, list[int]] = {SCORE: [], REFILL: []}
    for number, (what, restarts) in enumerate(entries):
        if restarts:
            diary = diary_on(eeprom)
        diary.add(what, (number, 7))
        said[what].append(number)
        found = [values[0] for values in diary.newest(what, 5)]
        assert found[0] == number
    for what in (SCORE, REFILL):
        for one in (diary, diary_on(eeprom)):
            kept = [values[0] for values in one.newest(what, 8)]
            newest = said[what][::-1]
            distinct = list(dict.fromkeys(kept))
            assert distinct == newest[: len(distinct)]
            if what == SCORE or SCORE not in dict(entries):
                assert len(kept) == min(8, len(newest), DIARY_PAGES) or len(entries) > DIARY_PAGES // 2


@pytest.mark.requirement("F6")
def test_scores_never_push_out_the_newest_refill():
    eeprom = MemoryEeprom()
    diary = diary_on(eeprom)
    diary.add(REFILL, BIG)
    for number in range(200):
        diary.add(SCORE, (number,))
        assert diary.newest(REFILL, 1) == [BIG]
        assert diary.newest(SCORE, 19) == [(one,) for one in range(number, max(-1, number - 19), -1)]
        if number % 7 == 0:
            diary = diary_on(eeprom)


@pytest.mark.requirement("F6", "I12")
@pytest.mark.parametrize("seed", range(40))
def test_any_content_is_read_without_an_exception(seed: int):
    """Random bytes, and records that pass their check and say anything at all."""
    rng = Random(seed)
    eeprom = MemoryEeprom()
    wild = 32 if seed % 2 else 30  # with numbers from all over the circle nobody can say which is the newest
    for page in range(DIARY_FIRST, DIARY_FIRST + DIARY_PAGES):
        content = bytearray(rng.randbytes(PAGE))
        if rng.random() < 0.8:
            if rng.random() < 0.6:
                content[8:10] = bytes((rng.randrange(3), rng.randrange(8)))
            seal(
                content, rng.choice((DIARY, DIARY, DIARY, 0, 2)), rng.choice((rng.randrange(60), rng.getrandbits(wild)))
            )
        eeprom.write_page(page, bytes(content))
    diary = diary_on(eeprom)
    for what in (SCORE, REFILL):
        for values in diary.newest(what, DIARY_PAGES):
            assert 1 <= len(values) <= 6
    diary.add(REFILL, BIG)
    assert diary.newest(REFILL, 1) == [BIG]
    again = diary_on(eeprom).newest(REFILL, 1)
    assert wild == 32 or again == [BIG]


@pytest.mark.requirement("F6", "F10")
@settings(max_examples=60)
@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 64), st.booleans())
def test_a_cut_costs_the_entry_under_way_at_most(before: int, cut_at: int, torn: int, erased: bool):
    eeprom = CuttingEeprom()
    eeprom.cut_at = cut_at
    eeprom.tear = lambda old, new: new[:torn] + (b"\xff" * 64 if erased else old)[torn:]
    diary = diary_on(eeprom)
    told = []
    try:
        for number in range(before):
            diary.add(REFILL, (number,))
            told.append(number)
    except Cut:
        pass
    eeprom.dead, eeprom.cut_at = False, -1
    diary = diary_on(eeprom)
    for _ in range(2):
        found = [values[0] for values in diary.newest(REFILL, 5)]
        assert found in (told[:-6:-1], [len(told), *told[::-1]][:5])
        diary = diary_on(eeprom)
    diary.add(REFILL, (1_000,))
    assert diary_on(eeprom).newest(REFILL, 1) == [(1_000,)]


@pytest.mark.requirement("F6", "F10")
def test_what_the_part_refuses_is_an_error_and_the_next_entry_is_newer():
    eeprom = UnreliableEeprom()
    diary = diary_on(eeprom)
    diary.add(REFILL, (1,))
    eeprom.refuse = lambda page: "take"
    with pytest.raises(WriteError):
        diary.add(REFILL, (2,))
    eeprom.refuse = lambda page: ""
    diary.add(REFILL, (3,))
    assert diary.newest(REFILL, 2)[0] == (3,)
    assert diary_on(eeprom).newest(REFILL, 1) == [(3,)]


@pytest.mark.requirement("F6", "F12")
def test_it_is_looked_through_in_small_parts():
    """No call reads more pages than what takes some 15 ms on the bus."""
    reads = 0

    class Counting(MemoryEeprom):
        def read_into(self, address: int, buffer: bytearray) -> None:
            nonlocal reads
            reads += 1
            super().read_into(address, buffer)

    eeprom = Counting()
    diary = diary_on(eeprom)
    for number in range(60):
        diary.add(number % 2, (number,))
    diary = diary_on(eeprom)
    calls = 0
    done = False
    while not done:
        reads = 0
        done = diary.work()
        calls += 1
        assert reads <= 10
        assert calls < 15
    reads = 0
    assert diary.newest(REFILL, 3) == [(59,), (57,), (55,)]
    assert reads == 3
