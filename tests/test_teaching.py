"""What the teacher's page says is so: its plans, headings and answers are the lessons', its messages real."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from helpers import NOTEBOOKS
from keras import layers

from fmnist_utils import data, models, parameters, training
from fmnist_utils.support import files

PAGE = files.PROJECT / "docs" / "teaching.md"
TEXT = PAGE.read_text(encoding="utf-8")
PLANNED = [path for path in NOTEBOOKS if not path.stem.startswith("99")]
QUOTED = re.compile(r"``(.+?)``")
NAMED = re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")
EXERCISE = re.compile(r"[Ee]xercise (\d+\.\d)")
ANSWERED = re.compile(
    r"quick question (\d) \(right: ([A-D]); many take ([A-D])(?: or ([A-D]))?\)", re.IGNORECASE
)
ROW = re.compile(r"^\| (\d+) \|", re.MULTILINE)
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
LABELS = np.arange(40, dtype=np.uint8) % 10
X, Y = data.rescale(IMAGES), data.one_hot(LABELS)


def section(path: Path) -> str:
    """What the page says of a lesson."""
    number = str(int(path.stem[:2]))
    found = re.search(rf"^## {number} · .*?(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"no section for lesson {number}"
    return found[0]


@cache
def cells(path: Path) -> list[nbformat.NotebookNode]:
    return nbformat.read(path, as_version=4).cells


def is_explorer(cell: nbformat.NotebookNode) -> bool:
    return "explorer" in cell.metadata.get("tags", [])


def headings(path: Path) -> set[str]:
    prose = "\n".join(cell.source for cell in cells(path) if cell.cell_type == "markdown")
    return set(re.findall(r"^#+ (.+?)\s*$", prose, re.MULTILINE))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_the_page_names_is_in_the_lesson(path):
    said = section(path)
    assert f"(../notebooks/{path.name})" in said
    title = next(heading for heading in headings(path) if heading.startswith(f"{int(path.stem[:2])} · "))
    short = said.partition("\n")[0].partition("· ")[2]
    assert short.lower() in title.lower()
    assert (named := set(NAMED.findall(said))), "it names nothing to show"
    assert not named - headings(path)
    there = {heading.partition(":")[0] for heading in headings(path) if heading.startswith("Exercise ")}
    assert {f"Exercise {number}" for number in EXERCISE.findall(said)} <= there
    assert path not in PLANNED or {f"Exercise {number}" for number in EXERCISE.findall(said)} == there


@pytest.mark.parametrize("path", PLANNED, ids=lambda path: path.stem)
def test_a_plan_fills_90_minutes_and_says_what_to_leave_out(path):
    said = section(path)
    assert sum(map(int, ROW.findall(said))) == 90
    for part in ("Slides", "Minute 70", "Groups", "Drag"):
        assert said.count(f"\n- **{part}**: ") == 1
    assert said.count("\n- **Explorer**: ") == any(map(is_explorer, cells(path)))
    assert ("explorer" in said) == any(map(is_explorer, cells(path)))


@pytest.mark.parametrize("path", PLANNED, ids=lambda path: path.stem)
def test_the_numbers_of_slides_are_the_decks(path):
    questions, exercises, slide = [], {}, 0
    for cell in cells(path):
        begins = cell.metadata.get("slideshow", {}).get("slide_type") == "slide"
        slide += begins
        if begins and "question" in cell.metadata.get("tags", []):
            questions.append(slide)
        if begins and (exercise := re.match(r"### Exercise (\d+\.\d)", cell.source)):
            exercises[exercise[1]] = slide
    ((name, number),) = exercises.items()
    numbers = ", ".join(map(str, questions))
    line = f"\n- **Slides**: quick questions {numbers}; exercise {name} is {number}.\n"
    assert line in section(path)


@pytest.mark.parametrize("path", PLANNED, ids=lambda path: path.stem)
def test_what_trains_above_an_explorer_is_said(path):
    found = re.search(r"\n- \*\*Explorer\*\*: (.+)", section(path))
    if found is None:
        return
    end = next(i for i, cell in enumerate(cells(path)) if is_explorer(cell))
    above = "\n".join(cell.source for cell in cells(path)[:end] if cell.cell_type == "code")
    assert "Run All Above Selected Cell" in found[1]
    assert ("read back" in found[1]) == ("train_or_load(" in above)
    trains = "train_or_load(" in above or "descend(" in above or ".fit(" in above
    assert ("Nothing trains" in found[1]) != trains


def test_answers_of_exercises_are_right():
    for said in (
        f"= {5 - 3 + 1}, so 3 × 3 × 128; (9 × 64 + 1) × 128 = {(9 * 64 + 1) * 128:,} parameters",
        f"= {784 * 64:,} before the hidden layer and 64 × 10 = {64 * 10} after it",
        f"15 × 55,000 = {15 * 55_000:,}",
        f"= {2 * 3 * 5 * 5 * 3} trainings",
        f"13,824 × 784 = {9 * 32 * 48 * 28**2 / 1e6:.1f} million",
        f"= {2 * 9 * 48**2 + 8 * 48:,} parameters, {2 * 9 * 48**2 * 14**2 / 1e6:.1f} million",
        f"= {2 * 9 * 64**2 + 8 * 64:,} and {2 * 9 * 64**2 * 7**2 / 1e6:.1f} million",
        f"{233_322 + 41_856:,} and {233_322 + 74_240:,}",
        f"= {993 + 96:,}, which is {993 / 1089:.1%}",
        f"49 × 384 = {49 * 384:,} numbers and {49 * 384 * 2 * 55_000 / 1e9:.2f} GB at 97 pixels",
        f"121 × 384 = {121 * 384:,} and {121 * 384 * 2 * 55_000 / 1e9:.2f} GB at 161",
        f"four quarters: {4 * 384:,} numbers and {4 * 384 * 2 * 55_000 / 1e9:.2f} GB",
    ):
        assert said in TEXT, said
    p = 1 / (1 + np.exp(-1))  # exercise 0.1: sums of 0.5 and −0.5
    assert f"loss {np.log(2):.3f}; slopes −0.5 and 0.5" in TEXT
    assert f"p {p:.2f} and {1 - p:.2f}, loss {-np.log(p):.3f}" in TEXT
    draws = np.random.default_rng(0)
    fifty, ten = draws.normal(size=(20_000, 50)), np.sort(draws.normal(size=(20_000, 10)))
    assert fifty.max(axis=1).mean() == pytest.approx(2.25, abs=0.02)
    assert ten[:, -1].mean() == pytest.approx(1.54, abs=0.02)
    assert 0.02 < (0.3 * (ten[:, -1] - ten[:, -2]) >= 0.5).mean() < 0.04


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_answers_to_quick_questions_are_the_lessons(path):
    questions = [cell.source for cell in cells(path) if "question" in cell.metadata.get("tags", [])]
    said = ANSWERED.findall(section(path))
    assert path not in PLANNED or {number for number, *_ in said} == {"1", "2", "3"}
    for number, right, *wrong in said:
        begin = dict(re.findall(r"<summary>([A-D])\..*?</summary>\s+(Right|No):", questions[int(number) - 1]))
        assert begin[right] == "Right", f"question {number}"
        assert {begin[letter] for letter in wrong if letter} == {"No"}, f"question {number}"


def test_links_resolve_and_times_have_their_place():
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT):
        assert (PAGE.parent / target.partition("#")[0]).is_file(), target
    first, marked = TEXT.index("<!-- times: -->"), TEXT.index("<!-- end of times -->")
    assert "| lesson | bfloat16, two cores |" in TEXT[first:marked]


def network(*last: keras.layers.Layer) -> keras.Model:
    model = keras.Sequential([keras.Input((28, 28, 1)), *last])
    model.compile("sgd", "categorical_crossentropy")
    return model


def linear(classes: int = 10) -> keras.Model:
    return network(layers.Flatten(), layers.Dense(classes, activation="softmax"))


@contextmanager
def limited_memory() -> Iterator[None]:
    """No more than a tebibyte of addresses, or a generous system would promise what it does not have."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (2**40, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
        return
    yield


def one_picture() -> None:
    models.two_conv().predict(X[0], verbose=0)


def whole_numbers_as_labels() -> None:
    linear().fit(X, LABELS, verbose=0)


def nine_outputs() -> None:
    linear(classes=9).fit(X, Y, verbose=0)


def fewer_pictures_than_labels() -> None:
    linear().fit(X[:30], Y, verbose=0)


def too_many_poolings() -> None:
    network(*[layer for _ in range(4) for layer in (layers.Conv2D(8, 3), layers.MaxPooling2D())])


def pictures_that_are_no_lists() -> None:
    X[:5] @ np.zeros((784, 10))


def fractions_into_whole_numbers() -> None:
    pictures = IMAGES.copy()
    pictures /= 255


def all_pictures_with_all() -> None:
    pictures = np.broadcast_to(np.uint8(0), (60_000, 28, 28))
    with limited_memory():
        pictures[:, None] - pictures[None]


def a_name_that_was_not_made() -> None:
    exec("trained['two_conv']", {})


def another_python() -> None:
    command = [sys.executable, "-I", "-S", "-c", "import fmnist_utils"]
    done = subprocess.run(command, capture_output=True, text=True)
    raise ModuleNotFoundError(done.stderr.strip().splitlines()[-1].partition(": ")[2])


def quotes_round_a_number() -> None:
    parameters.check({"EPOCHS": "15"})


def pictures_divided_twice() -> None:
    training.predict(linear(), X)


def a_training_asked_for_an_answer() -> None:
    training.Trained.__new__(training.Trained).predict(X)  # type: ignore[attr-defined]


MISTAKES: tuple[Callable[[], None], ...] = (
    one_picture,
    whole_numbers_as_labels,
    nine_outputs,
    fewer_pictures_than_labels,
    too_many_poolings,
    pictures_that_are_no_lists,
    fractions_into_whole_numbers,
    all_pictures_with_all,
    a_name_that_was_not_made,
    another_python,
    quotes_round_a_number,
    pictures_divided_twice,
    a_training_asked_for_an_answer,
)


def last_lines(mistake: Callable[[], None]) -> str:
    """What a red box ends with."""
    try:
        mistake()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError(f"{mistake.__name__} is no mistake")


def shown_by_jupyterlab() -> str:
    """Its own words, as they are installed; the notebook's name is put in."""
    words = re.compile(r'"(The kernel for %1 appears to have died[^"]*)"')
    for path in (Path(sys.prefix) / "share" / "jupyter" / "lab" / "static").glob("jlab_core.*.js"):
        if found := words.search(path.read_text(encoding="utf-8")):
            return found[1].replace("%1", "02_basic_cnn.ipynb")
    raise AssertionError("JupyterLab has other words, or another place for them")


def test_each_message_is_what_the_mistake_gives():
    quoted = QUOTED.findall(TEXT)
    table = TEXT[TEXT.index("| The message |") : TEXT.index("The series' own messages")]
    assert table.count("\n| ``") == 10
    left = list(quoted)
    for said in [*map(last_lines, MISTAKES), shown_by_jupyterlab()]:
        copied = [line for line in left if line in said]
        assert len(copied) == 1, f"not on the page, or twice: {said}"
        left.remove(copied[0])
    assert not left, "nothing gives these"


def test_what_nobody_says_happens():
    assert (IMAGES * 0 - 128).max() == 128
    assert (IMAGES.astype(float) * 0 - 128).max() == -128
    model = linear()
    first, second = (model.fit(X, Y, epochs=3, verbose=0, shuffle=False).history["loss"] for _ in range(2))
    assert second[0] < first[-1] < first[0]
