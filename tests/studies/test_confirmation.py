"""The grid that confirms lesson 6's search is that of its winner."""

from fmnist_utils import results
from studies import confirmation


def test_the_grid_that_confirms_is_that_of_the_kept_searchs_winner():
    trials = results.table("tuning_trials")
    grid = confirmation.GRID.read_text()
    assert grid == confirmation.grid(trials)
    trials.loc[trials["state"] == "PRUNED", "value"] = 1.0
    assert grid == confirmation.grid(trials), "a pruned trial does not win"
    trials.loc[0, ["value", "state"]] = 1.0, "COMPLETE"
    assert grid != confirmation.grid(trials)
