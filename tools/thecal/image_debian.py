"""Build the MicroPython image from Debian's packages, for machines that reach nothing but a Debian mirror.

The toolchain is installed from the running release. MicroPython itself and the libraries that its official
source carries as submodules come from a newer suite, as sources: they are downloaded and unpacked, never
installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from thecal.apt_sources import rewrite_all
from thecal.image_common import ImageError, Progress, Wanted
from thecal.uf2 import to_uf2

ETC_APT = Path("/etc/apt")
TOOLCHAIN = (
    *("bzip2", "cmake", "gcc", "gcc-arm-none-eabi", "libc6-dev", "libnewlib-arm-none-eabi"),
    *("libstdc++-arm-none-eabi-newlib", "make", "python3", "xz-utils"),
)
SOURCE_PACKAGES = ("micropython", "mbedtls")
# Binary packages that hold nothing but sources, under usr/src.
SOURCE_DEBS = ("pico-sdk-source", "tinyusb-source")

# Without the modules of micropython-lib, which no Debian package carries; the pump uses none of them.
_MANIFEST = """\
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
"""
_STEP_TIMEOUT_S = 1200
_SHOWN_LINES = 15


def make(wanted: Wanted, work: Path, progress: Progress) -> bytes:
    """Build the image in the empty directory `work` (takes 400 MB). Raises ImageError or OSError."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise ImageError("apt-get or dpkg is missing: this is no Debian machine")
    _install_toolchain(work, progress)
    downloads = _download(wanted, work, progress)
    tree = _assemble(wanted, work, downloads, progress)
    return to_uf2(_compile(wanted, work, tree, progress))


def missing_packages() -> list[str]:
    """Return the toolchain packages that are not installed on this machine."""
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *TOOLCHAIN]
    # dpkg-query exits with 1 when it does not know a package, and still lists the others.
    answer = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60).stdout
    installed = {line.split()[0] for line in answer.splitlines() if line.endswith(" installed")}
    return [package for package in TOOLCHAIN if package not in installed]


def _install_toolchain(work: Path, progress: Progress) -> None:
    missing = missing_packages()
    if not missing:
        return
    names = " ".join(missing)
    root: list[str] = []
    if os.geteuid() != 0:
        root = ["sudo", "-n"]
        if not shutil.which("sudo") or subprocess.run([*root, "true"], capture_output=True, check=False).returncode:
            raise ImageError(f"not root, and sudo wants a password; install by hand: apt-get install {names}")
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]
    progress(f"installing {names}")
    try:
        _run([*apt, "update"], work)
    except ImageError as error:
        # One broken source of many need not matter: what matters is whether the packages can be had.
        progress(f"apt-get update: {error}")
    _run([*apt, "install", "--yes", "--no-install-recommends", *missing], work)


def _private_apt(wanted: Wanted, work: Path) -> list[str]:
    """Return an apt-get command that knows only the wanted suite and keeps to its own directories."""
    sources = rewrite_all(ETC_APT, wanted.debian_suite)
    if not sources:
        raise ImageError(f"no Debian archive in {ETC_APT}/sources.list or sources.list.d, from which to take a mirror")
    root = work / "apt"
    for directory in ("sources", "state/lists/partial", "cache/archives/partial"):
        (root / directory).mkdir(parents=True)
    (root / "state/status").touch()
    for name, text in sources.items():
        (root / "sources" / name).write_text(text)
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": root / "sources",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": root / "state",
        "Dir::State::status": root / "state/status",
        "Dir::Cache": root / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::http::Timeout": "30",
        "Acquire::https::Timeout": "30",
        # The unprivileged user of apt may not be able to read below the home directory.
        "APT::Sandbox::User": "root",
    }
    return ["apt-get", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]


def _download(wanted: Wanted, work: Path, progress: Progress) -> Path:
    """Download all sources; returns the directory they are in."""
    apt = _private_apt(wanted, work)
    downloads = work / "downloads"
    downloads.mkdir()
    progress(f"reading the package lists of Debian {wanted.debian_suite}")
    complaint = ""
    try:
        _run([*apt, "update"], work)
    except ImageError as error:
        # A vendor that names his suite like Debian has no newer one; whether it matters shows at the
        # download.
        complaint = f"\n{error}"
    progress(f"downloading {', '.join(SOURCE_PACKAGES + SOURCE_DEBS)}")
    try:
        _run([*apt, "source", "--download-only", *SOURCE_PACKAGES], work, cwd=downloads)
        _run([*apt, "download", *SOURCE_DEBS], work, cwd=downloads)
    except ImageError as error:
        raise ImageError(f"{error}{complaint}") from error
    return downloads


def _assemble(wanted: Wanted, work: Path, downloads: Path, progress: Progress) -> Path:
    """Unpack and put the libraries where MicroPython's submodules would be; returns the top of its tree."""
    progress("unpacking")
    tree, debs = work / "micropython", work / "debs"
    _unpack(_only(downloads, f"micropython_{wanted.version}*.orig.tar.*"), tree, work)
    for name in ("pico-sdk", "tinyusb", "mbedtls", "micropython-lib"):
        shutil.rmtree(tree / "lib" / name, ignore_errors=True)
    _unpack(_only(downloads, "mbedtls_*.orig.tar.*"), tree / "lib/mbedtls", work)
    for package in SOURCE_DEBS:
        _run(["dpkg", "--extract", str(_only(downloads, f"{package}_*.deb")), str(debs)], work)
    sdk = _only(debs, "usr/src/**/pico_sdk_init.cmake").parent
    tinyusb = _only(debs, "usr/src/**/src/tusb.h").parents[1]
    shutil.copytree(sdk, tree / "lib/pico-sdk", symlinks=True)
    shutil.copytree(tinyusb, tree / "lib/tinyusb")
    # The build takes these files as the sign that its submodules are checked out.
    for name in ("pico-sdk", "micropython-lib"):
        (tree / "lib" / name).mkdir(exist_ok=True)
        (tree / "lib" / name / "README.md").touch()
    return tree


def _only(directory: Path, pattern: str) -> Path:
    """Return the one file below `directory` that matches. Raises ImageError naming what is there instead."""
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        there = ", ".join(path.name for path in found or sorted(directory.iterdir())) or "nothing"
        raise ImageError(f"expected one {pattern}, found: {there}")
    return found[0]


def _unpack(archive: Path, target: Path, work: Path) -> None:
    target.mkdir()
    _run(["tar", "--extract", "--file", str(archive), "--directory", str(target), "--strip-components=1"], work)


def _compile(wanted: Wanted, work: Path, tree: Path, progress: Progress) -> bytes:
    """Build; returns firmware.bin. Not in the environment of a calling make, which would change the build."""
    manifest = work / "manifest.py"
    manifest.write_text(_MANIFEST)
    released = int((tree / "py/mpconfig.h").stat().st_mtime)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(work),
        "LC_ALL": "C.UTF-8",
        "CMAKE_ARGS": "-DPICO_NO_PICOTOOL=1",
        # Two builds are to be alike, byte for byte: the banner tells the date of the release and not of the build,
        # generated tables do not depend on Python's hash seed, and the version is not asked of a git repository
        # that the cache happens to lie in.
        "SOURCE_DATE_EPOCH": str(released),
        "PYTHONHASHSEED": "0",
        "GIT_DIR": os.devnull,
    }
    jobs = f"-j{os.cpu_count() or 1}"
    progress("building mpy-cross")
    _run(["make", "-C", str(tree / "mpy-cross"), jobs], work, environment=environment)
    progress(f"building the firmware of {wanted.board} (a minute or a few)")
    port = tree / "ports/rp2"
    target = [f"BOARD={wanted.board}", f"FROZEN_MANIFEST={manifest}"]
    _run(["make", "-C", str(port), *target, jobs], work, environment=environment)
    return (port / f"build-{wanted.board}" / "firmware.bin").read_bytes()


def _run(command: list[str], work: Path, *, cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
    """Run one step. Raises ImageError with the last lines of its output when it fails or takes too long."""
    log = work / "step.log"
    with log.open("wb") as output:
        try:
            status = subprocess.run(
                command,
                cwd=cwd or work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=_STEP_TIMEOUT_S,
            ).returncode
        except subprocess.TimeoutExpired:
            raise ImageError(f"{_brief(command)} took more than {_STEP_TIMEOUT_S} s") from None
    if status:
        lines = log.read_text("utf-8", "replace").splitlines()[-_SHOWN_LINES:]
        raise ImageError("\n    ".join([f"{_brief(command)} failed with status {status}:", *lines]))


def _brief(command: list[str]) -> str:
    """Return a command as a person would name it: without options and paths."""
    skipped = ("env", "sudo", "-n")
    words = [word for word in command if word not in skipped and "=" not in word and not word.startswith(("-", "/"))]
    return " ".join(words)
