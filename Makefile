# Two commands do all: `make study` and `make test`. Both set everything up first, once.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.installed

.PHONY: study test durations browser chaos lint audit clean
.DELETE_ON_ERROR:

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

study: $(READY)
	$(BIN)/python -m studies.run cifar_sampling_eps

# Byte code is made once, not by each of a hundred processes where Python may not keep it.
test: $(READY) browser
	$(BIN)/python -m compileall -q scorelib tuning studies dashboards tests
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(RECORD)

# The same, and how long each file took: the longest run first from then on.
durations: RECORD := --record-durations
durations: test

# Pages are tested in Chromium, which pip has not: installed where that is allowed (else skipped).
browser:
	@command -v chromium chromedriver >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    apt-get install -y -qq chromium chromium-driver >/dev/null; } || \
	  echo "no chromium and chromium-driver: tests of pages will be skipped"

# Real faults, one after another, and a table of what came of them: some twenty minutes.
chaos: $(READY)
	$(BIN)/python -m tests.chaos

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Known vulnerabilities of the pinned versions; asks the package index.
audit: $(READY)
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet pip-audit
	.venv/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

clean:
	rm -rf .venv
