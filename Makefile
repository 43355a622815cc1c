# The gateway's commands. Needs nothing but Python >= 3.11, pip and make.
# Every target makes the environment it needs (.venv) by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?= .demo
PACKAGES := gateway mappers consent nsp_client test_doubles

.PHONY: demo test test-all bench lint format system-packages clean

demo: $(STAMP)
	$(BIN)/gateway demo --data $(DATA)

test: $(STAMP) system-packages lint
	$(BIN)/pytest

test-all: $(STAMP) system-packages lint
	$(BIN)/pytest -m "slow or not slow"

bench: $(STAMP)
	$(BIN)/python -m tests.bench

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES) tests
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Programs that only the tests need: a second judge of signatures, a browser.
system-packages:
	@sh .ci/system-packages

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the environment (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

clean:
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis build ./*.egg-info
