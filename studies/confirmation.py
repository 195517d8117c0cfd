"""The grid that confirms the winner of lesson 6's search, from its trials: python -m studies.confirmation"""

import pandas as pd
import yaml

from fmnist_utils import results
from fmnist_utils.support import files

GRID = files.PROJECT / "studies" / "grids" / "tuning_confirmed.yaml"


def grid(trials: pd.DataFrame) -> str:
    """The grid that confirms a search's winner: fresh seeds, on the search's validation images and on others.

    Args:
        trials: as lesson 6 writes them, a row a trial.

    Returns:
        YAML for ``sweep --grid``: the winner, its numbers to two digits, and beside it lesson 2's settings.
    """
    finished = trials[trials["state"] == "COMPLETE"].to_dict("records")
    winner = max(finished, key=lambda trial: trial["value"])
    settings = {
        name.removeprefix("params_"): float(f"{value:.2g}") if isinstance(value, float) else value
        for name, value in winner.items()
        if name.startswith("params_")
    }
    usual = {"NETWORK": "two_conv", "EPOCHS": 8, "SEED": "100..104", "SPLIT_SEED": "0..1"}
    head = "# The winner of lesson 6's search, and lesson 2's settings. Written by `make tuning`.\n"
    return head + yaml.safe_dump([usual | settings, usual], sort_keys=False)


if __name__ == "__main__":
    files.write_text(GRID, grid(results.table("tuning_trials")))
