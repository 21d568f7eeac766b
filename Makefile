# Two commands do all: `make study` and `make test`. Both set everything up first, once.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.installed

.PHONY: study test lint clean
.DELETE_ON_ERROR:

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

study: $(READY)
	$(BIN)/python -m studies.run cifar_sampling_eps

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv
