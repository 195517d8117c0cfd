"""What the lessons' cells say of slides, and where reveal.js comes from."""

import nbformat
import pytest
from helpers import NOTEBOOKS

from fmnist_utils.batch import series, slides
from fmnist_utils.support import sources

KINDS = {"slide", "-", "fragment", "notes", "skip"}


def kind(cell: nbformat.NotebookNode) -> str:
    return cell.metadata.get("slideshow", {}).get("slide_type", "")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_cell_says_what_it_is_on_a_slide(path):
    cells = nbformat.read(path, as_version=4).cells
    assert {kind(cell) for cell in cells} <= KINDS
    assert kind(cells[0]) == "slide"
    assert 12 <= sum(kind(cell) == "slide" for cell in cells) <= 20
    questions = [cell for cell in cells if "question" in cell.metadata.get("tags", [])]
    assert [kind(cell) for cell in questions] == ["slide"] * 3
    notes = sum(len(cell.source) for cell in cells if kind(cell) == "notes")
    assert notes > 2_000, "the lesson's prose is what its speaker says"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_slide_shows_at_most_ten_lines_of_code_and_no_solution(path):
    for cell in nbformat.read(path, as_version=4).cells:
        tags = cell.metadata.get("tags", [])
        shown = cell.cell_type == "code" and kind(cell) not in ("skip", "notes")
        if shown and slides.WITHOUT_CODE not in tags:
            assert not cell.metadata.get("jupyter", {}).get("source_hidden"), cell.source
            assert len(cell.source.splitlines()) <= 10, cell.source
        assert not shown or not {"solution", "exercise", "explorer"} & set(tags), cell.source


def test_an_archive_that_is_not_the_known_one_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "cache_file", lambda: tmp_path / "cache" / "data.npz")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    package = slides.PACKAGES[0]
    kept = tmp_path / "cache" / package.archive
    kept.parent.mkdir()
    kept.write_bytes(b"something else")
    with pytest.raises(series.BatchError, match=f"need {package.name} {package.version} from npm") as raised:
        slides.write([], tmp_path / "slides")
    assert str(kept.parent) in str(raised.value)
    npm = tmp_path / "bin" / "npm"
    npm.write_text(f"#!/bin/sh\necho forged > {package.archive}\n")
    npm.chmod(0o755)
    with pytest.raises(series.BatchError, match="was not used"):
        slides.write([], tmp_path / "slides")
    assert not (tmp_path / "slides").exists()
