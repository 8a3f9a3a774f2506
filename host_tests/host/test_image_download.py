"""The official image is downloaded whole or not at all, from a server played on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from thecal import image_download
from thecal.image_common import ImageError, Wanted

pytestmark = pytest.mark.requirement("F14")

RELEASED = Wanted("1.25.0", "RPI_PICO", "trixie", "20250415")
CONTENT = bytes(range(256)) * 800


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a directory as the official download server would."""
    directory = tmp_path / "server"
    directory.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    monkeypatch.setattr(image_download, "BASE_URL", f"http://127.0.0.1:{httpd.server_port}/")
    monkeypatch.setenv("no_proxy", "*")
    yield directory
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_the_official_image_is_downloaded_whole(server: Path, tmp_path: Path) -> None:
    (server / "RPI_PICO-20250415-v1.25.0.uf2").write_bytes(CONTENT)
    assert image_download.make(RELEASED, tmp_path, print) == CONTENT


def test_an_official_image_that_does_not_exist_is_an_error(server: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="404"):
        image_download.make(RELEASED, tmp_path, print)


def test_a_download_without_an_end_is_cut_off(server: Path, tmp_path: Path) -> None:
    (server / "RPI_PICO-20250415-v1.25.0.uf2").write_bytes(bytes(2 * 1024 * 1024))
    with pytest.raises(ImageError, match="no image is so large"):
        image_download.make(RELEASED, tmp_path, print)


def test_without_a_pinned_release_day_the_download_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="released = YYYYMMDD"):
        image_download.make(Wanted("1.25.0", "RPI_PICO", "trixie", None), tmp_path, print)
