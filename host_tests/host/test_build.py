"""The build: complete or absent, the same bytes from the same sources, and what its manifest says."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from littlefs import LittleFS

from firmware import version
from thecal.build import (
    COMPILED,
    LOOSE,
    MODULES_NAME,
    VERBATIM,
    BuildError,
    build,
    compile_module,
    littlefs_image,
    load_build,
    unpacked,
)
from thecal.paths import ROOT, project

pytestmark = pytest.mark.requirement("F14")


def content_of(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware of this checkout; tests only read it."""
    target = tmp_path_factory.mktemp("build") / "firmware"
    build(target=target)
    return target


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A checkout of one driver and two modules that a test may change."""
    root = tmp_path / "checkout"
    for path in ("boot.py", "main.py", "lib/part.py", "firmware/app.py", "firmware/dose.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"NAME = {path!r}\n")
    return root


def test_every_module_of_the_device_is_compiled_and_nothing_else(built: Path) -> None:
    drivers = {f"lib/{path.stem}.mpy" for path in (ROOT / "lib").glob("*.py")}
    modules = {path.stem for path in (ROOT / "firmware").glob("*.py")}
    assert set(COMPILED) == {"lib", "firmware"}
    assert {"app", "pump", "cascade"} <= modules
    loose = {f"{name}.mpy" for name in LOOSE}
    assert set(content_of(built)) == loose | {MODULES_NAME, *VERBATIM, "manifest.json"}
    packed = {f"firmware/{name}.mpy" for name in modules} | drivers
    assert set(unpacked((built / MODULES_NAME).read_bytes())) == {name.split("/")[1] for name in packed - loose}


def test_every_module_is_bytecode_of_format_6_without_native_code(built: Path) -> None:
    loose = {path.name: path.read_bytes() for path in built.rglob("*.mpy")}
    for name, content in {**loose, **unpacked((built / MODULES_NAME).read_bytes())}.items():
        assert content[:4] == bytes([ord("M"), 6, 0, 31]), name


def test_boot_and_main_are_copied_as_they_are(built: Path) -> None:
    for name in VERBATIM:
        assert (built / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_manifest_has_the_hash_of_every_file_sorted_by_path(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_bytes())
    files = {path: hashlib.sha256(data).hexdigest() for path, data in content_of(built).items()}
    del files["manifest.json"]
    assert manifest["files"] == files
    assert list(manifest["files"]) == sorted(files)


def test_the_manifest_names_the_versions(built: Path) -> None:
    manifest = load_build(built)
    assert manifest.version == project()["project"]["version"] == version.FIRMWARE
    assert manifest.micropython == project()["tool"]["thecal"]["image"]["micropython"]


def test_two_checkouts_in_different_places_give_the_same_bytes(small: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "quite" / "elsewhere"
    shutil.copytree(small, elsewhere)
    assert build(small, tmp_path / "a") == build(elsewhere, tmp_path / "b")
    assert content_of(tmp_path / "a") == content_of(tmp_path / "b")


def test_tracebacks_name_the_module_and_not_the_directory_it_was_built_in(small: Path, tmp_path: Path) -> None:
    build(small, tmp_path / "a")
    compiled = (tmp_path / "a" / MODULES_NAME).read_bytes()
    assert b"firmware/app.py" in compiled
    assert str(tmp_path).encode() not in compiled


def test_an_assert_leaves_no_trace_in_the_firmware(tmp_path: Path) -> None:
    source, compiled = tmp_path / "m.py", tmp_path / "m.mpy"
    source.write_text("def f(x):\n    assert x == 2, 'the reason'\n    return 'the result'\n")
    compile_module(source, "m.py", compiled)
    assert b"the result" in compiled.read_bytes()
    assert b"the reason" not in compiled.read_bytes()


def test_a_module_that_is_gone_from_the_sources_is_gone_from_the_build(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "a"
    build(small, target)
    (small / "firmware/dose.py").unlink()
    (target / "lib/stray.py").write_text("")
    manifest = build(small, target)
    assert set(content_of(target)) == {*manifest.files, "manifest.json"}
    assert set(manifest.files) == {"boot.py", "main.py", MODULES_NAME}
    assert list(unpacked((target / MODULES_NAME).read_bytes())) == ["app.mpy", "part.mpy"]


def test_a_driver_with_the_name_of_a_module_is_refused(small: Path, tmp_path: Path) -> None:
    (small / "lib/app.py").write_text("")
    with pytest.raises(BuildError, match="app: a module and a driver have this name"):
        build(small, tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("damage", ["syntax", "missing"])
def test_a_build_that_fails_leaves_the_last_good_one_and_no_litter(small: Path, tmp_path: Path, damage: str) -> None:
    target = tmp_path / "out" / "firmware"
    build(small, target)
    before = content_of(target)
    if damage == "syntax":
        (small / "firmware/app.py").write_text("def (\n")
    else:
        (small / "main.py").unlink()
    with pytest.raises(BuildError, match=r"firmware/app\.py" if damage == "syntax" else r"main\.py"):
        build(small, target)
    assert content_of(target) == before
    assert list(target.parent.iterdir()) == [target]


def test_any_difference_from_the_manifest_is_found_and_named(small: Path, tmp_path: Path) -> None:
    def refused(target: Path, match: str) -> None:
        with pytest.raises(BuildError, match=match):
            load_build(target)
        with pytest.raises(BuildError, match=match):
            littlefs_image(target)

    for number, path in enumerate(build(small, tmp_path / "good").files):
        target = tmp_path / f"changed-{number}"
        shutil.copytree(tmp_path / "good", target)
        content = bytearray((target / path).read_bytes())
        content[-1] ^= 1
        (target / path).write_bytes(content)
        refused(target, f"{path} is [0-9a-f]{{64}}, the manifest says [0-9a-f]{{64}}")
        (target / path).unlink()
        refused(target, f"{path} is missing")
    shutil.copytree(tmp_path / "good", tmp_path / "more")
    (tmp_path / "more/firmware/more.py").write_text("")
    refused(tmp_path / "more", "the manifest says not listed")


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"version": "1"', '{"version":"1","micropython":"1"}'])
def test_a_build_without_a_whole_manifest_is_no_build(small: Path, tmp_path: Path, text: str | None) -> None:
    target = tmp_path / "a"
    build(small, target)
    (target / "manifest.json").unlink()
    if text is not None:
        (target / "manifest.json").write_text(text)
    with pytest.raises(BuildError, match="no complete build"):
        load_build(target)


def test_the_file_system_image_holds_the_build_and_fits_the_flash_of_a_pico(built: Path) -> None:
    image = littlefs_image(built)
    assert len(image) == 352 * 4096
    mounted = LittleFS(block_size=4096, block_count=352, mount=False)
    mounted.context.buffer[:] = image
    mounted.mount()
    found = {}
    for top, _, names in mounted.walk("/"):
        for name in names:
            path = f"{top.rstrip('/')}/{name}"
            with mounted.open(path, "rb") as file:
                found[path.lstrip("/")] = file.read()
    assert found == content_of(built)


def test_the_file_system_image_is_the_same_every_time(built: Path) -> None:
    assert littlefs_image(built) == littlefs_image(built)
