"""Photographs classified: which are found, what each kind of file gets, and how much is read ahead."""

import os
from pathlib import Path

import numpy as np
import pytest
from photo_kinds import BAD, GOOD, garments, photograph, write_kinds
from PIL import Image

from fmnist_utils import champion, data
from fmnist_utils.photographs import classifying
from fmnist_utils.photographs.classifying import Answer
from fmnist_utils.support import files


class Stub:
    """In the champion's place: the last class is the likeliest, then the one before it, and so on."""

    def predict_on_batch(self, pictures: np.ndarray) -> np.ndarray:
        assert pictures.dtype == np.float32 and pictures.shape[1:] == (28, 28, 1)
        return np.tile(np.arange(10, dtype=np.float32) / 45, (len(pictures), 1))


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setattr(classifying, "_champion", Stub)


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The paths that were read, of photographs that need not be there."""
    done: list[Path] = []

    def read(path: Path) -> Answer:
        done.append(path)
        return Answer(path, steps={"only": np.zeros((28, 28), np.uint8)})

    monkeypatch.setattr(classifying, "_read", read)
    return done


# ---- Which are found ----------------------------------------------------------------------------------------


def test_a_folder_stands_for_its_pictures_by_name_and_a_file_for_itself(tmp_path):
    for name in ("b.jpg", "a.PNG", "c.heic", "notes.txt", "._b.jpg", "inside/d.jpg", "none/readme.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    asked = [tmp_path / "notes.txt", tmp_path, tmp_path / "missing.jpg", tmp_path / "none", tmp_path / "b.jpg"]
    expected = ["notes.txt", "a.PNG", "b.jpg", "c.heic", "missing.jpg", "none", "b.jpg"]
    assert classifying.listed(asked) == [tmp_path / name for name in expected]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_stays_in_the_list(tmp_path, stub):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    assert classifying.listed([closed]) == [closed]
    assert "cannot be read" in next(classifying.classify([closed])).fault


# ---- What the champion says ---------------------------------------------------------------------------------


def test_garments_laid_on_a_cloth_are_known(real, tmp_path):
    images, labels = garments(real, 3)
    paths = [tmp_path / f"{number:02}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        photograph(image).save(path)
    answers = list(classifying.classify(paths))
    assert [answer.path for answer in answers] == paths
    said = np.array([answer.likeliest[0][0] for answer in answers])
    assert np.mean(said == np.array(data.CLASS_NAMES)[labels]) >= 0.7, said


def test_an_answer_has_the_three_likeliest_classes_with_their_probabilities(stub, tmp_path, real):
    photograph(garments(real, 1)[0][0]).save(tmp_path / "a.png")
    (answer,) = classifying.classify([tmp_path / "a.png"])
    expected = [("Ankle boot", 9 / 45), ("Bag", 8 / 45), ("Sneaker", 7 / 45)]
    assert [name for name, _ in answer.likeliest] == [name for name, _ in expected]
    assert [share for _, share in answer.likeliest] == pytest.approx([share for _, share in expected])
    assert list(answer.steps.values())[-1].shape == (28, 28)
    assert not answer.fault


def test_files_of_every_kind_are_answered_or_have_a_reason_and_stop_nothing(real, tmp_path):
    kinds = write_kinds(garments(real, 1)[0][0], tmp_path)
    answers = {answer.path: answer for answer in classifying.classify(list(kinds.values()))}
    assert list(answers) == list(kinds.values())
    for kind, path in kinds.items():
        answer = answers[path]
        assert bool(answer.fault) == (not answer.likeliest) == (not answer.steps) == (kind in BAD), kind
        assert BAD.get(kind, "") in answer.fault
        assert str(path) not in answer.fault, "its name stands beside it"
    said = {kind: answers[kinds[kind]].likeliest[0][0] for kind in GOOD}
    assert set(said.values()) == {said["plain"]}, said


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3000), (3000, 1), (5, 5)])
@pytest.mark.parametrize("colours", [1, 256])
def test_pictures_of_odd_shapes_stop_nothing(size, colours, stub, tmp_path):
    pixels = np.random.default_rng(0).integers(0, colours, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "odd.png")
    (answer,) = classifying.classify([tmp_path / "odd.png"])
    assert answer.likeliest


def test_what_cannot_be_read_is_not_put_to_the_champion(monkeypatch, tmp_path):
    monkeypatch.setattr(classifying, "_champion", lambda: pytest.fail("it was loaded"))
    (answer,) = classifying.classify([tmp_path / "missing.jpg"])
    assert answer == Answer(tmp_path / "missing.jpg", "is missing, or no file")


@pytest.mark.parametrize("error", [ValueError("another checksum"), FileNotFoundError("no such file")])
def test_a_champion_that_is_damaged_or_missing_is_said(error, monkeypatch):
    def load():
        raise error

    monkeypatch.setattr(champion, "load", load)
    with pytest.raises(files.UnreadableError, match=str(error)):
        classifying._champion.__wrapped__()


# ---- How much is read ahead ---------------------------------------------------------------------------------


def test_a_thousand_photographs_are_never_in_memory_together(stub, reads):
    paths = [Path(f"{number}.jpg") for number in range(1_000)]
    answers = classifying.classify(paths)
    for answered, path in enumerate(paths):
        assert next(answers).path == path
        assert len(reads) <= answered + classifying._AHEAD + classifying._BATCH
    assert sorted(reads) == sorted(paths)


def test_who_stops_asking_is_not_waited_for(stub, reads):
    answers = classifying.classify([Path(f"{number}.jpg") for number in range(1_000)])
    next(answers)
    answers.close()
    assert len(reads) <= classifying._AHEAD + classifying._BATCH
