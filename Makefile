# What CI runs is what people run: every recipe makes .venv and installs what it needs.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= auto
# Hundreds of processes of one program: none but the first compiles it.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CONSTRAINTS ?= constraints-cpu.txt
SOURCES := pyproject.toml hatch_build.py $(CONSTRAINTS) $(wildcard humobctl/kernels/*.[ch])
PLAIN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
BOOK := $(VENV)/.installed-book
DEMO := demo
SECONDS ?= 300
TARGETS ?=
NAMES ?=

.PHONY: help attack demo test pytest lint types format bench docs book pictures licences constraints nightly newest audit \
    fuzz completions extras properties wheel clean
.DELETE_ON_ERROR:

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "humobctl needs Python 3.11 or later; make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

# A stamp file for each set of packages: a second make installs nothing.
$(PLAIN): $(SOURCES) | $(BIN)/python
	$(PIP) install -c $(CONSTRAINTS) -e .
	@touch $@

$(DEV): $(SOURCES) | $(BIN)/python
	$(PIP) install -c $(CONSTRAINTS) -e '.[dev]'
	@touch $(PLAIN) $@

$(BOOK): $(SOURCES) | $(BIN)/python
	$(PIP) install -c $(CONSTRAINTS) -e '.[docs]'
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
	@scripts/postgis.sh
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --durations 15

lint: $(DEV) ## ruff over the code, words of helps and pages, hadolint, workflows, licences of all packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python scripts/language.py
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/python scripts/licences.py docs/licences.md --check

types: $(DEV) ## mypy, strict
	$(BIN)/mypy

format: $(DEV) ## put the code into ruff's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) ## benchmarks, scores beside the published ones (needs ../shared/data)
	$(PIP) install 'pandas>=2'
	$(BIN)/python -m benchmarks

docs: $(DEV) ## write docs/reference.md anew from --help, docs/api.md from the docstrings
	$(BIN)/python scripts/reference.py docs/reference.md
	$(BIN)/python scripts/api.py docs/api.md

book: $(BOOK) ## docs/ as HTML in build/book; fails at a page or link that is missing
	$(BIN)/mkdocs build --strict

pictures: $(DEV) ## draw docs/pictures/ anew (generated.png needs ../shared/data, explore.png chromium)
	@rm -rf build/pictures
	$(BIN)/python -m pictures $(NAMES)

licences: $(DEV) ## write docs/licences.md anew
	$(BIN)/python scripts/licences.py docs/licences.md

# The versions of torch are of builds: the newest one may be a CUDA build of several GB.
constraints: ## write constraints-cpu.txt anew: the newest versions that install together
	rm -rf $(VENV)-new && $(PYTHON) -m venv $(VENV)-new
	grep '^torch==' constraints-cpu.txt > $(VENV)-new/torch.txt
	$(VENV)-new/bin/python -m pip --disable-pip-version-check --quiet install -c $(VENV)-new/torch.txt -e '.[dev,docs]'
	{ grep '^#' constraints-cpu.txt; $(VENV)-new/bin/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+cpu$$//'; } \
	    > $(VENV)-new/constraints.txt
	mv $(VENV)-new/constraints.txt constraints-cpu.txt

nightly: audit fuzz properties newest extras ## what takes minutes or the network: audit, fuzz, properties, newest, extras

properties: $(DEV) ## tests of properties with 1,000 examples each (40 in make test)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) -m hypothesis --hypothesis-profile nightly

newest: ## all tests with the newest version of every package but torch
	@mkdir -p build && grep '^torch==' constraints-cpu.txt > build/newest.txt
	$(MAKE) pytest VENV=.venv-newest CONSTRAINTS=build/newest.txt

extras: $(DEV) ## a wheel in empty environments, with each extra by the command that doctor prints
	$(BIN)/python scripts/wheel_extras.py

audit: $(DEV) ## known vulnerabilities of the pinned packages (needs the network)
	$(PIP) install 'pip-audit>=2.9'
	$(BIN)/python scripts/audit.py

attack: $(DEV) ## kills, hostile models and servers, mutated inputs; writes docs/notes/robustness.md
	$(BIN)/python -m attack --write docs/notes/robustness.md $(PARTS)

fuzz: $(DEV) ## coverage-guided fuzzing of every parser, SECONDS=300 each
	$(PIP) install -c $(CONSTRAINTS) -e '.[dev,fuzz]'
	$(BIN)/python -m fuzz --seconds $(SECONDS) $(TARGETS)

completions: $(DEV) ## write completions/ anew from the app
	$(BIN)/python scripts/completions.py completions

wheel: $(DEV) ## a wheel for this platform in dist/
	$(PIP) wheel --no-deps --wheel-dir dist .

clean: ## remove what the recipes above made, but for .venv
	rm -rf $(DEMO) dist build $(VENV)-new $(VENV)-newest .mypy_cache .pytest_cache .ruff_cache
