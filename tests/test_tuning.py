"""The optimizers of lesson 6."""

import keras
import numpy as np
import optuna
import pandas as pd
import pytest

from fmnist_utils import parameters, tuning


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("adam_onecycle", keras.optimizers.Adam),
        ("sgd", keras.optimizers.SGD),
        ("sgd_onecycle", keras.optimizers.SGD),
        ("muon", keras.optimizers.Muon),
    ],
)
def test_every_name_gives_its_optimizer(name, kind):
    made = tuning.optimizer(name, 0.01, steps=100)
    assert type(made) is kind
    assert ("schedule" in str(made.get_config()["learning_rate"])) == name.endswith("_onecycle")
    if kind is keras.optimizers.SGD:
        assert (made.momentum, made.nesterov) == (0.9, True)


def test_each_name_is_a_known_parameter():
    for name in parameters.RULES["OPTIMIZER"].values:
        tuning.optimizer(name, 0.01, steps=10)


def test_a_one_cycle_rate_rises_to_its_peak_and_falls_to_zero():
    rate = tuning.one_cycle(0.1, steps=100)
    rates = np.array([float(rate(step)) for step in range(101)])
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates.argmax() == 25
    assert rates.max() == pytest.approx(0.1)
    assert rates[100] == pytest.approx(0.0, abs=1e-6)
    assert (np.diff(rates[:26]) > 0).all()
    assert (np.diff(rates[25:]) < 0).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_one_cycle_of_a_few_steps_is_a_rate_all_the_same(steps):
    rate = tuning.one_cycle(0.1, steps)
    assert all(0 <= float(rate(step)) <= 0.1 + 1e-6 for step in range(steps))


def test_a_search_that_was_kept_is_a_study_again(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text(
        "number,value,params_RATE,params_KIND,state,epochs,seconds\n"
        "0,0.5,0.01,a,COMPLETE,8,1.0\n1,0.9,0.02,b,PRUNED,2,0.5\n2,0.7,0.03,b,COMPLETE,8,1.0\n"
    )
    space = {
        "RATE": optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True),
        "KIND": optuna.distributions.CategoricalDistribution(["a", "b"]),
    }
    study = tuning.read_study(pd.read_csv(path), space)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert study.best_trial.params == {"RATE": 0.03, "KIND": "b"}, "a pruned trial does not win"
