# Everything runs in a virtualenv of its own, filled by pip alone from hash-locked files.

PYTHON ?= python3
VENV ?= .venv
TESTS ?= tests
LOCK_FLAGS ?=

# Many tests wait for processes they have started, so there is one more than processors. One that
# dies fails the run at once: pytest-xdist may wait for ever for what its replacement is to do.
WORKERS ?= $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := install --require-hashes --only-binary :all: --requirement
COMPILE := $(BIN)/uv pip compile pyproject.toml --no-config --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(LOCK_FLAGS)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install ml demo test check bench lock clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*  ## /\1|/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r target what; do printf '  make %-8s %s\n' "$$target" "$$what"; done

install: $(VENV)/project  ## set up .venv with what dialer needs to run

ml: $(VENV)/ml  ## add what telling machines by their sound needs

demo: install  ## a campaign over simulated phones; no account needed
	$(BIN)/dialer demo

test: $(VENV)/project $(VENV)/dev  ## run the tests, or some of them: TESTS=tests/unit
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal \
		--max-worker-restart 0 $(TESTS)

check: $(VENV)/project $(VENV)/dev  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/project $(VENV)/dev  ## measure
	$(BIN)/python -m benchmarks

lock: $(VENV)/dev  ## pin the dependencies anew; take newer ones with LOCK_FLAGS=--upgrade
	$(COMPILE) --group build --output-file requirements.txt
	$(COMPILE) --extra ml --extra train --constraint requirements.txt \
		--output-file requirements-ml.txt
	$(COMPILE) --group dev --extra ml --extra train --constraint requirements.txt \
		--constraint requirements-ml.txt --output-file requirements-dev.txt

clean:  ## remove the virtualenv and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Three stamps say what of the virtualenv is complete. `locked` is put aside while packages
# change, so a set-up that was cut short does not find it and starts again from nothing.

$(VENV)/locked: requirements.txt
	@$(require-python)
	@echo "Setting up $(VENV) with $$($(PYTHON) --version); this takes a minute" >&2
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) $(LOCKED) requirements.txt
	@touch $@

$(VENV)/project: pyproject.toml $(VENV)/locked
	@mv $(VENV)/locked $(VENV)/aside
	@$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@mv $(VENV)/aside $(VENV)/locked
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/locked
	@echo "Adding the development tools to $(VENV)" >&2
	@mv $(VENV)/locked $(VENV)/aside
	@$(PIP) $(LOCKED) requirements-dev.txt
	@mv $(VENV)/aside $(VENV)/locked
	@touch $@

$(VENV)/ml: requirements-ml.txt $(VENV)/project
	@echo "Adding numpy, onnxruntime and what trains a model to $(VENV)" >&2
	@$(PIP) $(LOCKED) requirements-ml.txt
	@touch $@

define require-python
fail() { echo "error: $$*" >&2; exit 1; }; \
$(PYTHON) -c '' 2>/dev/null || \
	fail "$(PYTHON) does not run; install Python 3.11 or newer, or name one: make PYTHON=python3.12"; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	fail "$(PYTHON) is $$($(PYTHON) --version 2>&1), older than 3.11: make PYTHON=python3.12"; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	fail "$(PYTHON) lacks venv or pip; on Debian and Ubuntu: apt-get install python3-venv"
endef
