"""Grids: values, files, and what is refused before anything starts."""

import nbformat
import pytest

from fmnist_utils import parameters
from fmnist_utils.batch import grid, series


@pytest.fixture(scope="module")
def basic():
    return grid.Notebook(series.resolve(["02"])[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0..4", [0, 1, 2, 3, 4]),
        ("-1..1", [-1, 0, 1]),
        ("32,64,128", [32, 64, 128]),
        ("1e-4, 0.001", [0.0001, 0.001]),
        ("0..2,7", [0, 1, 2, 7]),
        ("two_conv,blog", ["two_conv", "blog"]),
        ("auto", ["auto"]),
        ("4..0", []),
    ],
)
def test_values(text, expected):
    assert grid.values(text) == expected


def test_the_product_changes_the_last_name_fastest():
    assert grid.product({"A": [1, 2], "B": [3, 4]}) == [
        {"A": 1, "B": 3},
        {"A": 1, "B": 4},
        {"A": 2, "B": 3},
        {"A": 2, "B": 4},
    ]
    assert grid.product({}) == [{}]


def test_a_notebook_gives_its_defaults_and_loses_its_outputs(basic):
    assert basic.defaults["EPOCHS"] == 15
    assert basic.kinds["LEARNING_RATE"] is float
    assert basic.complete({"EPOCHS": 1})["BATCH_SIZE"] == 64
    content = nbformat.reads(basic.text, as_version=4)
    assert not any(cell.get("outputs") for cell in content.cells)


def test_files_of_runs(tmp_path):
    (tmp_path / "list.csv").write_text("SEED,MODEL\n0,two_conv\n1,blog\n")
    (tmp_path / "list.yaml").write_text("- {SEED: 0, EPOCHS: 2}\n- {SEED: 1}\n")
    (tmp_path / "grids.yaml").write_text("- {SEED: 0..2, EPOCHS: 2}\n- {SEED: [7, 8]}\n")
    (tmp_path / "grid.yaml").write_text("SEED: 0..1\nDROPOUT: [0.1, 0.5]\nEPOCHS: 3\n")
    assert grid.read(tmp_path / "list.csv") == [{"SEED": 0, "MODEL": "two_conv"}, {"SEED": 1, "MODEL": "blog"}]
    assert grid.read(tmp_path / "list.yaml") == [{"SEED": 0, "EPOCHS": 2}, {"SEED": 1}]
    assert grid.read(tmp_path / "grid.yaml")[1] == {"SEED": 0, "DROPOUT": 0.5, "EPOCHS": 3}
    assert len(grid.read(tmp_path / "grid.yaml")) == 4
    assert [run["SEED"] for run in grid.read(tmp_path / "grids.yaml")] == [0, 1, 2, 7, 8]


@pytest.mark.parametrize("content", ["just words", "[1, 2]", "[]", "{a: [1"])
def test_files_without_runs_are_refused(content, tmp_path):
    (tmp_path / "bad.yaml").write_text(content)
    with pytest.raises(parameters.ParameterError, match="bad.yaml"):
        grid.read(tmp_path / "bad.yaml")


def test_each_run_is_planned_once_and_listed_runs_are_combined(basic):
    planned = grid.plan(basic, [{"EPOCHS": 1}, {"EPOCHS": 2}], {"SEED": [0, 1]})
    assert planned == [{"EPOCHS": e, "SEED": s} for e in (1, 2) for s in (0, 1)]
    assert len(grid.plan(basic, [{}], {"LEARNING_RATE": [1, 1.0], "SEED": [0, 0, 0]})) == 1
    assert len(grid.plan(basic, [{}], {"EPOCHS": [15]})) == 1, "a default that is named is the default"


def test_the_whole_grid_is_checked_and_every_mistake_named_once(basic):
    with pytest.raises(parameters.ParameterError) as caught:
        grid.plan(
            basic, [{}], {"SEED": [0, 1], "EPOCH": [1], "DROPOUT": [0.5, 2.0], "BATCH_SIZE": [32, "many"]}
        )
    message = str(caught.value)
    assert message.count("02_basic_cnn has no parameter EPOCH (it has MODEL, SEED") == 1
    assert message.count("DROPOUT = 2.0, but it must be a number from 0.0 to 0.95") == 1
    assert message.count("BATCH_SIZE = 'many' is no int") == 1
    with pytest.raises(parameters.ParameterError, match="empty"):
        grid.plan(basic, [{}], {"SEED": []})
    with pytest.raises(parameters.ParameterError, match="EPOCHS = True is no int"):
        grid.plan(basic, [{}], {"EPOCHS": [True]})


def test_a_parameters_cell_may_hold_what_is_no_literal(tmp_path):
    source = "A = 1\nB: float = 2.0\nC = A + 1\nimport os"
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "mine.ipynb")
    assert grid.Notebook(tmp_path / "mine.ipynb").defaults == {"A": 1, "B": 2.0}
