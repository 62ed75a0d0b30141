# `make check` and `make test` set up .venv by themselves; PYTHON=python3.12 chooses the interpreter.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
RELEASE_STAMP := $(VENV)/.installed-release
RUN := $(VENV)/bin/python -m
PYTEST_ARGS ?=
CROSS ?= aarch64-linux-gnu-gcc

.PHONY: help check test test-again test-faults test-slow test-programs docs packages lint venv clean
.DEFAULT_GOAL := help

help:  ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST)

check: $(STAMP)  ## every checker at a small budget
	$(VENV)/bin/heapster check

test: $(STAMP)  ## the test suite on all cores; of planted faults, one of each kind
	$(RUN) pytest -n auto --dist worksteal -q -m 'not programs and not faults and not docs and not packages and not slow' \
	    $(PYTEST_ARGS)

test-again: $(STAMP)  ## what failed in the last run of tests, one after the other
	$(RUN) pytest -q --last-failed --last-failed-no-failures none $(PYTEST_ARGS)

test-faults: $(STAMP)  ## every planted fault, hunted at length
	$(RUN) pytest -n auto --dist worksteal -q -m faults $(PYTEST_ARGS)

test-slow: $(STAMP)  ## commands whole, those that take long
	$(RUN) pytest -n auto --dist worksteal -q -m slow $(PYTEST_ARGS)

test-programs: $(STAMP)  ## real programs on the library, at length
	$(RUN) pytest -n auto --dist worksteal -q -m programs tests/programs $(PYTEST_ARGS)

docs: $(DOCS_STAMP)  ## the documentation in docs/_build/html, man pages too; every command in it is run
	$(RUN) sphinx -W --keep-going -q -b html docs docs/_build/html
	$(RUN) sphinx -W --keep-going -q -b man docs docs/_build/man
	$(RUN) pytest -n auto --dist worksteal -q -m docs tests/docs tests/test_recipes.py $(PYTEST_ARGS)
	@echo "docs/_build/html/index.html"

# A wheel for aarch64 too where its compiler is: apt install gcc-aarch64-linux-gnu, and qemu-user to test it.
packages: $(RELEASE_STAMP)  ## the source, a wheel that compiles on demand, and those with machine code, in dist/; tested
	rm -rf build dist
	$(RUN) build --no-isolation --outdir dist .
	rm -rf build
	HEAPSTER_SHIP=1 $(RUN) build --no-isolation --wheel --outdir dist .
	rm -rf build
	@if command -v $(CROSS) >/dev/null; \
	    then CC=$(CROSS) HEAPSTER_SHIP=1 $(RUN) build --no-isolation --wheel --outdir dist .; \
	    else echo "no $(CROSS): no wheel for aarch64"; fi
	$(RUN) twine check --strict dist/*
	$(RUN) pytest -q -m packages tests/packages $(PYTEST_ARGS)

lint: $(STAMP)  ## style and types
	$(RUN) ruff check .
	find heapster tests -name '*.[ch]' -exec $(VENV)/bin/clang-format --dry-run --Werror {} +
	$(RUN) mypy

venv: $(STAMP)  ## the environment alone

# Installing builds nothing in isolation, so that the pinned build backend is the one that is used.
$(STAMP): requirements.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Heapster needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Use make PYTHON=..." >&2; exit 1; }
	@test -x $(VENV)/bin/python && $(VENV)/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the pinned requirements into $(VENV)"
	@$(RUN) pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DOCS_STAMP): $(STAMP) docs/requirements.txt
	@$(RUN) pip install --quiet --disable-pip-version-check --requirement docs/requirements.txt
	@touch $@

$(RELEASE_STAMP): $(STAMP) requirements-release.txt
	@$(RUN) pip install --quiet --disable-pip-version-check --requirement requirements-release.txt
	@touch $@

clean:  ## remove what was made
	rm -rf $(VENV) build dist docs/_build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
