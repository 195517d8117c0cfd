"""What a lesson needs of a sweep, as one small table: python -m studies.kept SWEEP FILE.csv [--by-epoch]"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from fmnist_utils.batch import report
from fmnist_utils.support import files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", type=Path, help="the sweep's folder")
    parser.add_argument("file", type=Path, help="the CSV file to write")
    parser.add_argument("--by-epoch", action="store_true", help="with each epoch's accuracy and loss in it")
    arguments = parser.parse_args()
    write_small(arguments.sweep, arguments.file, arguments.by_epoch)


def write_small(folder: Path, path: Path, by_epoch: bool = False) -> None:
    """Write what a lesson needs of a sweep into one small CSV file: what varies, and what came out.

    Its first line, after a ``#``, says how it was made. Nothing about machines is in it, and a row's place
    does not depend on when it was run.

    Args:
        folder: the sweep's.
        path: the file.
        by_epoch: add each epoch's accuracy and loss, as numbers in one text.
    """
    found = report.trained(report.table(folder))
    seed = [name for name in found.attrs["parameters"] if name.upper() == "SEED"]
    finished = [name for name in report.FINISHED if found[name].notna().any()]
    results = [*report.CURVES, *finished, "seconds"]
    names = [*report.varied(found), *seed, "model_name", *results]
    small = found[names].round(5)
    if by_epoch:
        histories = [_history(folder, row) for row in found.itertuples()]
        for key in report.CURVES:
            small[f"{key}_by_epoch"] = [" ".join(f"{value:.4f}" for value in one[key]) for one in histories]
    text = small.sort_values(names).to_csv(index=False)
    files.write_text(path, f"# {_origin(found)}\n{text}")


def _origin(trained: pd.DataFrame) -> str:
    """How a small file was made, in a line."""
    each = trained.drop_duplicates("run")
    seed = [name for name in trained.attrs["parameters"] if name.upper() == "SEED"]
    programs = each[["notebook", "program"]].drop_duplicates().itertuples()
    notebooks = " and ".join(f"{row.notebook} (program {row.program})" for row in programs)
    hours = each["seconds"].sum() / 3600
    names = ", ".join(report.varied(trained) + seed)
    made = f"A sweep over {names}: {len(each)} runs of {notebooks}, {hours:.1f} core-hours."
    return f"{made} Written by `python -m studies.kept`."


def _history(folder: Path, row: Any) -> dict[str, list[float]]:
    """Keras's history of a model of the table."""
    (path,) = (folder / "runs" / row.run / "models").glob(f"{row.model_name}-*/history.json")
    return files.read_json(path)


if __name__ == "__main__":
    main()
