"""The guided refill on the whole pump: shown, explained, remembered (F6, F10; R13, R22)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support import continuous, on_twin, scenario

from thecal.sim import Result

ML = 1_000_000
FAST = continuous("28.8 mL/day")  # 1.2 mL an hour, 20 uL a minute
COARSE = {"pl_per_step": 100_000}


def command(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def residuals(result: Result) -> list[dict[str, Any]]:
    return [dict(event.details) for event in result.events if event.code == "residual"]


def lines(result: Result, key: str) -> list[str]:
    return re.findall(rf"^{key}: (.*?)\r?$", result.console.decode("ascii"), re.MULTILINE)


def run(duration: str, *typed: tuple[str, str], **more: Any) -> Result:
    return on_twin(scenario(FAST, duration, *[command(*one) for one in typed], pump={**COARSE, **more}))


@pytest.mark.requirement("F6", "R13", "R22")
def test_a_refill_shows_expected_measured_and_what_they_differ_by():
    result = run("70 min", ("60 min", "refill 20 mL measured 18.9 mL"))
    (found,) = residuals(result)
    assert found["measured_nl"] == 18_900_000
    assert found["expected_nl"] == 20 * ML - found["programmed_nl"]
    assert abs(found["programmed_nl"] - 1_200_000) < 2_000  # less what the start missed
    assert lines(result, "reservoir") == ["20 mL"]
    assert lines(result, "measured") == ["18.9 mL"]
    assert re.fullmatch(
        r"0\.099\d mL, 8\.2 % of 1\.199\d mL delivered since the last refill", lines(result, "discrepancy")[0]
    )
    assert lines(result, "refill_expected") == ["2026-03-02T16:00:00"]  # 18 mL take 15 h
    assert abs(result.summary.reservoir_nl - (20 * ML - 200_000)) < 2_000
    assert abs(result.summary.ledger_nl - 1_400_000) < 2_000  # the delivered count goes on as it was


@pytest.mark.requirement("F6")
def test_right_after_a_refill_there_is_no_percentage():
    result = run("40 min", ("30 min", "refill 20 mL"), ("31 min", "refill 20 mL measured 19.9 mL"))
    first, second = lines(result, "discrepancy")
    assert re.fullmatch(r"0 mL, 0 % of 0\.59\d* mL delivered since the last refill", first)
    assert re.fullmatch(r"-0\.08\d* mL; 0\.02\d* mL delivered since the last refill", second)
    assert not result.refusals


@pytest.mark.requirement("F6", "R22")
def test_beyond_the_limit_an_explanation_is_needed_or_nothing_changes():
    result = run(
        "80 min",
        ("60 min", "refill 20 mL measured 16 mL"),
        ("61 min", "refill 20 mL measured 16 mL because none"),
        ("62 min", "refill 20 mL measured 16 mL because gremlins"),
        ("63 min", "refill 15 mL measured 16 mL because spilled"),
        ("70 min", "refill 20 mL"),
    )
    assert [refusal.event for refusal in result.refusals] == [1, 2, 3]
    assert "`because WORD` is needed, one of spilled, sampled, leak, pump, other" in result.refusals[0].answer
    assert "none, spilled, sampled, leak, pump, other" in result.refusals[2].answer
    first, second = residuals(result)
    assert (first["measured_nl"], first["explanation"]) == (16 * ML, "spilled")
    assert abs(first["programmed_nl"] - 63 * 20_000) < 2_000  # the refused ones changed nothing
    assert abs(second["programmed_nl"] - 7 * 20_000) < 1_000
    assert second["expected_nl"] == 15 * ML - second["programmed_nl"]


@pytest.mark.requirement("F6")
def test_three_refills_that_agree_suggest_a_pl_per_step_and_set_none():
    """The pump gives 5 % more than its calibration says."""
    typed = []
    for number in range(1, 5):
        # Each hour it counts 1.2 mL, and 0.06 mL more is missing.
        typed.append((f"{60 * number} min", "refill 20 mL measured 18.74 mL"))
    result = run("250 min", *typed)
    assert not result.refusals
    ratios = [
        (found["programmed_nl"] + found["expected_nl"] - found["measured_nl"], found["programmed_nl"])
        for found in residuals(result)
    ]
    suggested = lines(result, "suggestion")
    assert len(suggested) == 2  # at the third, and again at the fourth
    for last, text in zip((3, 4), suggested, strict=True):
        mean = sum(actual / programmed for actual, programmed in ratios[last - 3 : last]) / 3
        assert text.startswith(f"pl_per_step = {round(100_000 * mean)} instead of 100000, as the last 3 refills agree")
    assert result.summary.ledger_nl % 100 == 0  # still 100 nL a step


@pytest.mark.requirement("F6", "F10")
def test_a_refill_is_remembered_through_power_cuts():
    cuts = [{"at": f"{minute} min", "do": "power_cut", "for": "2 s"} for minute in (31, 33, 59)]
    plan = scenario(
        FAST,
        "70 min",
        command("30 min", "refill 20 mL"),
        *cuts,
        command("60 min", "refill 20 mL measured 19.35 mL"),
        pump=COARSE,
    )
    first, second = residuals(on_twin(plan))
    assert abs(first["programmed_nl"] - 600_000) < 2_000
    assert second["programmed_nl"] == 20 * ML - second["expected_nl"]
    assert 590_000 < second["programmed_nl"] < 660_000  # at most 60 s more for each cut


@pytest.mark.requirement("F6")
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("refill", "NUMBER UNIT [measured NUMBER UNIT] [because WORD]"),
        ("refill 20", "NUMBER UNIT [measured NUMBER UNIT] [because WORD]"),
        ("refill 20 mL measured", "NUMBER UNIT [measured NUMBER UNIT] [because WORD]"),
        ("refill 20 mL measured 1", "NUMBER UNIT [measured NUMBER UNIT] [because WORD]"),
        ("refill 20 mL because other measured 1 mL", "NUMBER UNIT [measured NUMBER UNIT] [because WORD]"),
        ("refill 20 mL please", "NUMBER UNIT [measured NUMBER UNIT] [because WORD]"),
        ("refill 20.000001 mL", "refill = 20.000001 mL: 1 nL to 20 mL"),
        ("refill 0 mL", "refill = 0 mL: 1 nL to 20 mL"),
        ("refill 0.9 nL", "refill = 0.9 nL: 1 nL to 20 mL"),
        ("refill 20 mL measured 20.1 mL because other", "refill measured = 20.1 mL: 0 nL to 20 mL"),
        ("refill 20 mg", "refill = 20 mg: a volume is needed, in nL, uL or mL"),
        ("refill 20 mL measured 1 mg", "refill measured = 1 mg: a volume is needed, in nL, uL or mL"),
        ("refill 20 mL measured 8.9", "refill measured = 8.9: a number, a space and nL, uL or mL"),
        ("refill 20 measured 1 mL", "refill = 20: a number, a space and nL, uL or mL"),
        ("refill", "refill = nothing: a number, a space and nL, uL or mL"),
        ("refill 20 mL please", "refill ... = please: nothing"),
        ("refill 20 mL because", "refill because = nothing: one of none, spilled"),
        ("refill 20 mL because spilt", "refill because = spilt: one of none, spilled"),
        ("refill -1 mL", "a plain decimal number"),
        ("refill 20 mL because none why", "NUMBER UNIT [measured NUMBER UNIT] [because WORD]"),
    ],
)
def test_what_is_refused_names_what_is_allowed(line: str, reason: str):
    result = on_twin(scenario(continuous("1 mL/day"), "10 s", command("5 s", line)))
    (refusal,) = result.refusals
    assert reason in refusal.answer
    assert not residuals(result)
    assert result.summary.reservoir_nl > 19_999_000


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("volume", ["1 nL", "20 mL", "20000000 nL"])
def test_the_ends_of_the_range_are_allowed(volume: str):
    result = on_twin(scenario(continuous("0 mL/day"), "10 s", command("5 s", f"refill {volume} measured 20 mL")))
    assert not result.refusals
    assert result.summary.reservoir_nl == {"1 nL": 1}.get(volume, 20 * ML)


@pytest.mark.requirement("F6", "F10")
def test_a_diary_that_refuses_leaves_everything_as_it_was():
    plan = scenario(
        FAST, "30 s", {"at": "10 s", "do": "eeprom_dead"}, command("11 s", "refill 10 mL measured 20 mL"), pump=COARSE
    )
    result = on_twin(plan)
    assert [refusal.event for refusal in result.refusals] == [2]
    assert "nothing has changed" in result.refusals[0].answer
