# Everything a contributor runs. Needs make and Python 3.11 or newer (with venv), nothing else.

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-platforms check docs bench bench-peers clean
.DELETE_ON_ERROR:
SHELL := /bin/sh
# A first start with an empty bytecode cache is several times slower, so nothing here may run without one.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that is new enough and can make a virtual environment; make PYTHON=… overrides.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$python; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
ARGS ?=
# How many tests run at once; those of one file never do. One more than two cores, for tests that wait for processes.
WORKERS ?= 3

help: ## list what can be done
	@echo "overwinter: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

setup: .venv/.dev ## make .venv with everything that development needs

demo: .venv/.core ## 200 conversations, the server killed in the middle, nothing lost
	@$(BIN)/python examples/demo.py $(ARGS)

test: .venv/.dev ## run the tests (make test ARGS="tests/state -x" for some, WORKERS=0 for one after another)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --parts $(ARGS)

test-platforms: .venv/.dev ## run the platforms' own programs against it, as far as they are installed
	@OVERWINTER_TEST_PLATFORMS=1 $(BIN)/python -m pytest tests/deploy/test_func.py tests/deploy/test_programs.py -rs $(ARGS)

check: .venv/.dev ## lint, format and types, as strict as it gets
	@echo "ruff" && $(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@echo "mypy" && $(BIN)/mypy -p overwinter
	@echo "pyright" && $(BIN)/pyright

docs: .venv/.docs ## build the pages and the API reference into .site, every warning an error
	@$(BIN)/python -m sphinx --builder html --conf-dir docs --doctree-dir .site/.doctrees --fail-on-warning --keep-going --quiet . .site
	@echo ".site/docs/index.html"

bench: .venv/.dev ## measure W1 to W9 beside raw floors, write benchmarks/latest.json
	@$(BIN)/python benchmarks/run.py $(ARGS)

bench-peers: .venv/.dev ## measure beside what is installed of the peers (PEERS_HOME, PEERS_SCRIPTS), print the ratios
	@$(BIN)/python benchmarks/peers.py $(ARGS)

clean: ## remove what the targets above have made
	rm -rf .venv .dev .site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .overwinter
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "overwinter needs Python 3.11 or newer with the venv module. Install it" \
		"(Debian, Ubuntu: apt install python3-venv; macOS: brew install python) or name it: make PYTHON=/path/to/python3.11"; exit 1; } >&2
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

.venv/.core: pyproject.toml | .venv/bin/python
	@echo "Installing overwinter and its libraries into .venv"
	@$(PIP) --editable .
	@$(BIN)/python -m compileall -q -x '/\.' .
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	@echo "Installing overwinter and the tools of its development into .venv (a minute or two)"
	@$(PIP) --editable '.[dev]'
	@$(BIN)/python -m compileall -q -x '/\.' .
	@mkdir -p .dev && ln -sfn .. .dev/overwinter
	@touch .venv/.core $@

.venv/.docs: pyproject.toml | .venv/.core
	@echo "Installing what builds the documentation into .venv"
	@$(PIP) --editable '.[docs]'
	@touch $@
