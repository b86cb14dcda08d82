# Two commands do everything, set-up included: `make demo` and `make test`.
# Another build of torch, for a GPU say: make TORCH=torch demo

PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/demo

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-distributed check fix bench docs clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed-run  ## raw text -> a trained Llama, its report and three samples
	$(BIN)/herd run demo --out $(RUN) --resume

test: $(VENV)/installed-dev  ## the default test suite
	$(BIN)/python -m pytest -q

test-slow: $(VENV)/installed-dev  ## the tests that take minutes: fuzzing, kills, fresh clones
	$(BIN)/python -m pytest -q -m slow

test-distributed: $(VENV)/installed-dev  ## the tests that start several processes
	$(BIN)/python -m pytest -q -m distributed

check: $(VENV)/installed-dev  ## style, lint and types
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/mypy

fix: $(VENV)/installed-dev  ## format and mend what ruff can
	$(BIN)/ruff format src tests benchmarks examples
	$(BIN)/ruff check --fix src tests benchmarks examples

bench: $(VENV)/installed-bench  ## all benchmarks, or one: make bench ONLY=time_to_loss
	$(BIN)/python benchmarks/run.py $(ONLY)

docs: $(VENV)/installed-dev  ## check that every link, command and code block in the docs holds
	$(BIN)/python -m pytest -q tests/architecture

clean:  ## remove the virtual environment and caches, never runs
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

# The constraints file pins torch, so that no dependency draws in another build of it.
$(VENV)/constraints.txt:
	@echo "setting up $(VENV) with $$($(PYTHON) --version); about 2 minutes"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Herd needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	echo "$(TORCH)" > $@.partial
	$(BIN)/python -m pip install --quiet --constraint $@.partial torch
	mv $@.partial $@

$(VENV)/installed-run: $(VENV)/constraints.txt pyproject.toml
	@echo "installing Herd"
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/constraints.txt --editable '.[all]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed-run
	@echo "installing what tests and checks need"
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/constraints.txt --editable '.[all,test,check]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-dev
	@echo "installing the peers of the benchmarks"
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/constraints.txt --editable '.[all,test,check,bench]'
	@touch $@
