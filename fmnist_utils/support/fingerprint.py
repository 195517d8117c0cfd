"""What decides a run's outcome, as a short hash: code, parameters, data. No TensorFlow here."""

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fmnist_utils import sources

# Modules that start, move and tabulate runs; none of them can change what a notebook computes.
MACHINERY = {
    *("__main__", "batch", "cluster", "engine", "fingerprint", "grid", "kernels", "limits", "nursery"),
    *("progress", "publish", "report", "sweep", "worker"),
}


def code(path: Path) -> str:
    """A module's text without comments, docstrings and empty lines: rewording them changes nothing.

    The same under every version of Python, unlike a dump of its syntax tree.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node) is not None:
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def package_now() -> str:
    """Twelve hexadecimal digits for this package's code, as its files are now."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return _hash([(path.stem, code(path)) for path in modules if path.stem not in MACHINERY])


@cache
def package() -> str:
    """``package_now`` when this was first asked."""
    return package_now()


def program(cells: Sequence[str]) -> str:
    """What is run, but for the parameters: a notebook's code cells, the package and the data."""
    return _hash([list(cells), package(), [file.sha256 for file in sources.FILES.values()]])


def run(cells: Sequence[str], parameters: Mapping[str, Any]) -> str:
    """The key of a notebook's run.

    Args:
        cells: the sources of its code cells.
        parameters: the values that it runs with, defaults included.
    """
    return _hash([program(cells), sorted(parameters.items())])


def _hash(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
