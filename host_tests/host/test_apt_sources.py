"""The machine's apt sources become those of another suite: same mirror, same keys, nothing of anyone else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thecal.apt_sources import DEBIAN_SUITES, rewrite_all, rewrite_deb822, rewrite_one_line

pytestmark = pytest.mark.requirement("F14")

DEB822 = """\
# the machine's mirror
Types: deb
# a snapshot for those who want one
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def test_a_debian_stanza_keeps_its_mirror_and_key_and_nothing_of_its_suite() -> None:
    assert rewrite_deb822(DEB822, "trixie").splitlines() == [
        "Types: deb deb-src",
        "Suites: trixie",
        "Components: main",
        "URIs: http://mirror.example/debian",
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Suites: bookworm bookworm-updates", "Suites: bookworm-updates"),
        ("Suites: bookworm bookworm-updates", "Suites: nodistro"),
        ("Suites: bookworm bookworm-updates", "Suites: noble"),
        ("Components: main contrib", "Components: contrib"),
        ("Components: main contrib", "Components: stable"),
        ("Types: deb\n# a snapshot", "Enabled: no\nTypes: deb\n# a snapshot"),
    ],
)
def test_a_stanza_that_is_no_enabled_debian_archive_is_left_out(old: str, new: str) -> None:
    assert DEB822.count(old) == 1
    assert rewrite_deb822(DEB822.replace(old, new), "trixie") == ""


def test_field_names_in_any_case_and_continued_fields_are_understood() -> None:
    text = (
        "enabled: yes\nTYPES: deb-src\nuris:\n http://a.example/debian\n http://b.example/debian\n"
        "suites: bookworm\ncomponents:main\nsigned-by:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ==\n"
    )
    assert rewrite_deb822(text, "trixie").splitlines() == [
        "Types: deb deb-src",
        "Suites: trixie",
        "Components: main",
        "uris: ",
        " http://a.example/debian",
        " http://b.example/debian",
        "signed-by: ",
        " -----BEGIN PGP PUBLIC KEY BLOCK-----",
        " .",
        " mQ==",
    ]


def test_stanzas_for_the_same_archive_are_merged_and_others_kept_apart() -> None:
    source = DEB822.replace("Types: deb\n#", "Types: deb-src\n#")
    other = DEB822.replace("mirror.example", "other.example")
    rewritten = rewrite_deb822(f"{DEB822}\n{source}\n{other}", "trixie")
    assert rewritten.count("Types: deb deb-src\n") == 2
    assert rewritten.split("\n\n")[1].startswith("Types:")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb http://m.example/debian bookworm main", "http://m.example/debian trixie main"),
        ("deb-src http://m.example/debian/ stable main contrib", "http://m.example/debian/ trixie main"),
        ("  deb\thttp://m.example/debian  trixie   main # mine", "http://m.example/debian trixie main"),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian bookworm main",
            "[arch=amd64 signed-by=/k.gpg] http://m.example/debian trixie main",
        ),
        (
            "deb [ trusted=yes ] mirror+file:/etc/apt/mirrors bookworm non-free main",
            "[trusted=yes] mirror+file:/etc/apt/mirrors trixie main",
        ),
    ],
)
def test_a_debian_line_becomes_one_for_binaries_and_one_for_sources(line: str, expected: str) -> None:
    assert rewrite_one_line(line, "trixie") == f"deb {expected}\ndeb-src {expected}\n"


@pytest.mark.parametrize(
    "line",
    [
        "# deb http://m.example/debian bookworm main",
        "deb http://m.example/debian-security bookworm-security main",
        "deb http://m.example/debian bookworm-backports main",
        "deb http://m.example/debian bookworm contrib",
        "deb http://m.example/debian bookworm",
        "deb cdrom:[Debian GNU/Linux 12 _Bookworm_ - amd64 NETINST]/ bookworm main",
        "deb [arch=amd64] https://vendor.example/apt vendor-bookworm main",
        "deb https://vendor.example/linux/debian bookworm stable",
        "rpm http://m.example/debian bookworm main",
        "",
    ],
)
def test_any_other_line_is_left_out(line: str) -> None:
    assert rewrite_one_line(line, "trixie") == ""


def test_a_binary_and_a_source_line_of_one_archive_are_merged() -> None:
    text = "deb http://m.example/debian bookworm main\ndeb-src http://m.example/debian bookworm main\n"
    assert rewrite_one_line(text, "trixie").splitlines() == [
        "deb http://m.example/debian trixie main",
        "deb-src http://m.example/debian trixie main",
    ]


@given(st.sampled_from(sorted(DEBIAN_SUITES)), st.sampled_from(sorted(DEBIAN_SUITES)))
def test_rewriting_what_was_rewritten_changes_only_the_suite(first: str, second: str) -> None:
    once = rewrite_deb822(DEB822, first)
    assert rewrite_deb822(once, second) == once.replace(f"Suites: {first}\n", f"Suites: {second}\n")
    line = rewrite_one_line("deb http://m.example/debian bookworm main", first)
    assert rewrite_one_line(line, second) == line.replace(f" {first} ", f" {second} ")


FRAGMENTS = [
    "Enabled",
    "Suites",
    "Components",
    ":",
    " ",
    "\n",
    "\t",
    "#",
    "no",
    "main",
    "deb",
    "[",
    "]",
    "sid",
    "x",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_no_text_in_a_sources_file_is_a_crash(text: str) -> None:
    for rewritten in (rewrite_deb822(text, "trixie"), rewrite_one_line(text, "trixie")):
        assert rewritten == "" or "trixie" in rewritten


def test_all_the_places_of_a_machine_are_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    (tmp_path / "sources.list.d/more.list").write_text("deb http://b.example/debian bookworm main\n")
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/disabled.list.bak").write_text("deb http://c.example/debian bookworm main\n")
    files = rewrite_all(tmp_path, "trixie")
    assert set(files) == {"machine.list", "machine.sources"}
    assert "a.example" in files["machine.list"]
    assert "b.example" in files["machine.list"]
    assert "c.example" not in "".join(files.values())
    assert "mirror.example" in files["machine.sources"]


def test_a_machine_without_a_debian_archive_gives_nothing(tmp_path: Path) -> None:
    assert rewrite_all(tmp_path, "trixie") == {}
    (tmp_path / "sources.list").write_text("deb http://archive.example/ubuntu noble main\n")
    assert rewrite_all(tmp_path, "trixie") == {}
