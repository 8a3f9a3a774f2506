"""Battery and service life: when it warns, when it stops, what it reckons (F9; R36)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from battery_rig import EVERY_MS, Watched
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import UnreliableEeprom

from thecal.models import sensors
from thecal.programming import MemoryEeprom

COUNT_MV = 2 * Fraction(sensors.REFERENCE_MV, sensors.FULL_SCALE)  # of the battery
MAH_UAS = 3_600_000
GOOD = 3_900


# -- voltage ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F9", "R36")
def test_every_voltage_of_the_bench_raises_what_it_should_and_nothing_else() -> None:
    """Below 3,300 mV low, below 3,000 mV depleted; the converter tells 3,000 mV from 3,002 mV and no finer."""
    for millivolts in range(6_001):
        pump = Watched()
        pump.sense(millivolts, 9)
        assert pump.active == []
        pump.sense(millivolts)
        assert ("battery_low" in pump.active) == (millivolts < 3_300), millivolts
        if millivolts < 3_000:
            assert "battery_depleted" in pump.active, millivolts
        elif millivolts >= 3_000 + COUNT_MV:
            assert "battery_depleted" not in pump.active, millivolts
        assert ("replace_soon" in pump.active) == (millivolts < 3_300), millivolts


@pytest.mark.requirement("F9", "R36")
def test_the_cause_is_gone_a_hysteresis_above_the_threshold_and_not_below() -> None:
    pump = Watched()
    pump.sense(2_900, 10)
    assert pump.present == ["battery_depleted", "replace_soon", "battery_low"]
    for millivolts in range(2_900, 3_600):
        pump.sense(millivolts, 10)
        for code, limit in (("battery_low", 3_300), ("battery_depleted", 3_000)):
            if millivolts < limit + 100:
                assert code in pump.present, millivolts
            elif millivolts >= limit + 100 + 2 * COUNT_MV:
                assert code not in pump.present, millivolts
    assert pump.active == ["battery_depleted", "replace_soon"]  # what stops delivery waits for `clear`
    assert pump.alarms.clear() == ["replace_soon"]


@pytest.mark.requirement("F9", "R36")
@given(st.lists(st.integers(2_800, 3_600), min_size=1, max_size=60))
@settings(max_examples=50)
def test_only_the_mean_of_ten_readings_counts(voltages: list[int]) -> None:
    pump = Watched()
    read: list[Fraction] = []
    for millivolts in voltages:
        pump.sense(millivolts)
        counts = Fraction(millivolts * 1_000 // 2 * sensors.FULL_SCALE, sensors.REFERENCE_MV * 1_000).__floor__()
        read.append(counts * COUNT_MV)
        mean = sum(read[-10:], Fraction()) / 10
        if len(read) < 10:
            assert pump.active == []
        elif mean < 3_300:
            assert "battery_low" in pump.present
        elif mean >= 3_303 and len(read) == 10:  # each reading and the mean are floored: at most 2 mV and 1 mV too low
            assert "battery_low" not in pump.present


@pytest.mark.requirement("F9", "R36")
@pytest.mark.parametrize("before", [3_300, 3_900, 6_000])
def test_a_battery_that_falls_is_noticed_within_fifteen_minutes(before: int) -> None:
    pump = Watched()
    pump.sense(before, 25)
    pump.sense(3_299, 10)
    assert 10 * EVERY_MS <= 15 * 60_000
    assert "battery_low" in pump.active
    pump.sense(2_998, 10)
    assert "battery_depleted" in pump.active


@pytest.mark.requirement("F9", "R36")
def test_one_wrong_reading_raises_nothing() -> None:
    pump = Watched()
    pump.sense(GOOD, 10)
    pump.sense(0)
    pump.sense(GOOD, 20)
    assert pump.logged == []


# -- charge -----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F9")
@given(
    st.lists(
        st.tuples(st.integers(1, 40_000), st.integers(0, 9_999), st.integers(0, 30), st.integers(0, 50)), max_size=12
    )
)
def test_charge_is_the_sum_of_what_each_state_takes(spans: list[tuple[int, int, int, int]]) -> None:
    pump = Watched(battery_mah=1_000_000)
    zero = pump.board.eeprom.page_writes
    began = pump.rig.world.now_ns // 1_000_000
    for span_ms, steps, sounded, writes in spans:
        pump.ledger.steps += steps
        pump.signals.sounded_s += sounded
        pump.board.eeprom.page_writes += writes
        pump.sense(GOOD, after_ms=span_ms)
    seconds = (pump.now_ms - began) // 1_000
    steps = sum(span[1] for span in spans)
    sounded = sum(span[2] for span in spans)
    writes = pump.board.eeprom.page_writes - zero
    # uA s: 20.2 mA on, 1 mA s a step, 10 mA of sound, 15 uA s a page.
    assert pump.counters.charge_uas == 20_200 * seconds + 1_000 * steps + 10_000 * sounded + 15 * writes
    assert (pump.counters.powered_s, pump.counters.sounded_s) == (seconds, sounded)
    assert pump.counters.eeprom_writes == writes


@pytest.mark.requirement("F9")
def test_a_ledger_that_begins_anew_takes_no_charge_back() -> None:
    pump = Watched(battery_mah=1_000)
    pump.ledger.steps = 500
    pump.sense(GOOD)
    charge = pump.counters.charge_uas
    pump.ledger.steps = 10
    pump.sense(GOOD)
    assert pump.counters.charge_uas == charge + 30 * 20_200


@pytest.mark.requirement("F9", "R36")
@pytest.mark.parametrize("capacity", [1, 7, 1_000, 1_000_000])
def test_replacement_is_due_with_less_than_a_tenth_left_and_not_before(capacity: int) -> None:
    pump = Watched(battery_mah=capacity)
    tenth_taken = capacity * MAH_UAS * 9 // 10
    pump.counters.charge_uas = tenth_taken - 30 * 20_200
    pump.battery.seal()
    pump.sense(GOOD)
    assert pump.counters.charge_uas == tenth_taken
    assert pump.active == []  # exactly a tenth is left
    pump.sense(GOOD)
    assert pump.active == ["replace_soon"]
    assert pump.counters.eri_at == pump.pump_time


@pytest.mark.requirement("F9")
def test_a_supply_of_no_known_capacity_is_never_reckoned_empty() -> None:
    pump = Watched()
    pump.counters.charge_uas = 1 << 60
    pump.battery.seal()
    pump.sense(GOOD, 20)
    assert pump.active == []
    assert "battery_charge: unknown" in pump.battery.status()
    assert "battery_left_days: unknown" in pump.battery.status()


@pytest.mark.requirement("F9", "R36")
@given(st.integers(1, 1_000_000), st.integers(0, 1 << 45), st.integers(1, 1 << 30), st.integers(0, 1 << 30))
def test_the_time_left_is_the_charge_left_at_the_mean_consumption_of_this_battery(
    capacity: int, used: int, seconds: int, fitted: int
) -> None:
    pump = Watched(battery_mah=capacity)
    pump.counters.charge_uas, pump.counters.powered_s, pump.counters.fitted_s = used, fitted + seconds, fitted
    pump.battery.seal()
    left = max(0, capacity * MAH_UAS - used)
    assert pump.battery.remaining_s() == (left / Fraction(used, seconds) // 1 if used else -1)


# -- service life -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F9")
@pytest.mark.parametrize("span", [60, 3_600, 7_776_000])
def test_service_ends_the_set_time_after_the_replacement_indicator(span: int) -> None:
    pump = Watched(eri_to_eos_s=span)
    pump.sense(3_200, 10)
    assert pump.active == ["replace_soon", "battery_low"]
    eri_at = pump.counters.eri_at
    pump.pump_time = eri_at + span - 31
    pump.sense(3_200)
    assert "end_of_service" not in pump.active
    pump.sense(3_200)
    assert "end_of_service" in pump.active
    assert pump.applied == 2


@pytest.mark.requirement("F9", "F10")
def test_the_indicator_is_stored_at_once_and_raised_again_at_every_start_before_anything_else() -> None:
    pump = Watched(eri_to_eos_s=600)
    pump.sense(3_200, 10)
    again = Watched(MemoryEeprom(bytes(pump.eeprom.memory)), eri_to_eos_s=600)
    assert again.counters.eri_at == pump.counters.eri_at
    assert again.active == ["replace_soon"]
    late = Watched(MemoryEeprom(bytes(pump.eeprom.memory)), eri_to_eos_s=60)
    late.pump_time = pump.counters.eri_at + 60
    late.battery.start()
    assert late.active == ["end_of_service", "replace_soon"]


@pytest.mark.requirement("F9", "F10")
def test_counters_are_stored_every_hour() -> None:
    pump = Watched()
    before = bytes(pump.eeprom.memory)
    pump.sense(GOOD, 119)
    assert bytes(pump.eeprom.memory) == before
    pump.sense(GOOD)
    again = Watched(MemoryEeprom(bytes(pump.eeprom.memory)))
    assert again.counters.powered_s == 3_600
    assert again.counters.charge_uas == 3_600 * 20_200


@pytest.mark.requirement("F9", "F10")
def test_an_eeprom_that_refuses_is_logged_and_tried_again() -> None:
    eeprom = UnreliableEeprom()
    pump = Watched(eeprom)
    eeprom.refuse = lambda page: "keep"
    pump.sense(3_200, 10)
    assert pump.active == ["replace_soon", "battery_low"]
    assert pump.logged.count("write_failed") == 1
    eeprom.refuse = lambda page: ""
    pump.sense(3_200, 120)
    assert Watched(MemoryEeprom(bytes(eeprom.memory))).counters.eri_at == pump.counters.eri_at


@pytest.mark.requirement("F9")
def test_a_new_battery_begins_anew_and_its_alarms_go() -> None:
    pump = Watched(battery_mah=1_000, eri_to_eos_s=60)
    pump.sense(2_500, 13)
    assert pump.present == ["end_of_service", "battery_depleted", "replace_soon", "battery_low"]
    used = pump.counters.charge_uas
    lines = pump.battery.service(["battery"])
    assert lines == [f"battery: new; {used // MAH_UAS} mAh were taken from the old one"]
    assert pump.present == []
    assert pump.active == ["end_of_service", "battery_depleted"]
    assert pump.alarms.clear() == []
    assert "battery_fitted" in pump.logged
    pump.sense(GOOD, 20)
    assert pump.active == []
    again = Watched(MemoryEeprom(bytes(pump.eeprom.memory)), battery_mah=1_000)
    assert (again.counters.eri_at, again.counters.charge_uas) == (0, 0)
    assert again.counters.fitted_s == again.counters.powered_s > 0


@pytest.mark.requirement("F9")
def test_a_new_battery_that_cannot_be_stored_is_refused_and_changes_nothing() -> None:
    eeprom = UnreliableEeprom()
    pump = Watched(eeprom, battery_mah=1_000)
    pump.sense(3_200, 10)
    before = pump.counters.values()
    eeprom.refuse = lambda page: "keep"
    with pytest.raises(ValueError, match="service battery: the EEPROM refused it"):
        pump.battery.service(["battery"])
    assert pump.counters.values() == before
    assert pump.active == ["replace_soon", "battery_low"]
    for words in ([], ["pump"], ["battery", "now"]):
        with pytest.raises(ValueError, match="service: `battery` after it"):
            pump.battery.service(words)


@pytest.mark.requirement("F9")
def test_status_shows_voltage_charge_time_left_and_dates() -> None:
    pump = Watched(battery_mah=1_000)
    assert pump.battery.status()[0] == "battery_mv: unknown"
    pump.sense(3_800, 40)
    pump.counters.charge_uas = 250 * MAH_UAS
    pump.counters.powered_s = 10 * 86_400
    pump.battery.seal()
    assert pump.battery.status() == [
        "battery_mv: 3798",
        "battery_charge: 75 %",
        "battery_used_mah: 250",
        "battery_left_days: 30",
        "powered_s: 864000",
        "sounded_s: 0",
        f"eeprom_writes: {pump.counters.eeprom_writes}",
    ]
    pump.sense(3_200, 10)
    pump.pump_time = pump.counters.eri_at + 86_400
    assert pump.battery.status()[-2:] == [
        "replace_soon_since: 2026-03-01T01:00:00",
        "end_of_service: 2026-05-30T01:00:00",
    ]


# -- wrong bits -------------------------------------------------------------------------------------------------------

COUNTED = [name for name, value in vars(Watched().counters).items() if isinstance(value, int)]


@pytest.mark.requirement("F9", "F11", "R18", "R36")
@pytest.mark.parametrize("name", [*COUNTED, "_since", "_steps", "_writes", "_sounded", "_unsaved_s"])
def test_no_wrong_bit_of_a_counter_or_of_what_it_is_reckoned_from_is_used_or_stored(name: str) -> None:
    """It would put off the end of service, or count bites and charge that never were."""
    assert len(COUNTED) == len(Watched().counters.values())
    pump = Watched(battery_mah=100)
    pump.sense(GOOD, 2)
    pump.battery._unsaved_s = 3_600  # they are stored with the next reading
    pump.battery.seal()
    owner = pump.counters if name in COUNTED else pump.battery
    right = getattr(owner, name)
    for bit in range(48 if name in COUNTED else 31):
        setattr(owner, name, right ^ 1 << bit)
        before = bytes(pump.eeprom.memory), pump.counters.values()
        pump.logged.clear()
        pump.sense(GOOD)
        assert pump.logged == ["ram"], bit
        with pytest.raises(ValueError, match="self-test"):
            pump.battery.service(["battery"])
        assert (bytes(pump.eeprom.memory), pump.counters.values()) == before, bit
        setattr(owner, name, right)
    stored = bytes(pump.eeprom.memory)
    pump.sense(GOOD)
    assert bytes(pump.eeprom.memory) != stored


@pytest.mark.requirement("F9", "F11", "R36")
def test_a_battery_is_watched_though_a_counter_is_wrong() -> None:
    pump = Watched()
    pump.counters.eri_at ^= 1 << 24
    pump.sense(2_900, 10)
    assert pump.active[0] == "battery_depleted"
