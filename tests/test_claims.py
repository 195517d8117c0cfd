"""The table of claims: verdicts by intervals, and a row for every claim from the kept files."""

import numpy as np
import pytest

from fmnist_utils import claims
from fmnist_utils.evaluation import Interval


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.3, "held"), (-0.3, -0.1, "not held"), (-0.1, 0.1, "can't be told"), (0.0, 0.1, "can't be told")],
)
def test_a_verdict_is_the_side_of_zero_on_which_the_interval_lies(low, high, expected):
    assert claims.verdict(Interval((low + high) / 2, low, high)) == expected


def test_every_claim_has_its_row():
    table = claims.table()
    assert len(table) == 25 and table["claim"].is_unique
    assert table.notna().all(axis=None)
    assert set(table["verdict"]) == {"held", "not held", "not reproduced", "can't be told"}
    by_claim = table.set_index("claim")["measured"]
    assert by_claim["Precision of Ankle boot 98%"] == "by its counts at most 91.2%"
    assert by_claim["Precision of Sneaker 88%"].startswith("so if 114 to 125 others")
    assert by_claim["The report in the results section fits"] == "9,704 to 9,926 predictions"
    assert by_claim["The report in the notebook output fits"] == "9,896 to 10,123 predictions"


def test_differences_are_over_five_seeds():
    for key, sides in claims.pairs().items():
        assert [side.shape for side in sides] == [(5,), (5,)], key
    assert set(claims.pairs()) == set(claims.BY_DIFFERENCE)
    gaps = claims.gaps()
    assert all(np.all((gap > 0) & (gap < 0.1)) for gap in gaps.values())


def test_verdicts_that_stand_together_stand_alone():
    words = claims.BY_DIFFERENCE | claims.BY_OTHER_MEANS
    alone = {words[key][0]: claims.verdict(effect) for key, effect in claims.effects().items()}
    assert len(alone) == 18
    together = claims.standing_together()
    assert 0 < len(together) < len(alone)
    assert together.items() <= alone.items()
