"""The bolus history: no reset forgets a dose, and limits get from it what a plain sum over all boluses gives (F3, F10,
R09; invariant 6)."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom

from firmware.boluses import CAPACITY, CLINICIAN, KINDS, PATIENT, PRIME, SCHEDULED, Boluses
from firmware.layout import BOLUS_FIRSTS, BOLUS_PAGES
from firmware.mirror import DAMAGED, EMPTY, GOOD
from firmware.pages import PAGE
from firmware.retirement import Retired
from firmware.rings import WriteError
from thecal.models.tears import MODELS, torn
from thecal.programming import MemoryEeprom

seeds = st.integers(0, 1 << 32)


class Given(NamedTuple):
    """One bolus as the oracle has it; times in s of pump time."""

    kind: int
    start: int
    seconds: int
    dose_nl: int
    which: int
    date: int
    therapy: int

    ng_per_ml: int = 0

    @property
    def scheduled(self) -> tuple[int, int, int]:
        """Index, date, therapy."""
        return self.which, self.date, self.therapy

    def values(self) -> tuple[int, ...]:
        named = self.which, self.therapy, self.ng_per_ml, 0
        return (self.start, self.seconds, self.dose_nl, self.date, self.kind, *named)

    def begin(self, boluses: Boluses) -> None:
        span = self.start, self.seconds
        boluses.begin(self.kind, span, (self.dose_nl, self.ng_per_ml), self.scheduled)


def loaded(eeprom: MemoryEeprom) -> Boluses:
    retired = Retired(eeprom)
    retired.load()
    boluses = Boluses(eeprom, retired)
    boluses.load()
    return boluses


def values(boluses: Boluses) -> list[tuple[int, ...]]:
    return [entry.values() for entry in boluses.recent]


def course(random: Random, count: int) -> list[Given]:
    """Boluses one after the other, each begun when the one before it has ended."""
    now = random.randrange(1 << 20)
    made = []
    for _ in range(count):
        now += random.choice((1, 60, 3_600, random.randrange(1, 90_000)))
        bolus = Given(
            random.randrange(len(KINDS)),
            now,
            random.choice((1, 60, 600, 86_400)),
            random.choice((1, 25_000, 4_000_000_000)),
            random.randrange(8),
            random.randrange(36_525),
            random.randrange(2),
            random.choice((0, 50_000, 500_000, 2_000_000)),
        )
        made.append(bolus)
        now += bolus.seconds
    return made


@pytest.mark.requirement("F3", "F10", "I6")
@given(seeds, st.integers(0, 3 * BOLUS_PAGES), st.integers(1, 20))
def test_the_newest_boluses_are_found_again_after_every_start(seed: int, count: int, at_once: int):
    eeprom = MemoryEeprom()
    made = course(Random(seed), count)
    boluses = loaded(eeprom)
    assert (boluses.mirror.condition, boluses.number, boluses.recent) == (EMPTY, 0, [])
    last = 0
    for number, bolus in enumerate(made):
        if number % at_once == 0:
            boluses = loaded(eeprom)
            assert boluses.number == last
        bolus.begin(boluses)
        assert boluses.number > last
        last = boluses.number
    again = loaded(eeprom)
    assert values(again) == [bolus.values() for bolus in made[-CAPACITY:]]
    assert values(boluses)[-CAPACITY:] == values(again)
    assert again.number == last


@pytest.mark.requirement("F3", "I6")
def test_the_number_wraps_at_16_bits():
    boluses = loaded(MemoryEeprom())
    for numbered in (boluses.mirror, *boluses.mirror.copies):
        numbered.sequence = 0xFFFD
    numbers = []
    for start in range(4):
        boluses.begin(CLINICIAN, (start, 1), (1, 0))
        numbers.append(boluses.number)
    assert numbers == [0xFFFF, 0, 1, 2]


@pytest.mark.requirement("F3", "I6", "R08", "R09")
@given(seeds, st.integers(0, CAPACITY), st.integers(1, 172_800), st.integers(0, 400_000))
def test_what_limits_look_at_is_what_a_plain_sum_over_all_boluses_gives(seed: int, count: int, window: int, later: int):
    made = course(Random(seed), count)
    eeprom = MemoryEeprom()
    boluses = loaded(eeprom)
    for bolus in made:
        bolus.begin(boluses)
    now = (made[-1].start if made else 0) + later
    inside = range(now - window + 1, now + 1)
    for history in (boluses, loaded(eeprom)):
        touching = [one for one in made if one.start + one.seconds >= inside.start and one.start <= now]
        assert history.volume_nl(now, window) == sum(one.dose_nl for one in touching if one.kind != PRIME)
        for kind in range(len(KINDS)):
            mine = [one for one in made if one.kind == kind]
            assert history.count(kind, now, window) == sum(one.start in inside for one in mine)
        patient = [one for one in made if one.kind == PATIENT]
        assert history.last_patient == (patient[-1].start if patient else -1)
        for one in made:
            assert history.was_given(one.scheduled) == any(
                other.kind == SCHEDULED and other.scheduled == one.scheduled for other in made
            )


@pytest.mark.requirement("F3", "I6", "R07")
@given(seeds, st.integers(0, 4 * BOLUS_PAGES))
def test_the_newest_patient_bolus_is_known_however_many_others_follow(seed: int, count: int):
    random = Random(seed)
    eeprom = MemoryEeprom()
    boluses = loaded(eeprom)
    newest = -1
    for number in range(count):
        kind = PATIENT if random.randrange(50) == 0 else CLINICIAN
        newest = 1_000 * number if kind == PATIENT else newest
        boluses.begin(kind, (1_000 * number, 60), (5, 0))
    assert boluses.last_patient == loaded(eeprom).last_patient == newest


@pytest.mark.requirement("F3", "F7", "R08")
@given(seeds, st.integers(0, CAPACITY), st.sampled_from((0, 50_000, 500_000, 2_000_000)))
def test_a_limit_counts_the_larger_of_the_volume_and_the_mass_that_were_given(seed: int, count: int, now_ng: int):
    made = course(Random(seed), count)
    boluses = loaded(MemoryEeprom())
    for bolus in made:
        bolus.begin(boluses)
    expected = 0
    for one in made:
        if one.kind != PRIME:
            by_mass = -(-one.dose_nl * one.ng_per_ml // now_ng) if now_ng else 0
            expected += max(one.dose_nl, by_mass)
    assert boluses.volume_nl(1 << 30, 1 << 31, now_ng) == expected


@pytest.mark.requirement("F3", "R05", "R09")
@given(
    st.lists(st.sampled_from([(PATIENT, False), (PATIENT, True), (CLINICIAN, False), (SCHEDULED, False)]), max_size=12)
)
def test_a_bolus_that_was_set_aside_counts_for_longer_after_every_start(kinds: list[tuple[int, bool]]):
    eeprom = MemoryEeprom()
    boluses = loaded(eeprom)
    ends: list[int] = []
    kind_of = [kind for kind, _ in kinds]
    for number, (kind, suspends) in enumerate(kinds):
        before = [index for index in range(number) if kind_of[index] != PATIENT]
        if suspends and before:
            ends[before[-1]] += 100 + number
        boluses.begin(kind, (10_000 * number, 100 + number), (5, 0), (0, 0, 0), suspends)
        ends.append(10_000 * number + 100 + number)
    for history in (boluses, loaded(eeprom)):
        assert [entry.end for entry in history.recent] == ends


@pytest.mark.requirement("I6", "I12")
def test_no_duration_is_too_long_to_be_loaded_and_checked():
    """Pages that are whole may hold anything: what was set aside for longer still fits a word."""
    eeprom = MemoryEeprom()
    boluses = loaded(eeprom)
    boluses.begin(CLINICIAN, (0, 0xFFFFFFFF), (5, 0))
    boluses.begin(PATIENT, (1, 0xFFFFFFFF), (5, 0), (0, 0, 0), True)
    for history in (boluses, loaded(eeprom)):
        assert [entry.seconds for entry in history.recent] == [0xFFFFFFFF, 0xFFFFFFFF]
        assert history.hold()


@pytest.mark.requirement("F3", "I6", "R08", "R09")
def test_the_edges_of_a_window():
    boluses = loaded(MemoryEeprom())
    boluses.begin(PATIENT, (1_000, 60), (5_000, 0))
    for now, counted, volume in (
        (1_000, 1, 5_000),
        (4_599, 1, 5_000),
        (4_600, 0, 5_000),
        (4_659, 0, 5_000),
        (4_660, 0, 0),
    ):
        assert boluses.count(PATIENT, now, 3_600) == counted
        assert boluses.volume_nl(now, 3_600) == volume


@pytest.mark.requirement("F3", "I6")
@pytest.mark.parametrize("spent", [False, True])
def test_a_history_is_full_while_the_oldest_entry_it_would_lose_still_counts(spent: bool):
    eeprom = MemoryEeprom()
    boluses = loaded(eeprom)
    for number in range(CAPACITY):
        assert not boluses.is_full(1_000 + number, 86_400)
        boluses.begin(PATIENT, (1_000 + number, 10), (1, 0))
    now = 1_010 + 86_400 - (0 if spent else 1)
    for history in (boluses, loaded(eeprom)):
        assert history.is_full(now, 86_400) == (not spent)


@pytest.mark.requirement("F3", "F10", "I6", "I12")
@given(seeds, st.sampled_from(MODELS), st.integers(0, 2 * BOLUS_PAGES), st.sampled_from((0, 1)))
def test_a_cut_while_a_bolus_is_entered_leaves_the_history_before_or_after(
    seed: int, model: str, count: int, write: int
):
    random = Random(seed)
    made = course(random, count + 1)
    eeprom = CuttingEeprom()
    boluses = loaded(eeprom)
    for bolus in made[:-1]:
        bolus.begin(boluses)
    eeprom.cut_at = eeprom.writes + write
    at = random.randrange(PAGE + 1)
    eeprom.tear = lambda old, new: torn(model, old, new, at, random)
    with pytest.raises(Cut):
        made[-1].begin(boluses)
    found = values(loaded(MemoryEeprom(bytes(eeprom.memory))))
    all_of_them = [bolus.values() for bolus in made]
    assert found in (all_of_them[:-1][-CAPACITY:], all_of_them[-CAPACITY:])
    if write:  # the first copy was verified
        assert found == all_of_them[-CAPACITY:]


@pytest.mark.requirement("F3", "F10", "I6", "I12")
@given(seeds)
def test_boluses_whose_second_copy_is_cut_time_and_again_cost_no_entry(seed: int):
    """Each cut costs the first copy a page, as the recovery stores the record there once more; and one in the page that
    is renewed costs the second copy a record, which it must get back."""
    random = Random(seed)
    made = course(random, 2 * BOLUS_PAGES)
    memory = MemoryEeprom()
    boluses = loaded(memory)
    for bolus in made[:BOLUS_PAGES]:
        bolus.begin(boluses)
    all_of_them = [bolus.values() for bolus in made]
    for done, bolus in enumerate(made[BOLUS_PAGES:], BOLUS_PAGES + 1):
        eeprom = CuttingEeprom(bytes(memory.memory))
        boluses = loaded(eeprom)
        eeprom.cut_at = eeprom.writes + random.choice((1, 2))  # in copy B: its newest record once more, or the new one
        model, at = random.choice(MODELS), random.randrange(PAGE + 1)
        eeprom.tear = lambda old, new, model=model, at=at: torn(model, old, new, at, random)
        with pytest.raises(Cut):
            bolus.begin(boluses)
        memory = MemoryEeprom(bytes(eeprom.memory))
        assert values(loaded(memory)) == all_of_them[:done][-CAPACITY:]


@pytest.mark.requirement("F3", "F10", "I6", "I12")
@pytest.mark.parametrize("cuts", [1, 2, 3])
@pytest.mark.parametrize("fill", [b"\xff", b"\x00"])
def test_a_second_copy_that_is_cut_each_time_it_is_renewed_gets_back_what_it_lost(cuts: int, fill: bytes):
    made = course(Random(9), 20)
    memory = MemoryEeprom()
    boluses = loaded(memory)
    for bolus in made[:-1]:
        bolus.begin(boluses)
    eeprom = CuttingEeprom(bytes(memory.memory))
    eeprom.tear = lambda old, new: fill * PAGE
    boluses = loaded(eeprom)
    eeprom.cut_at = eeprom.writes + 1
    with pytest.raises(Cut):
        made[-1].begin(boluses)
    for _ in range(cuts - 1):
        eeprom = CuttingEeprom(bytes(eeprom.memory))
        eeprom.tear = lambda old, new: fill * PAGE
        eeprom.cut_at = 1  # the leader's record once more comes first
        with pytest.raises(Cut):
            loaded(eeprom)
    boluses = loaded(MemoryEeprom(bytes(eeprom.memory)))
    index = boluses.mirror.copies[0].index
    assert index is not None
    for sequence in [sequence for sequence in index if sequence != 0xFFFFFFFF]:
        assert boluses.mirror.copies[1].find(sequence) is not None
    assert values(boluses) == [bolus.values() for bolus in made]


@pytest.mark.requirement("F3", "F10", "I6")
@given(seeds, st.integers(2, 2 * BOLUS_PAGES), st.integers(1, 12))
def test_entries_that_rotted_in_one_copy_are_read_from_the_other(seed: int, count: int, spoilt: int):
    """Any pages of one copy but its newest two, and the newest too: the other copy has them all."""
    random = Random(seed)
    made = course(random, count)
    eeprom = MemoryEeprom()
    boluses = loaded(eeprom)
    for bolus in made:
        bolus.begin(boluses)
    copy = boluses.mirror.copies[random.randrange(2)]
    held = [page for page in range(copy.first, copy.first + min(count, BOLUS_PAGES)) if page != copy.page]
    for page in random.sample(held, min(spoilt, len(held) - 1)):
        eeprom.memory[page * PAGE + random.randrange(PAGE)] ^= 1 << random.randrange(8)
    again = loaded(eeprom)
    assert again.mirror.condition == GOOD
    assert values(again) == [bolus.values() for bolus in made[-CAPACITY:]]


@pytest.mark.requirement("F3", "F10", "I6")
def test_worn_pages_cost_no_entry():
    eeprom = UnreliableEeprom()
    worn = [BOLUS_FIRSTS[0] + 5, BOLUS_FIRSTS[0] + 6, BOLUS_FIRSTS[1] + 30]
    eeprom.refuse = lambda page: "worn" if page in worn else ""
    made = course(Random(3), 2 * BOLUS_PAGES)
    boluses = loaded(eeprom)
    for bolus in made:
        bolus.begin(boluses)
    assert values(loaded(eeprom)) == [bolus.values() for bolus in made[-CAPACITY:]]


@pytest.mark.requirement("F3", "I6")
def test_a_bolus_that_cannot_be_entered_raises_so_that_it_does_not_begin():
    eeprom = UnreliableEeprom()
    boluses = loaded(eeprom)
    boluses.begin(CLINICIAN, (10, 10), (500, 0))
    eeprom.refuse = lambda page: "keep"
    with pytest.raises(WriteError):
        boluses.begin(CLINICIAN, (30, 10), (700, 0))
    eeprom.refuse = lambda page: ""
    assert [entry[2] for entry in values(loaded(eeprom))] == [500]


@pytest.mark.requirement("F3", "I6", "I12")
@pytest.mark.parametrize("spoilt", [(0,), (1,), (0, 1)])
def test_a_history_that_is_damaged_begins_anew_with_what_is_left_and_forgets_no_number(spoilt: tuple[int, ...]):
    made = course(Random(5), 20)
    eeprom = MemoryEeprom()
    boluses = loaded(eeprom)
    for bolus in made:
        bolus.begin(boluses)
    for copy in spoilt:
        first = BOLUS_FIRSTS[copy] * PAGE
        eeprom.memory[first : first + BOLUS_PAGES * PAGE] = b"\x00" * (BOLUS_PAGES * PAGE)
    boluses = loaded(eeprom)
    assert (boluses.mirror.condition, boluses.recent) == (DAMAGED, [])
    boluses.mirror.begin_anew()
    boluses.begin_anew()
    boluses.begin(PATIENT, (1 << 30, 10), (77, 0))
    again = loaded(eeprom)
    assert again.mirror.condition == GOOD
    assert values(again)[-1] == (1 << 30, 10, 77, 0, PATIENT, 0, 0, 0, 0)
    if len(spoilt) == 1:
        assert values(again)[:20] == [bolus.values() for bolus in made]
        assert again.number > 20


@pytest.mark.requirement("I12", "I6")
@given(seeds, st.sampled_from((1, 30, 3_000)))
def test_loading_ends_for_any_content(seed: int, damage: int):
    random = Random(seed)
    eeprom = MemoryEeprom()
    boluses = loaded(eeprom)
    for bolus in course(random, random.randrange(2 * BOLUS_PAGES)):
        bolus.begin(boluses)
    for _ in range(damage):
        first = random.choice(BOLUS_FIRSTS) * PAGE
        eeprom.memory[random.randrange(first, first + BOLUS_PAGES * PAGE)] = random.randrange(256)
    found = loaded(eeprom)
    assert len(found.recent) <= CAPACITY
    assert found.mirror.condition == GOOD or found.recent == []
