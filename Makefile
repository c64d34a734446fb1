# SPDX-License-Identifier: GPL-2.0-only
# Two commands do everything: `make compare` and `make test`. Both set up what they need.

# Without bytecode each process compiles all anew, and pytest what asserts in 130 files of tests.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PYTHON := python3
BIN := $(VENV)/bin
PACKAGES := bc bison bubblewrap chromium dpkg flex gcc git libc6-dev libelf-dev make \
	$(PYTHON)-venv qemu-system-x86 spin tar xz-utils

.PHONY: help setup compare test check docs fast kernels schema bench clean

help:
	@echo 'make compare   the main job: compare the fixes on the model and on Linux 6.1'
	@echo 'make test      all tests, those on real kernels included'
	@echo 'make fast      the tests that need no kernel, no browser, and no run of their own'
	@echo 'make check     linters and types'
	@echo 'make docs      the documentation as a site, in build/site'
	@echo 'make bench     benchmarks'
	@echo 'make setup     system packages (as root) and the virtual environment'
	@echo 'make clean     the virtual environment; kernels: difftest kernel clean --all'

# Packages are installed by root where apt is; anybody else is told by `difftest doctor` which are
# missing, and the model runs all the same.
setup: $(VENV)/.done

$(VENV)/.done: pyproject.toml constraints.txt
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		missing=$$(for one in $(PACKAGES); do \
			dpkg-query -W -f='$${Status}' $$one 2>/dev/null | grep -q 'install ok' || echo $$one; \
		done); \
		if [ -n "$$missing" ]; then \
			echo "installing:" $$missing; \
			apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
		fi; \
	fi
	@echo 'setting up $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

compare: setup
	@$(BIN)/difftest run $(ARGS)

test: setup
	@$(BIN)/pytest -n auto

fast: setup
	@$(BIN)/pytest -n auto -m 'not kernel and not browser and not long'

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Links that lead nowhere fail.
docs: setup
	@$(BIN)/python -m mkdocs build --quiet --strict
	@echo 'build/site/index.html'

schema: setup
	@$(BIN)/python -m difftest.schema

bench: setup
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV)
