# The two commands that matter: `make tune` and `make test`. Both need Python 3.11+ (with venv) and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# The variable silences what mkdocs-material says of its own end in 2027; see docs/adr/0011-the-site.md. No --quiet: it
# hides warnings from --strict too.
DOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.DEFAULT_GOAL := help
.PHONY: help tune test lint docs pictures format bench clean

help:
	@echo "make tune    install what is needed and tune a network on handwritten digits"
	@echo "make test    install what is needed and run every test"
	@echo "make lint    style, types, the floors of the house, and the documentation's links and names"
	@echo "make docs    build the documentation into site/; open site/index.html"
	@echo "make pictures  draw the schedules and the batch policies for it anew"
	@echo "make bench   measure what the README claims (minutes)"
	@echo "make clean   remove the environment and every cache"

tune: $(VENV)/.torch
	$(BIN)/surefoot tune digits

# Two processes of one thread each: the tests are thousands of small trainings, which a second thread does not make faster.
test: $(VENV)/.dev $(VENV)/.browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(DOCS)

# Strict: a link that leads nowhere, a page that nothing leads to and a public name without a docstring are errors.
docs: $(VENV)/.dev
	$(DOCS)

# Of the schedules and the batch policies; the documentation does not build while one is stale.
pictures: $(VENV)/.dev
	$(BIN)/python docs_build/pictures.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Surefoot needs Python 3.11 or newer; this is %s. Try: make tune PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.torch: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing Surefoot with PyTorch into $(VENV) (once; the download is large) ..."
	$(PIP) --editable '.[torch]'
	@touch $@
$(VENV)/.dev: $(VENV)/.torch
	@echo "Installing the tools that the tests need ..."
	$(PIP) --editable '.[dev]'
	@touch $@

# A browser for the tests of the page, from Debian, where there is none and we may install one. Without it those tests are
# skipped and say so; nothing else hangs on it, so this never fails.
BROWSERS := chromium chromium-browser google-chrome
$(VENV)/.browser: $(VENV)/.python
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "Installing a browser for the tests of the page ..." && \
	timeout 300 sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	chromium fonts-wqy-microhei' >/dev/null 2>&1 || echo "No browser could be installed: the tests of the page in one will be skipped."
	@touch $@

clean:
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
