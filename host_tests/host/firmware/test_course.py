"""Bridge and trial as a record, and the arithmetic behind bridge and prime (F5, F7)."""

from __future__ import annotations

import struct
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from course_rig import PATH_NL, SLOT_PAGES, App, device_rx, drug_limits
from hypothesis import given
from hypothesis import strategies as st

from firmware import course, fluid_path, layout
from firmware.bridge_plan import mean_basal, mean_dose
from firmware.calibration import Calibration
from firmware.course import Course
from firmware.history import History
from firmware.pages import PAGE, PRESCRIPTION
from firmware.prescription import CONTINUOUS, FLEX, MINIMUM, STOPPED, Prescription
from firmware.priming import Priming
from firmware.schedule import WEEK_S, Schedule
from firmware.store import Store
from thecal.programming import MemoryEeprom

U32 = st.integers(0, 0xFFFFFFFF)


@given(
    st.one_of(st.just((0, 0, 0)), st.tuples(st.integers(1, 30_000_000), st.integers(1, 28_800_000), U32)),
    st.one_of(st.just((0, 0, 0)), st.tuples(st.integers(3_600, 1_209_600), U32, st.sampled_from([0, 1, 0x80, 0x81]))),
)
@pytest.mark.requirement("F5", "F7", "I5")
def test_a_course_survives_its_record(bridge: tuple[int, int, int], trial: tuple[int, int, int]) -> None:
    payload = struct.pack("<IIIIIB", *bridge, *trial)
    found = course.unpack(payload)
    assert len(payload) == course.SIZE == 21
    assert (found.bridge_nl, found.bridge_rate, found.bridge_end) == bridge
    assert (found.trial_s, found.trial_start, found.afterwards, found.trial_over) == (
        *trial[:2],
        trial[2] & 1,
        trial[2] >= 0x80,
    )
    assert found.pack() == found.copy().pack() == payload


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(
    "values",
    [
        (30_000_001, 1, 0, 0, 0, 0),
        (1, 0, 0, 0, 0, 0),
        (1, 28_800_001, 0, 0, 0, 0),
        (0, 1, 0, 0, 0, 0),
        (0, 0, 1, 0, 0, 0),
        (0, 0, 0, 3_599, 0, 0),
        (0, 0, 0, 1_209_601, 0, 0),
        (0, 0, 0, 3_600, 0, 2),
        (0, 0, 0, 0, 1, 0),
        (0, 0, 0, 0, 0, 1),
        (0, 0, 0, 0, 0, 0x80),
    ],
)
def test_a_course_that_no_pump_can_be_in_is_damage(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="course"):
        course.unpack(struct.pack("<IIIIIB", *values))
    with pytest.raises(ValueError, match="22 bytes"):
        course.unpack(bytes(22))


# -- mean rate ------------------------------------------------------------------------------------------------


@st.composite
def flex(draw: Any) -> Prescription:
    """Periods that do not overlap: one after the other on the same days, the last perhaps over midnight."""
    rx = Prescription()
    rx.mode = FLEX
    rates = st.one_of(st.just(0), st.integers(6_000, 28_800_000))
    rx.basal = draw(rates)
    days = draw(st.integers(1, 0x7F))
    edges = sorted(draw(st.sets(st.integers(0, 1_439), min_size=2, max_size=20)))
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        rx.periods.append((days, start, end, draw(rates)))
    if draw(st.booleans()):
        rx.periods = [(days, edges[-1], edges[0], draw(rates))]
    return rx


scheduled_boluses = st.lists(
    st.tuples(st.integers(1, 0x7F), st.integers(0, 1_439), st.integers(1, 1_000_000), st.integers(1, 86_400)),
    max_size=24,
)


@given(flex(), scheduled_boluses)
@pytest.mark.requirement("F7", "F2", "F3")
def test_the_rate_of_a_bridge_is_the_exact_dose_of_a_mean_day_floored(rx: Prescription, boluses: list[Any]) -> None:
    """Basal and scheduled boluses, which are skipped while it runs."""
    rx.scheduled = boluses
    whole, rest = Schedule(rx.basal, rx.periods).demand(0, WEEK_S)
    basal = whole + Fraction(rest, 86_400)
    assert mean_basal(rx, FLEX, Calibration()) == basal / 7 // 1
    week = basal + sum(dose * f"{days:b}".count("1") for days, _, dose, _ in boluses)
    assert mean_dose(rx, FLEX, Calibration()) == week / 7 // 1


@pytest.mark.requirement("F7")
def test_the_mean_of_a_mode_without_basal() -> None:
    rx = device_rx(basal="5 mL/day", scheduled_bolus=[{"days": "mon", "at": "08:00", "dose": "7 uL", "over": "1 min"}])
    values = Calibration(min_rate=7_000)
    assert [mean_dose(rx, mode, values) for mode in (CONTINUOUS, MINIMUM, STOPPED)] == [5_001_000, 7_000, 0]


STORED_AFTER = 66  # frames: an end is stored a minute after it
HOURLY = [{"days": "daily", "at": f"{hour:02}:00", "dose": "20 uL", "over": "10 min"} for hour in range(24)]


@pytest.mark.requirement("F7", "F3", "F8")
@pytest.mark.parametrize(
    ("basal", "boluses", "pump", "rate", "dose"),
    [
        (
            "0 mL/day",
            HOURLY,
            {},
            480_000,
            "0 uL/day of basal, the mean of a week, and 480 uL/day of scheduled boluses, wh",
        ),
        (
            "1 mL/day",
            HOURLY,
            {},
            1_480_000,
            "1000 uL/day of basal, the mean of a week, and 480 uL/day of scheduled bolu",
        ),
        ("1 mL/day", [], {}, 1_000_000, "1000 uL/day of basal, the mean of a week"),
        (
            "0 mL/day",
            HOURLY[:1],
            {"min_rate": 30_000},
            30_000,
            "skipped until it ends; the rate is min_rate, which is m",
        ),
        ("0 mL/day", [], {}, 6_000, "nothing was given before; the path is flushed at min_rate"),
        ("4 mL/day", HOURLY, {"max_rate": 4_400_000}, 4_400_000, "until it ends; the rate is max_rate, which is less"),
    ],
)
def test_a_bridge_gives_the_old_dose_a_day_and_says_of_what_it_is_made(
    basal: str, boluses: list[Any], pump: dict[str, int], rate: int, dose: str
) -> None:
    app = App(**pump)
    over = "4 h" if pump.get("max_rate") else "10 min"  # at the maximum they may last longer than an hour
    app.commit(device_rx(basal=basal, scheduled_bolus=[{**bolus, "over": over} for bolus in boluses]))
    new = device_rx(drug="morphine", concentration="1 mg/mL", basal="1 mL/day")
    lines = dict(line.split(": ", 1) for line in app.courses.lines(new))
    assert dose in lines["bridge_dose"]
    seconds = -(-PATH_NL * 86_400 // rate)
    days, hours = seconds // 86_400, seconds // 3_600
    text = f"{days} d {hours % 24} h" if days >= 2 else f"{hours} h {seconds // 60 % 60} min"
    assert lines["bridge_takes"] == text
    app.commit(new)
    assert app.rate() == rate
    assert app.events == [("bridge", {"volume_nl": PATH_NL, "rate_nl_day": rate})]


# -- path -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000_000), st.integers(0, 2_000), st.integers(0, 10_000_000))
@pytest.mark.requirement("F7")
def test_the_path_is_tubing_and_catheter_rounded_down_once(tubing: int, length: int, per_mm: int) -> None:
    values = Calibration(tubing_nl=tubing, catheter_mm=length, catheter_pl_per_mm=per_mm)
    exact = tubing + Fraction(length * per_mm, 1_000)
    found = fluid_path.volume_nl(values)
    assert 0 <= exact - found < 1
    assert found <= 30_000_000  # what a Course takes


@pytest.mark.requirement("F7", "R50")
@pytest.mark.parametrize(("tubing", "shown", "whole"), [(199_000, "199 uL", "375 uL"), (140_000, "140 uL", "316 uL")])
def test_a_wrong_tubing_volume_is_seen_wherever_a_volume_rests_on_it(tubing: int, shown: str, whole: str) -> None:
    """The constant of the 2016 recall was 0.199 instead of 0.140 mL."""
    app = App(tubing_nl=tubing)
    version = f"calibration version {app.records.calibrations.sequence}"
    rx = device_rx(drug="morphine", concentration="1 mg/mL")
    for lines in (app.courses.bridge([]), app.courses.lines(rx)):
        (line,) = [line for line in lines if "path" in line.split(":")[0]]
        assert "tubing " + shown in line
        assert whole in line
        assert line.endswith(version)


# -- prime ----------------------------------------------------------------------------------------------------


@given(
    st.integers(0, 10_000_000),
    st.integers(0, 2_000),
    st.integers(0, 28_800_000),
    st.integers(1, 28_800_000),
)
@pytest.mark.requirement("F7", "R04", "R21")
def test_a_prime_takes_the_least_whole_seconds_that_the_maximum_allows(
    tubing: int, length: int, basal: int, max_rate: int
) -> None:
    values = Calibration(tubing_nl=tubing, catheter_mm=length, min_rate=1, max_rate=max_rate)
    volume = fluid_path.volume_nl(values)
    app = SimpleNamespace(
        records=SimpleNamespace(calibration=values, calibrations=SimpleNamespace(sequence=3), prescription=None),
        dosing=SimpleNamespace(schedule=Schedule(basal, ())),
    )

    def fits(seconds: int) -> bool:
        return Fraction(volume * 86_400, seconds) + basal <= max_rate

    if volume and not fits(86_400):
        with pytest.raises(ValueError, match=r"prime = .*: the basal rate leaves"):
            Priming(app).lines()
        return
    lines = Priming(app).lines()
    if not volume:
        assert len(lines) == 1
        return
    (seconds,) = [int(line.split(": ")[1]) for line in lines if line.startswith("prime_s: ")]
    assert fits(seconds)
    assert seconds == 1 or not fits(seconds - 1)


# -- history --------------------------------------------------------------------------------------------------


def store_on(eeprom: MemoryEeprom) -> Store:
    return Store(eeprom, layout.PRESCRIPTION_FIRST, layout.PRESCRIPTION_SLOTS, layout.PRESCRIPTION_PAGES, PRESCRIPTION)


@given(st.lists(st.binary(min_size=1, max_size=550), min_size=1, max_size=9), st.integers(0, 3), st.booleans())
@pytest.mark.requirement("F5")
def test_the_history_is_what_was_replaced_newest_first(payloads: list[bytes], rotten: int, wraps: bool) -> None:
    eeprom = MemoryEeprom()
    store = store_on(eeprom)
    store.sequence = store._given = 0xFFFFFFFC if wraps else -1
    for payload in payloads:
        store.commit(payload)
    before = bytes(eeprom.memory)
    assert list(History(eeprom).payloads()) == payloads[-2:-5:-1]
    assert eeprom.memory == before
    # A slot that has rotted is left out, and nothing else.
    expected = payloads[-2:-5:-1]
    if rotten < len(expected):
        slot = (len(payloads) - 2 - rotten) % layout.PRESCRIPTION_SLOTS
        eeprom.memory[(layout.PRESCRIPTION_FIRST + slot * layout.PRESCRIPTION_PAGES) * PAGE + 12] ^= 4
        del expected[rotten]
    assert list(History(eeprom).payloads()) == expected


@pytest.mark.requirement("F7")
def test_the_drugs_of_the_history_are_read_without_the_rest_of_it() -> None:
    app = App()
    old = [("morphine", "1 mg/mL"), ("morphine", "2 mg/mL"), ("baclofen", "500 ug/mL"), ("fentanyl", "10 ug/mL")]
    for drug, concentration in old:
        app.records.commit_prescription(device_rx(drug=drug, concentration=concentration))
    reads: list[int] = []
    read_into = app.eeprom.read_into
    app.eeprom.read_into = lambda address, buffer: (reads.append(address // PAGE), read_into(address, buffer))[1]
    found = [("baclofen", 500_000), ("morphine", 2_000_000), ("morphine", 1_000_000)]
    assert [(drug, ng) for _, drug, ng in History(app.eeprom).drugs()] == found
    assert set(reads) == set(range(0, SLOT_PAGES, layout.PRESCRIPTION_PAGES))


# -- bridge ---------------------------------------------------------------------------------------------------


@given(st.integers(1, 1 << 40), st.lists(st.integers(0, 400_000), max_size=12))
@pytest.mark.requirement("F7", "F10")
def test_a_bridge_lasts_until_the_ledger_has_counted_the_path_and_never_comes_back(
    delivered: int, parts: list[int]
) -> None:
    """Wherever the total stands, and over its wrap-around at 2**32 nL; with a reset at every point. Each reset before
    the end is stored, a minute after it, tells of it once more."""
    app = App(delivered)
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day"))
    assert app.events == [("bridge", {"volume_nl": PATH_NL, "rate_nl_day": 1_000_000})]
    given_nl = 0
    for part in parts:
        app.deliver(part)
        given_nl += part
        app.restart()
        app.courses.keep()
        assert app.courses.bridge_left_nl() == max(0, PATH_NL - given_nl)
        assert app.rate() == (1_000_000 if given_nl < PATH_NL else 6_000_000)
        assert (app.courses.bolus_refusal() is None) == (given_nl >= PATH_NL)
    app.deliver(max(0, PATH_NL - given_nl))
    for _ in range(STORED_AFTER):
        app.courses.keep()
    told = app.events[1:]
    assert told == [("bridge_end", {"how": 0, "given_nl": PATH_NL})] * len(told)
    assert 1 <= len(told) <= 1 + len(parts)
    app.restart()
    app.deliver((1 << 32) - PATH_NL // 2)
    for _ in range(2):
        app.courses.keep()
        assert app.rate() == 6_000_000
        assert app.courses.bridge_left_nl() == 0
        app.restart()
    assert app.events[1:] == told


@pytest.mark.requirement("F7", "F10")
def test_an_end_that_cannot_be_stored_is_followed_at_once_and_stored_later() -> None:
    app = App()
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day"))
    app.refuse_prescriptions()
    app.deliver(PATH_NL)
    for _ in range(STORED_AFTER):
        app.courses.keep()
        assert app.rate() == 6_000_000
    assert app.codes() == ["bridge", "bridge_end", "write_failed"]  # one try a minute
    app.restart()
    assert app.rate() == 6_000_000
    app.refuse_prescriptions("")
    for _ in range(STORED_AFTER):
        app.courses.keep()
    app.restart()
    rx = app.records.prescription
    assert rx is not None
    assert rx.course.bridge_nl == 0


@pytest.mark.requirement("F7", "F10")
def test_what_waits_to_be_stored_never_undoes_a_later_commit() -> None:
    app = App()
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day"))
    app.refuse_prescriptions()
    app.deliver(PATH_NL)
    app.courses.keep()
    app.refuse_prescriptions("")
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="7 mL/day"))
    for _ in range(70):
        app.courses.keep()
    app.restart()
    assert app.rate() == 7_000_000


@pytest.mark.requirement("F7")
def test_a_bridge_goes_on_under_a_new_dose_and_refuses_a_new_drug() -> None:
    app = App()
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day"))
    app.deliver(100_000)
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="3 mL/day"))
    assert app.courses.bridge_left_nl() == PATH_NL - 100_000
    assert app.rate() == 1_000_000
    other = device_rx(drug="morphine", concentration="2 mg/mL", basal="3 mL/day")
    with pytest.raises(ValueError, match="drug = morphine 2000 ug/mL: a bridge to morphine 1000 ug/mL runs, 216 uL"):
        app.courses.at_commit(other)
    assert "a bridge to morphine 1000 ug/mL runs" in app.courses.lines(other)[0]
    assert app.courses.bridge(["cancel"]) == ()
    assert app.events[1:] == [("bridge_end", {"how": 1, "given_nl": 100_000})]
    assert app.rate() == 3_000_000
    app.restart()
    assert app.rate() == 3_000_000
    with pytest.raises(ValueError, match="none runs"):
        app.courses.bridge(["cancel"])
    app.commit(other)
    assert app.events[2:] == [("bridge", {"volume_nl": PATH_NL, "rate_nl_day": 3_000_000})]


@pytest.mark.requirement("F7", "F4", "F5")
@pytest.mark.parametrize("commits", [0, 1, 2])
@pytest.mark.parametrize("trial", [None, (86_400, 0)])
def test_a_change_of_drug_is_taken_back_and_needs_no_bridge(commits: int, trial: tuple[int, int] | None) -> None:
    """It was a mistake: the path still holds what was there. Resets and new doses in between change nothing."""
    app = App()
    app.commit(device_rx(drug="morphine", concentration="2 mg/mL", basal="2 mL/day"))
    app.deliver(PATH_NL)
    app.courses.keep()
    app.events.clear()
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day"))
    for count in range(commits):
        app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal=f"{count + 3} mL/day"))
    app.deliver(100_000)
    app.restart()
    for third in (device_rx(), device_rx(drug="morphine", concentration="5 mg/mL")):  # saline was before, and is gone
        with pytest.raises(ValueError, match="a bridge to morphine 1000 ug/mL runs, 216 uL left"):
            app.courses.at_commit(third, trial)
    back = device_rx(drug="morphine", concentration="2 mg/mL", basal="5 mL/day")
    assert app.courses.lines(back) == [
        "bridge: ends, cancelled, after 100 uL (200 ug)",
        "bridge_path: taken to hold morphine 2000 ug/mL throughout; `prime`, if it does not",
    ]
    assert app.courses.bridge_left_nl() == PATH_NL - 100_000  # nothing has happened yet
    app.commit(back, trial)
    assert app.events[:2] == [
        ("bridge", {"volume_nl": PATH_NL, "rate_nl_day": 2_000_000}),
        ("bridge_end", {"how": 1, "given_nl": 100_000}),
    ]
    for _ in range(2):
        assert (app.rate(), app.courses.bridge_left_nl()) == (5_000_000, 0)
        app.restart()
    app.courses.keep()
    assert [code for code in app.codes() if code != "trial"] == ["bridge", "bridge_end"]


@pytest.mark.requirement("F7", "F4", "I4")
@pytest.mark.parametrize("how", ["rot", "unmarked", "four commits", "dead"])
def test_nobody_goes_back_to_what_cannot_be_told_any_more(how: str) -> None:
    """An older drug must not be taken for the one that the bridge flushes out, whose record is lost or not marked."""
    app = App()  # saline in slot 0
    morphine = device_rx(drug="morphine", concentration="2 mg/mL", basal="2 mL/day")
    app.commit(morphine)  # slot 1
    app.deliver(PATH_NL)
    app.courses.keep()  # slot 2: its bridge is over
    new = device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day")
    if how == "unmarked":
        first = layout.PRESCRIPTION_FIRST + 2 * layout.PRESCRIPTION_PAGES
        app.eeprom.refuse = lambda page: "keep" if page == first else ""
    app.commit(new)
    if how == "rot":
        app.eeprom.memory[(layout.PRESCRIPTION_FIRST + 2 * layout.PRESCRIPTION_PAGES) * PAGE + 12] ^= 4
        app.eeprom.memory[(layout.PRESCRIPTION_FIRST + 1 * layout.PRESCRIPTION_PAGES) * PAGE + 12] ^= 4
    for _ in range(4 if how == "four commits" else 0):
        app.commit(new)
    if how == "dead":
        app.eeprom.read_into = lambda address, buffer: (_ for _ in ()).throw(OSError(5))
    for other in (device_rx(), morphine):
        with pytest.raises(ValueError, match="a bridge to morphine 1000 ug/mL runs"):
            app.courses.at_commit(other)


@pytest.mark.requirement("F7")
def test_a_stopped_prescription_gives_nothing_and_its_bridge_waits() -> None:
    app = App()
    app.commit(_stopped())
    assert app.rate() == 0
    app.restart()
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day"))
    assert app.rate() == 1_000_000
    assert app.courses.bridge_left_nl() == PATH_NL
    assert app.codes() == ["bridge"]


def _stopped() -> Any:
    rx = device_rx(drug="morphine", concentration="1 mg/mL")
    rx.mode = STOPPED
    rx.basal = 0
    return rx


@pytest.mark.requirement("F7")
def test_after_a_stopped_prescription_a_bridge_has_the_lowest_rate() -> None:
    app = App()
    rx = _stopped()
    rx.drug, rx.concentration = "saline", 0
    app.commit(rx)
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day"))
    assert app.rate() == 6_000


@pytest.mark.requirement("F7", "F8", "R10")
@pytest.mark.parametrize("stopped", [True, False])
def test_a_bridge_at_the_lowest_rate_keeps_the_hard_limits_of_the_old_drug(stopped: bool) -> None:
    """Nobody programmed that rate: the old prescription gave nothing, or nothing but boluses."""
    for most, key in ((60_000, "basal"), (60_000, "day")):
        app = App(min_rate=60_001)  # of 1 mg/mL: 60.001 ug a day
        rx = device_rx(drug="morphine", concentration="1 mg/mL")
        rx.mode, rx.basal = (STOPPED, 0) if stopped else (rx.mode, 0)
        app.records.commit_prescription(rx)
        with drug_limits("morphine", key, most):
            other = device_rx(basal="6 mL/day")
            with pytest.raises(
                ValueError, match=r"^bridge_rate = 60.001 uL/day .60.001 ug/day.: at most 60 ug/day for m"
            ):
                app.courses.at_commit(other)
            assert "flush the path by hand" in app.courses.lines(other)[0]
        with drug_limits("morphine", key, 60_001):
            assert app.courses.at_commit(other).bridge_rate == 60_001


@pytest.mark.requirement("F7")
def test_there_is_no_bridge_from_an_empty_or_an_unknown_path() -> None:
    fresh = App(0)
    rx = device_rx(drug="morphine", concentration="1 mg/mL")
    assert fresh.courses.lines(rx) == ["bridge: none, as nothing has been delivered; `prime` fills the path"]
    assert fresh.courses.at_commit(rx).pack() == Course().pack()
    app = App()
    app.records.prescription = None
    assert "nobody knows what the path holds" in app.courses.lines(rx)[0]
    assert app.courses.at_commit(rx).pack() == Course().pack()
    app.courses.keep()
    assert app.courses.schedule().highest() == 0
    assert (app.courses.mode(), app.courses.status(), app.courses.bolus_refusal()) == (None, [], None)
    assert App().courses.lines(device_rx(basal="2 mL/day")) == []
    assert App(tubing_nl=0, catheter_mm=0).courses.lines(rx) == []


@pytest.mark.requirement("F7", "F8", "R50")
def test_the_confirmation_shows_the_bridge_in_volume_and_in_the_mass_of_the_old_drug() -> None:
    app = App()
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL"))
    app.deliver(PATH_NL)
    app.courses.keep()
    lines = app.courses.lines(device_rx(drug="morphine", concentration="2 mg/mL", basal="1 mL/day"))
    assert lines[:3] == [
        "bridge: 316 uL of morphine 1000 ug/mL goes on first",
        "bridge_rate: 1000 uL/day (1000 ug/day)",
        "bridge_end: 2026-03-02T07:35:03",  # 0.316 d, rounded up to a second
    ]


@pytest.mark.requirement("F7", "F10")
def test_an_order_that_cannot_be_stored_is_refused_and_nothing_has_changed() -> None:
    app = App()
    app.commit(device_rx(drug="morphine", concentration="1 mg/mL", basal="6 mL/day"), (7 * 86_400, 0))
    app.refuse_prescriptions()
    for order in (app.courses.bridge, app.courses.trial):
        with pytest.raises(ValueError, match=r"(bridge cancel|trial end): the EEPROM refused it .*; it goes on"):
            order(["cancel"] if order == app.courses.bridge else ["end"])
    app.courses.keep()
    assert app.rate() == 1_000_000
    assert app.courses.bridge_left_nl() == PATH_NL
    assert app.codes() == ["bridge", "trial", "write_failed", "write_failed"]
