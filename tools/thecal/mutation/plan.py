"""Which modules, and which tests must notice a change in them: `[tool.thecal.safety]` of pyproject.toml."""

from __future__ import annotations

from thecal.paths import ROOT, project


def modules() -> dict[str, list[str]]:
    """Module, as a path below the root, -> its test files, in the order in which they run."""
    plan = project()["tool"]["thecal"]["safety"]
    found = {}
    for module, tests in plan["modules"].items():
        names: list[str] = []
        for test in tests:
            names += plan["sets"][test[1:]] if test.startswith("@") else [test]
        found[f"firmware/{module}"] = [f"{plan['tests']}/{name}" for name in dict.fromkeys(names)]
    return found


def selection() -> list[str]:
    """Arguments of pytest that leave out what takes too long."""
    return ["-k", f"not ({project()['tool']['thecal']['safety']['skip']})"]


def missing() -> list[str]:
    """Paths of the plan that are not there."""
    return [path for module, tests in modules().items() for path in (module, *tests) if not (ROOT / path).is_file()]
