"""What decides a notebook's run, as a short hash: code, parameters, data. No TensorFlow here.

Which files of this package count follows from its folders: ``batch`` and the command line start, move and
tabulate runs and cannot change what is computed; ``support`` is plumbing, and no training depends on it.
"""

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fmnist_utils.support import sources

PACKAGE = Path(__file__).resolve().parents[1]
DIGITS = 12  # hexadecimal, of each key


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
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [""] * len(lines[first.lineno - 1 : first.end_lineno])
    return "\n".join(line.rstrip() for line in lines if line.strip())


def codes(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Modules of this package by their place in it, each with its ``code``."""
    return [(path.relative_to(PACKAGE).as_posix(), code(path)) for path in sorted(paths)]


def with_imports(path: Path) -> set[Path]:
    """A module of this package and those that it imports, directly or through others, without ``support``."""
    found, left = set(), {path}
    while left:
        module = left.pop()
        found.add(module)
        left |= _imports(module) - found
    return found


def training() -> str:
    """Twelve hexadecimal digits for the code that takes part in a training, whatever is trained."""
    return hashed(codes(with_imports(PACKAGE / "training.py") | {*(PACKAGE / "fast").glob("*.py")}))


def package_now() -> str:
    """Twelve hexadecimal digits for this package's code, as its files are now."""
    modules = (path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py")
    return hashed(codes(path for path in modules if path.parent.name != "batch"))


# As it was when first asked: a sweep has one key for its package, though the files may be edited meanwhile.
package = cache(package_now)


def program(cells: Sequence[str]) -> str:
    """What is run, but for the parameters: a notebook's code cells, the package and the data."""
    return hashed([list(cells), package(), [file.sha256 for file in sources.FILES.values()]])


def run(cells: Sequence[str], parameters: Mapping[str, Any]) -> str:
    """The key of a notebook's run: of its code cells and the parameters it runs with, defaults included."""
    return hashed([program(cells), sorted(parameters.items())])


def hashed(parts: Any) -> str:
    """A key for anything that JSON holds."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:DIGITS]


def _imports(path: Path) -> set[Path]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == PACKAGE.name:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    places = [PACKAGE.parent.joinpath(*name.split(".")) for name in names]
    files = {place.with_suffix(".py") for place in places} | {place / "__init__.py" for place in places}
    plumbing = PACKAGE / "support"
    files -= {PACKAGE / "__init__.py"}
    return {file for file in files if file.is_file() and file.parent not in (PACKAGE.parent, plumbing)}
