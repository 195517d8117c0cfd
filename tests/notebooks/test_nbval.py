"""nbval sees every change of an output that the lessons cite, and nothing else."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from helpers import NOTEBOOKS, cited_texts

from fmnist_utils.support import files

REPLAY = Path(__file__).with_name("replay_kernel.py")


def changed(text: str) -> str:
    """The same text with its last number, answer or word changed."""
    for pattern, replace in (
        (r"\d(?=\D*$)", lambda m: str((int(m[0]) + 1) % 10)),
        (
            r"(yes|no|True|False)(?=\W*$)",
            lambda m: {"yes": "no", "no": "yes", "True": "False"}.get(m[0], "True"),
        ),
    ):
        new, count = re.subn(pattern, replace, text, count=1)
        if count:
            return new
    return text + " changed"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_nbval_fails_each_changed_cell_and_passes_the_others(notebook, tmp_path):
    """The outputs are those of the committed notebook, which a kernel that replays them gives again."""
    altered = nbformat.read(notebook, as_version=4)
    expected = {}
    for number, cell in enumerate(cell for cell in altered.cells if cell.cell_type == "code"):
        cited = cited_texts(cell)
        for holder, key in cited:
            holder[key] = changed(holder[key])
        expected[number] = not cited
    assert sum(not passes for passes in expected.values()) >= 5
    path = tmp_path / notebook.name
    nbformat.write(altered, path)
    assert nbval(path, replaying(notebook, tmp_path), tmp_path / "report.xml") == expected


def replaying(notebook: Path, folder: Path) -> Path:
    """A folder for JUPYTER_PATH with a kernel named "replay" that gives a notebook's outputs again."""
    argv = [sys.executable, str(REPLAY), str(notebook), "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "replay", "language": "python"}
    files.write_json(folder / "jupyter" / "kernels" / "replay" / "kernel.json", spec)
    return folder / "jupyter"


def nbval(notebook: Path, kernels: Path, report: Path) -> dict[int, bool]:
    """Run nbval, not lax, on a notebook, in the kernel "replay".

    Returns:
        For each code cell, counted from 0 as nbval does, whether it passed.
    """
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-kernel-name=replay", str(notebook)]
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(notebook.parent)]
    environment = os.environ | {"JUPYTER_PATH": str(kernels)}
    command += [*options, f"--junitxml={report}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if not report.exists():
        raise RuntimeError(done.stdout + done.stderr)
    return {
        int(case.get("name").split()[-1]): case.find("failure") is None and case.find("error") is None
        for case in ElementTree.parse(report).iter("testcase")
    }
