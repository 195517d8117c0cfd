"""The command classify: its table, its pictures of the steps, its exit status, and what does not disturb it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from photo_kinds import BAD, GOOD, garments, one_colour, photograph, write_kinds
from PIL import Image

from fmnist_utils import __main__
from fmnist_utils.batch import classify
from fmnist_utils.photographs import classifying

COMMAND = [sys.executable, "-m", "fmnist_utils", "classify"]
GIGABYTE = 2**30
ANSWER = re.compile(r"(  [\w/ -]{11} +\d+%){3}$")


class Stub:
    """In the champion's place: a shirt, whatever it is shown."""

    def predict_on_batch(self, pictures: np.ndarray) -> np.ndarray:
        return np.tile(np.array([3, 0, 1, 0, 2, 0, 94, 0, 0, 0], np.float32) / 100, (len(pictures), 1))


@pytest.fixture
def stub(monkeypatch, tmp_path):
    monkeypatch.setattr(classifying, "_champion", Stub)
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "run"))


@pytest.fixture
def shirt(real) -> Image.Image:
    return photograph(garments(real, 1)[0][6])


@pytest.fixture
def photos(shirt, tmp_path) -> Path:
    """A folder with two photographs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("b.jpg", "a.png"):
        shirt.save(folder / name)
    return folder


def said(*words: str | Path) -> int:
    """The exit status of the command with these arguments."""
    return __main__.main(["classify", *map(str, words)])


# ---- The table ----------------------------------------------------------------------------------------------


def test_each_photograph_has_its_line_below_a_caution(photos, stub, capsys):
    assert said(photos) == 0
    head, empty, titles, *rows = capsys.readouterr().out.splitlines()
    assert head == classify.CAUTION and not empty
    assert titles.split() == ["photograph", "likeliest", "second", "third"]
    answer = "Shirt        94%  T-shirt/top   3%  Coat          2%"
    assert rows == [f"{photos / name}  {answer}" for name in ("a.png", "b.jpg")]


def test_a_folder_of_all_kinds_of_files_comes_to_its_end_and_says_what_was_wrong(real, tmp_path, capsys):
    kinds = write_kinds(garments(real, 1)[0][0], tmp_path)
    assert said(*kinds.values()) == 1
    out, error = capsys.readouterr()
    rows = out.splitlines()[3:]
    assert len(rows) == len(kinds)
    for (kind, path), row in zip(kinds.items(), rows, strict=True):
        assert row.startswith(str(path)), kind
        expected = f"not read: it {BAD[kind]}" if kind in BAD else None
        assert expected in row if expected else ANSWER.search(row), row
    assert error == (
        f"fmnist_utils: {len(BAD)} of {len(kinds)} photographs could not be read; their lines say why.\n"
    )
    assert len(GOOD) + len(BAD) == len(kinds)


def test_what_is_not_there_is_a_line_and_nothing_at_all_is_refused(photos, stub, capsys):
    assert said("nowhere.jpg", photos / "a.png") == 1
    missing, found = capsys.readouterr().out.splitlines()[3:]
    assert missing.endswith("not read: it is missing, or no file") and "Shirt" in found
    with pytest.raises(SystemExit, match="2"):
        said()


def test_names_with_line_ends_controls_and_half_characters_stay_in_their_lines(photos, stub, capsys):
    odd = os.fsdecode(b"two\nlines \x1b[31mred \xff.png")
    try:
        (photos / "a.png").rename(photos / odd)
    except (OSError, UnicodeError):
        pytest.skip("this system has no such names")
    assert said(photos, "--to", photos.parent / "steps") == 0
    _, row = capsys.readouterr().out.splitlines()[3:5]
    assert r"two\nlines \x1b[31mred \udcff.png  Shirt" in row
    assert len(list((photos.parent / "steps").iterdir())) == 2


# ---- The steps ----------------------------------------------------------------------------------------------


def test_of_one_photograph_alone_the_steps_are_drawn_in_the_run_folder_and_of_more_if_asked(
    photos, stub, tmp_path, capsys
):
    assert said(photos) == 0
    assert not (tmp_path / "run").exists()
    assert said(photos / "a.png") == 0
    drawn = tmp_path / "run" / "photographs" / "a.png.steps.png"
    assert capsys.readouterr().out.endswith(f"\nSteps: {drawn}\n")
    with Image.open(drawn) as picture:
        assert picture.width > 800
    assert said(photos, "nowhere.jpg", "--to", tmp_path / "steps") == 1
    assert capsys.readouterr().out.endswith(f"\nSteps: {tmp_path / 'steps'}\n")
    assert {path.name for path in (tmp_path / "steps").iterdir()} == {"a.png.steps.png", "b.jpg.steps.png"}


def test_no_photograph_is_overwritten_or_taken_for_steps(photos, stub, capsys):
    before = {path: path.read_bytes() for path in photos.iterdir()}
    for folder in (photos, photos / ".." / "photos"):
        assert said(photos / "a.png", "--to", folder) == 2
        assert f"Photographs lie in {photos}. Name another folder" in capsys.readouterr().err
    assert said(photos / "a.png", "--to", photos / "b.jpg") == 2
    assert "b.jpg is no folder" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in photos.iterdir()} == before


def test_steps_of_photographs_with_one_name_or_a_long_one_are_all_kept(photos, shirt, stub, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(photos, other)
    shirt.save(other / "A.PNG")
    shirt.save(other / f"{'ä' * 100}.png")
    targets = list(classify._targets(classifying.listed([photos, other]), tmp_path / "steps"))
    names = [path.name for path in targets]
    assert names[:4] == ["a.png.steps.png", "b.jpg.steps.png", "A.PNG-2.steps.png", "a.png-3.steps.png"]
    assert len({name.casefold() for name in names}) == len(names) == 6
    assert said(photos, other, "--to", tmp_path / "steps") == 0
    assert {path.name for path in (tmp_path / "steps").iterdir()} == set(names)


# ---- Endings, streams, sizes --------------------------------------------------------------------------------


@pytest.fixture
def many(shirt, tmp_path) -> Path:
    """A folder with four thousand names of one photograph."""
    folder = tmp_path / "many"
    folder.mkdir()
    shirt.save(folder / "0.jpg")
    for number in range(1, 4_000):
        os.link(folder / "0.jpg", folder / f"{number}.jpg")
    return folder


def test_ctrl_c_ends_it_at_once_and_without_a_traceback(many):
    process = subprocess.Popen([*COMMAND, many], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(10):
        process.stdout.readline()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 10
    assert out.count("\n") < 3_000
    assert error == "\nfmnist_utils: stopped; nothing is half-written\n"


@pytest.mark.parametrize("stream", ["| head -1", "<&- >&- 2>&-"])
def test_it_comes_to_its_end_without_a_reader(stream, photos):
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {' '.join(COMMAND)} {photos} {stream}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr


def test_a_terminal_without_letters_beyond_ascii_shows_others(photos):
    (photos / "a.png").rename(photos / "été.png")
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run([*COMMAND, photos], env=ascii_only, capture_output=True)
    assert done.returncode == 0 and not done.stderr
    assert b".png  " in done.stdout


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the peak of a process is not told here")
def test_a_hundred_megapixels_take_little_more_memory_than_a_small_photograph(photos, tmp_path):
    huge = one_colour(tmp_path / "huge.png", 10_000)
    assert huge.stat().st_size < 2_000_000
    small, large = (_peak(path) for path in (photos / "a.png", huge))
    assert large - small < 0.2 * GIGABYTE, "4 bytes a pixel are less than TensorFlow takes afterwards"


def _peak(path: Path) -> int:
    """The most memory in bytes that the command held while it classified a photograph well."""
    process = subprocess.Popen([*COMMAND, path, "nowhere"], stdout=subprocess.PIPE, text=True)
    rows = process.stdout.read().splitlines()[3:]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1 and ANSWER.search(rows[0]), rows
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1_024)
