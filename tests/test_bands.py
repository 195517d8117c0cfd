"""What the compared bands notice, and how seldom they cry wolf: simulated from the kept trainings.

The run that is checked has seed 0, on some processor, in some precision. Trainings of one set-up differ by seed
and, within a seed, by processor and precision; how much by which is estimated from all kept trainings.
"""

import re

import nbformat
import numpy as np
import pytest

from fmnist_utils import results
from fmnist_utils.batch import series

RUN_SEED = 0  # of a checked run
DRAWS = 20_000
# Where each figure is compared; a model that stands in two lessons is drawn once.
COMPARED = {
    "late": ("dense", "two_conv", "three_conv", "blog", "control", "batchnorm", "augmented"),
    "learnt": ("dense", "two_conv", "three_conv", "blog", "control", "batchnorm", "augmented"),
    "unseen": ("dense", "two_conv", "three_conv", "blog", "control", "batchnorm", "augmented"),
    "fresh_late": ("batchnorm", "augmented"),
    "fresh_unseen": ("batchnorm", "augmented"),
}
LINES = [(witness, name) for witness, names in COMPARED.items() for name in names]


def drawn(rows, witness, rng):
    """What a run with seed 0 may measure on another processor, shape (DRAWS,).

    One-way analysis of variance: seed 0's own mean is known from its kept trainings and from how far seeds lie
    apart; about it a training scatters as trainings of one seed do.
    """
    by_seed = rows.groupby("SEED")[witness]
    sizes, seeds, n = by_seed.size(), by_seed.ngroups, len(rows)
    within = ((rows[witness] - by_seed.transform("mean")) ** 2).sum() / (n - seeds)
    between = (sizes * (by_seed.mean() - rows[witness].mean()) ** 2).sum() / (seeds - 1)
    size = (n - (sizes**2).sum() / n) / (seeds - 1)
    apart = max(0.0, (between - within) / size)
    own = rows.loc[rows["SEED"] == RUN_SEED, witness]
    scatter = within * (n - seeds) / rng.chisquare(n - seeds, DRAWS)
    before = apart + (apart + within / size) / seeds  # of seed 0's mean, had it not been trained
    after = 1 / (1 / before + len(own) / scatter)
    mean = after * (rows[witness].mean() / before + own.sum() / scatter)
    return mean + np.sqrt(after + scatter) * rng.normal(size=DRAWS)


@pytest.fixture(scope="module")
def outside():
    """For a loss and a compared figure: in which draws it lies outside its band."""
    rng = np.random.default_rng(0)
    kept = results.every_training()
    others = {witness: results.for_bands(witness, RUN_SEED) for witness in COMPARED}
    values = {}
    for witness, name in LINES:
        rows = kept[kept["model_name"] == name].dropna(subset=witness)
        values[witness, name] = drawn(rows, witness, rng)

    def found(loss, witness, name):
        low, high = results.band(name, others[witness])
        value = values[witness, name] - loss
        return (value < low) | (value > high)

    return found


def test_an_unchanged_project_alarms_less_than_one_time_in_a_hundred(outside):
    alarms = np.any([outside(0.0, *line) for line in LINES], axis=0).mean()
    print(f"\nan unchanged project is outside some band in {alarms:.2%} of its runs")
    assert alarms < 0.01


def test_a_loss_of_a_point_in_any_set_up_is_caught_nine_times_in_ten(outside):
    print("\nchance to notice a loss of 0.5 and of 1 point of accuracy")
    for witness, name in LINES:
        half, whole = (outside(loss, witness, name).mean() for loss in (0.005, 0.01))
        print(f"{witness:<13} {name:<11} {half:.0%} {whole:.0%}")
    for name in COMPARED["late"]:
        caught = np.any([outside(0.01, *line) for line in LINES if line[1] == name], axis=0).mean()
        print(f"by some line  {name:<11} {caught:.0%}")
        assert caught >= 0.9, name


def test_a_loss_of_a_point_on_new_images_alone_is_seldom_missed_in_the_steady_set_ups(outside):
    for name in ("dense", "two_conv", "three_conv", "control"):
        caught = [outside(0.01, witness, name) for witness in ("late", "unseen")]
        assert np.any(caught, axis=0).mean() > 0.85, name


def test_a_network_that_guesses_is_noticed_by_every_line(outside):
    for line in LINES:
        assert outside(0.5, *line).all(), line


def test_no_kept_training_lies_outside_the_band_of_the_others():
    """A run on any processor and in either precision, against the bands that a run with its seed has."""
    kept = results.every_training()
    for witness, names in COMPARED.items():
        for seed, rows in kept[kept["model_name"].isin(names)].dropna(subset=witness).groupby("SEED"):
            others = results.for_bands(witness, seed)
            for row in rows.itertuples():
                low, high = results.band(row.model_name, others)
                assert low <= getattr(row, witness) <= high, (witness, row.model_name, seed, row.processor)


def test_the_run_that_is_checked_is_not_among_its_bands_trainings():
    kept = results.every_training()
    for witness in COMPARED:
        without = results.for_bands(witness, RUN_SEED)
        for name, rows in kept.dropna(subset=witness).groupby("model_name"):
            assert len(without[name]) == (rows["SEED"] != RUN_SEED).sum() < len(rows)


def test_the_lessons_compare_each_of_these_figures():
    """What is simulated is what the notebooks print."""
    printed = {witness: set() for witness in COMPARED}
    for path in series.lessons():
        cells = nbformat.read(path, as_version=4).cells
        texts = [o.get("text", "") for cell in cells for o in cell.get("outputs", [])]
        names = re.findall(r"^(\w+) +(?:within|above) ", "".join(texts), flags=re.MULTILINE)
        for witness in re.findall(r'for_bands\(\s*"(\w+)"', "".join(cell.source for cell in cells)):
            printed[witness] |= set(names)
    assert all(set(names) <= printed[witness] for witness, names in COMPARED.items()), printed
