"""Who imports whom, and what lies where: the root is what notebooks import."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

from fmnist_utils.batch import series
from fmnist_utils.support import files, fingerprint

ROOT = {path.stem for path in fingerprint.PACKAGE.glob("*.py") if not path.stem.startswith("__")}
LIGHT = [
    *("data", "photographs", "plots", "drawings", "results", "evaluation", "claims", "parameters", "runs"),
    *("support", "batch"),
    "__main__",
    *(
        f"{room}.{path.stem}"
        for room in ("support", "batch", "drawings", "photographs")
        for path in (fingerprint.PACKAGE / room).glob("*.py")
    ),
]
COMPUTING = {"support.startup", "batch.nursery"}  # the first is there for that, the second waits to be asked


def imported() -> set[str]:
    """The modules of this package that the notebooks import, by their full names."""
    found = set()
    for path in series.NOTEBOOKS.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("fmnist_utils"):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("fmnist_utils.") for name in found}


def test_the_root_is_what_the_notebooks_import():
    assert {name for name in imported() if name in ROOT} == ROOT


def test_the_notebooks_reach_into_three_other_rooms():
    rooms = {"fast", "drawings", "photographs"}
    assert {name.partition(".")[0] for name in imported()} - ROOT - {"load_champion"} == rooms


def test_nothing_imports_the_studies():
    for path in [*fingerprint.PACKAGE.rglob("*.py"), *series.NOTEBOOKS.glob("*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        assert "import studies" not in text and "from studies" not in text, path.name


def test_what_needs_no_tensorflow_does_not_load_it():
    light = [f"fmnist_utils.{name}" for name in LIGHT if name not in COMPUTING and "__init__" not in name]
    assert len(light) > 25
    assert not loaded(light) & {"tensorflow", "keras"}, "one of them does"


def loaded(modules: list[str]) -> set[str]:
    """What a fresh Python has loaded once it has imported some modules."""
    script = (
        f"import sys, importlib; [importlib.import_module(name) for name in {modules}]; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_folders_hold_what_their_names_say():
    notebooks = {path.suffix for path in series.NOTEBOOKS.iterdir() if not path.name.startswith(".")}
    assert notebooks == {".ipynb"}
    assert {path.suffix for path in (files.PROJECT / "figures").iterdir()} == {".png"}


def test_each_fault_in_the_table_has_its_test():
    table = (files.PROJECT / "tests" / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| .* \| `([^`]+)` \|$", table, re.MULTILINE)
    assert len(named) == table.count("\n| ") - table.count("\n|:--"), "a row without a test"
    here = {name for name in named if "/" not in name}
    assert len(here) > 60
    assert here == set().union(*map(_tests, (files.PROJECT / "tests" / "faults").glob("test_*.py")))
    for path, _, name in (name.partition("::") for name in named if "/" in name):
        tests = _tests(files.PROJECT / path)
        assert tests if not name else name in tests, f"{path}::{name}"


def _tests(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
