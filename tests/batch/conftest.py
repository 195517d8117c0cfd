"""Notebooks for headless runs: small ones are made here and really executed."""

import pytest

CELLS = {
    "works": """from fmnist_utils import runs
from fmnist_utils.support import files
print(EPOCHS)
files.write_json(runs.runs_dir() / "seen.json", EPOCHS)""",
    "fails": "raise ValueError('no more wool')",
    "dies": "import os\nos._exit(1)",
    "sleeps": """import os, time
from fmnist_utils import runs
from fmnist_utils.support import files
files.write_json(runs.runs_dir() / "pid.json", os.getpid())
time.sleep(300)
files.write_json(runs.runs_dir() / "slept.json", True)""",
    "meets": """import os, time
from fmnist_utils import runs
folder = runs.runs_dir()
(folder / f"here-{os.getpid()}").touch()
until = time.monotonic() + 100
while len(list(folder.glob("here-*"))) < 2:
    assert time.monotonic() < until, "alone"
    time.sleep(0.1)
print("cores:", os.environ["OMP_NUM_THREADS"])""",
    "shows": """from fmnist_utils.support import progress
line = progress.Line('epoch 1')
line.update('epoch 2')""",
}


@pytest.fixture
def make_notebook(write_notebook):
    return lambda name, *kinds: write_notebook(name, *(CELLS[kind] for kind in kinds))
