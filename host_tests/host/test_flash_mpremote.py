"""What mpremote says or does not say becomes an error that tells what to do, in bounded time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from thecal.flash import FlashError, NoPumpError, _Board

pytestmark = pytest.mark.requirement("F14")


def test_a_port_that_mpremote_cannot_open_is_no_pump() -> None:
    with pytest.raises(NoPumpError, match=r"no-such-port cannot be opened: .*failed to access"):
        _Board("no-such-port").call("soft-reset", resume=False)


def test_a_pump_that_says_nothing_is_given_up_in_time_with_the_way_out() -> None:
    controller, pump = os.openpty()
    try:
        with pytest.raises(NoPumpError, match=r"no answer within 1 s.*SERVICE strap") as caught:
            _Board(os.ttyname(pump)).call("soft-reset", resume=False, timeout=1)
    finally:
        os.close(controller)
        os.close(pump)
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        (
            "b'x'\nmpremote: could not enter raw repl",
            NoPumpError,
            "does not enter the raw REPL.*SERVICE strap",
        ),
        (
            "mpremote: failed to access p (it may be in use by another program)",
            NoPumpError,
            "cannot be opened",
        ),
        ("Traceback\nOSError: [Errno 28] ENOSPC", FlashError, "mpremote fs failed on p:.*ENOSPC"),
    ],
)
def test_what_mpremote_says_becomes_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, error: type[FlashError], match: str
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\nprint({said!r})\nraise SystemExit(1)\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(error, match=f"(?s){match}") as caught:
        _Board("p").call("fs", "cp", "a", ":/")
    assert type(caught.value) is error
