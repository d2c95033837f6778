PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WITH_TORCH := $(VENV)/.installed-torch
WITH_SPHINX := $(VENV)/.installed-docs

.PHONY: help demo test test-fast lint docs bench

help:  ## what there is
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/'

demo: $(INSTALLED)  ## verify the claims, filter a photograph, learn real digits: runs/demo/
	$(BIN)/jaxconv demo

test: $(INSTALLED) lint  ## lint, types, tests, doctests and the README
	$(BIN)/python -m pytest -n 2 -q -rs

test-fast: $(INSTALLED)  ## what is not slow, a quarter of the cases of each test
	$(BIN)/python -m pytest -n 2 -q --fast

lint: $(INSTALLED)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(WITH_SPHINX)  ## the documentation as pages to read: runs/docs/index.html
	$(BIN)/python -m sphinx -q -W --keep-going docs runs/docs
	@echo "Written: runs/docs/index.html"

bench: $(WITH_TORCH)  ## the tables against the peers: runs/bench/; with ARGS=--quick in two minutes
	$(BIN)/python -m benchmarks $(ARGS)

$(INSTALLED): pyproject.toml constraints.txt hatch_build.py $(wildcard jaxconv/convolution/native/*.cpp jaxconv/convolution/native/*.h)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

$(WITH_TORCH): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev,torch]'
	@touch $@

$(WITH_SPHINX): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev,docs]'
	@touch $@
