PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The tests start many processes: each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

# Tests wait more than they compute: two processes for each of two cores keep both busy.
PROCESSES ?= 4

# `check` has run the architecture's tests; `integrations` and `drill` have targets of their own.
IGNORE := --ignore tests/test_architecture.py --ignore tests/integrations --ignore tests/drill
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --dist load --maxschedchunk 1 $(IGNORE)

# The checks need one core, so they run beside the tests.
BOTH := $(MAKE) --no-print-directory --jobs 2 check

.PHONY: run test integrations drill fast check suite quick format schema messages clients lock clean

## Start everything and print the addresses.
run: $(VENV)/.runtime
	$(BIN)/latchkey up

## Run the tests, including browser tests, with linting, formatting, type and architecture checks.
test: $(VENV)/.tools
	$(BOTH) suite

## Run the tests with other sites' software, and say what of it can't be had here.
integrations: $(VENV)/.tools
	$(BIN)/python -m tests.integrations.install
	$(BIN)/python -m pytest tests/integrations

## Lose a site, copy one, rotate its secrets, roll a release out and back, all while people buy.
drill: $(VENV)/.development
	$(BIN)/python -m pytest tests/drill

## Run the quick tests: no browser and no slow tests.
fast: $(VENV)/.development
	$(BOTH) quick

suite: $(VENV)/.compiled
	$(PYTEST)

quick: $(VENV)/.compiled
	$(PYTEST) -m "not browser and not slow"

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

## Format the code and fix what ruff can fix.
format: $(VENV)/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## Write latchkey/store/schema.sql again, after a migration was added.
schema: $(VENV)/.development
	$(BIN)/python -m scripts.schema

## Bring the catalogs of translations up to date with the messages of the source.
messages: $(VENV)/.development
	$(BIN)/python -m scripts.messages

## Write the generated parts of the client libraries again, after the JSON API changed.
clients: $(VENV)/.tools
	$(BIN)/python -m scripts.clients

## Build the client libraries and the WordPress plugin as packages, into dist/.
packages: $(VENV)/.tools
	$(BIN)/python -m scripts.packages

## Pin the requirements again (needs uv).
lock:
	uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	  --no-header --no-annotate requirements.in -o requirements.txt
	uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	  --no-header --no-annotate requirements-dev.in -o requirements-dev.txt
	uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	  --no-header --no-annotate tests/integrations/python/requirements.in \
	  -o tests/integrations/python/requirements.txt

$(VENV)/.runtime: requirements.txt pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

$(VENV)/.tools: $(VENV)/.development tests/npm/package-lock.json tests/deploy/kubernetes.txt
	$(BIN)/python -m tests.browser.install
	$(BIN)/python -m tests.npm.install
	$(BIN)/python -m tests.deploy.promtool
	$(BIN)/python -m tests.deploy.kubernetes
	touch $@

# Unless one process has compiled the tests before, all compile them at the same time.
$(VENV)/.compiled: $(VENV)/.development
	-$(BIN)/python -m pytest --collect-only -qq $(IGNORE) >$@ 2>&1

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Latchkey needs Python 3.11 or newer: set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

clean:
	rm -rf $(VENV)
