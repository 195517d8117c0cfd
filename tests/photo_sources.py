"""What the tests of the photographs share: a dozen made ones, a web server, and the real ones."""

import csv
import hashlib
import http.server
import io
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmnist_utils import photographs
from fmnist_utils.support import files, photo_cache, photo_files

SENDERS = (7, 3, 7, 12, 3, 5, 5, 9, 9, 2, 2, 2)  # of the rows that have a file
LABELS = ("T-Shirt", "Pants", "Not sure")
KIDS = (4, 9)
ABSENT, UNLISTED = "0-row-without-file", "0-file-without-row"


def name_of(position: int) -> str:
    """The name of a made photograph: their order in ``images.csv`` is not that of their names."""
    return f"{position * 5 % len(SENDERS):02}-made"


def jpeg(image: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def made_files() -> dict[str, bytes]:
    """The files of a small data set by their names: as in the real one, a row too many and a file too many."""
    rng = np.random.default_rng(0)
    table, contents = io.StringIO(newline=""), {"LICENSE": b"CC0", f"images/{UNLISTED}.jpg": b"no JPEG"}
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["image", "sender_id", "label", "kids"])
    for position, sender in enumerate(SENDERS):
        if position == 3:
            writer.writerow([ABSENT, 99, "Skip", False])
        writer.writerow([name_of(position), sender, LABELS[position % 3], position in KIDS])
        colours = rng.integers(0, 256, (4, 3, 3), np.uint8)
        side = 210 + 10 * position
        upright = np.asarray(Image.fromarray(colours).resize((side, 300)))
        contents[f"images/{name_of(position)}.jpg"] = jpeg(upright)
    return contents | {"images.csv": table.getvalue().encode()}


def zipped(members: dict[str, bytes], inside: str = f"clothing-dataset-{photo_files.COMMIT}/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(inside + name, content)
    return buffer.getvalue()


def write(contents: dict[str, bytes], folder: Path) -> Path:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def list_sums(contents: dict[str, bytes], path: Path) -> str:
    """Write the list of sums of a data set; returns its own sum."""
    used = sorted(name for name in contents if name != "LICENSE" and UNLISTED not in name)
    text = "".join(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in used)
    path.write_bytes(text.encode())
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def made(tmp_path, monkeypatch) -> dict[str, bytes]:
    """The small data set in the real one's place, with sources under ``tmp_path``, all of them empty."""
    contents = made_files()
    monkeypatch.setattr(photo_files, "SUMS", tmp_path / "sums")
    monkeypatch.setattr(photo_files, "SUMS_SHA256", list_sums(contents, tmp_path / "sums"))
    monkeypatch.setattr(photo_files, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setattr(photo_files, "ARCHIVE", "http://localhost:1/nobody-listens.zip")
    monkeypatch.setattr(photo_cache, "BESIDE", tmp_path / "data" / photo_cache.NAME)
    monkeypatch.delenv("FMNIST_PHOTOS_DIR", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    return contents


class Server(http.server.ThreadingHTTPServer):
    """A web server on this machine that sends one content, as well or badly as it is told.

    ``ranges``: whether it can begin in the middle; ``cuts``: how many bytes each of the next answers sends
    before the connection is closed; ``length``: whether it announces how many bytes will come; ``status``: a
    refusal instead; ``shifted``: how many bytes before the one that was asked for it begins. ``asked`` has the
    ``Range`` of each request, None where there was none.
    """

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _Handler)
        self.content, self.ranges, self.length, self.status, self.shifted = b"", True, True, 200, 0
        self.cuts: list[int] = []
        self.asked: list[str | None] = []
        self.url = f"http://localhost:{self.server_port}/file"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802  the name that http.server looks for
        served, asked = self.server, self.headers["Range"]
        served.asked.append(asked)
        start = max(0, int(asked[6:-1]) - served.shifted) if asked and served.ranges else 0
        if served.status != 200 or start and start >= len(served.content):
            self.send_error(served.status if served.status != 200 else 416)
            return
        self._send(served.content[start:], start, bool(asked and served.ranges))

    def _send(self, body: bytes, start: int, partial: bool) -> None:
        self.send_response(206 if partial else 200)
        if partial:
            whole = start + len(body)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if self.server.length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = body[: self.server.cuts.pop(0)] if self.server.cuts else body
        for part in [sent[at : at + 1000] for at in range(0, len(sent), 1000)]:
            self.wfile.write(part if self.server.length else b"%x\r\n%b\r\n" % (len(part), part))
        if sent == body and not self.server.length:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=[0.05])
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """The clothing dataset where ``FMNIST_PHOTOS_DIR`` names it, or beside this project."""
    named = os.environ.get("FMNIST_PHOTOS_DIR")
    folder = files.place(named) if named else files.PROJECT.parent / "shared" / "clothing-dataset"
    if not folder.is_dir():
        pytest.skip(f"the clothing photographs are not here: no FMNIST_PHOTOS_DIR, and no {folder}")
    return folder


@pytest.fixture(scope="session")
def real_photographs(real_folder) -> photographs.Photographs:
    """The real photographs; the first test that asks for them fills the cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMNIST_PHOTOS_DIR", str(real_folder))
        return photographs.load()
