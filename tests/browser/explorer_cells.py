"""The lessons' own explorers, each as a notebook of just the cells that it needs."""

import symtable

import nbformat

from fmnist_utils.batch import series

TAG = "explorer"


def lessons() -> list[str]:
    """The names of the lessons that have an explorer, in their order."""
    return [path.stem for path in series.lessons() if any(map(_explores, _read(path.stem).cells))]


def alone(lesson: str, **parameters: object) -> nbformat.NotebookNode:
    """A notebook of a lesson's explorer, as it is published, and of the cells before it that it needs.

    For each name that they read, that is the last cell before that gives it a value. ``parameters`` take the
    place of values in the parameters cell, as far as it has them.
    """
    cells = [cell for cell in _read(lesson).cells if cell.cell_type == "code"]
    place = next(number for number, cell in enumerate(cells) if _explores(cell))
    kept, wanted = [cells[place]], _names(cells[place])[1]
    for cell in reversed(cells[:place]):
        given, read = _names(cell)
        if given & wanted:
            kept.insert(0, cell)
            wanted = (wanted - given) | read
    for cell in kept:
        cell.outputs = []
        if "parameters" in cell.metadata.get("tags", []):
            there = {name: value for name, value in parameters.items() if f"\n{name}:" in f"\n{cell.source}"}
            cell.source += "".join(f"\n{name} = {value!r}" for name, value in there.items())
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=kept, metadata=kernel)


def _read(lesson: str) -> nbformat.NotebookNode:
    return nbformat.read(series.NOTEBOOKS / f"{lesson}.ipynb", as_version=4)


def _explores(cell: nbformat.NotebookNode) -> bool:
    """Photographs that are uploaded have the tag, too, but no picture until there is one."""
    return TAG in cell.metadata.get("tags", []) and "explorers.explore(" in cell.source


def _names(cell: nbformat.NotebookNode) -> tuple[set[str], set[str]]:
    """The names to which a cell gives a value, and those that it reads without doing so."""
    top = symtable.symtable(cell.source, "cell", "exec")
    given = {name.get_name() for name in top.get_symbols() if name.is_assigned() or name.is_imported()}
    return given, _globals(top) - given


def _globals(table: symtable.SymbolTable) -> set[str]:
    here = {name.get_name() for name in table.get_symbols() if name.is_global() and name.is_referenced()}
    return here.union(*map(_globals, table.get_children()))
