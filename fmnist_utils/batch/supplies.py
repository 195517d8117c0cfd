"""What some lessons need beside Fashion-MNIST. No TensorFlow here."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from fmnist_utils.batch import grid
from fmnist_utils.support import photo_cache, sources, weights

# By the module of this package that a lesson imports.
_FETCH: dict[str, Callable[[], Path]] = {"photographs": photo_cache.fetch, "pretrained": weights.fetch}


def needed(notebook: Path) -> list[Callable[[], Path]]:
    """The functions that fetch what a notebook needs, and return its file or folder."""
    imported = re.findall(r"^from fmnist_utils import (.+)$", "\n".join(grid.Notebook(notebook).cells), re.M)
    names = {name.strip() for line in imported for name in line.split(",")}
    return [fetch for module, fetch in _FETCH.items() if module in names]


def missing(notebooks: Iterable[Path]) -> dict[Path, str]:
    """The notebooks whose supplies cannot be had, each with what was tried."""
    found = {}
    for notebook in notebooks:
        try:
            for fetch in needed(notebook):
                fetch()
        except sources.DataError as error:
            found[notebook] = str(error)
    return found
