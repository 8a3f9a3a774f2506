"""The tear models: what a page may hold when the supply fails while it is written (F10)."""

from __future__ import annotations

from random import Random

import pytest

from thecal.models.tears import ANY_BYTE, MODELS, PAGE_SIZE, Metastable, torn

pytestmark = pytest.mark.requirement("F10")

OLD = bytes(range(1, 65))
NEW = bytes(range(129, 193))


@pytest.mark.parametrize("at", [0, 1, 31, 32, 63, 64])
def test_what_came_through_stands_before_what_was_there(at: int) -> None:
    rng = Random(1)
    assert torn("old", OLD, NEW, at, rng) == OLD
    assert torn("new", OLD, NEW, at, rng) == NEW
    assert torn("erased", OLD, NEW, at, rng) == b"\xff" * PAGE_SIZE
    prefix = torn("prefix", OLD, NEW, at, rng)
    assert prefix[:at] == NEW[:at]
    assert prefix[at:] == OLD[at:]


def test_a_mix_has_old_new_zero_erased_and_other_bytes_in_any_place() -> None:
    rng = Random(2)
    seen: list[set[str]] = [set() for _ in range(PAGE_SIZE)]
    for _ in range(400):
        page = torn("mix", OLD, NEW, 0, rng)
        for offset, value in enumerate(page):
            names = {OLD[offset]: "old", NEW[offset]: "new", 0x00: "zero", 0xFF: "erased"}
            seen[offset].add(names.get(value, "other"))
    assert all(kinds == {"old", "new", "zero", "erased", "other"} for kinds in seen)


@pytest.mark.parametrize(("at", "base"), [(0, OLD), (31, OLD), (32, NEW), (64, NEW)])
def test_flips_are_one_to_eight_bits_of_the_nearer_content(at: int, base: bytes) -> None:
    rng = Random(3)
    counts = set()
    for _ in range(300):
        page = torn("flips", OLD, NEW, at, rng)
        counts.add(sum((one ^ other).bit_count() for one, other in zip(page, base, strict=True)))
    assert counts == set(range(1, 9))


def test_the_same_seed_tears_the_same() -> None:
    for model in MODELS:
        assert torn(model, OLD, NEW, 20, Random("a")) == torn(model, OLD, NEW, 20, Random("a"))
    assert torn("mix", OLD, NEW, 20, Random("a")) != torn("mix", OLD, NEW, 20, Random("b"))


def test_some_models_do_not_look_at_the_byte() -> None:
    for model in MODELS:
        found = {torn(model, OLD, NEW, at, Random(4)) for at in range(PAGE_SIZE + 1)}
        assert (len(found) == 1) == (model in ANY_BYTE or model == "mix"), model


@pytest.mark.parametrize(
    ("model", "old", "new", "at", "said"),
    [
        ("melted", OLD, NEW, 0, "melted"),
        ("old", OLD[:63], NEW, 0, "63 and 64"),
        ("old", OLD, NEW + b"x", 0, "64 and 65"),
        ("prefix", OLD, NEW, 65, "65 bytes"),
        ("prefix", OLD, NEW, -1, "-1 bytes"),
    ],
)
def test_what_is_no_tear_is_refused(model: str, old: bytes, new: bytes, at: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        torn(model, old, new, at, Random(5))


def test_a_metastable_page_reads_as_either_content() -> None:
    page = Metastable(OLD, NEW, Random(6))
    found = [page.read() for _ in range(40)]
    assert set(found) == {OLD, NEW}
    assert found == [Metastable(OLD, NEW, Random(6)).read() for _ in range(1)] + found[1:]
    with pytest.raises(ValueError, match="63 and 64"):
        Metastable(OLD[1:], NEW, Random(6))
