"""A complete default run becomes the published one, all or none."""

import nbformat
import pytest

from fmnist_utils.batch import publish, series
from fmnist_utils.support import files, progress


def test_publishing_cleans_and_moves_everything_together(make_notebook, tmp_path):
    project = tmp_path
    notebook = make_notebook("01_a", "works", "shows")
    (project / "README.md").write_text(f"top\n{publish.MARKS[0]}\nold\n{publish.MARKS[1]}\nbottom\n")
    folder = series.run([notebook], {}, tmp_path / "run")
    files.write_text(folder / "results.md", "| new |\n")
    files.write_json(folder / "results.json", [])
    (folder / "figures").mkdir()
    (folder / "figures" / "01_new.png").write_bytes(b"png")
    (project / "figures").mkdir()
    (project / "figures" / "01_old.png").write_bytes(b"png")

    publish.publish(folder, project)

    assert (
        (project / "README.md").read_text()
        == f"top\n{publish.MARKS[0]}\n| new |\n\n{publish.replicates_table()}\n{publish.MARKS[1]}\nbottom\n"
    )
    assert [path.name for path in (project / "figures").iterdir()] == ["01_new.png"]
    written = sorted(path.name for path in (project / "results").iterdir())
    assert written == ["constraints.txt", "kept.json", "published.json", "published.md", "seconds.json"]
    assert "\nkeras==3." in (project / "results" / "constraints.txt").read_text()
    text = notebook.read_text()
    assert "papermill" not in text
    assert progress.PROGRESS in text
    cells = nbformat.read(notebook, as_version=4).cells
    assert [cell.execution_count for cell in cells] == [1, 2, 3]
    assert cells[0].metadata == {"tags": ["parameters"]}
    assert not list(project.glob(".publishing-*"))


def test_only_a_complete_default_run_of_the_present_notebooks_is_published(make_notebook, tmp_path):
    notebook = make_notebook("01_a", "works")
    (tmp_path / "README.md").write_text(f"{publish.MARKS[0]}\n{publish.MARKS[1]}")
    with_parameters = series.run([notebook], {"EPOCHS": 2}, tmp_path / "run1")
    with pytest.raises(series.BatchError, match="default parameters"):
        publish.publish(with_parameters, tmp_path)
    default = series.run([notebook], {}, tmp_path / "run2")
    files.write_text(default / "results.md", "")
    edited = nbformat.read(notebook, as_version=4)
    edited.cells[1].source += "\n# edited"
    nbformat.write(edited, notebook)
    before = notebook.read_text()
    with pytest.raises(series.BatchError, match="edited after the run"):
        publish.publish(default, tmp_path)
    assert notebook.read_text() == before
    assert not list(tmp_path.glob(".publishing-*"))
