# `make demo` runs the whole job on a drawn sample; `make test` passes the tests. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
DEMO ?= demo
LOWEST := .venv-lowest
LOWEST_EXTRAS := figures hub offline onnx report slurm tensorboard

.PHONY: demo test check audit fuzz fuzz-guided reliability mutation performance docs docs-links lock lowest dist clean

.venv/.demo: EXTRAS := offline,report
.venv/.docs: EXTRAS := docs
.venv/.installed: EXTRAS := dev
.venv/.demo .venv/.docs .venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

demo: $(or $(wildcard .venv/.installed),.venv/.demo)
	PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh "$(DEMO)"

test: .venv/.installed
	$(BIN)/pytest -n auto --dist loadfile -m 'not gpu and not performance'

HARNESSES := $(wildcard tests/performance/*.py tests/reliability/*.py tests/fuzz/*.py)
check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	$(BIN)/mypy
	MYPYPATH=tests/performance:. $(BIN)/mypy --explicit-package-bases $(HARNESSES)
	$(BIN)/lint-imports

# Code that could be abused, and known weaknesses of what the lock files name (that needs the registry's list).
audit: .venv/.installed
	$(BIN)/uv tool run --from 'bandit[toml]' bandit --quiet --configfile pyproject.toml --recursive cocoad benchmark
	for lock in requirements/*.lock; do \
		$(BIN)/uv tool run pip-audit --no-deps --disable-pip --requirement $$lock || exit 1; done

# Damaged files for every reader, SECONDS long (default 10 minutes); the count is printed.
SECONDS ?= 600
fuzz: .venv/.installed
	$(BIN)/python -m tests.fuzz $(SECONDS)

# The same, led by what code an input reaches: EACH reader so many seconds (Linux, Python up to 3.13).
EACH ?= 20
fuzz-guided: .venv/.installed
	$(BIN)/pip install --quiet 'atheris>=3.0'
	$(BIN)/python -W ignore -m tests.fuzz.guided $(EACH)

# What docs/reliability.md claims: corruption found, damaged files refused, full disks and some 200 kills survived; -s
# prints the counts. KILLS are the moments for each command and signal, RUNS follow each other in one process.
KILLS ?= 7
RUNS ?= 500
reliability: .venv/.installed
	KILLS=$(KILLS) RUNS=$(RUNS) $(BIN)/python -m pytest -s tests/cocoad/verify/test_mutations.py tests/reliability tests/fuzz

# Small changes to the code, and which of them no test notices: all, or NAMES='benchmark.metrics.curves*'.
mutation: .venv/.installed
	$(BIN)/pip install --quiet 'mutmut>=3.8'
	$(BIN)/mutmut run --max-children 2 $(NAMES)
	$(BIN)/mutmut results

# One table: what, ours, the alternative's, ratio, the limit; exit code 1 where one is missed. On an idle machine, or
# with WITH='--by processor' on a busy one; WITH='--busy' starts two busy processes; --help says the rest.
performance: .venv/.installed
	$(BIN)/python tests/performance/measure.py $(WITH)

# The site, in build/site; a warning or a broken link within it is an error. Links to elsewhere: `make docs-links`.
docs: $(or $(wildcard .venv/.installed),.venv/.docs)
	$(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet -d build/doctrees docs build/site

docs-links: $(or $(wildcard .venv/.installed),.venv/.docs)
	$(BIN)/sphinx-build -b linkcheck --quiet -d build/doctrees docs build/links

# The versions that a light installation and the demo take, for every Python and platform.
lock: .venv/.installed
	$(BIN)/uv pip compile --universal --python-version 3.10 --group light --quiet --upgrade \
		--custom-compile-command 'make lock' --output-file requirements/light.lock
	$(BIN)/uv pip compile --universal --python-version 3.10 --extra offline --extra report --quiet --upgrade \
		--custom-compile-command 'make lock' --output-file requirements/demo.lock pyproject.toml

# The tests with the lowest versions that pyproject.toml allows (6 GB of disk).
lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet uv
	$(LOWEST)/bin/uv pip compile --python $(LOWEST)/bin/python --resolution lowest-direct --quiet \
		$(addprefix --extra ,$(LOWEST_EXTRAS)) pyproject.toml --output-file $(LOWEST)/lowest.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --requirement $(LOWEST)/lowest.txt \
		pytest pytest-timeout hypothesis scikit-learn scipy import-linter
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --no-deps --editable .
	$(LOWEST)/bin/python -m pytest tests/cocoad tests/benchmark \
		-m 'not gpu and not browser and not slow'

# What goes to the package registry: the source distribution, and the wheel made from it.
dist: .venv/.installed
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*

clean:
	rm -rf .venv .venv-lowest build dist demo
