# Every verb of this repository. `make help` lists them.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PACKAGES := packages/chathooks-events packages/chathooks-receiver packages/chathooks
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench torture docs format requirements clean

help: ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(STAMP) ## make .venv with the pinned requirements; leaves .venv/bin/chathooks

$(STAMP): requirements/dev.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Chathooks needs Python 3.11 or newer: make PYTHON=python3.12 setup"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "python3 cannot make virtual environments here; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		$(addprefix -e ,$(PACKAGES))
	@touch $@

demo: setup ## start a server and an endpoint, play a conversation, watch it being delivered
	@$(BIN)/chathooks demo $(DEMO_ARGS)

test: setup ## all tests (services that are missing are skipped here and fail in CI)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: setup ## format, lint, import contracts, size budgets, types
	$(BIN)/ruff format --check packages tests benchmarks examples
	$(BIN)/ruff check packages tests benchmarks examples
	$(BIN)/lint-imports --config .importlinter
	$(BIN)/mypy packages/chathooks-events/src packages/chathooks-receiver/src packages/chathooks/src benchmarks
	$(BIN)/python -m pytest -q tests/architecture tests/docs

format: setup ## rewrite the code as `make check` wants it
	$(BIN)/ruff format packages tests benchmarks examples
	$(BIN)/ruff check --fix packages tests benchmarks examples

$(VENV)/.bench-ready: $(STAMP) requirements/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

bench: $(VENV)/.bench-ready ## measure, print the table with ratios, JSON beside it in bench-results/
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

torture: setup ## the long randomised runs
	CHATHOOKS_TORTURE=1 $(BIN)/python -m pytest -m "torture or not torture" tests/guarantees tests/receiver tests/e2e/api/test_migrate_copy.py -k "crash or torture" $(PYTEST_ARGS)

docs: setup ## write the generated reference pages anew
	$(BIN)/python -m docs.generate

requirements: ## pin the newest releases, with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make requirements" requirements/runtime.in -o requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make requirements" requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make requirements" requirements/bench.in -o requirements/bench.txt

clean: ## remove what setup and the tests made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis bench-results
