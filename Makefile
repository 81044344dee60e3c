# Two commands set everything up on a machine with Python 3.11+, pip and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 2
MATRIX ?= 13 14 15 16 17 18
ROOM ?=
DEMO_ARGS ?=
BENCH_ARGS ?=
LINEARITY_ARGS ?=
ROUTES_ARGS ?=
SOAK_ARGS ?=
CHAOS_ARGS ?=
HUGE_ARGS ?=
AUDIT_ARGS ?=

# Where it is set, every test process would compile every module and rewrite every test anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-matrix test-long lint bench growth chaos huge dashboards soak image-check audit lock clean
help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/demo.stamp  ## the whole connector against an embedded Postgres and a local Redo, about a minute
	@$(BIN)/redo-connector demo $(DEMO_ARGS)

test: $(VENV)/dev.stamp  ## the tests, against a real Postgres that they start themselves; of one room: ROOM=contract
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS) $(ROOM:%=tests/%)

test-matrix: $(VENV)/dev.stamp  ## the tests that use a server, on each version of Postgres: MATRIX="13 14" PYTEST_ARGS="-m source"
	$(BIN)/python -m tests.support.programs.version_matrix --workers $(PYTEST_WORKERS) "$(MATRIX)" -- -m 'server and not long' $(PYTEST_ARGS)

test-long: $(VENV)/dev.stamp  ## what `make test` leaves out: the same promises over more ground, minutes
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) -m 'long or hypothesis' --hypothesis-profile long $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp  ## formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

dashboards: $(VENV)/dev.stamp  ## write deploy/grafana/redo-connector.json anew from its code
	$(BIN)/python -m deploy.grafana

bench: $(VENV)/dev.stamp  ## latency and throughput, with the floor measured in the same run
	$(BIN)/python -m benchmarks.run $(BENCH_ARGS)
	$(BIN)/python -m benchmarks.linearity $(LINEARITY_ARGS)
	$(BIN)/python -m benchmarks.routes $(ROUTES_ARGS)

growth: $(VENV)/dev.stamp  ## an OMS of up to a million orders, up to an hour: GROWTH_ARGS="--sizes 10000,100000"
	$(BIN)/python -m benchmarks.growth $(GROWTH_ARGS)

chaos: $(VENV)/dev.stamp  ## faults at random times while orders change: CHAOS_ARGS="--seconds 240 --seed 7"
	$(BIN)/python -m tests.system.chaos $(CHAOS_ARGS)

huge: $(VENV)/dev.stamp  ## huge transactions at full size, minutes and gigabytes: HUGE_ARGS="--share 0.1"
	$(BIN)/python -m tests.system.huge $(HUGE_ARGS)

soak: $(VENV)/dev.stamp  ## random changes to whole schemas for long: SOAK_ARGS="--seconds 600 --seed 7"
	$(BIN)/python -m tests.system.oracle.soak $(SOAK_ARGS)

image-check: $(VENV)/dev.stamp  ## the Dockerfile's steps in a clean root, and what they make run read-only; needs root and debootstrap
	$(BIN)/python -m deploy.image

audit: $(VENV)/dev.stamp  ## known vulnerabilities of the pinned packages: AUDIT_ARGS=--require
	$(BIN)/python -m deploy.audit $(AUDIT_ARGS)

lock: $(VENV)/dev.stamp  ## renew the pinned, hashed requirements
	for name in run demo dev; do \
	  $(BIN)/uv pip compile pyproject.toml --extra build $$([ $$name = run ] || echo --extra demo) \
	    $$([ $$name = dev ] && echo --extra test) --generate-hashes --universal --no-config \
	    --python-version 3.11 --custom-compile-command "make lock" --quiet -o requirements/$$name.lock || exit 1; \
	done

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .postgres .prometheus .haproxy build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# The dev environment holds the demo's too, so whichever exists is kept.
$(VENV)/demo.stamp: requirements/demo.lock pyproject.toml | $(VENV)/bin/python
	@[ -e $(VENV)/dev.stamp ] || { echo "Installing what the demo needs into $(VENV) ..."; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/demo.lock; }
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
