# `make demo` runs the whole job on a drawn sample; `make test` passes the tests. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
DEMO ?= demo

.PHONY: demo test check performance clean

.venv/.demo: EXTRAS := offline,report
.venv/.installed: EXTRAS := dev
.venv/.demo .venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

demo: $(or $(wildcard .venv/.installed),.venv/.demo)
	PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh "$(DEMO)"

test: .venv/.installed
	$(BIN)/pytest -n auto --dist loadfile -m 'not gpu and not performance'

check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

performance: .venv/.installed
	$(BIN)/pytest -m performance -s tests/performance

clean:
	rm -rf .venv demo
