# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow test-all test-oldest test-newest release-check docs lint \
	format clean

PYTEST := $(BIN)/pytest -n 2 --dist worksteal

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(BIN)/.installed  ## train, judge and draw the Hubbard model
	$(BIN)/python experiments/run.py --target hubbard --seeds 3

lint: $(BIN)/.installed  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## style, types, and every test but the slow ones
	$(PYTEST) -m "not slow"

test-slow: $(BIN)/.installed  ## the tests that `make test` leaves out, or SELECT of them
	$(PYTEST) -m slow $(SELECT)

test-all: lint  ## style, types, and every test
	$(PYTEST)

# What touches each library, in a few minutes. Warnings of libraries about one another
# are shown, but fail nothing.
BOUNDS := imports dependencies spline integrate optim checkpoint hmc smc \
	gaussian_mixture warm_start history
BOUNDS := -n 2 -W default::DeprecationWarning $(BOUNDS:%=tests/test_%.py)

test-oldest:  ## with the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --constraint constraints-oldest.txt \
		--editable '.[dev]'
	.venv-oldest/bin/pytest $(BOUNDS)

test-newest:  ## with the newest versions there are
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/pip install --quiet --upgrade --upgrade-strategy eager \
		--editable '.[dev]'
	.venv-newest/bin/pytest $(BOUNDS)

release-check: $(BIN)/.installed  ## build, install elsewhere by PYTHON, quick start
	$(BIN)/python experiments/release_check.py $(PYTHON)

docs: $(BIN)/.installed  ## the documentation, into site/
	$(BIN)/mkdocs build --quiet

format: $(BIN)/.installed  ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
