"""The data is the real one, from the first source that has it, or an error says why not."""

import gzip
import multiprocessing
import os
import shutil
import subprocess
import warnings

import numpy as np
import pytest

from fmnist_utils import data
from fmnist_utils.support import downloads, sources


def same(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[key], right[key]) for key in left)


def path_of(folder, key):
    return folder / f"{sources.FILES[key].name}.gz"


def rewrite(folder, key, content):
    path_of(folder, key).write_bytes(gzip.compress(content))


def test_real_data_has_the_official_content(real):
    assert real.train.images.shape == (60_000, 28, 28)
    assert real.test_images.shape == (10_000, 28, 28)
    assert np.array_equal(np.bincount(real.train.labels), [6_000] * 10)
    assert real.train.labels[:5].tolist() == [9, 0, 0, 3, 0]


def test_a_named_folder_is_used_and_leaves_the_cache_alone(tiny, write_idx, own_folders, monkeypatch):
    folder = write_idx(own_folders / "mine")
    assert same(sources.load_arrays(folder), tiny)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(folder))
    assert same(sources.load_arrays(), tiny)
    assert not sources.cache_file().exists()


def test_unzipped_files_are_read_too(tiny, write_idx, own_folders):
    folder = write_idx(own_folders / "mine")
    for key, file in sources.FILES.items():
        (folder / file.name).write_bytes(gzip.decompress(path_of(folder, key).read_bytes()))
        path_of(folder, key).unlink()
    assert same(sources.load_arrays(folder), tiny)


def test_a_bad_named_folder_stops_even_if_others_are_good(tiny, write_idx, own_folders, monkeypatch):
    write_idx(downloads.SYSTEM_DIR)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(own_folders / "nowhere"))
    with pytest.raises(sources.DataError, match="nowhere is not a folder(.|\n)*no other source"):
        sources.load_arrays()


@pytest.mark.parametrize("place", ["keras/datasets/fashion-mnist", "system"])
def test_a_copy_on_this_computer_is_found_and_cached(place, tiny, write_idx, own_folders):
    write_idx(own_folders / place)
    assert same(sources.load_arrays(), tiny)
    for path in (own_folders / place).iterdir():
        path.unlink()
    assert same(sources.load_arrays(), tiny), "the cache alone is enough"


@pytest.mark.parametrize("downloader", ["with_keras", "with_apt"])
def test_downloads_come_last_and_leave_nothing_but_the_cache(
    downloader, tiny, write_idx, own_folders, monkeypatch
):
    used = []
    monkeypatch.setattr(sources.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(downloads, downloader, lambda folder: used.append(folder) or write_idx(folder / "deep"))
    assert same(sources.load_arrays(), tiny)
    assert len(used) == 1
    assert not used[0].exists()
    assert sources.fetch() == sources.cache_file()
    assert len(used) == 1, "the cache is used the second time"


def test_without_any_source_the_error_lists_all_that_was_tried(tiny, own_folders, monkeypatch):
    monkeypatch.setattr(sources.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(sources.DataError) as error:
        sources.load_arrays()
    message = str(error.value)
    for part in ("cache", "keras", "system", "host not found", downloads.PACKAGE, "FMNIST_DATA_DIR"):
        assert part in message
    assert not sources.cache_file().exists()


def cut_content(folder, key):
    whole = path_of(folder, key).read_bytes()
    path_of(folder, key).write_bytes(whole[: len(whole) // 2])


def short_content(folder, key):
    rewrite(folder, key, gzip.decompress(path_of(folder, key).read_bytes())[:-5])


def not_gzip(folder, key):
    path_of(folder, key).write_bytes(b"<html>not found</html>")


def missing(folder, key):
    path_of(folder, key).unlink()


def swapped(folder, key):
    other = {"train": "test", "test": "train"}[key[: key.index("_")]] + key[key.index("_") :]
    path_of(folder, key).write_bytes(path_of(folder, other).read_bytes())


def other_header(folder, key):
    rewrite(folder, key, b"\0\0\x08\x02" + gzip.decompress(path_of(folder, key).read_bytes())[4:])


def other_pixels(folder, key):
    content = bytearray(gzip.decompress(path_of(folder, key).read_bytes()))
    content[-1] ^= 1
    rewrite(folder, key, bytes(content))


@pytest.mark.parametrize("key", ["train_images", "test_labels"])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (cut_content, "cut off or damaged"),
        (short_content, "bytes of .*cut off or added to"),
        (not_gzip, "no sound gzip file"),
        (missing, "missing"),
        (swapped, "holds the content of .* swapped"),
        (other_header, "header is not that of an IDX file"),
        (other_pixels, "plain MNIST has files of the same name"),
    ],
)
def test_each_kind_of_damage_is_named(damage, expected, key, tiny, write_idx, own_folders):
    folder = write_idx(own_folders / "mine")
    damage(folder, key)
    with pytest.raises(sources.DataError, match=expected) as error:
        sources.load_arrays(folder)
    assert str(folder / sources.FILES[key].name) in str(error.value)


def test_plain_mnist_is_told_by_its_unequal_classes(tiny, write_idx, own_folders):
    folder = write_idx(own_folders / "mine")
    rewrite(folder, "train_labels", sources.FILES["train_labels"].header + bytes([1] * 40))
    with pytest.raises(sources.DataError, match="classes are not of equal size"):
        sources.load_arrays(folder)


def test_a_bad_source_is_reported_and_the_next_one_used(tiny, write_idx, own_folders):
    not_gzip(write_idx(own_folders / "keras/datasets/fashion-mnist"), "train_images")
    write_idx(downloads.SYSTEM_DIR)
    with pytest.warns(sources.DataWarning, match="no sound gzip file.*next source"):
        assert same(sources.load_arrays(), tiny)


@pytest.mark.parametrize("content", [b"", b"not an archive", None])
def test_a_bad_cache_is_reported_and_replaced(content, tiny, write_idx, own_folders):
    write_idx(downloads.SYSTEM_DIR)
    sources.load_arrays()
    path = sources.cache_file()
    if content is None:
        np.savez(path, **(tiny | {"train_images": 255 - tiny["train_images"]}))
    else:
        path.write_bytes(content)
    with pytest.warns(sources.DataWarning, match="cache"):
        assert same(sources.load_arrays(), tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(sources.load_arrays(), tiny)


def test_a_cut_off_cache_is_reported(tiny, write_idx, own_folders):
    write_idx(downloads.SYSTEM_DIR)
    sources.load_arrays()
    path = sources.cache_file()
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.warns(sources.DataWarning, match="damaged"):
        assert same(sources.load_arrays(), tiny)


def test_an_unwritable_cache_warns_a_reader_and_stops_a_fetch(tiny, write_idx, own_folders):
    write_idx(downloads.SYSTEM_DIR)
    (own_folders / "cache").write_text("a file where the folder should be")
    with pytest.warns(sources.DataWarning, match="could not be written.*XDG_CACHE_HOME"):
        assert same(sources.load_arrays(), tiny)
    with pytest.raises(sources.DataError, match="could not be written"):
        sources.fetch()


def test_a_write_that_fails_leaves_nothing_behind(tiny, own_folders, monkeypatch):
    def full(*_args, **_arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources.np, "savez", full)
    with pytest.raises(sources.DataError, match="No space left"):
        sources.write_cache(tiny)
    assert list(sources.cache_file().parent.iterdir()) == []


def _write_real_cache(folder):
    os.environ["XDG_CACHE_HOME"] = str(folder)
    sources.write_cache(sources.load_arrays())


def test_two_processes_may_write_the_cache_at_once(real, tmp_path, monkeypatch):
    spawn = multiprocessing.get_context("spawn")
    idx = _write_real_idx(tmp_path / "idx", sources.load_arrays())
    processes = [spawn.Process(target=_write_real_cache, args=(tmp_path,)) for _ in range(2)]
    monkeypatch.setenv("FMNIST_DATA_DIR", str(idx))
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert [path.name for path in (tmp_path / "fmnist_utils").iterdir()] == ["fashion-mnist.npz"]


def test_each_source_serves_before_those_that_come_later(tiny, write_idx, own_folders, monkeypatch):
    used = []
    monkeypatch.setattr(sources.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(
        downloads, "with_keras", lambda folder: used.append("Keras") or write_idx(folder / "in")
    )
    monkeypatch.setattr(downloads, "with_apt", lambda folder: used.append("Debian") or write_idx(folder / "in"))
    keras_cache = write_idx(own_folders / "keras/datasets/fashion-mnist")
    system = write_idx(downloads.SYSTEM_DIR)

    def load_without_cache():
        sources.cache_file().unlink(missing_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a bad source that is looked at would warn
            assert same(sources.load_arrays(), tiny)

    not_gzip(system, "train_images")
    load_without_cache()
    shutil.rmtree(keras_cache)
    write_idx(system)
    load_without_cache()
    assert used == []
    shutil.rmtree(system)
    load_without_cache()
    assert used == ["Keras"]


def test_a_folder_that_may_not_be_entered_is_passed_over(tiny, write_idx, own_folders, monkeypatch):
    def shut(*_):
        raise PermissionError(13, "Permission denied", "somebody's folder")

    monkeypatch.setattr(sources, "_from_keras_cache", shut)
    write_idx(downloads.SYSTEM_DIR)
    with pytest.warns(sources.DataWarning, match="Permission denied.*somebody's folder"):
        assert same(sources.load_arrays(), tiny)


def _write_real_idx(folder, arrays):
    folder.mkdir()
    for key, file in sources.FILES.items():
        (folder / file.name).write_bytes(file.header + arrays[key].tobytes())
    return folder


def test_keras_is_asked_to_download_into_a_folder_of_its_own(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(downloads, "run", lambda command, folder, home: seen.update(command=command, home=home))
    place = downloads.with_keras(tmp_path)
    assert seen["home"]["KERAS_HOME"] == str(tmp_path)
    assert "fashion_mnist.load_data()" in seen["command"][-1]
    assert place == tmp_path / "datasets" / "fashion-mnist"


def test_apt_fetches_its_lists_into_a_private_folder_when_they_are_missing(tmp_path, monkeypatch):
    commands = []

    def run(command, folder, environment=None, check=True):
        commands.append(command)
        if len(commands) == 1:
            raise subprocess.CalledProcessError(100, command, stderr="E: Unable to locate package")
        if command[-2:] == ["download", downloads.PACKAGE]:
            (folder / "dataset.deb").touch()

    monkeypatch.setattr(downloads, "run", run)
    place = downloads.with_apt(tmp_path)
    assert [command[0] for command in commands] == ["apt-get", "apt-get", "apt-get", "dpkg-deb"]
    assert "update" in commands[1]
    assert f"Dir::State::Lists={tmp_path / 'lists'}" in commands[1]
    assert place == tmp_path / "unpacked/usr/share/datasets/fashion-mnist"


def test_load_gives_no_test_labels_and_read_test_logs_its_purpose(tiny, write_idx, own_folders):
    write_idx(downloads.SYSTEM_DIR)
    known = data.load()
    assert not hasattr(known, "test_labels")
    with pytest.raises(ValueError, match="purpose"):
        data.read_test(" ")
    test = data.read_test("a test of the log")
    assert np.array_equal(test.labels, tiny["test_labels"])
    assert (own_folders / "runs" / "test_labels.log").read_text().endswith("  a test of the log\n")
