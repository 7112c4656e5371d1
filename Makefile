# What a newcomer types: `make demo`, `make test`. `make help` tells the rest.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
PYTEST_ARGS ?=
BENCH_ARGS ?=
# The quick ones first; those with a whole Airflow last
TESTS ?= $(filter-out %__pycache__ tests/airflow,$(patsubst %/,%,$(sort $(wildcard tests/*/)))) tests/airflow
KEEP ?=
DEMO_PORT ?=
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help install reliability test bench lint format demo screenshot constraints clean

help: ## show this text
	@echo "make TARGET [PYTHON=python3.12] [VENV=.venv]"
	@sed -n 's/^\([a-z]*\):[^#]*## /    \1|/p' Makefile | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done

install: ## system libraries, $(VENV), the package in it; quick when everything is there
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on the path; Python 3.10 to 3.13 is needed (make ... PYTHON=...)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 7))' || { echo "$(PYTHON) does not run or is too old; Python 3.10 to 3.13 is needed (make ... PYTHON=...)" >&2; exit 1; }
	@VENV=$(VENV) $(PYTHON) dev/install.py

test: install ## all tests; narrow them with TESTS=tests/unit PYTEST_ARGS="-k name"
	@$(RUN) -m pytest $(TESTS) $(PYTEST_ARGS)

reliability: install ## run the matrix of faults, and write its table into docs/reliability.md
	@ELASTICJOBS_WRITE_RELIABILITY=1 $(RUN) -m pytest tests/wire/reliability $(PYTEST_ARGS)

bench: install ## measure every way to run scripts on fleets, and write docs/benchmarks.md; hours, or BENCH_ARGS="--budget 45"
	@$(RUN) -m benchmarks $(BENCH_ARGS)
	@[ -z "$$ELASTICJOBS_TEST_SERVER" ] || $(RUN) -m benchmarks.history
	@$(RUN) -m benchmarks.page

lint: install ## ruff and mypy
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

format: install ## let ruff rewrite what it can
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

demo: install ## the main job on the sandbox, in a local Airflow; KEEP=1 leaves its UI up, DEMO_PORT=8080 chooses its port
	@KEEP=$(KEEP) DEMO_PORT=$(DEMO_PORT) $(RUN) -m dev.demo

screenshot: install ## run the demo and save the picture of the README (needs chromium)
	@$(RUN) -m dev.screenshot

constraints: ## write constraints.txt anew; UV_ARGS=--upgrade takes the newest versions
	@$(PYTHON) -m venv .cache/uv && .cache/uv/bin/python -m pip install --quiet uv
	@.cache/uv/bin/python dev/constraints.py $(UV_ARGS)

clean: ## remove what the other targets made; a $(VENV) that was made by somebody else stays
	@if [ -e "$(VENV)/.made-by-make" ]; then rm -rf "$(VENV)"; fi
	@rm -rf .demo .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
