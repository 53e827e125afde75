# The commands of README.md and CONTRIBUTING.md. Needs make and Python 3.11 or later; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2

# make run: what is trained, on which data, how. A --train or --data among ARGS takes the place of DATA.
MODEL ?= lstm
VOWELS := src/statewise/datasets/japanese_vowels/JapaneseVowels
DATA ?= --train $(VOWELS)_TRAIN.ts --test $(VOWELS)_TEST.ts
RECIPE ?= --bidirectional --readout max --hidden-size 100 --dropout 0.3 --input-dropout 0.2 --label-smoothing 0.1 --lr 0.01 --epochs 40 --refit
ARGS ?=
OWN_DATA := $(filter --train --train=% --data --data=%,$(ARGS))

.DEFAULT_GOAL := help
.PHONY: help run test check bench costs accuracy folds stories fuzz proving-ground data-ground evaluation-checks intervals kills docs format

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo '  e.g. make run ARGS="--shuffle-labels"   make run ARGS="--train A.ts --test B.ts"   make run PYTHON=python3.12'

run: $(VENV)/.installed-run ## Install, then train, evaluate, trace, audit, judge and report (ARGS="..." adds options)
	$(BIN)/statewise fit $(MODEL) $(if $(OWN_DATA),,$(DATA)) $(RECIPE) $(ARGS)

test: $(VENV)/.installed-test ## Install, then every gate and every test; stops at the first that fails
	@$(MAKE) --no-print-directory check
	@echo '==> pytest ($(WORKERS) workers): tests, doctests, documents, coverage'
	@$(BIN)/python -m pytest --quiet --numprocesses=$(WORKERS) --dist=worksteal --cov --cov-report=term
	@echo '==> all gates passed'

check: $(VENV)/.installed-test ## The gates without the tests: ruff, mypy, import-linter
	@echo '==> ruff check'
	@$(BIN)/ruff check --quiet .
	@echo '==> ruff format --check'
	@$(BIN)/ruff format --quiet --check .
	@echo '==> mypy'
	@$(BIN)/mypy
	@echo '==> import-linter'
	@$(BIN)/lint-imports

bench: $(VENV)/.installed-bench ## Measure against peers and floors (ROWS="lstm-64 gru-*" for some rows, QUICK=1 to try)
	@$(BIN)/python -m benchmarks.run $(if $(QUICK),--quick) $(foreach row,$(ROWS),'$(row)')

costs: $(VENV)/.installed-run ## Measure anew which way the engine runs each kind of module, and write its table (a minute)
	@$(BIN)/python -m benchmarks.costs --write

accuracy: $(VENV)/.installed-run ## The recipe of make run over seeds 0, 1, 2 beside the published rows (minutes)
	@$(BIN)/python -m benchmarks.vowels -- $(MODEL) $(RECIPE)

folds: $(VENV)/.installed-run ## Cross-validate the recipe inside the 270 training utterances: how recipes are chosen (minutes)
	@$(BIN)/python -m benchmarks.vowels --folds --seeds 0 -- $(MODEL) $(RECIPE)

stories: $(VENV)/.installed-run ## Every kind of task and file on whole data sets, fetched once (STORIES="text" for some; an hour or two)
	@$(BIN)/python -m stories $(STORIES)

fuzz: $(VENV)/.installed-test ## Read 2,000 files broken at random, and give some of them to the commands (minutes)
	@$(BIN)/python -m tests.sequences.fuzz
	@$(BIN)/python -m tests.cli.fuzz --files 200

proving-ground: $(VENV)/.installed-test ## Audit every planted defect, its twin and every correct module, many times over (an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python -m proving_ground --write

data-ground: $(VENV)/.installed-test ## Plant leaks in data, weak ones first, 40 times each, and audit clean sets, 200 times each (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m proving_ground.data --write
intervals: $(VENV)/.installed-test ## Draw data whose truth is known, and count how often intervals hold it and verdicts err (half an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python -m simulations --write
evaluation-checks: $(VENV)/.installed-test ## Plant mistakes in metrics and trainings, 200 draws at each strength (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m proving_ground.evaluation --write

kills: $(VENV)/.installed-test ## Kill trainings at 50 random moments and resume them: each must end identically (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.training.kills

docs: $(VENV)/.installed-test ## Write the pages that are made from the code
	@$(BIN)/python docs/make_options.py
	@$(BIN)/python docs/make_checks.py

format: $(VENV)/.installed-test ## Mend what can be mended without thought
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format .

# Installs happen once, until the files below change. Two makes at a time take turns where the system has flock. pip is told to
# print errors alone: its warnings (places it looks for files, its own age) hide the line that matters.
EXTRAS_run := all
EXTRAS_test := all,dev
EXTRAS_bench := bench
LOCK := $(shell command -v flock >/dev/null 2>&1 && echo 'flock .venv.lock')

$(VENV)/.installed-%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "statewise needs Python 3.11 or later, and '$(PYTHON)' is not. Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo '==> installing statewise[$(EXTRAS_$*)] into $(VENV) (minutes the first time)'
	@$(LOCK) sh -c 'set -e; test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS_$*)]"; touch $@'
