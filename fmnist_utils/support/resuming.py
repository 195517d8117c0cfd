"""A large file from a web server, gone on with where an earlier download was cut off. No TensorFlow here."""

import http.client
import os
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from fmnist_utils.support import downloads, progress
from fmnist_utils.support.sources import DataError, NotThereError

_CHUNK = 2**18  # bytes that are read at once
_STEP = 10**7  # bytes from one line of progress to the next


def download(url: str, path: Path, largest: int, what: str) -> None:
    """Write what ``url`` sends to ``path``, which appears when all of it has come, unverified.

    Until then it grows in ``path`` with ``.part`` added. What is there is kept, for this call and for later
    ones, and the server is asked for the rest; one that cannot go on there sends the whole anew. As long as a
    try has brought more than the one before, the next follows.

    Args:
        largest: bytes; more than that is not what was asked for.
        what: its name in the line of progress.

    Raises:
        NotThereError: the server cannot be reached or refuses, or what comes cannot be written.
        DataError: it sends more than ``largest``.
    """
    part = path.with_name(f"{path.name}.part")
    line = progress.Line(f"Downloading {what} …")
    had = -1
    while had < (have := _size(part)):
        had = have
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            _receive(url, part, largest, f"Downloading {what}", line)
            os.replace(part, path)
            return
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = downloads.last_line(error)
    kept = f"; its first {have / 1e6:.0f} MB are kept, and the next time it goes on there" if have else ""
    raise NotThereError(f"a download from {url}: {reason}{kept}")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _receive(url: str, part: Path, largest: int, what: str, line: progress.Line) -> None:
    answer, have = _ask(url, _size(part))
    with answer, part.open("ab" if have else "wb") as file:
        told = have
        while have <= largest and (chunk := answer.read(_CHUNK)):
            file.write(chunk)
            have += len(chunk)
            if have - told >= _STEP:
                line.update(f"{what}: {have / 1e6:.0f} MB …")
                told = have
    if have > largest:
        part.unlink()
        raise DataError(f"what {url} sends is more than {largest / 1e6:.0f} MB, so it is something else")
    if answer.length:  # the bytes that were announced and have not come; None if none were
        raise http.client.IncompleteRead(b"", answer.length)


def _ask(url: str, have: int) -> tuple[http.client.HTTPResponse, int]:
    """The server's answer, and how many bytes of the file come before what it sends."""
    if have:
        with suppress(urllib.error.HTTPError):  # as 416, where nothing comes after these
            answer = _open(url, {"Range": f"bytes={have}-"})
            if answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                return answer, have
            answer.close()
    return _open(url, {}), 0


def _open(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers=headers)
    return urllib.request.urlopen(request, timeout=downloads.CONNECT_SECONDS)
