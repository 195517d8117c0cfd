"""What decides a run's outcome, as a short hash: code, parameters, data. No TensorFlow here."""

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fmnist_utils import sources

# Modules that start, move and tabulate runs; none of them can change what a notebook computes.
MACHINERY = {
    *("__main__", "batch", "engine", "fingerprint", "grid", "kernels", "limits", "nursery"),
    *("progress", "publish", "report", "sweep", "worker"),
}


def code(path: Path) -> str:
    """A module's code without comments and docstrings: rewording them changes nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


@cache
def package() -> str:
    """Twelve hexadecimal digits for this package's code, as it is when this is first asked."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return _hash([(path.stem, code(path)) for path in modules if path.stem not in MACHINERY])


def run(cells: Sequence[str], parameters: Mapping[str, Any]) -> str:
    """The key of a notebook's run.

    Args:
        cells: the sources of its code cells.
        parameters: the values that it runs with, defaults included.
    """
    data = [file.sha256 for file in sources.FILES.values()]
    return _hash([list(cells), sorted(parameters.items()), package(), data])


def _hash(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
