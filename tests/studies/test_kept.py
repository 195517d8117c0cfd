"""What is kept of a sweep: one small table that says how it was made."""

import pandas as pd

from fmnist_utils.support import files
from studies import kept

MODEL = {"name": "m", "accuracy": 0.8, "loss": 0.5, "val_accuracy": 0.7, "val_loss": 0.6, "seconds": 1.0}


def write_run(folder, key, **changes):
    """A run of a sweep, as its folder has it."""
    state = {
        "key": key,
        "notebook": "n",
        "program": "abc",
        "status": "complete",
        "seconds": 1800.0,
        "started": "now",
    }
    state |= {"models": [MODEL], "environment": {"host": "here"}} | changes
    files.write_json(folder / "runs" / key / "run.json", state)


def test_it_says_how_it_was_made_and_holds_each_epoch(tmp_path):
    for seed in (1, 0):
        model = MODEL | {"test_accuracy": 0.65 + seed / 100, "confusion_matrix": "1 2 3"}
        write_run(tmp_path, f"n-{seed}", parameters={"SEED": seed, "SAME": 1}, models=[model])
        history = {key: [0.1, 0.123456 + seed] for key in ("accuracy", "loss", "val_accuracy", "val_loss")}
        files.write_json(tmp_path / "runs" / f"n-{seed}" / "models" / "m-123" / "history.json", history)
    kept.write_small(tmp_path, tmp_path / "small.csv", by_epoch=True)
    first, header, *rows = (tmp_path / "small.csv").read_text().splitlines()
    assert first.startswith("# A sweep over SEED: 2 runs of n (program abc), 1.0 core-hours.")
    assert header.startswith(
        "SEED,model_name,accuracy,loss,val_accuracy,val_loss,test_accuracy,confusion_matrix,"
    )
    assert header.endswith("accuracy_by_epoch,loss_by_epoch,val_accuracy_by_epoch,val_loss_by_epoch")
    assert rows[0].startswith("0,m,0.8,0.5,0.7,0.6,0.65,1 2 3,1800.0,0.1000 0.1235,")
    assert rows[1].endswith(",0.1000 1.1235")


def test_rows_are_in_order_without_machines_failures_and_older_code(tmp_path):
    for seed, rate, score in [(1, 1, 0.7), (0, 2, 0.8), (0, 1, 0.5), (1, 2, 0.9)]:
        models = [MODEL | {"val_accuracy": score}]
        write_run(
            tmp_path, f"n-{seed}-{rate}", parameters={"SEED": seed, "RATE": rate, "SAME": 1}, models=models
        )
    write_run(tmp_path, "n-old", parameters={"SEED": 7, "RATE": 2}, program="old", started="before")
    write_run(
        tmp_path, "n-failed", parameters={"SEED": 8, "RATE": 2}, status="failed", error="no wool", models=[]
    )
    kept.write_small(tmp_path, tmp_path / "small.csv")
    small = pd.read_csv(tmp_path / "small.csv", comment="#")
    rows = small[["RATE", "SEED", "val_accuracy"]].values.tolist()
    assert rows == [[1, 0, 0.5], [1, 1, 0.7], [2, 0, 0.8], [2, 1, 0.9]]
    assert "host" not in small
