# Every target sets up what it needs: .venv, the packages of requirements.txt, the verified data.
# Which Python .venv is for: the one that PYTHON=… names, else that of a .venv that works, else python3.
PYTHON ?=
BIN := .venv/bin
WORKS = test -e .venv/made_for.json && $(BIN)/python -I -c "import pip" 2>/dev/null
ASKED = $(or $(PYTHON),$(shell $(WORKS) && echo $(BIN)/python),python3)
# In which precision "make test" repeats the lessons: auto is bfloat16 where the processor is made for it.
PRECISION ?= auto
# Two processes at a time, half of the cores each: small trainings use two cores best that way.
SHARED = OMP_NUM_THREADS=$$($(BIN)/python -c "from fmnist_utils.support import cores; print(cores.per_process(2))")

# Three processes on two cores: many tests wait for others to start or to end.
SIDE_BY_SIDE = -n 3 --dist loadfile --no-loadscope-reorder
# The lessons, those that take longest first: none is then left to run alone.
LESSONS = $$($(BIN)/python -m tests.notebooks.lessons)
# A copy of lesson 10's photographs beside this checkout spares a download.
ifneq ($(wildcard ../shared/clothing-dataset),)
export FMNIST_PHOTOS_DIR ?= $(abspath ../shared/clothing-dataset)
endif

# Set for another Python or another project, these change what is imported, or how it runs.
unexport PYTHONHOME PYTHONPATH PYTHONPLATLIBDIR PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONWARNINGS PYTHONINSPECT
unexport PYTHONEXECUTABLE __PYVENV_LAUNCHER__

# Where no home folder is named, caches and settings go beside the runs.
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/runs/home
endif

.PHONY: run test test-quick check lab class bench replicates tuning champion transfer photographs publish slides clean setup help

run: setup  ## execute the lessons into a new folder under runs/, print the table (the default)
	$(BIN)/python -m fmnist_utils run

test: check  ## every check, and the notebooks repeated and compared
	$(SHARED) $(BIN)/python -m pytest tests $(SIDE_BY_SIDE)
	@echo "Repeating the committed notebooks in a fresh store; nbval compares their outputs (minutes)"
	@store=$$($(BIN)/python -c "import tempfile; print(tempfile.mkdtemp())") && trap 'rm -rf "$$store"' EXIT && \
	lessons="$(LESSONS)" && if [ "$(PRECISION)" != auto ]; then \
	$(BIN)/python -m tests.notebooks.with_precision "$(PRECISION)" "$$store/notebooks" $$lessons && \
	lessons=$$(for path in $$lessons; do echo "$$store/notebooks/$${path##*/}"; done); fi && \
	FMNIST_RUNS_DIR="$$store" $(SHARED) $(BIN)/python -m pytest --nbval $$lessons \
	-n 2 --dist loadfile --no-loadscope-reorder --durations=12

test-quick: check  ## the checks without what executes the lessons
	$(SHARED) $(BIN)/python -m pytest tests -m "not slow" $(SIDE_BY_SIDE)

# As python -m: a script in .venv/bin begins with its folder's name, and stumbles over quotes in it.
check: setup  ## style, types, and who imports whom
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -c "from importlinter import cli; cli.lint_imports_command()" --no-logo

lab: setup  ## open JupyterLab on the notebooks
	@[ -w "$$HOME" ] || { HOME="$$PWD/runs/home"; mkdir -p "$$HOME"; \
	echo "Your home folder cannot be written: JupyterLab keeps its settings in runs/home."; }; \
	$(BIN)/python -m jupyterlab notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

# LESSON=02, or LESSON="02 03", for some of them.
class: setup  ## the evening before: train what the lessons need, so that nothing trains in front of a class
	$(BIN)/python -m fmnist_utils class $(LESSON)

# Half an hour; PyTorch is measured too where .venv can import it.
bench: setup  ## measure the speed of training, for results/ and the README
	$(BIN)/python -m studies.speed.bench

# What lessons 2 to 5, 7 and the appendix read of trainings over seeds: four hours, resumable.
replicates: setup  ## remake what the lessons keep of several seeds: four hours
	$(BIN)/python -m fmnist_utils sweep 05 -p SEED 0..4 -p PRECISION bfloat16,float32 --to runs/replicates
	$(BIN)/python -m studies.kept runs/replicates results/replicates.csv --by-epoch
	$(BIN)/python -m fmnist_utils sweep one_training --grid studies/grids/claims.yaml --to runs/claims
	$(BIN)/python -m studies.kept runs/claims results/claims.csv --by-epoch
	$(BIN)/python -m studies.answers
	$(BIN)/python -m studies.variance
	$(BIN)/python -m studies.robustness
	$(BIN)/python -m studies.out_of_fold
	$(BIN)/python -m studies.recipe

# The two files of results behind lesson 6: two hours, resumable.
tuning: setup  ## remake what lesson 6 keeps: two hours
	$(BIN)/python -m fmnist_utils sweep one_training --grid studies/grids/tuning.yaml --to runs/tuning
	$(BIN)/python -m fmnist_utils sweep 06 -p SEED 0,500 -p TRIALS 20 -p STUDY_EPOCHS 8 \
	-p STUDY "sqlite:///$$PWD/runs/search.sqlite" --to runs/search
	cp "$$(ls -t runs/search/runs/*/trials.csv | head -1)" results/tuning_trials.csv
	$(BIN)/python -m studies.confirmation
	$(BIN)/python -m fmnist_utils sweep one_training --grid studies/grids/tuning_confirmed.yaml --to runs/tuning
	$(BIN)/python -m studies.kept runs/tuning results/tuning.csv

# The search that lesson 8 reads: a working day, resumable. Reads no test label; studies/champion/final.py does.
champion: setup  ## remake the search that lesson 8 keeps: a working day
	$(BIN)/python -m studies.champion.search ideas
	$(BIN)/python -m studies.champion.search confirm
	$(BIN)/python -m studies.champion.search together
	$(BIN)/python -m studies.champion.search schedules

# What lesson 9 reads: two hours, resumable. No test label; studies/transfer/tested.py reads them.
transfer: setup  ## remake what lesson 9 keeps of borrowed networks: two hours
	$(BIN)/python -m studies.transfer.choose
	$(BIN)/python -m studies.transfer.study
	$(BIN)/python -m studies.transfer.cost

# What lesson 10 reads: two hours and a half, resumable in part. No photograph of a test sender, no test label.
photographs: setup  ## remake what lesson 10 keeps of photographs: two hours and a half
	$(BIN)/python -m studies.photographs.steps
	$(BIN)/python -m studies.photographs.made
	$(BIN)/python -m studies.photographs.study
	$(BIN)/python -m studies.photographs.imbalance
	$(BIN)/python -m studies.photographs.hierarchy

publish: setup  ## execute the lessons and write notebooks, figures and the README's results
	$(BIN)/python -m fmnist_utils run --publish

slides: setup  ## a deck of slides for each lesson, in slides/
	$(BIN)/python -m fmnist_utils slides $(LESSON)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

clean:  ## remove .venv, runs/ and what Python leaves behind
	rm -rf .venv runs slides build *.egg-info .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

setup:  ## make .venv, install the packages, fetch the data
	@python="$(ASKED)"; "$$python" setup_venv.py || { status=$$?; case $$status in 126|127) \
	echo "\"$$python\" could not be started. Name a Python from 3.11 to 3.13: make setup PYTHON=python3.12" >&2;; \
	esac; exit $$status; }
	@$(BIN)/python -m fmnist_utils fetch
