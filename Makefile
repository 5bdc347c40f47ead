# The two commands for a fresh machine are `make demo` and `make test`; both set up what they need.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test lint types unit soak bench docs venv tools clean

help:
	@echo "make demo    the main job on a built-in example, without root and without a stick"
	@echo "make test    everything that CI runs"
	@echo "make lint    ruff and shellcheck       make types   mypy"
	@echo "make soak    the tests with large counts"
	@echo "make bench   speed beside the plain tools"
	@echo "make docs    the generated parts of docs/reference"

# A virtual environment of its own, made anew when pyproject.toml changes.
$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: $(PYTHON) is older."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Install the package python3-venv, then run make again."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.'
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

venv: $(VENV)/.ready-dev

demo: $(VENV)/.ready
	@$(BIN)/ventoy-kit demo demo
	@echo "  (\`. $(BIN)/activate\` puts ventoy-kit on the PATH of this shell)"

# Programs that tests use. As root on Debian or Ubuntu they are installed; otherwise the tests that need them are
# skipped, and the end of the output says which and why.
tools:
	@sh scripts/install-tools.sh

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	@$(BIN)/mypy

unit: $(VENV)/.ready-dev
	@$(PYTEST) -n auto --dist worksteal

test: tools lint types unit

soak: $(VENV)/.ready-dev
	@VENTOY_KIT_SOAK=1 $(PYTEST) -n auto --dist worksteal

bench: $(VENV)/.ready-dev
	@$(BIN)/python scripts/bench.py
	@$(BIN)/python scripts/bench_stage.py

docs: $(VENV)/.ready
	@$(BIN)/python scripts/make_docs.py

clean:
	rm -rf $(VENV) demo build dist .test-cache
