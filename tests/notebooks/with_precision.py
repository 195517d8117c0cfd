"""Copies of the lessons that compute in a given precision, with the committed outputs, for nbval.

``python -m tests.notebooks.with_precision PRECISION FOLDER NOTEBOOK…``, as ``make test PRECISION=…`` does.
"""

import sys
from pathlib import Path

from papermill.iorw import load_notebook_node, write_ipynb
from papermill.parameterize import parameterize_notebook


def main(precision: str, folder: Path, paths: list[Path]) -> None:
    """Write the copies; a notebook without that parameter is copied as it is."""
    folder.mkdir(parents=True)
    for path in paths:
        notebook = load_notebook_node(str(path))
        if any("PRECISION: str" in cell.source for cell in notebook.cells):
            notebook = parameterize_notebook(notebook, {"PRECISION": precision})
        write_ipynb(notebook, str(folder / path.name))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
