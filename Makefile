# Two commands on a fresh machine: make demo, make test. Both set up .venv first if it is missing.
# Needed: CPython 3.11 or later with venv, make, a C compiler.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test docs fuzz fuzz-guided sanitize derivations lint types bench requirements clean

install: $(STAMP)

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "pertheory needs Python 3.11 or later; set PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/python examples/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest

# Hostile input by the hour: make fuzz, or make fuzz COUNT=1000000 NAMES=formulas JOBS=2 SEED=1
COUNT ?= 100000
JOBS ?= 2
SEED ?= 0
NAMES ?=
fuzz: $(STAMP)
	$(BIN)/python -m fuzz $(NAMES) --count $(COUNT) --jobs $(JOBS) --seed $(SEED)

# The same guided by coverage, where atheris installs: make fuzz-guided NAMES=formulas FLAGS=-max_total_time=3600
FLAGS ?=
fuzz-guided: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python -m fuzz.guided $(NAMES) $(FLAGS)

# Emitted C of every activation under sanitizers: two hours each (exp half an hour of them), those of clang where it is;
# or make sanitize WHAT="--orders 0 --activations relu tanh"
WHAT ?=
sanitize: $(STAMP)
	$(BIN)/python -m tests.emit.sanitize $(WHAT)

# The chapters of the book as texts that run (derivations/README.md); pictures go to build/figures.
derivations: $(STAMP)
	@for text in derivations/*.py; do \
		echo "== $$text"; MPLBACKEND=Agg FIGURES=build/figures $(BIN)/python $$text || exit 1; \
	done

# The site, in build/docs: whatever is not as it should be ends it.
docs: $(STAMP)
	$(BIN)/python -m sphinx -E -W --keep-going -q -b html docs build/docs

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.averages
	$(BIN)/python -m benchmarks.c
	$(BIN)/python -m benchmarks.criticality
	$(BIN)/python -m benchmarks.training

# Writes the exact versions and hashes of requirements.in into requirements.txt, without index addresses.
requirements: $(STAMP)
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-header --output-file requirements.txt requirements.in
	sed -i -e '/^--/d' -e '/./,$$!d' requirements.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
