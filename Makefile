# Main targets: `make study` and `make test`. Both install the environment first if it is missing.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.installed

.PHONY: study test durations browser chaos gpu tutorial lint audit clean
.DELETE_ON_ERROR:

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

study: $(READY)
	$(BIN)/python -m studies.run cifar_sampling_eps

# Compiles byte code once; otherwise each of about a hundred processes compiles the code again. Later
# runs also find the tests with their assertions rewritten: four seconds less in each process.
test: export PYTHONDONTWRITEBYTECODE =
test: $(READY) browser
	$(BIN)/python -m compileall -q scorelib tuning studies dashboards tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(RECORD)

# Runs all tests and records the time of each file. Later runs begin with the slowest files.
durations: RECORD := --record-durations
durations: test

# Installs Chromium for the tests of web pages, since pip does not offer it. Without the permission to
# install, these tests are skipped.
browser:
	@command -v chromium chromedriver >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    apt-get install -y -qq chromium chromium-driver >/dev/null; } || \
	  echo "no chromium and chromium-driver: tests of pages will be skipped"

# Injects real faults one after another and prints a table of outcomes; more than twenty minutes.
chaos: $(READY)
	$(BIN)/python -m tests.chaos

# Comparisons with a CPU and times on a machine with a GPU, at most eight minutes; installs nothing and
# needs no network. PYTHON is a Python with PyTorch: the environment of the other targets is not used.
gpu:
	@$(PYTHON) -m tests.gpu

# The tutorial of the documents as a new user follows it, from an installed wheel; nine minutes.
tutorial: $(READY)
	$(BIN)/python -m tests.tutorial

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Lists known vulnerabilities of the pinned versions; queries the package index.
audit: $(READY)
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet pip-audit
	.venv/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

clean:
	rm -rf .venv
