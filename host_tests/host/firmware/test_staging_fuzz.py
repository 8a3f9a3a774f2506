"""Anything may be typed at a pump that is being programmed: it is refused, or means exactly what it says (F4)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prescription_oracle import PUMP, is_allowed, read
from test_staging import GOOD

from firmware.library import DRUGS
from firmware.prescription import MODES
from firmware.staging import Staging

LINES = [f"{key} {words}".split() for key, words in GOOD.items()]
# fmt: off
NUMBERS = (
    "0", "1", "0.5", "25", "300", "6000", "28800000", "1e3", "-1", "+1", "1.", ".5", "1_0", "0x1",
    "\N{ARABIC-INDIC DIGIT TWO}", "999999999999", "9999999999999",
)
UNITS = (
    "ng", "ug", "mcg", "mg", "nL", "uL", "mL", "ug/day", "mL/day", "uL/h", "ug/mL", "ng/mL", "s", "min", "h", "d",
    "m", "UG",
)
OTHERS = (
    "daily", "mon", "sun-tue", "mon-mon", "sat,sun", "tue,tue", "00:00", "23:59", "24:00", "7:00", "stopped",
    "minimum",
)
# fmt: on
CHANGES = ("word", "word", "number", "number", "drop", "insert", "double", "remove", "move")
KEYS = (*GOOD, "begin", "end", "colour", "")
NAMES = (*DRUGS, *MODES, "water", "bench-07")
words = st.one_of(st.sampled_from((*NUMBERS, *UNITS, *OTHERS, *NAMES)), st.text(max_size=20), st.sampled_from(KEYS))


any_lines = st.lists(st.lists(words, min_size=1, max_size=9), max_size=12)


@st.composite
def near_valid_lines(draw: st.DrawFn) -> list[list[str]]:
    """The example with words, lines or numbers changed, left out, moved or doubled."""
    lines = [list(line) for line in LINES]
    for _ in range(draw(st.integers(0, 4))):
        line = draw(st.sampled_from(lines))
        place = draw(st.integers(0, len(line) - 1))
        change = draw(
            st.sampled_from(("word", "word", "number", "number", "drop", "insert", "double", "remove", "move"))
        )
        if change == "word":
            line[place] = draw(words)
        elif change == "number":
            at = [n for n, word in enumerate(line) if word[:1].isdigit() and ":" not in word]
            if at:
                line[draw(st.sampled_from(at))] = draw(
                    st.one_of(st.integers(0, 3_000).map(str), st.sampled_from(NUMBERS))
                )
        elif change == "drop" and len(line) > 1:
            del line[place]
        elif change == "insert":
            line.insert(place, draw(words))
        elif change == "double":
            lines.append(list(line))
        elif change == "remove" and len(lines) > 1:
            lines.remove(line)
        else:
            lines.append(lines.pop(0))
    return lines


@pytest.mark.requirement("F3", "F4", "F8", "R10", "R11", "R50")
@given(
    st.one_of(near_valid_lines(), near_valid_lines(), st.lists(st.lists(words, min_size=1, max_size=9), max_size=12))
)
@settings(max_examples=600)
def test_whatever_is_typed_is_refused_or_means_exactly_what_it_says(lines: list[list[str]]):
    stage = Staging()
    stage.begin()
    taken = []
    for key, *rest in lines:
        try:
            stage.put(key, rest)
        except ValueError:
            continue
        taken.append([key, *rest])
    try:
        rx = stage.end(PUMP)
    except ValueError:
        assert stage.staged
        return
    assert rx.pack() == read(taken).pack()
    assert is_allowed(rx)
