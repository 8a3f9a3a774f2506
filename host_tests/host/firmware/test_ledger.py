"""The ledger never under-counts: no step is made that a start, however it comes about, misses (invariants 2, 3)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_rig import DAY, FIRST_BYTE, LAST_BYTE, Found, Running, after_power_cut, after_reset, torn, with_page
from parts import Scratch, ledger_mirror

from firmware import ledger
from firmware.cascade import Cascade
from firmware.layout import LEDGER_FIRSTS
from firmware.ledger import Ledger
from firmware.pages import LEDGER, PAGE, seal
from thecal.programming import MemoryEeprom

sizes = st.one_of(st.sampled_from((1_000, 25_000, 999_983)), st.integers(1_000, 1_000_000))
rates = st.one_of(st.integers(6_000, 28_800_000), st.sampled_from((6_000, 1_000_000, 28_800_000)))
seeds = st.integers(0, 1 << 32)


def check(run: Running, found: Found, exact: bool) -> None:
    """What holds for every start: never fewer steps than were commanded, and never more than were reserved."""
    assert found.found
    assert found.exact == exact
    assert run.train.commanded <= found.steps
    assert found.steps * run.size + found.cascade.acc_pl <= run.demanded or not exact
    assert found.book.reservoir_nl <= 20_000_000
    assert found.book.volume_nl == found.steps * run.size // 1_000


def drive(run: Running, random: Random, frames: int) -> None:
    """Seconds with stops and other rates among them."""
    for _ in range(frames):
        if random.random() < 0.1:
            run.give(random.choice((0, 6_000, 28_800_000, random.randint(6_000, 28_800_000))))
        run.frame()


@pytest.mark.requirement("F10", "I2", "I3")
@given(seeds, sizes, rates)
@settings(max_examples=40)
def test_a_power_cut_at_any_byte_of_any_write_finds_every_step(seed: int, size: int, rate: int):
    random = Random(seed)
    run = Running(size, rate)
    cuts = 0

    def cut(page: int, old: bytes, new: bytes) -> None:
        nonlocal cuts
        ring = run.ring_image()
        for at in random.sample(range(PAGE + 1), 6):
            for content in torn(random, old, new, at):
                check(run, Found(size, with_page(ring, page, content), None), exact=False)
                cuts += 1

    run.eeprom.around = cut
    drive(run, random, 60)
    run.give(0)
    assert cuts >= 24


@pytest.mark.requirement("F10", "I2")
def test_a_power_cut_at_every_single_byte_of_a_write_finds_every_step():
    run = Running(1_000, 28_800_000)
    for _ in range(40):
        run.frame()
    random = Random(7)
    seen = set()

    def cut(page: int, old: bytes, new: bytes) -> None:
        ring = run.ring_image()
        for at in range(PAGE + 1):
            for content in torn(random, old, new, at):
                found = Found(1_000, with_page(ring, page, content), None)
                check(run, found, exact=False)
                seen.add(found.steps)

    before = run.book.counted + run.book.reserved
    run.eeprom.around = cut
    run.give(20_000_000)
    after = run.book.counted + run.book.reserved
    assert seen == {before, after}  # wholly the old record or wholly the new one


@pytest.mark.requirement("F10", "I2", "I3")
@given(seeds, sizes, rates)
@settings(max_examples=40)
def test_a_power_cut_between_any_two_steps_finds_every_step(seed: int, size: int, rate: int):
    run = Running(size, rate)
    run.train.before = lambda: check(run, after_power_cut(run), exact=False)  # counted, and not yet commanded
    random = Random(seed)
    for _ in range(30):
        drive(run, random, 1)
        found = after_power_cut(run)
        check(run, found, exact=False)
        assert found.assumed == run.book.reserved
        assert found.steps == run.book.counted + run.book.reserved


@pytest.mark.requirement("F10", "F11", "I2", "I3")
@given(seeds, sizes, rates)
@settings(max_examples=40)
def test_a_watchdog_reset_between_any_two_writes_finds_the_exact_count(seed: int, size: int, rate: int):
    """After every store to a scratch register and on both sides of every EEPROM write."""
    run = Running(size, rate)
    points = 0

    def reset(*_: object) -> None:
        nonlocal points
        points += 1
        found = after_reset(run)
        check(run, found, exact=True)
        assert found.steps == run.book.steps
        assert found.assumed == 0

    run.scratch.after_write = reset
    run.eeprom.around = reset
    run.eeprom.after = reset
    run.train.before = reset
    drive(run, Random(seed), 40)
    assert points >= 80


@pytest.mark.requirement("F10", "I3")
@given(seeds, sizes, rates)
@settings(max_examples=40)
def test_after_a_watchdog_reset_the_remainder_below_a_step_is_still_there(seed: int, size: int, rate: int):
    run = Running(size, rate)
    drive(run, Random(seed), 30)
    found = after_reset(run)
    assert (found.cascade.acc_pl, found.cascade.rem) == (run.cascade.acc_pl, run.cascade.rem)
    assert (found.day, found.second) == (run.dosing.day, run.dosing.second)


@pytest.mark.requirement("F10", "I2")
@given(seeds, sizes, rates)
@settings(max_examples=40)
def test_a_part_that_takes_records_and_says_that_it_did_not_loses_no_step(seed: int, size: int, rate: int):
    """Refused pages, taken or not, for a while; then a reset or a power cut at any point."""
    random = Random(seed)
    run = Running(size, rate)
    fates = ["", "", "keep", "take"]
    run.eeprom.refuse = lambda page: random.choice(fates)

    def ends(*_: object) -> None:
        for found in (after_reset(run), after_power_cut(run)):
            assert run.train.commanded <= found.steps
            assert run.book.steps <= found.steps

    run.eeprom.after = ends
    run.scratch.after_write = ends
    for _ in range(60):
        fates[:] = random.choice((["", "keep", "take"], ["keep", "take"], ["take"], [""]))
        drive(run, random, random.randint(1, 4))
        ends()
    assert run.failed_writes


@pytest.mark.requirement("F10", "I2")
def test_a_record_that_was_refused_but_taken_limits_what_may_still_flow():
    """A stop's record reserves nothing. Refused or not, it may be the one that a power cut brings back."""
    run = Running(1_000, 28_800_000)
    run.frame()
    run.frame()
    assert run.book.reserved - run.book.used > 10_000
    run.eeprom.refuse = lambda page: "take"
    run.give(0)
    run.eeprom.refuse = lambda page: "keep"
    run.give(28_800_000)
    before = run.train.commanded
    for _ in range(3):
        run.frame()
        assert after_power_cut(run).steps >= run.train.commanded
    assert run.train.commanded == before


@pytest.mark.requirement("F10", "I2", "I3")
@given(seeds, sizes, rates, st.integers(1, 4))
@settings(max_examples=40)
def test_cuts_during_recovery_and_after_it_lose_no_step_either(seed: int, size: int, rate: int, depth: int):
    """Start after start, each ended by a cut in its first record or soon after: what was assumed stays assumed."""
    random = Random(seed)
    run = Running(size, rate)
    drive(run, random, 10)
    least = run.train.commanded
    ring = run.ring_image()
    for _ in range(depth):
        found = Found(size, ring, None)
        assert found.steps >= least
        writes: list[tuple[int, bytes, bytes]] = []
        found.eeprom.around = lambda *write, writes=writes: writes.append(write)
        found.cascade.set_rate(rate)
        assert found.book.take(1_000) == 0  # nothing is reserved before the first record
        found.book.reserve(found.cascade, 0, DAY, 60)
        taken = found.book.take(random.randrange(3)) if random.random() < 0.5 else 0
        page, old, new = writes[-1]
        ring = bytes(found.eeprom.memory[FIRST_BYTE:LAST_BYTE])
        if not taken:
            ring = with_page(ring, page, random.choice(torn(random, old, new, random.randrange(65))))
        least = found.steps + taken


@pytest.mark.requirement("F10", "I2")
def test_one_spoilt_scratch_word_costs_nothing_and_two_cost_the_reservation():
    run = Running(1_000, 28_800_000)
    for _ in range(7):
        run.frame()
    good = list(run.scratch.words)
    for which in (0, 1):
        for bit in range(30):
            words = list(good)
            words[which] ^= 1 << bit
            found = Found(1_000, run.ring_image(), words)
            assert found.exact
            assert found.steps == run.book.steps
    for one in range(30):
        for other in range(30):
            words = [good[0] ^ 1 << one, good[1] ^ 1 << other, *good[2:]]
            found = Found(1_000, run.ring_image(), words)
            assert not found.exact
            assert found.steps == run.book.counted + run.book.reserved


@pytest.mark.requirement("F10", "I2")
def test_steps_that_only_the_scratch_registers_know_of_are_counted():
    """Both pages of the newest record went back to what they held before it, which no cut does: an older record is
    found, and two registers that agree tell more steps than it had reserved."""
    run = Running(25_000, 28_800_000)
    older: list[bytes] = []
    run.eeprom.around = lambda *write: older.append(run.ring_image())
    for _ in range(100):
        run.frame()
    image = older[-2]  # before either copy of the newest record
    found = Found(25_000, image, run.scratch.words)
    assert found.exact
    assert found.steps == run.book.steps > found.book.counted + found.book.reserved
    cut = Found(25_000, image, None)
    assert not cut.exact
    assert cut.steps == cut.book.counted + cut.book.reserved


@pytest.mark.requirement("F10", "I2", "I12")
@given(st.integers(0, 1), st.integers(0, 0x3FFFFFFF), st.lists(st.integers(0, 0x3FFFFFFF), min_size=2, max_size=2))
def test_no_scratch_words_beside_one_good_one_make_it_count_less(which: int, wrong: int, others: list[int]):
    run = Running(1_000, 20_000_000)
    for _ in range(3):
        run.frame()
    words = [*run.scratch.words[:2], *others]
    words[which] = wrong
    found = Found(1_000, run.ring_image(), words)
    assert found.steps >= run.book.steps
    assert 0 <= found.cascade.acc_pl < 1_000
    assert 0 <= found.cascade.rem < 432
    assert 0 <= found.second < 86_400


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("words", [[0] * 4, [0x3FFFFFFF] * 4, [0x15555555] * 4])
def test_registers_of_a_cold_start_tell_nothing(words: list[int]):
    run = Running(25_000, 6_000_000)
    run.frame()
    assert not Found(25_000, run.ring_image(), words).exact


@pytest.mark.requirement("F10", "I3", "R48")
@given(seeds, sizes, rates)
def test_a_power_cut_costs_at_most_a_minute_of_flow_or_one_step(seed: int, size: int, rate: int):
    random = Random(seed)
    run = Running(size, rate)
    for _ in range(150):
        if random.random() < 0.02:
            rate = random.choice((6_000, 28_800_000, random.randint(6_000, 28_800_000)))
            run.give(rate)
        run.frame()
        room = run.book.reserved - run.book.used
        assert room <= max(60 * rate * 1_000 // 86_400 // size, 1)


@pytest.mark.requirement("F10", "I2")
@given(sizes, rates)
def test_the_steps_of_the_next_second_are_always_reserved_when_it_ends(size: int, rate: int):
    run = Running(size, rate)
    for _ in range(150):
        run.frame()
        assert run.dosing.pending == 0
        assert run.dosing.missed_steps == 0


@pytest.mark.requirement("F10")
def test_wear_is_one_record_in_about_a_minute_or_one_a_step():
    for size, rate, most in ((25_000, 6_000, 3), (25_000, 28_800_000, 70), (1_000, 28_800_000, 70)):
        run = Running(size, rate)
        before = run.book.mirror.sequence
        for _ in range(3_600):
            run.frame()
            if run.train.trains:
                del run.train.trains[:-1]
        assert run.book.mirror.sequence - before <= max(most, 2 * run.book.steps if rate == 6_000 else 0)


@pytest.mark.requirement("F10", "F6")
@given(seeds, sizes, rates)
@settings(max_examples=40)
def test_totals_are_exact_and_a_record_carries_all_of_them(seed: int, size: int, rate: int):
    run = Running(size, rate)
    drive(run, Random(seed), 25)
    book = run.book
    book.missed_nl, book.alarms, book.state = 12_345, 0b101, ledger.PAUSED
    book.stop_day, book.stop_second = DAY + 1, 86_399
    book.flags, book.bolus, book.bolus_left_nl, book.shift = ledger.CALIBRATED, 0xFFFE, 4_000_000_000, 90_061
    steps = book.steps
    book.close(run.cascade, DAY, 77)
    found = after_power_cut(run).book
    for name in (
        *("counted", "volume_pl", "reservoir_pl", "reserved", "missed_nl", "alarms", "state", "stop_day"),
        *("flags", "bolus", "bolus_left_nl", "shift"),
    ):
        assert getattr(found, name) == getattr(book, name)
    assert found.stop_second == 86_399
    assert (found.steps, found.volume_nl) == (steps, steps * size // 1_000)
    assert found.reservoir_nl == (20_000_000_000 - steps * size) // 1_000


@pytest.mark.requirement("F6", "F10")
@given(seeds, sizes, rates, st.integers(0, 100_000_000))
@settings(max_examples=40)
def test_a_refill_says_what_the_reservoir_holds_from_now_on(seed: int, size: int, rate: int, volume_nl: int):
    run = Running(size, rate)
    drive(run, Random(seed), 20)
    run.book.refill(volume_nl)
    assert run.book.reservoir_nl == volume_nl
    before = run.book.steps
    assert after_power_cut(run).book.reservoir_nl <= 20_000_000  # not yet recorded
    run.book.close(run.cascade, DAY, 50)
    assert after_power_cut(run).book.reservoir_nl == volume_nl
    run.give(28_800_000)
    drive(run, Random(seed), 5)
    given_pl = (run.book.steps - before) * size
    assert run.book.reservoir_nl == max(0, volume_nl * 1_000 - given_pl) // 1_000


@pytest.mark.requirement("I6", "F3", "F10")
@given(st.integers(0, 36_524), st.integers(0, 86_399), st.lists(st.integers(-400_000_000, 400_000_000), max_size=8))
def test_pump_time_counts_on_whatever_is_done_to_the_clock(day: int, second: int, moves: list[int]):
    """The clock is set by so many seconds; the ledger is told, before or after, and a record keeps it."""
    run = Running(25_000, 6_000)
    local = day * 86_400 + second
    before = run.book.pump_time(*divmod(local, 86_400))
    assert before == local
    for by in moves:
        moved = min(max(local + by, 0), 3_155_759_999)
        run.book.shift += moved - local
        local = moved
        assert run.book.pump_time(*divmod(local, 86_400)) == before
        run.book.close(run.cascade, *divmod(local, 86_400))
        found = after_power_cut(run).book
        assert found.pump_time(*divmod(local, 86_400)) == before
        assert found.pump_time(*divmod(local + 61, 86_400)) == before + 61


@pytest.mark.requirement("F6")
def test_the_reservoir_estimate_ends_at_zero():
    run = Running(1_000_000, 28_800_000)
    run.book.reservoir_pl = 1_500_000
    for _ in range(10):
        run.frame()
    assert run.book.reservoir_nl == 0
    run.book.close(run.cascade, DAY, 10)
    assert run.book.reservoir_pl == 0


@pytest.mark.requirement("F10")
@pytest.mark.parametrize(
    ("recorded", "now"), [(4_095, 4_096), (8_191, 8_192), (8_192, 8_191), (9_557, 9_557), (12_287, 12_288)]
)
def test_the_day_of_the_last_sign_of_life_is_known_across_the_wrap_of_its_bits(recorded: int, now: int):
    run = Running(25_000, 6_000)
    run.book.close(run.cascade, recorded, 86_390)
    run.book.note(now, 5, run.cascade)
    found = after_reset(run)
    assert (found.day, found.second) == (now, 5)


@pytest.mark.requirement("F10", "I12")
def test_an_empty_ring_is_no_ledger():
    assert not Found(25_000, b"\xff" * (LAST_BYTE - FIRST_BYTE), None).found


@pytest.mark.requirement("I12")
@given(st.binary(min_size=52, max_size=52), st.lists(st.integers(0, 0x3FFFFFFF), min_size=4, max_size=4))
def test_recovery_ends_for_any_record(payload: bytes, words: list[int]):
    page = bytearray(PAGE)
    page[8:60] = payload
    seal(page, LEDGER, 5)
    eeprom = MemoryEeprom()
    for first in LEDGER_FIRSTS:
        eeprom.write_page(first + 3, bytes(page))
    scratch = Scratch()
    scratch.words = words
    results = []
    for _ in range(2):
        book = Ledger(ledger_mirror(eeprom), scratch, 25_000)
        cascade = Cascade(25_000)
        results.append((book.recover(cascade), book.steps, book.state, cascade.acc_pl))
        assert book.used <= book.reserved
    assert results[0] == results[1]
