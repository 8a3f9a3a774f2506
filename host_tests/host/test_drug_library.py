"""The drug library: what its file may say, what the pump gets of it, and the hard limits on the host (F8)."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import drugs
from host_tests.host.prescription_tables import RATES, bare, continuous, patient, period, refusal, scheduled, table
from thecal import drug_library
from thecal.drug_library import LibraryError, compiled, library, load_library, parse_library
from thecal.paths import COMPILED_LIBRARY, DRUG_LIBRARY, load_toml
from thecal.prescription import DRUGS, RateRange
from thecal.prescription_toml import parse_prescription

pytestmark = pytest.mark.requirement("F8")

LIBRARY: dict[str, Any] = load_toml(DRUG_LIBRARY)


@pytest.mark.requirement("R11", "R12")
def test_the_compiled_library_is_current():
    """If this fails: python -m thecal.drug_library --write."""
    assert COMPILED_LIBRARY.read_text("utf-8") == compiled(load_library(DRUG_LIBRARY))
    assert drug_library.main([]) == 0


@pytest.mark.requirement("R11", "R12")
def test_the_pump_gets_the_whole_library_in_the_order_of_the_eeprom():
    assert tuple(row[0] for row in drugs.DRUGS) == DRUGS == tuple(library())
    assert re.fullmatch("[0-9a-f]{8}", drugs.LIBRARY)
    for name, concentrations, basal, bolus, day in drugs.DRUGS:
        drug = library()[name]
        assert concentrations == drug.concentrations
        assert basal == tuple(limit or 0 for limit in drug.basal)
        assert bolus == tuple(limit or 0 for limit in drug.bolus[1:])
        assert day == tuple(limit or 0 for limit in drug.day[2:])
        assert all(0 <= number < 1 << 30 for row in (concentrations, basal, bolus, day) for number in row)


@pytest.mark.requirement("R12")
def test_the_figures_of_the_library():
    """Written out once more: a slip in the file must not pass."""
    mg, ug = 1_000_000, 1_000
    day = {name: drug.day.hard_high for name, drug in library().items()}
    assert day == {
        "saline": None,
        "morphine": 15 * mg,
        "hydromorphone": 10 * mg,
        "fentanyl": 1 * mg,
        "bupivacaine": 20 * mg,
        "clonidine": 600 * ug,
        "ziconotide": 19_200,
        "baclofen": 2_000 * ug,
    }
    highest = {name: drug.concentrations for name, drug in library().items()}
    assert highest == {
        "saline": (),
        "morphine": (0, 20 * mg),
        "hydromorphone": (0, 15 * mg),
        "fentanyl": (0, 10 * mg),
        "bupivacaine": (0, 30 * mg),
        "clonidine": (0, 1 * mg),
        "ziconotide": (0, 100 * ug),
        "baclofen": (50 * ug, 500 * ug, 2_000 * ug),
    }
    assert library()["baclofen"].basal == (12 * ug, None, 1_000 * ug, 1_500 * ug)


@pytest.mark.requirement("R12")
def test_every_figure_names_its_source():
    for line in DRUG_LIBRARY.read_text("utf-8").splitlines():
        if re.match(r"(hard|soft)_|concentration", line):
            source = re.search(r"# (PACC|Prialt|Baclofen|no published figure).*", line)
            assert source, line
            assert "no published" in line or re.search(r"; (read|not confirmed)$", line), line


def changed(name: str, *path: str, value: Any = None) -> dict[str, Any]:
    """The library with something of one drug replaced, or removed if the value is None."""
    data = copy.deepcopy(LIBRARY)
    place = next(drug for drug in data["drug"] if drug["name"] == name)
    for key in path[:-1]:
        place = place.setdefault(key, {})
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


REFUSED = [
    (changed("morphine", "day", "hard_hihg", value="1 mg"), 'drug[2].day.hard_hihg: unknown key (did you mean "hard_'),
    (changed("morphine", "dose", value={}), "drug[2].dose: unknown key"),
    (changed("morphine", "bolus", "hard_low", value="1 mg"), "drug[2].bolus.hard_low: unknown key"),
    (changed("morphine", "day", "hard_high", value="15 mL"), 'drug[2].day.hard_high = "15 mL": the unit "mL" must be'),
    (changed("morphine", "day", "hard_high", value="15 mg/day"), 'drug[2].day.hard_high = "15 mg/day": the unit'),
    (changed("morphine", "basal", "hard_high", value="15 mg"), 'drug[2].basal.hard_high = "15 mg": the unit "mg"'),
    (changed("morphine", "day", "hard_high", value=15), "drug[2].day.hard_high = 15: missing unit"),
    (changed("morphine", "day", "hard_high", value="0 mg"), 'drug[2].day.hard_high = "0 mg": a whole number of ng, 1'),
    (changed("morphine", "day", "hard_high", value="0.5 ng"), 'drug[2].day.hard_high = "0.5 ng": a whole number of ng'),
    (changed("morphine", "day", "hard_high", value="1074 mg"), 'drug[2].day.hard_high = "1074 mg": a whole number'),
    (changed("morphine", "concentration_up_to"), "drug[2]: either concentrations or concentration_up_to is needed"),
    (changed("morphine", "concentrations", value=["1 mg/mL"]), "drug[2]: either concentrations or"),
    (changed("morphine", "concentration_up_to", value="20 mg"), 'drug[2].concentration_up_to = "20 mg": the unit'),
    (changed("baclofen", "concentrations", value=[]), "drug[8].concentrations = a list: a list such as"),
    (changed("baclofen", "concentrations", value="50 ug/mL"), 'drug[8].concentrations = "50 ug/mL": a list such as'),
    (
        changed("baclofen", "concentrations", value=["2 mg/mL", "50 ug/mL"]),
        "drug[8].concentrations = a list: they must",
    ),
    (
        changed("baclofen", "concentrations", value=["50 ug/mL", "50 ug/mL"]),
        "drug[8].concentrations = a list: they must",
    ),
    (changed("baclofen", "concentrations", value=["50 ug"]), 'drug[8].concentrations[1] = "50 ug": the unit "ug" must'),
    (changed("baclofen", "concentrations", value=["0.5 ng/mL"]), 'drug[8].concentrations[1] = "0.5 ng/mL": a whole'),
    (
        changed("baclofen", "basal", "soft_high", value="1501 ug/day"),
        'drug[8].basal.soft_high = "1501 ug/day": at most hard_high, 1500 ug',
    ),
    (
        changed("baclofen", "basal", "soft_low", value="11 ug/day"),
        'drug[8].basal.hard_low = "12 ug/day": at most soft_low, 11 ug',
    ),
    (
        changed("baclofen", "basal", "hard_high", value="2001 ug/day"),
        'drug[8].basal.hard_high = "2001 ug/day": at most the day\'s, 2000 ug',
    ),
    (changed("saline", "concentration_up_to", value="1 mg/mL"), "drug[1].concentration_up_to: unknown key"),
    (changed("saline", "day", value={"hard_high": "1 mg"}), "drug[1].day: unknown key"),
    (changed("fentanyl", "name", value="sufentanil"), 'drug[4].name = "sufentanil": "fentanyl" stands here: the order'),
    (changed("fentanyl", "name"), "drug[4].name: missing"),
    ({"drug": LIBRARY["drug"][:-1]}, "drug: 7 drugs; all of saline, morphine"),
    (
        {"drug": [*LIBRARY["drug"], {"name": "x"}]},
        'drug[9].name = "x": must be added at the end',
    ),
    ({"drug": [*LIBRARY["drug"][:2], *LIBRARY["drug"]]}, 'drug[3].name = "saline": "hydromorphone" stands here'),
    ({"drugs": []}, 'drugs: unknown key (did you mean "drug"?)'),
    ([], "a table is needed"),
]


@pytest.mark.requirement("R12", "R50")
@pytest.mark.parametrize(("data", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_a_bad_library_is_refused_with_field_value_and_what_is_allowed(data: object, reason: str):
    with pytest.raises(LibraryError) as refused:
        parse_library(data)
    assert reason in str(refused.value)


KEYS = ["drug", "name", "concentrations", "concentration_up_to", "basal", "bolus", "day", "hard_high", "soft_high"]
values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.sampled_from(["1 mg", "9 ug/day"])
)
trees = st.recursive(
    values,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner)),
    max_leaves=9,
)


@pytest.mark.requirement("R12")
@given(st.integers(0, 7), st.sampled_from(KEYS), trees)
def test_no_change_of_the_library_does_anything_but_be_compiled_or_refused(index: int, key: str, value: object):
    data = copy.deepcopy(LIBRARY)
    data["drug"][index][key] = value
    try:
        text = compiled(parse_library(data))
    except LibraryError:
        return
    found: dict[str, Any] = {}
    exec(text, found)  # noqa: S102 - what our own compiler wrote
    assert len(found["DRUGS"]) == len(DRUGS)


@pytest.mark.requirement("R12")
def test_the_number_of_the_library_changes_with_any_figure():
    def number(data: object) -> str:
        found: dict[str, Any] = {}
        exec(compiled(parse_library(data)), found)  # noqa: S102 - what our own compiler wrote
        return found["LIBRARY"]

    assert number(LIBRARY) == drugs.LIBRARY
    others = [
        changed("morphine", "day", "hard_high", value="15.000001 mg"),
        changed("morphine", "day", "soft_high", value="15 mg"),
        changed("baclofen", "basal", "hard_low"),
        changed("baclofen", "concentrations", value=["50 ug/mL", "500 ug/mL"]),
    ]
    assert len({drugs.LIBRARY, *map(number, others)}) == 5


@pytest.mark.requirement("R12")
def test_the_compiler_says_what_is_wrong_and_writes_only_a_good_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    source, target = tmp_path / "drugs.toml", tmp_path / "drugs.py"
    monkeypatch.setattr(drug_library, "DRUG_LIBRARY", source)
    monkeypatch.setattr(drug_library, "COMPILED_LIBRARY", target)
    assert drug_library.main([]) == 2
    assert "drugs.toml: cannot be read" in capsys.readouterr().err
    source.write_text(DRUG_LIBRARY.read_text("utf-8").replace('"600 ug"', '"600 mL"'), "utf-8")
    assert drug_library.main(["--write"]) == 2
    assert 'drugs.toml: drug[6].day.hard_high = "600 mL"' in capsys.readouterr().err
    assert not target.exists()
    source.write_text(DRUG_LIBRARY.read_text("utf-8"), "utf-8")
    assert drug_library.main([]) == 1
    assert "not current" in capsys.readouterr().err
    assert drug_library.main(["--write"]) == 0
    assert drug_library.main([]) == 0
    assert target.read_bytes() == COMPILED_LIBRARY.read_bytes()
    source.write_text(source.read_text("utf-8").replace('"600 ug"', '"601 ug"'), "utf-8")
    assert drug_library.main([]) == 1


@pytest.mark.requirement("R11", "R12")
def test_a_concentration_that_the_library_does_not_have_is_refused():
    for good in ("50 ug/mL", "500 ug/mL", "2000 ug/mL", "2 mg/mL", "0.5 mg/mL"):
        assert parse_prescription(continuous(concentration=good, basal="0.25 mL/day"), RATES)
    for bad in ("1000 ug/mL", "49.999 ug/mL", "2000.001 ug/mL", "1 ng/mL", "0 ug/mL"):
        assert refusal(continuous(concentration=bad)) == (
            f'prescription.concentration = "{bad}": one of 50 ug/mL, 500 ug/mL, 2000 ug/mL is needed for baclofen'
        )
    for name, most in (("morphine", "20000"), ("fentanyl", "10000"), ("clonidine", "1000"), ("ziconotide", "100")):
        low = {"drug": name, "basal": "6 uL/day"}
        for good in (f"{most} ug/mL", "1 ng/mL"):
            assert parse_prescription(continuous(**low, concentration=good), RATES)
        for bad in (f"{most}.001 ug/mL", "0 ug/mL"):
            assert refusal(continuous(**low, concentration=bad)) == (
                f'prescription.concentration = "{bad}": up to {most} ug/mL is needed for {name}'
            )


@pytest.mark.requirement("R10")
def test_a_rate_beyond_a_hard_limit_is_refused_and_reaching_it_is_allowed():
    for good in ("0 ug/day", "12 ug/day", "1500 ug/day", "0.5 ug/h", "62.5 ug/h", "750000.9 nL/day"):
        assert parse_prescription(continuous(basal=good), RATES)
    for bad in ("1500.002 ug/day", "750001 nL/day", "62.501 ug/h"):
        assert refusal(continuous(basal=bad)) == (
            f'prescription.basal = "{bad}": at most 1500 ug/day of baclofen is allowed'
        )
    thin = {"concentration": "500 ug/mL"}
    for bad in ("11.999 ug/day", "23999.9 nL/day", "6 uL/day"):
        reason = "0 or at least 12 ug/day of baclofen is needed"
        assert refusal(continuous(**thin, basal=bad)) == f'prescription.basal = "{bad}": {reason}'
        data = continuous(**thin, mode="flex", period=[period(rate="12 ug/day"), period(days="mon", rate=bad)])
        data["period"][0]["days"] = "tue"
        assert refusal(data) == f'prescription.period[2].rate = "{bad}": {reason}'


@pytest.mark.requirement("R10", "R12")
def test_basal_scheduled_and_patient_boluses_together_keep_the_hard_limit_of_a_day():
    data = continuous(drug="morphine", concentration="10 mg/mL", basal="9 mg/day")  # 3 boluses meet
    data["scheduled_bolus"] = [scheduled(dose="1 mg"), scheduled(at="10:00", dose="1 mg")]
    data["patient_bolus"] = patient(dose="750 ug", max_per_day=4)
    assert parse_prescription(data, RATES).most_in_a_day() * 10 == 15_000_000
    for key, value in (
        ("basal", "9.0001 mg/day"),
        ("patient_bolus", patient(dose="750.01 ug")),
        ("patient_bolus", patient(dose="600.1 ug", max_per_day=5)),
        ("scheduled_bolus", [*data["scheduled_bolus"], scheduled(days="sun", at="09:00", dose="10 ng")]),
    ):
        found = refusal({**data, key: value})
        assert found.startswith("prescription: in 24 h at most 15000 ug of morphine is allowed, and basal and boluses")
    assert refusal({**data, "basal": "10 mg/day"}).endswith("can reach 16000 ug")


@pytest.mark.requirement("R10")
def test_a_bolus_beyond_a_hard_limit_is_refused(monkeypatch: pytest.MonkeyPatch):
    data = copy.deepcopy(LIBRARY)
    data["drug"][7]["bolus"]["hard_high"] = "120 ug"
    other = {drug.name: drug for drug in parse_library(data)}
    monkeypatch.setattr("thecal.prescription_rules.library", lambda: other)
    for key, table_of in (
        ("scheduled_bolus", lambda **c: [scheduled(**c)]),
        ("patient_bolus", patient),
    ):
        where = "scheduled_bolus[1]" if key == "scheduled_bolus" else key
        assert parse_prescription(continuous(**{key: table_of(dose="120 ug")}), RATES)
        assert refusal(continuous(**{key: table_of(dose="120.002 ug")})) == (
            f'prescription.{where}.dose = "120.002 ug": at most 120 ug of baclofen is allowed'
        )


@pytest.mark.requirement("R10")
def test_the_minimum_mode_knows_no_lower_limit_but_the_upper_ones():
    assert parse_prescription(bare("minimum", concentration="50 ug/mL"), RATES).mode == "minimum"  # 0.3 ug/day
    fast = RateRange(1_000_000, 28_800_000)
    reason = 'prescription.mode = "minimum": at most 1500 ug/day of baclofen is allowed'
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_prescription(bare("minimum"), fast)
    with pytest.raises(ValueError, match="in 24 h at most 15000 ug of morphine is allowed"):
        parse_prescription(bare("minimum", drug="morphine", concentration="20 mg/mL"), fast)
    assert parse_prescription(bare("stopped"), fast).mode == "stopped"


def test_saline_has_no_limits_but_the_pumps():
    data = table(drug="saline", concentration=None, basal="28.8 mL/day", period=None, limits=None)
    assert parse_prescription(data, RATES).highest_rate() == 28_800_000
