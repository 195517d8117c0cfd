"""The web pages of the lessons: nbconvert with the project's template."""

import re
import subprocess
import sys

import nbformat
import pytest
from nbconvert import HTMLExporter

from fmnist_utils.batch import series
from fmnist_utils.support import files


@pytest.fixture(scope="module")
def exporter():
    return HTMLExporter(template_name="pages", extra_template_basedirs=[str(files.PROJECT / "docs")])


@pytest.mark.parametrize("path", series.lessons(), ids=lambda path: path.stem)
def test_a_page_keeps_alternative_texts_and_folded_cells(path, exporter):
    notebook = nbformat.read(path, as_version=4)
    page, _ = exporter.from_notebook_node(notebook)
    assert "No description has been provided" not in page
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    described = [o.metadata["alt"] for o in outputs if "image/png" in o.get("data", {})]
    assert len(re.findall(r"<img [^>]*alt=\"[^\"]+\"", page)) >= len(described) > 0
    hidden = [cell for cell in notebook.cells if cell.metadata.get("jupyter", {}).get("source_hidden")]
    prose = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert page.count("<details") == len(hidden) + prose.count("<details") > len(hidden)
    assert "<details open" not in page


def test_the_command_of_the_readme_writes_a_page(tmp_path):
    readme = (files.PROJECT / "README.md").read_text(encoding="utf-8")
    command = re.search(
        r"`\.venv/bin/jupyter (nbconvert --to html [^`]*) runs/THE-RUN/notebooks/\*\.ipynb`", readme
    )
    assert command
    notebook = series.lessons()[0]
    parts = [*command[1].split(), str(notebook), "--output-dir", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "jupyter", *parts], cwd=files.PROJECT, check=True)
    assert (tmp_path / f"{notebook.stem}.html").stat().st_size > 100_000
