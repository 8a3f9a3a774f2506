"""A trial ends by itself at its second, whatever the clock and resets do; its scores (F5)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from course_rig import PATH_NL, App, device_rx, drug_limits
from hypothesis import given
from hypothesis import strategies as st

from firmware import layout
from firmware.diary import SCORE, Diary
from firmware.pages import DIARY
from firmware.prescription import MINIMUM, STOPPED
from firmware.retirement import Retired
from firmware.rings import Ring
from firmware.trial_orders import EFFECTS, MISSING

HOUR = 3_600
TRIAL = {"basal": "6 mL/day"}
STORED = 65  # frames until the end of a trial is
acts = st.sampled_from(["pass", "reset", "forward", "back"])


@pytest.mark.requirement("F5", "R49")
@pytest.mark.parametrize(("by", "goes_on"), [(-1, True), (-2, True), (-3, False)])
def test_a_trial_that_has_just_begun_goes_on_when_pump_time_follows_the_rtc(by: int, goes_on: bool) -> None:
    """Further back it goes only in a clock set that was cut: then nobody knows how long the trial has lasted."""
    app = App()
    app.pass_time(86_400)
    app.commit(device_rx(**TRIAL), (HOUR, 1))
    app.pass_time(by)
    for _ in range(STORED):
        app.courses.keep()
    assert app.courses.trials.left_s() == (HOUR if goes_on else 0)
    assert app.rate() == (6_000_000 if goes_on else 0)
    app.pass_time(HOUR - 1 - by)
    assert app.courses.trials.left_s() == (1 if goes_on else 0)
    app.pass_time(1)
    assert app.courses.trials.left_s() == 0


@given(
    st.integers(HOUR, 14 * 86_400), st.lists(st.tuples(acts, st.integers(0, 7 * 86_400)), max_size=12), st.booleans()
)
@pytest.mark.requirement("F5", "I6")
def test_a_trial_lasts_exactly_its_pump_time_over_resets_and_clock_changes(
    seconds: int, script: list[tuple[str, int]], stops: bool
) -> None:
    app = App()
    app.pass_time(400 * 86_400)  # so that a clock may be set back
    app.commit(device_rx(**TRIAL), (seconds, int(stops)))
    after = 0 if stops else 6_000
    passed = 0
    for act, amount in script:
        if act == "pass":
            app.pass_time(amount)
            passed += amount
        elif act == "reset":
            app.restart()
        else:  # as an operator sets it: pump time does not follow
            by = amount if act == "forward" else -amount
            app.pass_time(by)
            app.ledger.shift += by
        over = passed >= seconds
        for _ in range(STORED if over else 1):
            app.courses.keep()
        assert app.rate() == (after if over else 6_000_000)
        assert app.courses.trials.left_s() == max(0, seconds - passed)
        assert app.courses.mode() == ((STOPPED if stops else MINIMUM) if over else 1)
        assert (app.courses.bolus_refusal() is not None) == over
    app.pass_time(max(0, seconds - passed - 1))
    app.courses.keep()
    assert app.rate() == (after if passed >= seconds else 6_000_000)
    app.pass_time(1)
    app.courses.keep()
    assert app.rate() == after
    for _ in range(STORED):
        app.courses.keep()
    assert app.codes() == ["trial", "trial_end"]
    assert app.events[1][1] == {"how": 0}
    assert app.cancelled == 1
    # An RTC that goes back does not begin it again.
    app.pass_time(-300 * 86_400)
    app.restart()
    app.courses.keep()
    assert app.rate() == after
    assert app.codes() == ["trial", "trial_end"]


@pytest.mark.requirement("F5")
def test_a_trial_that_is_ended_stays_ended_and_a_commit_ends_it_too() -> None:
    app = App()
    app.commit(device_rx(**TRIAL), (HOUR, 0))
    app.courses.trial(["end"])
    assert app.rate() == 6_000
    app.restart()
    assert app.rate() == 6_000
    with pytest.raises(ValueError, match="trial end: it is over"):
        app.courses.trial(["end"])
    app.commit(device_rx(**TRIAL), (HOUR, 1))
    app.commit(device_rx(basal="2 mL/day"))
    assert app.rate() == 2_000_000
    app.pass_time(HOUR)
    app.courses.keep()
    assert app.rate() == 2_000_000
    assert [(code, fields.get("how")) for code, fields in app.events] == [
        ("trial", None),
        ("trial_end", 1),
        ("trial", None),
        ("trial_end", 1),
    ]
    for verb in ("keep", "discard", "end"):
        with pytest.raises(ValueError, match=f"trial {verb}: there is none"):
            app.courses.trial([verb])


@pytest.mark.requirement("F5", "F7")
def test_a_trial_with_a_bridge_must_outlast_it_and_ends_during_it_all_the_same() -> None:
    app = App()
    rx = device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day")
    bridge_s = PATH_NL * 86_400 // 1_000_000 + 1
    with pytest.raises(ValueError, match=f"trial start = {bridge_s} s: the bridge alone takes {bridge_s} s"):
        app.courses.at_commit(rx, (bridge_s, 0))
    app.commit(rx, (bridge_s + 1, 1))
    assert app.codes() == ["bridge", "trial"]
    assert app.rate() == 1_000_000
    app.pass_time(bridge_s + 1)  # stopped meanwhile: nothing has flowed
    app.courses.keep()
    assert app.rate() == 0
    app.deliver(PATH_NL)
    app.courses.keep()
    assert app.codes() == ["bridge", "trial", "trial_end", "bridge_end"]
    assert app.rate() == 0


@pytest.mark.requirement("F5", "F8", "R10")
@pytest.mark.parametrize("key", ["basal", "day"])
def test_the_lowest_rate_after_a_trial_keeps_the_hard_limits_of_its_drug(key: str) -> None:
    app = App(0, min_rate=60_001)  # of 1 mg/mL: 60.001 ug a day
    rx = device_rx(drug="morphine", concentration="1 mg/mL", basal="0 mL/day")
    with drug_limits("morphine", key, 60_000):
        with pytest.raises(
            ValueError, match=r"^trial start then minimum = 60.001 uL/day .*: at most 60 ug/day for mor"
        ):
            app.courses.at_commit(rx, (HOUR, 0))
        assert app.courses.at_commit(rx, (HOUR, 1)).trial_s == HOUR
        assert app.courses.at_commit(rx).trial_s == 0
    with drug_limits("morphine", key, 60_001):
        assert app.courses.at_commit(rx, (HOUR, 0)).trial_s == HOUR


@pytest.mark.requirement("F5", "R50")
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("start 59 min then minimum", "trial start = 59 min: 1 h to 14 d"),
        ("start 15 d then minimum", "trial start = 15 d: 1 h to 14 d"),
        ("start 1 day then stopped", "trial start = 1 day: a unit"),
        ("start 1 d then keep", "trial start: `NUMBER UNIT then minimum|stopped` after it"),
        ("start 1 d", "trial start: `NUMBER UNIT"),
        ("stop", "trial: nothing, `start"),
        ("keep it", "trial: nothing, `start"),
    ],
)
def test_a_trial_is_refused_with_field_value_and_range(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(reason)):
        App().courses.trial(line.split())


# -- scores ---------------------------------------------------------------------------------------------------


def scoring(app: Any) -> Any:
    retired = Retired(app.eeprom)
    app.diary = Diary(Ring(app.eeprom, layout.DIARY_FIRST, layout.DIARY_PAGES, DIARY, retired))
    return app


@pytest.mark.requirement("F5")
def test_the_trial_shows_its_first_and_last_score_and_no_older_one() -> None:
    app = scoring(App())
    app.courses.score(["pain", "10", "spasticity", "4"])
    app.pass_time(60)
    app.commit(device_rx(**TRIAL), (2 * 86_400, 0))
    assert app.courses.trial([])[-1] == "scores: 0"
    app.courses.score(["pain", "7", "spasticity", "3"])
    app.pass_time(HOUR)
    app.courses.score(["spasticity", "1", "weakness"])
    app.restart()
    app.courses.score(["pain", "9", "nausea", "weakness"])
    assert app.courses.trial([]) == [
        "trial: running",
        "trial_left_s: 169200",
        "trial_end: 2026-03-04T00:01:00",
        "afterwards: minimum",
        "scores: 3",
        "pain: 7 -> 9 (+2)",
        "spasticity: 3 -> 1 (-2)",
        "effects: nausea,weakness",
    ]
    newest = app.diary.newest(SCORE, 1)[0]
    assert newest[1:4] == (9, MISSING, 1 << EFFECTS.index("nausea") | 1 << EFFECTS.index("weakness"))
    assert app.events[-1] == ("score", {"pain": 9, "spasticity": 255, "effects": newest[3]})


@given(
    st.one_of(st.none(), st.integers(0, 10)),
    st.one_of(st.none(), st.integers(0, 4)),
    st.lists(st.sampled_from(EFFECTS), unique=True),
)
@pytest.mark.requirement("F5")
def test_every_score_of_the_scales_is_stored_as_it_was_given(
    pain: int | None, spasticity: int | None, effects: list[str]
) -> None:
    app = scoring(App())
    words = [] if pain is None else ["pain", str(pain)]
    words += [] if spasticity is None else ["spasticity", str(spasticity)]
    words += effects
    if not words:
        return
    app.courses.score(words)
    (entry,) = app.diary.newest(SCORE, 9)
    mask = sum(1 << EFFECTS.index(name) for name in effects)
    local = app.dosing.day * 86_400 + app.dosing.second
    expected = [MISSING if value is None else value for value in (pain, spasticity)]
    assert entry == (local, *expected, mask, app.therapy.now())


@pytest.mark.requirement("F5", "R50")
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "score: `pain N spasticity N EFFECT...` after it"),
        ("pain", "pain = "),
        ("pain 11", "pain = 11: a whole number of 0 to 10"),
        ("pain 1.5", "pain = 1.5: a whole number of 0 to 10"),
        ("spasticity 5", "spasticity = 5: a whole number of 0 to 4"),
        ("pain -1", "pain = -1"),
        ("pain 1 joy", "score = joy: `pain N"),
        ("pain 1 nausea nausea", "score = nausea: `pain N"),
        ("spasticity 1 pain 1", "score = pain: `pain N"),
    ],
)
def test_a_score_is_refused_with_field_value_and_range(line: str, reason: str) -> None:
    app = scoring(App())
    with pytest.raises(ValueError, match="^" + re.escape(reason)):
        app.courses.score(line.split())
    assert app.diary.newest(SCORE, 9) == []


@pytest.mark.requirement("F5")
def test_a_score_that_cannot_be_stored_is_refused() -> None:
    app = scoring(App())
    app.eeprom.refuse = lambda page: "keep"
    with pytest.raises(ValueError, match="score: the EEPROM refused it"):
        app.courses.score(["pain", "3"])
    assert app.events == []
