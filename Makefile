# Every target sets up what it needs: .venv, the packages of requirements.txt, the verified data.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# Two processes at a time, half of the cores each: small trainings use two cores best that way.
SHARED = OMP_NUM_THREADS=$$($(BIN)/python -c "from fmnist_utils.support import cores; print(cores.per_process(2))")

# The first lesson is short and nothing waits for it: it fills the gap at the end.
LONG_BEFORE_SHORT = notebooks/0[!1]_*[!0-9].ipynb notebooks/01_*[!0-9].ipynb

.PHONY: run test test-quick lab bench replicates tuning champion publish clean setup

run: setup
	$(BIN)/python -m fmnist_utils run

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(SHARED) $(BIN)/python -m pytest tests -n 2 --dist loadfile
	@echo "Repeating the committed notebooks in a fresh store; nbval compares their outputs (minutes)"
	@store=$$(mktemp -d) && trap 'rm -rf "$$store"' EXIT && \
	FMNIST_RUNS_DIR="$$store" $(SHARED) $(BIN)/python -m pytest --nbval $(LONG_BEFORE_SHORT) \
	-n 2 --dist loadfile --no-loadscope-reorder --durations=12

test-quick: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(SHARED) $(BIN)/python -m pytest tests -m "not slow" -n 2 --dist loadfile

lab: setup
	$(BIN)/jupyter lab notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

# Half an hour; PyTorch is measured too where .venv can import it.
bench: setup
	$(BIN)/python -m studies.speed.bench

# What lessons 5 and 7 read of trainings over five seeds: two hours, resumable.
replicates: setup
	$(BIN)/python -m fmnist_utils sweep 05 -p SEED 0..4 --to runs/replicates
	$(BIN)/python -m fmnist_utils report runs/replicates --small results/replicates.csv --by-epoch
	$(BIN)/python -m fmnist_utils sweep one_training --grid studies/grids/claims.yaml --to runs/claims
	$(BIN)/python -m fmnist_utils report runs/claims --small results/claims.csv --by-epoch
	$(BIN)/python -m studies.robustness
	$(BIN)/python -m studies.out_of_fold
	$(BIN)/python -m studies.recipe

# The two files of results behind lesson 6: two hours, resumable.
tuning: setup
	$(BIN)/python -m fmnist_utils sweep one_training --grid studies/grids/tuning.yaml --to runs/tuning
	$(BIN)/python -m fmnist_utils sweep 06 -p SEED 0,500 -p TRIALS 20 -p STUDY_EPOCHS 8 \
	-p STUDY sqlite:///$(CURDIR)/runs/search.sqlite --to runs/search
	cp "$$(ls -t runs/search/runs/*/trials.csv | head -1)" results/tuning_trials.csv
	$(BIN)/python -c "import pandas; from fmnist_utils import tuning; \
	print(tuning.confirmation(pandas.read_csv('results/tuning_trials.csv')), end='')" > runs/confirmed.yaml
	mv runs/confirmed.yaml studies/grids/tuning_confirmed.yaml
	$(BIN)/python -m fmnist_utils sweep one_training --grid studies/grids/tuning_confirmed.yaml --to runs/tuning
	$(BIN)/python -m fmnist_utils report runs/tuning --small results/tuning.csv

# The search that lesson 8 reads: a working day, resumable. Reads no test label; studies/champion/final.py does.
champion: setup
	$(BIN)/python -m studies.champion.search ideas
	$(BIN)/python -m studies.champion.search confirm
	$(BIN)/python -m studies.champion.search together
	$(BIN)/python -m studies.champion.search schedules

publish: setup
	$(BIN)/python -m fmnist_utils run --publish

clean:
	rm -rf .venv runs *.egg-info .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

setup: $(READY)
	@$(BIN)/python -m fmnist_utils fetch

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	"Python 3.11 to 3.13 is needed, this is %d.%d. Name one: make run PYTHON=python3.12" % v)'
	@echo "Making .venv and installing requirements.txt into it, once: about a minute"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt -e .
	@touch $(READY)
