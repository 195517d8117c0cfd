"""A complete default run becomes the published one, all or none."""

import nbformat
import pytest
from nbconvert import HTMLExporter

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


def test_published_photographs_are_described_in_words_and_other_pictures_stay(tmp_path):
    picture = {"image/png": "aGVsbG8=", "text/plain": "a shirt on a chair"}
    outputs = [
        nbformat.v4.new_output("stream", text="said"),
        nbformat.v4.new_output("display_data", data=picture, metadata={"alt": "a shirt on a chair"}),
    ]
    cells = [
        nbformat.v4.new_code_cell("show()", metadata={"tags": tags}, outputs=outputs, execution_count=1)
        for tags in (["photographs", "nbval-ignore-output"], ["nbval-ignore-output"])
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "10_a.ipynb")

    photographs, other = publish.cleaned(tmp_path / "10_a.ipynb").cells

    assert [output.get("data", output.get("text")) for output in photographs.outputs] == [
        "said",
        {"text/plain": "a shirt on a chair"},
    ]
    assert "aGVsbG8" not in nbformat.writes(nbformat.v4.new_notebook(cells=[photographs]))
    assert other.outputs[1]["data"] == picture


def test_a_published_explorer_shows_nothing_and_keeps_its_place_in_the_slides(tmp_path):
    data = {publish.WIDGET: {"model_id": "1", "version_major": 2, "version_minor": 0}, "text/plain": "controls"}
    outputs = [
        nbformat.v4.new_output("stream", text="said"),
        nbformat.v4.new_output("display_data", data=data),
    ]
    metadata = {"tags": ["explorer"], "slideshow": {"slide_type": "skip"}}
    cell = nbformat.v4.new_code_cell("explore()", metadata=metadata, outputs=outputs, execution_count=1)
    states = {
        "application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}
    }
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": states})
    nbformat.write(notebook, tmp_path / "01_a.ipynb")

    clean = publish.cleaned(tmp_path / "01_a.ipynb")

    assert [output.output_type for output in clean.cells[0].outputs] == ["stream"]
    assert clean.cells[0].metadata == metadata
    assert "widgets" not in clean.metadata
    assert "widget" not in nbformat.writes(clean)
    page, _ = HTMLExporter(
        template_name="pages", extra_template_basedirs=[str(files.PROJECT / "docs")]
    ).from_notebook_node(clean)
    assert "said" in page
    assert "widget-view" not in page
