"""The watchdog proves that it bites, once under each firmware (F11; R25)."""

from __future__ import annotations

from typing import Any

import pytest
from resets_rig import RX, boots, cut, endings
from support import S, scenario

from firmware import resets
from firmware.counters import Counters
from firmware.retirement import Retired
from thecal.programming import MemoryEeprom, programmed_image
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin


class TestProofOfTheWatchdog:
    """Once under each firmware the watchdog is starved on purpose."""

    @staticmethod
    def pump(proved: int, *events: dict[str, Any], dead: bool = False) -> tuple[Result, Twin]:
        plan = scenario(RX, "60 s", *events)
        bench = make_bench(plan)
        bench.broken.watchdog = dead
        bench.eeprom.load(unproved(plan, proved))
        twin = Twin(bench)
        try:
            return simulate(plan, twin), twin
        finally:
            twin.close()

    @pytest.mark.requirement("F11", "R25")
    def test_it_bites_once_and_never_again(self) -> None:
        result, twin = self.pump(0, cut(30))
        assert result.summary.resets == {"power_on": 2, "watchdog": 1, "commanded": 0}
        assert boots(result) == ["watchdog_test", "power_on"]
        assert endings(result) == [("watchdog_test", "start", "other")]
        assert result.summary.alarms_history == []
        assert result.summary.state == "dosing"
        assert 7 * S < result.step_times_ns[0] < 13 * S
        counters = loaded(twin)
        assert counters.proved == resets.firmware_number()
        assert (counters.bite_at, counters.watchdog_resets, counters.commanded_resets) == (0, 0, 1)

    @pytest.mark.requirement("F11", "R25")
    def test_another_firmware_must_prove_it_anew(self) -> None:
        result, _ = self.pump(resets.firmware_number() + 1)
        assert boots(result) == ["watchdog_test"]

    @pytest.mark.requirement("F11", "R25")
    def test_a_cut_during_the_proof_repeats_it(self) -> None:
        result, _ = self.pump(0, cut(3))
        assert boots(result) == ["watchdog_test"]
        assert result.summary.resets == {"power_on": 2, "watchdog": 1, "commanded": 0}

    @pytest.mark.requirement("F11", "R25")
    def test_a_watchdog_that_does_not_bite_inhibits_infusion(self) -> None:
        result, twin = self.pump(0, cut(30), dead=True)
        assert result.summary.steps == 0
        assert result.summary.alarms_active == ["self_test_failed"]
        assert [event.details["test"] for event in result.events if event.code == "self_test"] == ["watchdog"] * 2
        assert loaded(twin).proved == 0

    @pytest.mark.requirement("F11", "R25")
    def test_what_was_not_given_meanwhile_is_missed(self) -> None:
        with_proof, _ = self.pump(0)
        without, _ = self.pump(resets.firmware_number())
        later_s = (with_proof.step_times_ns[0] - without.step_times_ns[0]) / S
        more_nl = with_proof.summary.missed_nl - without.summary.missed_nl
        assert more_nl == pytest.approx(later_s * 1_000_000 / 86_400, rel=0.35)
        assert 5 < later_s < 8


def unproved(plan: Any, proved: int) -> bytes:
    """The image of a programmed pump whose watchdog was proved under that firmware."""
    eeprom = MemoryEeprom(programmed_image(plan.pump, plan.prescription, plan.start))
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    counters.proved = proved
    counters.save()
    return bytes(eeprom.memory)


def loaded(twin: Twin) -> Counters:
    eeprom = MemoryEeprom(twin.bench.eeprom.image())
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    return counters
