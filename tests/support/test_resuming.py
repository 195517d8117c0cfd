"""A download is whole, goes on where it was cut off, and ends with an error that says how far it came."""

import socket
import threading

import numpy as np
import pytest

from fmnist_utils.support import downloads, resuming
from fmnist_utils.support.sources import DataError, NotThereError

CONTENT = np.random.default_rng(0).bytes(10_000)
FIRST = CONTENT[:4_000]


@pytest.fixture
def fetch(server, tmp_path):
    """A function that downloads from the server to ``tmp_path`` and returns what came."""
    server.content = CONTENT

    def fetch(largest: int = 20_000) -> bytes:
        resuming.download(server.url, tmp_path / "new" / "file", largest, "a file")
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
        return (tmp_path / "new" / "file").read_bytes()

    return fetch


@pytest.fixture
def part(tmp_path):
    """A function that writes what an earlier download has left."""

    def write(content: bytes) -> None:
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "file.part").write_bytes(content)

    return write


def kept(tmp_path) -> bytes:
    """What is there after a download that failed: the beginning, and no file that looks whole."""
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file.part"]
    return (tmp_path / "new" / "file.part").read_bytes()


@pytest.mark.parametrize("length", [True, False])
def test_a_file_comes_whole_in_one_request(length, fetch, server):
    server.length = length
    assert fetch() == CONTENT
    assert server.asked == [None]


def test_an_earlier_download_is_gone_on_with(fetch, server, part):
    part(b"x" * len(FIRST))  # other bytes, to see that these were not sent again
    assert fetch() == b"x" * len(FIRST) + CONTENT[len(FIRST) :]
    assert server.asked == ["bytes=4000-"]


def test_a_server_that_cannot_begin_in_the_middle_sends_the_whole(fetch, server, part):
    part(FIRST)
    server.ranges = False
    assert fetch() == CONTENT
    assert server.asked == ["bytes=4000-", None]


def test_a_server_that_begins_elsewhere_is_asked_for_the_whole(fetch, server, part):
    part(FIRST)
    server.shifted = 1
    assert fetch() == CONTENT
    assert server.asked == ["bytes=4000-", None]


@pytest.mark.parametrize("left", [CONTENT, CONTENT + b"more"])
def test_what_is_there_and_has_no_rest_is_fetched_anew(left, fetch, server, part):
    part(left)
    assert fetch() == CONTENT
    assert server.asked == [f"bytes={len(left)}-", None]


@pytest.mark.parametrize("length", [True, False])
def test_a_download_that_is_cut_off_goes_on_in_the_same_call(length, fetch, server, monkeypatch):
    monkeypatch.setattr(resuming, "_CHUNK", 1_000)
    server.length, server.cuts = length, [4_000, 5_000]
    assert fetch() == CONTENT
    assert server.asked == [None, "bytes=4000-", "bytes=9000-"]


def test_a_download_that_comes_no_further_ends_and_keeps_what_came(fetch, server, tmp_path):
    server.cuts = [4_000, 0]
    with pytest.raises(NotThereError, match=f"{server.url}: IncompleteRead.*first 0 MB are kept"):
        fetch()
    assert server.asked == [None, "bytes=4000-"]
    assert kept(tmp_path) == FIRST
    assert fetch() == CONTENT
    assert server.asked[2:] == ["bytes=4000-"]


def test_a_server_that_always_begins_anew_and_is_always_cut_off_is_not_asked_for_ever(fetch, server, tmp_path):
    server.ranges, server.cuts = False, [4_000] * 9
    with pytest.raises(NotThereError, match="IncompleteRead"):
        fetch()
    assert len(server.asked) < 5
    assert kept(tmp_path) == FIRST


@pytest.mark.parametrize("left", [b"", FIRST])
def test_a_refusal_is_told_and_loses_nothing(left, fetch, server, part, tmp_path):
    part(left)
    server.status = 503
    with pytest.raises(NotThereError, match=f"a download from {server.url}: .*503"):
        fetch()
    assert kept(tmp_path) == left


def test_a_host_that_nobody_answers_for_is_told(fetch, server):
    server.url = "http://localhost:1/file"
    with pytest.raises(NotThereError, match="localhost:1/file: .*refused"):
        fetch()


def test_a_server_that_falls_silent_is_not_waited_for_without_end(fetch, server, monkeypatch):
    monkeypatch.setattr(downloads, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("localhost", 0)) as silent:  # accepts, and says nothing
        server.url = f"http://localhost:{silent.getsockname()[1]}/file"
        rescue = threading.Timer(10, silent.shutdown, [socket.SHUT_RDWR])
        rescue.start()
        with pytest.raises(NotThereError, match="timed out"):
            fetch()
        rescue.cancel()


def test_more_than_can_be_right_is_not_read_to_its_end_and_not_kept(fetch, server, tmp_path, monkeypatch):
    monkeypatch.setattr(resuming, "_CHUNK", 1_000)
    server.content, read = bytes(10**8), []
    receive = resuming._open
    monkeypatch.setattr(resuming, "_open", lambda *given: counted(receive(*given), read))
    with pytest.raises(DataError, match=f"{server.url} sends is more than 0 MB"):
        fetch(largest=20_000)
    assert sum(read) <= 21_000
    assert list((tmp_path / "new").iterdir()) == []


def counted(answer, read: list):
    """An answer that notes how much was read of it."""
    give = answer.read

    def noting(size):
        read.append(size)
        return give(size)

    answer.read = noting
    return answer


def test_what_cannot_be_written_is_told(fetch, server, tmp_path):
    (tmp_path / "new").touch()
    with pytest.raises(NotThereError, match=f"{server.url}: .*{tmp_path / 'new'}"):
        fetch()


def test_progress_is_told_in_steps(fetch, capsys, monkeypatch):
    monkeypatch.setattr(resuming, "_CHUNK", 1_000)
    monkeypatch.setattr(resuming, "_STEP", 4_000)
    fetch()
    assert capsys.readouterr().out.splitlines() == ["Downloading a file …"] + ["Downloading a file: 0 MB …"] * 2
