"""`python -m thecal.mutation`: change every place of every module that watches the dose. Does a test notice?

Cosmic Ray finds the places and keeps what came of each in build/mutants/MODULE.sqlite, so a run that was interrupted
goes on where it was. A session is begun anew when its module has changed; when only tests have, those that had survived
are tried again. What survives must stand in docs/SURVIVORS.md, with the reason.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from thecal.mutation import plan, survivors
from thecal.paths import BUILD, ROOT

SESSIONS = BUILD / "mutants"
_TIMEOUT_S = 60  # of a processor
# One change of each kind in each place: the others of Cosmic Ray's (a plus that becomes a power) fail the sooner.
_OPERATORS = (
    "Add_Sub|Sub_Add|Mul_FloorDiv|FloorDiv_Mul|Mod_FloorDiv|RShift_LShift|LShift_RShift|BitOr_BitAnd|BitAnd_BitOr"
)
_COMPARISONS = "Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Is_IsNot|IsNot_Is"
_KEPT = (
    f"ReplaceBinaryOperator_({_OPERATORS})$",
    f"ReplaceComparisonOperator_({_COMPARISONS})$",
    "ReplaceUnaryOperator_Delete_",
    "Replace(True|False|And|Or|Break|Continue)",
    "AddNot|ExceptionReplacer|NumberReplacer|RemoveDecorator|ZeroIterationForLoop",
)


def main() -> int:
    """Exit status: 0 if every survivor is documented and every documented one survives, else 1."""
    parser = argparse.ArgumentParser(prog="python -m thecal.mutation", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("modules", nargs="*", help="names below firmware/; all")
    parser.add_argument("--processors", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs have found")
    asked = parser.parse_args()
    os.chdir(ROOT)
    chosen = {
        path: tests for path, tests in plan.modules().items() if not asked.modules or _name(path) in asked.modules
    }
    unknown = set(asked.modules) - {_name(path) for path in chosen}
    if unknown:
        parser.error(f"not in pyproject.toml: {', '.join(sorted(unknown))}")
    SESSIONS.mkdir(parents=True, exist_ok=True)
    found: set[survivors.Survivor] = set()
    print(f"{'module':18} {'mutants':>8} {'noticed':>8} {'survived':>8}")
    rows = []
    for path, tests in chosen.items():
        session = _session(path, tests, asked.processors, asked.fresh)
        if _pending(session):
            _cosmic_ray("exec", session.with_suffix(".toml"), session)
        its, total = _survivors(session, _name(path))
        rows.append(f"{_name(path):18} {total:8} {total - len(its):8} {len(its):8}")
        print(rows[-1], flush=True)
        found |= set(its)
    (SESSIONS / "table.txt").write_text("\n".join(rows) + "\n", "utf-8")
    return _judge(found, {_name(path) for path in chosen})


def _name(path: str) -> str:
    return Path(path).name


def _judge(found: set[survivors.Survivor], modules: set[str]) -> int:
    named = {entry for entry in survivors.documented() if entry.module in modules}
    for title, entries in (
        ("Not in docs/SURVIVORS.md:", found - named),
        ("In docs/SURVIVORS.md, but they do not survive:", named - found),
    ):
        if entries:
            print(title, *sorted(map(str, entries)), sep="\n")
    return int(found != named)


def _session(path: str, tests: list[str], processors: int, fresh: bool) -> Path:
    """The session of a module, begun or taken up again."""
    session = SESSIONS / f"{_name(path)}.sqlite"
    key = session.with_suffix(".json")
    now = {"module": _hash([ROOT / path]), "tests": _hash([*_helpers(), *(ROOT / test for test in tests)])}
    before = json.loads(key.read_text("utf-8")) if key.is_file() and session.is_file() and not fresh else {}
    _configure(session.with_suffix(".toml"), path, tests, processors)
    if before.get("module") != now["module"]:
        session.unlink(missing_ok=True)
        _cosmic_ray("init", session.with_suffix(".toml"), session)
        _run("cr-filter-operators", session, session.with_suffix(".toml"))
    elif before["tests"] != now["tests"]:
        _try_again(session)
    key.write_text(json.dumps(now), "utf-8")
    return session


def _helpers() -> list[Path]:
    """What the tests share."""
    found = (ROOT / "host_tests" / "host" / "firmware").glob("*.py")
    return sorted(path for path in found if not path.name.startswith("test_"))


def _hash(paths: list[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()


def _configure(file: Path, path: str, tests: list[str], processors: int) -> None:
    keep = "|".join(_KEPT)
    arguments = [*plan.selection(), *tests]
    file.write_text(
        "[cosmic-ray]\n"
        f'module-path = "{path}"\ntimeout = {_TIMEOUT_S}\nexcluded-modules = []\ntest-command = "pytest"\n'
        '[cosmic-ray.distributor]\nname = "thecal"\n'
        "[cosmic-ray.distributor.thecal]\n"
        f'processors = {processors}\nlabel = "{_name(path)}"\narguments = {json.dumps(arguments)}\n'
        "[cosmic-ray.filters.operators-filter]\n"
        f"exclude-operators = [{json.dumps(f'core/(?!{keep})')}]\n",
        "utf-8",
    )


def _cosmic_ray(command: str, *arguments: Any) -> None:
    _run("cosmic-ray", command, *arguments)


def _run(tool: str, *arguments: Any) -> None:
    subprocess.run([Path(sys.executable).parent / tool, *map(str, arguments)], check=True, cwd=ROOT)


def _pending(session: Path) -> int:
    with _open(session) as work:
        return len(tuple(work.pending_work_items))


def _try_again(session: Path) -> None:
    """Forget what has survived: the tests are others now."""
    with sqlite3.connect(session) as tables:
        tables.execute("DELETE FROM work_results WHERE test_outcome LIKE 'survived'")


def _survivors(session: Path, module: str) -> tuple[list[survivors.Survivor], int]:
    """Those of a module that were not noticed, and how many mutants it has."""
    with _open(session) as work:
        outcomes = [result for _, result in work.results if result.test_outcome is not None]
    return [survivors.of_diff(module, each.diff or "") for each in outcomes if not each.is_killed], len(outcomes)


def _open(session: Path) -> Any:
    from cosmic_ray.work_db import use_db  # pyright: ignore # only `make mutants` installs it

    return use_db(str(session))


if __name__ == "__main__":
    sys.exit(main())
