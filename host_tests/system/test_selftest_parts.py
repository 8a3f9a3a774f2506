"""The parts of the self-test alone: the RAM pattern, and the image hashed anew (F11, F14; R25, R26)."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import image, rehash, selftest


class Coupled(bytearray):
    """RAM in which writing one byte changes a bit of another."""

    writer = victim = 0

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        if index == self.writer:
            super().__setitem__(self.victim, self[self.victim] ^ 0x04)


class Aliased(bytearray):
    """RAM in which two addresses are one cell."""

    one = other = 0

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(self.other if index == self.one else index, value)

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(self.other if index == self.one else index)


@pytest.mark.requirement("F11", "R25")
@given(st.integers(0, 255), st.integers(0, 7), st.booleans())
def test_a_stuck_bit_is_found(place: int, bit: int, high: bool) -> None:
    class Stuck(bytearray):
        def __setitem__(self, index: Any, value: Any) -> None:
            if index == place:
                value = value | 1 << bit if high else value & ~(1 << bit)
            super().__setitem__(index, value)

    assert not selftest.march(Stuck(256), 0, 256)
    assert selftest.march(bytearray(256), 0, 256)


@pytest.mark.requirement("F11", "R25")
@given(st.integers(0, 255), st.integers(0, 255))
def test_coupled_and_aliased_cells_are_found(one: int, other: int) -> None:
    if one == other:
        return
    coupled, aliased = Coupled(256), Aliased(256)
    coupled.writer, coupled.victim = one, other
    aliased.one, aliased.other = one, other
    assert not selftest.march(coupled, 0, 256)
    assert not selftest.march(aliased, 0, 256)


@pytest.mark.requirement("F14", "R26")
def test_every_byte_of_the_image_is_hashed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.py": b"x" * 1_300, "lib/b.mpy": bytes(range(256)) * 4, "c": b""}
    (tmp_path / "lib").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    digests = {name: sha256(content).hexdigest() for name, content in files.items()}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": digests}))
    monkeypatch.setattr(image, "root", f"{tmp_path}/")
    turns = (3 + 1) + (2 + 1) + 1
    again = rehash.Rehash()
    assert all(again.work() for _ in range(3 * turns))
    for name, content in files.items():
        for at in range(0, len(content), 97):
            flipped = bytearray(content)
            flipped[at] ^= 0x20
            (tmp_path / name).write_bytes(flipped)
            again = rehash.Rehash()
            results = [again.work() for _ in range(turns)]
            assert results.count(False) == 1, (name, at)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "c").unlink()
    again = rehash.Rehash()
    assert not all(again.work() for _ in range(turns))


@pytest.mark.requirement("F11", "R26")
def test_for_lack_of_memory_the_image_is_hashed_later_but_within_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"xyz")
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"a": sha256(b"xyz").hexdigest()}}))
    monkeypatch.setattr(image, "root", f"{tmp_path}/")
    full = True

    def limited(*words: Any) -> Any:
        if full:
            raise MemoryError("memory allocation failed, allocating 1148 bytes")
        return open(*words)

    monkeypatch.setattr(rehash, "open", limited, raising=False)
    again = rehash.Rehash()
    assert all(again.work() for _ in range(359))
    full = False
    assert all(again.work() for _ in range(4))
    full = True
    assert all(again.work() for _ in range(359))
    assert not again.work()


@pytest.mark.requirement("F11", "R25")
def test_a_cell_that_forgets_at_the_last_is_found() -> None:
    class Last(bytearray):
        """Loses what it was given in the last of the passes only."""

        writes = 0

        def __setitem__(self, index: Any, value: Any) -> None:
            self.writes += index == 7
            super().__setitem__(index, value ^ 1 if index == 7 and self.writes == 5 else value)

    assert not selftest.march(Last(32), 0, 32)
