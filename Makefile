# What CI runs is what people run: every recipe makes .venv and installs what it needs.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= auto

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := pyproject.toml hatch_build.py constraints-cpu.txt $(wildcard humobctl/*/*.[ch])
PLAIN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
DEMO := demo
SECONDS ?= 300
TARGETS ?=

.PHONY: help demo test pytest lint types format bench docs licences nightly audit fuzz completions \
    wheel clean
.DELETE_ON_ERROR:

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "humobctl needs Python 3.11 or later; make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

# A stamp file for each set of packages: a second make installs nothing.
$(PLAIN): $(SOURCES) | $(BIN)/python
	$(PIP) install -c constraints-cpu.txt -e .
	@touch $@

$(DEV): $(SOURCES) | $(BIN)/python
	$(PIP) install -c constraints-cpu.txt -e '.[dev]'
	@touch $(PLAIN) $@

demo: $(PLAIN) ## make a synthetic city, hide its last 15 days, predict them twice, print the scores
	@rm -rf $(DEMO) && mkdir $(DEMO)
	$(BIN)/humobctl data synth --users 200 --seed 1 --output $(DEMO)/city.parquet
	$(BIN)/humobctl data mask $(DEMO)/city.parquet --from-day 60 --output $(DEMO)/challenge.csv.gz
	$(BIN)/humobctl predict $(DEMO)/challenge.csv.gz --output $(DEMO)/history.csv.gz
	$(BIN)/humobctl train ranker $(DEMO)/challenge.csv.gz --rows 30000 --output $(DEMO)/ranker
	$(BIN)/humobctl predict $(DEMO)/challenge.csv.gz --model $(DEMO)/ranker --output $(DEMO)/ranker.csv.gz
	$(BIN)/humobctl eval $(DEMO)/history.csv.gz $(DEMO)/ranker.csv.gz --truth $(DEMO)/city.parquet --format table

test: lint types pytest ## lint, types and all tests

pytest: $(DEV) ## all tests, without lint and types
	@scripts/chromium.sh
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

lint: $(DEV) ## ruff over the code, hadolint over the Dockerfile, licences of all packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint Dockerfile
	$(BIN)/python scripts/licences.py docs/licences.md --check

types: $(DEV) ## mypy, strict
	$(BIN)/mypy

format: $(DEV) ## put the code into ruff's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) ## benchmarks, scores beside the published ones (needs ../shared/data)
	$(PIP) install 'pandas>=2'
	$(BIN)/python -m benchmarks

docs: $(DEV) ## write docs/reference.md anew from --help
	$(BIN)/python scripts/reference.py docs/reference.md

licences: $(DEV) ## write docs/licences.md anew
	$(BIN)/python scripts/licences.py docs/licences.md

nightly: audit fuzz ## what takes minutes or the network: audit and fuzz

audit: $(DEV) ## known vulnerabilities of the pinned packages (needs the network)
	$(PIP) install 'pip-audit>=2.9'
	$(BIN)/python scripts/audit.py

fuzz: $(DEV) ## coverage-guided fuzzing of every parser, SECONDS=300 each
	$(PIP) install -c constraints-cpu.txt -e '.[dev,fuzz]'
	$(BIN)/python -m fuzz --seconds $(SECONDS) $(TARGETS)

completions: $(DEV) ## write completions/ anew from the app
	$(BIN)/python scripts/completions.py completions

wheel: $(DEV) ## a wheel for this platform in dist/
	$(PIP) wheel --no-deps --wheel-dir dist .

clean: ## remove what the recipes above made, but for .venv
	rm -rf $(DEMO) dist build .mypy_cache .pytest_cache .ruff_cache
