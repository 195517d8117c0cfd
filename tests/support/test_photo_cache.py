"""The photographs are decoded once, from the first source that has them, and read back as they were decoded."""

import io
import multiprocessing
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import photo_sources
import pytest
from photo_sources import KIDS, LABELS, SENDERS, jpeg, name_of, write, zipped
from PIL import Image

from fmnist_utils.support import files, photo_cache, photo_files
from fmnist_utils.support.sources import DataError, DataWarning

SOURCES = ("named", "cache", "data", "host")  # in their order
COUNT = len(SENDERS)
EXIF_ORIENTATION = 274


@pytest.fixture
def give(made, server, tmp_path, monkeypatch):
    """A function that puts the made data set, or a decoded one, where a source has it; returns its place."""

    def give(source: str) -> Path | None:
        if source == "named":
            monkeypatch.setenv("FMNIST_PHOTOS_DIR", str(tmp_path / "named"))
            return write(made, tmp_path / "named")
        if source == "host":
            server.content = zipped(made)
            monkeypatch.setattr(photo_files, "ARCHIVE", server.url)
            return None
        place = photo_cache.cache_folder() if source == "cache" else photo_cache.BESIDE
        photo_cache._make(write(made, tmp_path / f"for {source}"), place)
        return place

    return give


def spoil(source: str, place: Path | None, server) -> None:
    """Make a source one that warns or stops if it is looked at."""
    if source == "host":
        server.status = 500
    elif source == "named":
        (place / "images.csv").unlink()
    else:
        (place / "pixels").unlink()


def same(arrays, others) -> bool:
    images = zip(arrays["image"], others["image"], strict=True)
    return all(np.array_equal(*pair) for pair in images) and all(
        np.array_equal(arrays[key], others[key]) for key in ("sender", "label", "kids")
    )


@pytest.fixture
def expected(made):
    """What has to be read from the made data set."""
    images = [photo_cache.decode(made[f"images/{name_of(position)}.jpg"]) for position in range(COUNT)]
    return {
        "image": images,
        "sender": list(SENDERS),
        "label": [LABELS[position % 3] for position in range(COUNT)],
        "kids": [position in KIDS for position in range(COUNT)],
    }


# ---- The sources --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_serves_before_those_that_come_later(source, give, server, expected):
    place = give(source)
    for later in SOURCES[SOURCES.index(source) + 1 :]:
        spoil(later, give(later), server)
    if source == "named":
        # its files are verified and decoded; a cache that is there was made from the very same ones
        with pytest.warns(DataWarning, match="cannot be read"):
            assert photo_cache.fetch() == photo_cache.cache_folder()
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert photo_cache.fetch() == (place or photo_cache.cache_folder())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert same(photo_cache.load(), expected)


@pytest.mark.parametrize("source", ["named", "host"])
def test_what_was_decoded_is_kept_and_nothing_beside_it(source, give, server, monkeypatch, tmp_path):
    give(source)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = photo_cache.load()
        monkeypatch.setattr(photo_cache, "decode", None)
        assert same(photo_cache.load(), first)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [photo_cache.NAME]
    assert sorted(path.name for path in photo_cache.cache_folder().iterdir()) == ["index.npz", "pixels"]
    assert len(server.asked) == (source == "host")


def test_a_named_folder_that_is_bad_stops_though_the_cache_is_good(give):
    give("cache")
    (give("named") / "images.csv").write_bytes(b"image,sender_id,label,kids\n")
    with pytest.raises(DataError, match="images.csv is not the file of commit(.|\n)*FMNIST_PHOTOS_DIR"):
        photo_cache.load()


def test_without_any_source_the_error_lists_all_that_was_tried_in_order(made, tmp_path):
    with pytest.raises(DataError) as error:
        photo_cache.load()
    tried = [photo_cache.cache_folder(), photo_cache.BESIDE, photo_files.ARCHIVE, "FMNIST_PHOTOS_DIR"]
    places = [str(error.value).index(str(part)) for part in tried]
    assert places == sorted(places)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_decoding_that_is_killed_costs_no_second_download(give, server, monkeypatch, tmp_path):
    give("host")

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(photo_cache, "decode", killed)
        photo_cache.load()
    assert list((tmp_path / "cache").iterdir()) == [photo_files.archive_file()]
    assert len(photo_cache.load()["image"]) == COUNT
    assert server.asked == [None]


# ---- What is read -------------------------------------------------------------------------------------------


def test_the_rows_that_have_a_file_come_in_their_order(give, expected):
    give("named")
    arrays = photo_cache.load()
    assert same(arrays, expected)
    kinds = {key: array.dtype.kind for key, array in arrays.items()}
    assert kinds == {"image": "O", "sender": "i", "label": "U", "kids": "b"}
    assert all(array.shape == (COUNT,) for array in arrays.values())


def test_images_are_views_of_one_file_and_cannot_be_written(give):
    give("named")
    arrays = photo_cache.load()
    images = arrays["image"]
    assert {(image.dtype, image.ndim, image.shape[2]) for image in images} == {(np.dtype(np.uint8), 3, 3)}
    assert not any(image.flags.owndata or image.flags.writeable for image in images)
    assert not any(array.flags.writeable for array in arrays.values())
    size = (photo_cache.cache_folder() / "pixels").stat().st_size
    assert size == sum(image.size for image in images)
    starts = [image.__array_interface__["data"][0] for image in images]
    assert np.diff(starts).tolist() == [image.size for image in images[:-1]], "one after the other in one array"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((400, 300), (200, 150)), ((300, 400), (150, 200)), ((700, 700), (200, 200)), ((100, 50), (200, 100))],
)
def test_the_longer_side_has_200_pixels(shape, expected):
    image = photo_cache.decode(jpeg(np.zeros((*shape, 3), np.uint8)))
    assert image.shape == (*expected, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, lambda image: image), (3, lambda image: image[::-1, ::-1]), (6, lambda image: np.rot90(image, -1))],
)
def test_a_photograph_that_says_how_the_camera_was_held_is_turned_upright(orientation, upright):
    image = np.zeros((120, 200, 3), np.uint8)
    image[:60, :100] = (255, 0, 0)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    decoded = photo_cache.decode(jpeg(image, exif=exif))
    assert decoded.shape == upright(image).shape
    assert np.abs(decoded.astype(int) - upright(image)).mean() < 3


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_printers_colours_become_red_green_and_blue(mode):
    buffer = io.BytesIO()
    Image.new("RGB", (200, 100), (200, 200, 200)).convert(mode).save(buffer, "JPEG")
    decoded = photo_cache.decode(buffer.getvalue())
    assert decoded.shape == (100, 200, 3)
    assert np.abs(decoded.astype(int) - 200).max() < 3


# ---- Damage -------------------------------------------------------------------------------------------------


def missing(folder, name):
    (folder / name).unlink()


def empty(folder, name):
    (folder / name).write_bytes(b"")


def cut_off(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def changed(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", ["pixels", "index.npz"])
@pytest.mark.parametrize("damage", [missing, empty, cut_off, changed])
def test_a_damaged_cache_is_reported_and_made_anew(damage, name, give, expected):
    place = give("cache")
    give("host")
    damage(place, name)
    with pytest.warns(DataWarning, match=f"the cache {place} .*Trying the next source"):
        assert same(photo_cache.load(), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(photo_cache.load(), expected)


def test_an_index_that_would_run_code_is_not_read(give, tmp_path):
    place = give("cache")
    give("host")
    np.savez(place / "index.npz", sender=np.array([Mark(tmp_path / "executed")], object))
    with pytest.warns(DataWarning, match="cannot be read"):
        photo_cache.load()
    assert not (tmp_path / "executed").exists()


class Mark:
    """An object whose pickle leaves a file where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("obstacle", ["a file for its folder", "a file in its place"])
def test_a_cache_that_cannot_be_written_is_named(obstacle, give, tmp_path):
    give("named")
    place = tmp_path / "cache" if obstacle == "a file for its folder" else photo_cache.cache_folder()
    place.parent.mkdir(exist_ok=True)
    place.touch()
    with pytest.raises(DataError, match="are good, but .* could not be written.*XDG_CACHE_HOME") as error:
        photo_cache.load()
    assert str(photo_cache.cache_folder()) in str(error.value)


def test_a_full_disk_leaves_nothing_half_made(give, monkeypatch, tmp_path):
    give("named")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match="No space left on device.*room for 500 MB"):
        photo_cache.load()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_locked_is_read(give, monkeypatch, expected):
    give("cache")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.FileLock, "acquire", refuse)
    assert same(photo_cache.load(), expected)


# ---- Two at once --------------------------------------------------------------------------------------------


def _load(folder: Path, url: str, checksum: str, barrier) -> None:
    photo_files.user_cache_path = lambda *_, **__: folder / "cache"
    photo_files.SUMS, photo_files.SUMS_SHA256 = folder / "sums", checksum
    photo_files.ARCHIVE, photo_cache.BESIDE = url, folder / "data"
    decode = photo_cache.decode

    def noted(content: bytes) -> np.ndarray:
        (folder / f"decoded by {os.getpid()}").touch()
        return decode(content)

    photo_cache.decode = noted
    barrier.wait(60)
    assert len(photo_cache.load()["image"]) == COUNT


def test_of_two_processes_at_once_one_downloads_and_decodes(give, server, tmp_path):
    give("host")
    spawn = multiprocessing.get_context("spawn")
    arguments = tmp_path, server.url, photo_files.SUMS_SHA256, spawn.Barrier(2)
    processes = [spawn.Process(target=_load, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert server.asked == [None]
    assert len(list(tmp_path.glob("decoded by *"))) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [photo_cache.NAME]


# ---- The real ones ------------------------------------------------------------------------------------------


def test_the_real_cache_is_read_in_under_two_seconds_by_a_fresh_process(real_photographs):
    script = (
        "import time; from fmnist_utils.support import photo_cache as c; t = time.perf_counter(); c.load(); "
    )
    script += "print(time.perf_counter() - t)"
    environment = {name: value for name, value in os.environ.items() if name != "FMNIST_PHOTOS_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=files.PROJECT, env=environment, capture_output=True
    )
    assert float(done.stdout) < 2, done.stderr.decode()
    assert len(real_photographs) == 5_398
    assert {max(image.shape) for image in real_photographs.image} == {photo_cache.SIDE}


def test_the_made_photographs_are_in_another_order_than_their_names():
    names = [photo_sources.name_of(position) for position in range(COUNT)]
    assert sorted(names) != names and len(set(names)) == COUNT
