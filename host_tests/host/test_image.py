"""Where the MicroPython image comes from: the order of the ways, and what is refused."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from thecal import image, image_debian, image_download
from thecal.image import Way, find_or_make_image
from thecal.image_common import ImageError, Progress, Wanted
from thecal.uf2 import to_uf2

pytestmark = pytest.mark.requirement("F14")

WANTED = Wanted.pinned()
GOOD = to_uf2(b"boot" * 70 + b"MicroPython v%s on 2025-04-15; a board" % WANTED.version.encode())
OTHER = to_uf2(b"MicroPython v1.24.0 on 2024-10-26; a board")


class Ways:
    """Two ways that give what a test wants, and remember that they were asked."""

    def __init__(self, first: bytes | Exception, second: bytes | Exception) -> None:
        self.asked: list[str] = []
        self.ways = (
            Way("first", partial(self._make, "first", first)),
            Way("second", partial(self._make, "second", second)),
        )

    def _make(self, name: str, outcome: bytes | Exception, wanted: Wanted, work: Path, progress: Progress) -> bytes:
        assert wanted == WANTED
        assert list(work.iterdir()) == [], "a way starts in an empty directory"
        (work / "litter").write_text("")
        progress(f"{name} works")
        self.asked.append(name)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MICROPYTHON_UF2", raising=False)
    return tmp_path / "cache" / "thecal"


@pytest.fixture
def use(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ways]:
    def use(first: bytes | Exception, second: bytes | Exception) -> Ways:
        ways = Ways(first, second)
        monkeypatch.setattr(image, "WAYS", ways.ways)
        return ways

    return use


NEVER = AssertionError("this way must not be tried")


def test_the_file_the_user_names_is_taken_before_all_else(
    cache: Path, use: Callable[..., Ways], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(NEVER, NEVER)
    cache.mkdir(parents=True)
    (cache / WANTED.file_name).write_bytes(GOOD)
    (tmp_path / "mine.uf2").write_bytes(GOOD)
    monkeypatch.setenv("MICROPYTHON_UF2", str(tmp_path / "mine.uf2"))
    lines: list[str] = []
    assert find_or_make_image(lines.append) == tmp_path / "mine.uf2"
    assert lines == []


def test_the_file_the_user_names_may_be_another_version_but_not_silently(
    use: Callable[..., Ways], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(NEVER, NEVER)
    (tmp_path / "mine.uf2").write_bytes(OTHER)
    monkeypatch.setenv("MICROPYTHON_UF2", str(tmp_path / "mine.uf2"))
    lines: list[str] = []
    assert find_or_make_image(lines.append) == tmp_path / "mine.uf2"
    assert f"not MicroPython {WANTED.version}" in lines[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "length 0 bytes"),
        (b"\x7fELF" + bytes(508), "magic"),
        (GOOD[:28] + b"\x57\xff\x8b\xe4" + GOOD[32:], "family"),
    ],
)
def test_a_named_file_that_is_no_rp2040_image_is_an_error_and_nothing_else_is_tried(
    use: Callable[..., Ways],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    reason: str,
) -> None:
    use(NEVER, NEVER)
    if content is not None:
        (tmp_path / "mine.uf2").write_bytes(content)
    monkeypatch.setenv("MICROPYTHON_UF2", str(tmp_path / "mine.uf2"))
    with pytest.raises(ImageError, match=rf"MICROPYTHON_UF2=.*mine\.uf2.*{reason}"):
        find_or_make_image(print)


def test_a_cached_image_is_used_as_it_is(cache: Path, use: Callable[..., Ways]) -> None:
    use(NEVER, NEVER)
    cache.mkdir(parents=True)
    (cache / WANTED.file_name).write_bytes(GOOD)
    assert find_or_make_image(print) == cache / WANTED.file_name


@pytest.mark.parametrize("content", [GOOD[:-512], b"", OTHER])
def test_a_damaged_or_outdated_cached_image_is_reported_and_replaced(
    cache: Path, use: Callable[..., Ways], content: bytes
) -> None:
    use(GOOD, NEVER)
    cache.mkdir(parents=True)
    (cache / WANTED.file_name).write_bytes(content)
    lines: list[str] = []
    assert find_or_make_image(lines.append).read_bytes() == GOOD
    assert lines[0].startswith("cached image")


def test_the_first_way_that_succeeds_ends_the_search_and_fills_the_cache(cache: Path, use: Callable[..., Ways]) -> None:
    ways = use(GOOD, NEVER)
    assert find_or_make_image(print) == find_or_make_image(print) == cache / WANTED.file_name
    assert ways.asked == ["first"]
    assert {path.name for path in cache.iterdir() if path.suffix != ".lock"} == {WANTED.file_name}


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (ImageError("the server is down"), "the server is down"),
        (OSError("disk full"), "disk full"),
        (b"<html>log in to the hotel network</html>", "no RP2040 image"),
        (OTHER, "not the pinned version"),
    ],
)
def test_a_way_that_fails_is_reported_with_its_reason_before_the_next_is_tried(
    cache: Path, use: Callable[..., Ways], outcome: bytes | Exception, reason: str
) -> None:
    ways = use(outcome, GOOD)
    lines: list[str] = []
    assert find_or_make_image(lines.append).read_bytes() == GOOD
    assert ways.asked == ["first", "second"]
    failure = next(number for number, line in enumerate(lines) if line.startswith("first failed"))
    assert reason in lines[failure]
    assert failure < lines.index("second works")


def test_when_every_way_fails_every_reason_is_told_and_nothing_is_left_behind(
    cache: Path, use: Callable[..., Ways]
) -> None:
    use(ImageError("no network"), ImageError("no compiler"))
    with pytest.raises(ImageError) as caught:
        find_or_make_image(print)
    for part in ("first: no network", "second: no compiler", "MICROPYTHON_UF2"):
        assert part in str(caught.value)
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []


def test_what_a_killed_build_left_behind_does_not_disturb_the_next(cache: Path, use: Callable[..., Ways]) -> None:
    use(GOOD, NEVER)
    (cache / "work/downloads").mkdir(parents=True)
    (cache / "work/downloads/half").write_text("half a file")
    (cache / WANTED.file_name).with_suffix(".tmp").write_bytes(GOOD[:100])
    assert find_or_make_image(print).read_bytes() == GOOD
    assert not (cache / "work").exists()


def test_of_two_builders_one_builds_and_the_other_takes_its_result(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    building, waiting, made, results = threading.Event(), threading.Event(), [], []

    def make(wanted: Wanted, work: Path, progress: Progress) -> bytes:
        made.append(wanted)
        building.set()
        assert waiting.wait(20), "the second builder never said that it waits"
        return GOOD

    monkeypatch.setattr(image, "WAYS", (Way("slow", make),))
    first = threading.Thread(target=lambda: results.append(find_or_make_image(lambda line: None)))
    first.start()
    assert building.wait(20)
    results.append(find_or_make_image(lambda line: waiting.set() if "another process" in line else None))
    first.join(20)
    assert results == [cache / WANTED.file_name] * 2
    assert len(made) == 1


def test_the_download_is_tried_before_the_build() -> None:
    assert [way.make for way in image.WAYS] == [image_download.make, image_debian.make]


def test_a_relative_cache_directory_is_ignored_as_the_specification_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert image.cache_directory() == Path.home() / ".cache" / "thecal"


def test_without_root_and_sudo_the_error_names_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "sudo" else f"/usr/bin/{name}")
    monkeypatch.setattr(image_debian, "missing_packages", lambda: ["cmake", "gcc-arm-none-eabi"])
    with pytest.raises(ImageError, match="apt-get install cmake gcc-arm-none-eabi"):
        image_debian.make(WANTED, tmp_path, print)


def test_a_machine_without_apt_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ImageError, match="no Debian machine"):
        image_debian.make(WANTED, tmp_path, print)
