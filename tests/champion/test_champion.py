"""The published champion: it is what its card says, and needs nothing of this package to load."""

import ast
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import fmnist_utils
from fmnist_utils import augmentation, champion, data, evaluation, models
from fmnist_utils.batch import grid, series
from fmnist_utils.support import files
from studies.champion import card, ideas, networks
from studies.champion.training import optimizer_of

KEPT = files.read_json(files.PROJECT / "results" / "champion.json")
PROBABILITIES_WITHOUT_THE_PACKAGE = """
import sys
sys.modules["fmnist_utils"] = None  # importing it now fails
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1], compile=False)
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


@pytest.fixture(scope="module")
def model():
    return fmnist_utils.load_champion()


@pytest.fixture(scope="module")
def some():
    return data.subset(data.load().train, 1_000, seed=0)


def test_it_takes_floats_and_gives_probabilities(model, some):
    assert model.input_shape == (None, 28, 28, 1)
    probabilities = model.predict(data.rescale(some.images), verbose=0)
    assert probabilities.shape == (1_000, 10) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert evaluation.Predictions(probabilities, some.labels).accuracy > 0.96, "it has been trained on these"


def test_it_is_small_float32_and_carries_no_optimizer(model):
    assert champion.MODEL.stat().st_size == KEPT["bytes"] < 2_000_000
    assert model.count_params() == KEPT["parameters"] == models.champion().count_params() <= 250_000
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert all(layer.compute_dtype == "float32" for layer in model._flatten_layers())
    assert not model.compiled
    with zipfile.ZipFile(champion.MODEL) as parts:
        assert "fmnist_utils" not in parts.read("config.json").decode()
        assert not json.loads(parts.read("config.json"))["compile_config"]


def test_it_loads_and_answers_alike_without_the_package(model, some, tmp_path):
    images, answers = tmp_path / "images.npy", tmp_path / "answers.npy"
    np.save(images, data.rescale(some.images[:50]))
    command = [sys.executable, "-c", PROBABILITIES_WITHOUT_THE_PACKAGE, champion.MODEL, images, answers]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(answers), model.predict(np.load(images), verbose=0), atol=1e-5)


def test_a_mirror_image_gets_the_same_answer(model, some):
    pixels = data.rescale(some.images[:50])
    np.testing.assert_allclose(
        model.predict(pixels, verbose=0), model.predict(pixels[:, :, ::-1], verbose=0), atol=1e-5
    )


def test_another_file_is_refused(tmp_path):
    copy = tmp_path / champion.MODEL.name
    content = bytearray(champion.MODEL.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    copy.with_suffix(".sha256").write_text(champion.MODEL.with_suffix(".sha256").read_text())
    with pytest.raises(ValueError, match="is not the published model.*git checkout"):
        champion.load(copy)


@pytest.mark.parametrize("lacking", [".keras", ".sha256"])
def test_a_missing_file_is_named_with_what_to_do(lacking, tmp_path):
    for file in (champion.MODEL, champion.MODEL.with_suffix(".sha256")):
        if file.suffix != lacking:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(FileNotFoundError, match=rf"champion\{lacking} is missing.*git checkout"):
        champion.load(tmp_path / champion.MODEL.name)


def test_the_card_says_what_was_measured():
    assert champion.CARD.read_text(encoding="utf-8") == card.text(KEPT)


def lesson_8() -> dict:
    """What lesson 8's names stand for once its ``config`` is made: its own lines that lead there are run."""
    cells = grid.Notebook(series.NOTEBOOKS / "08_ten_minute_champion.ipynb").cells
    needed: list[ast.stmt] = []
    wanted = {"config"}
    for statement in reversed([each for cell in cells for each in ast.parse(cell).body]):
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        made = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        if isinstance(statement, ast.Assign | ast.AnnAssign) and made & wanted:
            wanted |= {name.id for name in names}
            needed.insert(0, statement)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            needed.insert(0, statement)
    found: dict = {}
    exec(compile(ast.Module(needed, []), "lesson 8", "exec"), found)
    return found


def test_the_lesson_trains_the_recipe_that_won():
    winner, epochs = ideas.SCHEDULES["champion"]
    lesson = lesson_8()
    config, size = lesson["config"], len(lesson["train"])
    assert (config.epochs, size) == (epochs[1], 60_000 - winner.held_out)
    for name in ("batch_size", "ghost_batches", "keep_easy", "label_smoothing"):
        assert getattr(config, name) == getattr(winner, name), name
    assert winner.flip == "random"
    assert config.augment == augmentation.RandomFlipShift(winner.shift_pixels, flip=True, cutout=winner.cutout)
    searched = optimizer_of(winner, config.epochs * -(-size // winner.batch_size))
    assert type(config.optimizer) is type(searched)
    assert config.optimizer.get_config() | {"name": ""} == searched.get_config() | {"name": ""}


def test_the_search_trained_the_network_of_the_lesson():
    winner, network = ideas.WINNER, models.champion()
    searched = networks.build(winner.network, 28, winner.activation, winner.momentum, winner.dropout)
    rng = np.random.default_rng(0)
    network.set_weights([rng.uniform(0, 0.1, weight.shape) for weight in network.get_weights()])
    searched.set_weights(network.get_weights())
    images = rng.uniform(size=(20, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(searched(images), network(images), atol=1e-6)
    for model in (searched, network):
        assert {layer.momentum for layer in model.layers if hasattr(layer, "momentum")} == {winner.momentum}
