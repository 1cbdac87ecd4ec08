# The names that people try. Each makes the environment in .venv where it is missing; Windows users call the commands.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help check lint test coverage lowest docs demo bench lock

help:
	@echo 'make check      lint, docs and test: what a change must pass'
	@echo 'make lint       style, format and types'
	@echo 'make test       the default tests'
	@echo 'make coverage   the default tests, and the lines that they do not reach'
	@echo 'make lowest     the tests that depend on the libraries, with the lowest versions that pyproject.toml allows'
	@echo 'make docs       the site of the docs, in site/'
	@echo 'make demo       the whole program with invented papers'
	@echo 'make bench      the figures of docs/benchmarks.md, in a quarter of an hour'
	@echo 'make lock       the constraints files with the newest versions'

.venv/made: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e '.[dev]'
	touch $@

check: lint docs test

lint: .venv/made
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Containerfile

test: .venv/made
	$(BIN)/pytest -q

coverage: .venv/made
	$(BIN)/pytest -q --cov --cov-report=term-missing:skip-covered

lowest: .venv/made
	.ci/lowest

docs: .venv/made
	$(BIN)/properdocs build --strict

demo: .venv/made
	$(BIN)/digest demo

bench: .venv/made
	$(BIN)/python -m bench

lock: .venv/made
	.ci/lock
