"""A sweep's grid: which parameters a notebook has, and which of their values are to be run."""

import ast
import csv
import io
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from fmnist_utils import parameters
from fmnist_utils.batch import notebook_files
from fmnist_utils.support import files

MOST_VALUES = 100_000  # of one parameter: more would be a slip of the finger
Run = dict[str, Any]  # one run's parameters by name


class Notebook:
    """A notebook to be run many times.

    Attributes:
        name: the file's name without its ending.
        text: the notebook without outputs, as JSON.
        cells: the sources of its code cells.
        defaults: the literals of its parameters cell by name.
        kinds: their types.

    Raises:
        UnreadableError: says what is wrong with the file.
    """

    def __init__(self, path: Path) -> None:
        content = notebook_files.read(path)
        code = [cell for cell in content.cells if cell.cell_type == "code"]
        for cell in code:
            cell |= {"outputs": [], "execution_count": None}
        self.name = path.stem
        self.text = json.dumps(content)
        self.cells = [cell.source for cell in code]
        tagged = [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])]
        try:
            self.defaults = _literals("\n".join(tagged))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            where = f", from line {line} on" if line else ""
            raise files.UnreadableError(
                f"{path}: its parameters cell is not plain Python{where}: {error}"
            ) from None
        self.kinds = {name: type(value) for name, value in self.defaults.items()}

    def complete(self, run: Run) -> Run:
        """A run's parameters with the defaults of those that it does not name."""
        return self.defaults | run


def values(text: str) -> list[Any]:
    """A parameter's values: ``32,64,128``, ``0..4`` (with both ends) or one; what is no literal is text."""
    found: list[Any] = []
    for part in text.split(","):
        bounds = re.fullmatch(r"\s*(-?\d+)\.\.(-?\d+)\s*", part)
        whole = range(int(bounds[1]), int(bounds[2]) + 1) if bounds else [parameters.literal(part.strip())]
        if len(whole) > MOST_VALUES:
            raise parameters.ParameterError(f"{part.strip()} is more than {MOST_VALUES:,} values.")
        found += whole
    return found


def choices(pairs: Iterable[Sequence[str]]) -> dict[str, list[Any]]:
    """The values of each parameter, from pairs of its name and their text.

    Raises:
        ParameterError: a name comes twice.
    """
    found: dict[str, list[Any]] = {}
    for name, text in pairs:
        if name in found:
            raise parameters.ParameterError(f"{name} is given twice; name all its values at once.")
        found[name] = values(text)
    return found


def product(choices: Mapping[str, Sequence[Any]]) -> list[Run]:
    """Every combination of the values, the last name's changing fastest."""
    return [
        dict(zip(choices, combination, strict=True)) for combination in itertools.product(*choices.values())
    ]


def read(path: Path) -> list[Run]:
    """Runs from a file: CSV, with the names in the first line and a run in each other; or YAML.

    YAML has a grid (for each name a value, a list of values or a range such as ``0..4``), or a list of them.

    Raises:
        ParameterError: the file says neither.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Excel writes a mark at the beginning
        if path.suffix.lower() == ".csv":
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
            return [{str(name): parameters.literal(value) for name, value in row.items()} for row in rows]
        content = _Loader(text).get_single_data()
    except parameters.ParameterError:
        raise
    except Exception as error:  # of YAML's values, each kind raises its own
        raise parameters.ParameterError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    grids = content if isinstance(content, list) else [content]
    if not grids or not all(isinstance(one, dict) for one in grids):
        raise parameters.ParameterError(
            f"{path} holds no runs. Expected names with their values, or a list of such grids."
        )
    return [run for one in grids for run in product({str(name): _listed(value) for name, value in one.items()})]


def plan(notebook: Notebook, listed: Iterable[Run], choices: Mapping[str, Sequence[Any]]) -> list[Run]:
    """The runs of a sweep, each once: every listed run in every combination of the choices.

    Raises:
        ParameterError: names every unknown parameter, wrong type and senseless value of all runs.
    """
    runs = [_typed(notebook, one | other) for one in listed for other in product(choices)]
    wrong = dict.fromkeys(problem for run in runs for problem in _problems(notebook, run))
    if wrong:
        raise parameters.ParameterError("; ".join(wrong) + ".")
    unique = {repr(sorted(notebook.complete(run).items())): run for run in runs}
    if not unique:
        raise parameters.ParameterError("The grid is empty: no run is left to do.")
    return list(unique.values())


class _Loader(yaml.SafeLoader):
    """Without references: a few lines of them, each to several of the line before, name billions of values."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"*{self.peek_event().anchor} is a reference. Write out what it refers to")
        return super().compose_node(parent, index)


def _listed(value: Any) -> list[Any]:
    """A YAML value as a list; 1e-4, which YAML takes for a text, as the number that it is."""
    if isinstance(value, list):
        return [parameters.literal(one) if isinstance(one, str) else one for one in value]
    return values(value) if isinstance(value, str) else [value]


def _typed(notebook: Notebook, run: Run) -> Run:
    """Whole numbers as ``float`` where the notebook has one, so that 1 and 1.0 are one run."""
    return {
        name: float(value) if notebook.kinds.get(name) is float and type(value) is int else value
        for name, value in run.items()
    }


def _problems(notebook: Notebook, run: Run) -> Iterable[str]:
    for name, value in run.items():
        kind, rule = notebook.kinds.get(name), parameters.RULES.get(name)
        if kind is None:
            yield f"{notebook.name} has no parameter {name} (it has {', '.join(notebook.defaults)})"
        elif type(value) is not kind:
            yield f"{name} = {value!r} is no {kind.__name__}"
        elif not parameters.can_be_given(value):
            yield f"{name} = {value!r} cannot be given to a notebook"
        elif rule and not rule.accepts(value):
            yield f"{name} = {value!r}, but it must be {rule}"


def _literals(source: str) -> dict[str, Any]:
    """The names that a parameters cell sets to literals."""
    found = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            with suppress(ValueError, TypeError):  # computed: no value that papermill could replace
                found[ast.unparse(target)] = ast.literal_eval(statement.value or "")
    return found
