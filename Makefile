# make demo | make test | make check; each makes its own environment in .venv first,
# with the newest versions of the dependencies.
PYTHON ?= python3
VENV ?= .venv
PACKAGE ?= build/package
LOWEST ?= build/lowest
BIN := $(VENV)/bin
PYTEST := -m pytest -n logical --dist worksteal

.PHONY: demo test check lint slow lowest package reproduce bench

demo: $(VENV)/.package
	$(BIN)/triplet-train --config digits_semihard --run-dir runs/demo --overwrite
	@echo "To type these commands, first: source $(BIN)/activate"

test: $(VENV)/.dev
	$(BIN)/python $(PYTEST)

check: lint
	$(BIN)/python $(PYTEST) --cov

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

slow: $(VENV)/.dev
	$(BIN)/python $(PYTEST) -m slow

# The tests with the lowest version of each dependency that pyproject.toml accepts.
lowest: $(LOWEST)/.dev
	$(LOWEST)/bin/python $(PYTEST)

# The wheel that the sdist gives is that of the tree, and alone in an empty environment it runs the demo.
package: $(VENV)/.dev
	rm -rf $(PACKAGE)
	$(BIN)/python -m build --outdir $(PACKAGE) . > /dev/null
	$(BIN)/python -m build --wheel --outdir $(PACKAGE)/tree . > /dev/null
	cmp $(PACKAGE)/*.whl $(PACKAGE)/tree/*.whl
	$(PYTHON) -m venv $(PACKAGE)/empty
	$(PACKAGE)/empty/bin/python -m pip install --quiet --upgrade pip
	$(PACKAGE)/empty/bin/python -m pip install --quiet $(PACKAGE)/*.whl
	cd $(PACKAGE) && HOME=$$PWD empty/bin/triplet-train --config digits_semihard

# Writes docs/measurements/, or the pages of it that ONLY names; see scripts/README.md.
bench: $(VENV)/.dev
	$(BIN)/python scripts/bench/all.py $(if $(ONLY),--only $(ONLY))

reproduce: $(VENV)/.package
	$(BIN)/python scripts/bench/reproduce.py

$(VENV)/.package: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip  # older ones take minutes to find versions
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.package
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

# pyproject.toml with == for >=, so that no dependency can move another to a higher version.
$(LOWEST)/.dev: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	sed '/requires/!s/>=\([0-9.]*\)/==\1.*/g' pyproject.toml > $(LOWEST)/pyproject.toml
	$(LOWEST)/bin/python -m pip install --quiet uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct \
		--requirements $(LOWEST)/pyproject.toml --extra dev
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --no-deps --editable .
	@touch $@
