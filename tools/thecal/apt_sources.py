"""The machine's own apt sources, rewritten to another Debian suite: pure functions on text.

Taking the mirror from the machine keeps every host name out of this project and works behind a company's
mirror.
"""

from __future__ import annotations

import re
from pathlib import Path

# A source for one of these with a component "main" is a Debian archive; security and updates archives carry a
# suffix, other vendors name their suites or their components differently.
DEBIAN_SUITES = frozenset(
    {
        *("oldoldstable", "oldstable", "stable", "testing", "unstable", "sid"),
        *("bullseye", "bookworm", "trixie", "forky", "duke"),
    }
)
_ONE_LINE = re.compile(r"(?:deb|deb-src)\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>.+)")
_REPLACED = ("types", "suites", "components", "enabled")


def rewrite_deb822(text: str, suite: str) -> str:
    """Return the Debian archives of a *.sources file as stanzas (deb, deb-src) of `suite`, or ""."""
    stanzas = []
    for block in re.split(r"\n[ \t]*\n", text):
        fields = _fields(block)
        words = {name: " ".join(lines).split()[1:] for name, lines in fields.items()}
        if (words.get("enabled") or ["yes"])[0].lower() in ("no", "false", "0", "without", "off", "disable"):
            continue
        if DEBIAN_SUITES.isdisjoint(words.get("suites", ())) or "main" not in words.get("components", ()):
            continue
        kept = [line for name, lines in fields.items() if name not in _REPLACED for line in lines]
        stanzas.append("\n".join(["Types: deb deb-src", f"Suites: {suite}", "Components: main", *kept]) + "\n")
    return "\n".join(dict.fromkeys(stanzas))


def _fields(block: str) -> dict[str, list[str]]:
    """Return the lines of each field of a deb822 stanza, continuations included, by lower-case name."""
    fields: dict[str, list[str]] = {}
    name = ""
    for line in block.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            fields.setdefault(name, []).append(line)
        else:
            key, _, value = line.partition(":")
            name = key.strip().lower()
            fields[name] = [f"{key}: {value.strip()}"]
    return fields


def rewrite_one_line(text: str, suite: str) -> str:
    """Return the Debian archives of a *.list file as lines (deb, deb-src) of `suite`, or ""."""
    lines = []
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if not match or match["suite"] not in DEBIAN_SUITES or "main" not in match["rest"].split():
            continue
        options = f"[{match['options'].strip()}] " if match["options"] else ""
        lines += [f"{kind} {options}{match['uri']} {suite} main\n" for kind in ("deb", "deb-src")]
    return "".join(dict.fromkeys(lines))


def rewrite_all(etc_apt: Path, suite: str) -> dict[str, str]:
    """Return the rewritten sources of a machine as file name -> text, empty if it has no Debian archive.

    `etc_apt` is apt's configuration directory, normally /etc/apt. Raises OSError if a file cannot be read.
    """
    listed = etc_apt / "sources.list.d"
    texts = {
        "machine.sources": "\n".join(
            stanzas
            for path in sorted(listed.glob("*.sources"))
            if (stanzas := rewrite_deb822(path.read_text("utf-8", "replace"), suite))
        ),
        "machine.list": "".join(
            rewrite_one_line(path.read_text("utf-8", "replace"), suite)
            for path in [etc_apt / "sources.list", *sorted(listed.glob("*.list"))]
            if path.exists()
        ),
    }
    return {name: text for name, text in texts.items() if text}
