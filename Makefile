# make play    set up everything and play the instrument
# make test    set up everything and run all tests
# make check   lint, types, floors
# make bench   what is fast, measured
# make docs    draw the pictures of the docs and the README again

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready

.PHONY: play test check bench docs clean
.DELETE_ON_ERROR:

play: $(READY)
	$(BIN)/kinesphere play $(ARGS)

test: $(DEV_READY)
	$(BIN)/python -m pytest $(ARGS)

check: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_floors.py

bench: $(DEV_READY)
	$(BIN)/python bench/live.py
	$(BIN)/python bench/training.py

docs: $(DEV_READY)
	for figure in docs/figures/*.py; do $(BIN)/python $$figure || exit 1; done

# Torch comes first and alone: the release that constraints.txt pins has a small build for the CPU; a GPU's is taken if it is there already.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Kinesphere needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say PYTHON=python3.12, for example.") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[window]'
	touch $@

$(DEV_READY): $(READY)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[window,train,dev]'
	touch $@

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
