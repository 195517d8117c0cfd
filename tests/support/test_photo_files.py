"""A photograph is the very one of the commit, whichever source it comes from, or an error names what is not."""

import csv
import hashlib
import io
import os
import stat
import threading
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
from photo_sources import UNLISTED, name_of, write, zipped

from fmnist_utils.support import photo_files
from fmnist_utils.support.sources import DataError, DataWarning

PHOTO = f"images/{name_of(4)}.jpg"
INSIDE = f"clothing-dataset-{photo_files.COMMIT}/"
REAL_SUMS = photo_files.SUMS.read_text(encoding="utf-8")


@pytest.fixture
def folder(made, tmp_path, monkeypatch) -> Path:
    """The folder that is named, with the whole data set."""
    monkeypatch.setenv("FMNIST_PHOTOS_DIR", str(tmp_path / "named"))
    return write(made, tmp_path / "named")


@pytest.fixture
def pack(made, tmp_path):
    """A function that writes an archive of the data set, some of its files changed or (None) left out."""

    def pack(changes=(), **kinds) -> Path:
        contents = {name: content for name, content in (made | dict(changes)).items() if content is not None}
        (tmp_path / "archive.zip").write_bytes(zipped(contents, **kinds))
        return tmp_path / "archive.zip"

    return pack


@pytest.fixture
def host(server, made, monkeypatch):
    """A web server in the place of the public host, with the archive."""
    monkeypatch.setattr(photo_files, "ARCHIVE", server.url)
    server.content = zipped(made)
    return server


def everything_under(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


# ---- Folders ------------------------------------------------------------------------------------------------


def test_no_folder_need_be_named(made):
    assert photo_files.named() is None


def test_a_folder_that_is_named_is_verified_and_taken(folder):
    assert photo_files.named() == folder


@pytest.mark.parametrize("given", ["named", "~/named", "other/../named"])
def test_a_folder_may_be_named_from_here_and_from_home(given, folder, tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FMNIST_PHOTOS_DIR", given)
    assert photo_files.named() == folder


def test_the_archive_itself_may_be_named(pack, monkeypatch):
    path = pack()
    monkeypatch.setenv("FMNIST_PHOTOS_DIR", str(path))
    assert photo_files.named() == path


def test_a_folder_needs_no_file_that_is_not_used(folder):
    (folder / "LICENSE").unlink()
    (folder / "images" / f"{UNLISTED}.jpg").write_bytes(b"another")
    assert photo_files.named() == folder


def test_a_clone_by_git_for_windows_is_taken(folder, made):
    (folder / "images.csv").write_bytes(made["images.csv"].replace(b"\n", b"\r\n"))
    assert photo_files.named() == folder
    with photo_files.opened(folder) as read:
        assert read("images.csv") == made["images.csv"]


def missing(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-1])


def added_to(path):
    path.write_bytes(path.read_bytes() + b"\n")


def enormous(path):
    path.write_bytes(path.read_bytes() + bytes(10**6))


def another(path):
    path.write_bytes((path.parent / f"{name_of(5)}.jpg").read_bytes() if "images/" in str(path) else b"image\n")


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", [PHOTO, "images.csv"])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (missing, "there is no file {path}"),
        (a_folder, "there is no file {path}"),
        (empty, "{path} is not the file of commit 7ed86a9: the SHA-256 sum of its 0 bytes is another"),
        (cut_off, "{path} is not the file of commit"),
        (added_to, "{path} is not the file of commit"),
        (enormous, "{path} is not the file of commit .* more than 400,000 bytes"),
        (another, "{path} is not the file of commit"),
    ],
)
def test_a_named_folder_that_is_bad_stops_with_the_file(damage, expected, name, folder):
    damage(folder / name)
    with pytest.raises(DataError, match=expected.format(path=folder / name)) as error:
        photo_files.named()
    for said in ("FMNIST_PHOTOS_DIR", "no other source", photo_files.COMMIT, photo_files.REPOSITORY):
        assert said in str(error.value)


@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_a_name_that_is_no_folder_stops(kind, made, tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_PHOTOS_DIR", str(tmp_path / "named"))
    if kind == "a file":
        (tmp_path / "named").write_bytes(b"photographs")
    with pytest.raises(DataError, match=f"{tmp_path / 'named'}(.|\n)*FMNIST_PHOTOS_DIR names it"):
        photo_files.named()


def test_a_file_that_cannot_be_read_is_named_with_the_reason(folder, monkeypatch):
    give = Path.open

    def open_others(path, *given, **options):
        if path.suffix == ".jpg":
            raise PermissionError(13, "Permission denied")
        return give(path, *given, **options)

    monkeypatch.setattr(Path, "open", open_others)
    with pytest.raises(DataError, match=rf"{folder / 'images'}.* cannot be read \(Permission denied\)"):
        photo_files.named()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_not_waited_for(folder):
    (folder / PHOTO).unlink()
    os.mkfifo(folder / PHOTO)
    rescue = threading.Timer(10, (folder / PHOTO).write_bytes, [b""])  # who waits reads nothing then
    rescue.start()
    try:
        with pytest.raises(DataError, match="there is no file"):
            photo_files.named()
    finally:
        rescue.cancel()


# ---- The list of sums ---------------------------------------------------------------------------------------


def test_the_list_may_have_the_line_ends_of_windows(folder):
    photo_files.SUMS.write_bytes(photo_files.SUMS.read_bytes().replace(b"\n", b"\r\n"))
    assert photo_files.named() == folder


@pytest.mark.parametrize("damage", [missing, empty, cut_off, added_to])
def test_a_list_that_is_not_the_one_is_not_believed_and_no_source_blamed_for_it(damage, folder, host):
    photo_files.archive([])
    damage(photo_files.SUMS)
    for ask in (photo_files.named, lambda: photo_files.archive([])):
        with pytest.raises(DataError, match=f"^The list {photo_files.SUMS} .*Restore it.*anew.$"):
            ask()
    assert photo_files.archive_file().read_bytes() == host.content


def test_the_list_that_ships_is_the_one_that_the_code_knows():
    assert hashlib.sha256(REAL_SUMS.encode()).hexdigest() == photo_files.SUMS_SHA256
    names = list(photo_files.sums())
    assert names == sorted(names)
    assert names[0] == photo_files.TABLE
    assert len(names) == 1 + 5_398
    assert all(Path(name).parent == Path("images") and name.endswith(".jpg") for name in names[1:])


# ---- Archives -----------------------------------------------------------------------------------------------


def test_an_archive_gives_the_same_as_the_folder(pack, folder, made):
    with photo_files.opened(pack()) as packed, photo_files.opened(folder) as unpacked:
        for name in photo_files.sums():
            assert packed(name) == unpacked(name) == made[name]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, f"has no sound {PHOTO} .*no item named"),
        (b"", f"{PHOTO} in .*archive.zip is not the file of commit"),
        (b"no JPEG", f"{PHOTO} in .*archive.zip is not the file of commit"),
    ],
)
def test_an_archive_with_a_file_missing_or_changed_is_refused(content, expected, pack):
    with pytest.raises(DataError, match=expected):
        photo_files.verify(pack({PHOTO: content}))


@pytest.mark.parametrize("inside", ["", "clothing-dataset-master/", "../", "/"])
def test_an_archive_of_another_folder_is_refused(inside, pack):
    with pytest.raises(DataError, match="has no sound images"):
        photo_files.verify(pack(inside=inside))


@pytest.mark.parametrize("source", ["folder", "archive"])
def test_a_file_of_any_size_is_read_no_further_than_needed(source, pack, folder):
    path = pack({"images.csv": bytes(2**26)}) if source == "archive" else folder
    os.truncate(folder / "images.csv", 2**26)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="more than 400,000 bytes"):
            photo_files.verify(path)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def with_a_broken_stream(content: bytes) -> bytes:
    changed = bytearray(content)
    at = content.index(PHOTO.encode()) + len(PHOTO)
    changed[at : at + 50] = b"\xff" * 50
    return bytes(changed)


def encrypted(content: bytes) -> bytes:
    changed = bytearray(content)
    for start in range(len(content)):
        if content.startswith(b"PK\x01\x02", start):
            changed[start + 8] |= 1
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"<html>sign in</html>", id="a web page"),
        pytest.param(lambda content: content[:-30], id="cut off"),
        pytest.param(lambda content: content[:1000] + content[2000:], id="with a hole"),
        pytest.param(with_a_broken_stream, id="with a broken stream"),
        pytest.param(encrypted, id="encrypted"),
    ],
)
def test_a_damaged_archive_is_refused(damage, pack):
    path = pack()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{path} (is no sound archive|has no sound)"):
        photo_files.verify(path)


def link_to(target: Path, name: str) -> zipfile.ZipInfo:
    """The entry of a symbolic link, as zip has it: its content is where it leads."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


def test_what_an_archive_holds_besides_is_not_touched_wherever_it_wants_to_be(pack, tmp_path):
    path = pack()
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("../above", f"{INSIDE}../../above", str(tmp_path / "absolute"), f"{INSIDE}images/new.jpg"):
            archive.writestr(name, "written")
        archive.writestr(link_to(tmp_path, f"{INSIDE}link"), str(tmp_path))
        archive.writestr(f"{INSIDE}link/through", "written")
    before, here = everything_under(tmp_path), set(Path.cwd().iterdir())
    photo_files.verify(path)
    assert everything_under(tmp_path) == before
    assert set(Path.cwd().iterdir()) == here


def test_a_link_in_the_place_of_a_photograph_is_not_followed(pack, made, tmp_path):
    path = pack({PHOTO: None})
    (tmp_path / "elsewhere.jpg").write_bytes(made[PHOTO])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link_to(tmp_path, INSIDE + PHOTO), str(tmp_path / "elsewhere.jpg"))
    with pytest.raises(DataError, match=f"{PHOTO} in {path} is not the file of commit"):
        photo_files.verify(path)


# ---- The host -----------------------------------------------------------------------------------------------


def test_the_archive_is_downloaded_once(host):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = photo_files.archive([])
        assert photo_files.archive([]) == path == photo_files.archive_file()
    assert path.read_bytes() == host.content
    assert host.asked == [None]


def test_a_download_that_was_cut_off_is_gone_on_with_the_next_time(host):
    host.cuts = [3_000, 0]
    with pytest.raises(DataError, match="IncompleteRead.* are kept, and the next time it goes on there"):
        photo_files.archive([])
    assert photo_files.archive([]).read_bytes() == host.content
    assert host.asked == [None, "bytes=3000-", "bytes=3000-"]


@pytest.mark.parametrize("what", ["a web page", "another photograph", "another beginning"])
def test_what_the_host_sends_instead_is_reported_and_deleted(what, host, made, tmp_path):
    good = host.content
    if what == "another beginning":
        write({f"{photo_files.archive_file().name}.part": bytes(2_000)}, tmp_path / "cache")
    else:
        host.content = b"<html>" if what == "a web page" else zipped(made | {PHOTO: b"no JPEG"})
    with pytest.warns(DataWarning, match="was deleted"), pytest.raises(DataError, match="could not be found"):
        photo_files.archive([])
    assert list((tmp_path / "cache").iterdir()) == []
    host.content = good
    assert photo_files.archive([]).read_bytes() == good


def test_a_host_that_sends_without_end_is_reported(host, monkeypatch, tmp_path):
    monkeypatch.setattr(photo_files, "LARGEST_ARCHIVE", 1_000)
    with pytest.warns(DataWarning, match="more than 0 MB"), pytest.raises(DataError):
        photo_files.archive([])
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_any_source_the_error_lists_what_was_tried_in_order_and_what_to_do(made):
    with pytest.raises(DataError) as error:
        photo_files.archive(["there is no folder cache", "there is no folder data"])
    message = str(error.value)
    parts = ["could not be found", "folder cache", "folder data", "localhost:1/", "refused", "Bring"]
    places = [message.index(part) for part in [*parts, "FMNIST_PHOTOS_DIR", "or clone", photo_files.COMMIT]]
    assert places == sorted(places)


def test_the_archive_is_asked_for_by_https_at_the_commit():
    assert photo_files.ARCHIVE.startswith("https://github.com/alexeygrigorev/clothing-dataset/archive/")
    assert photo_files.ARCHIVE.endswith(f"/{photo_files.COMMIT}.zip")


# ---- The real ones ------------------------------------------------------------------------------------------


def test_the_real_folder_is_as_the_list_and_the_docstring_say(real_folder):
    photo_files.verify(real_folder)
    table = (real_folder / photo_files.TABLE).read_text(encoding="utf-8")
    rows = {f"images/{row['image']}.jpg" for row in csv.DictReader(io.StringIO(table))}
    here = {path.relative_to(real_folder).as_posix(): path for path in (real_folder / "images").iterdir()}
    assert (len(rows), len(here)) == (5_403, 5_756)
    assert (len(rows - set(here)), len(set(here) - rows)) == (5, 358)
    assert set(photo_files.sums()) == (rows & set(here)) | {photo_files.TABLE}
    sizes = [(real_folder / name).stat().st_size for name in photo_files.sums()]
    assert max(sizes) <= photo_files.LARGEST_FILE
    assert sum(path.stat().st_size for path in here.values()) < photo_files.LARGEST_ARCHIVE
