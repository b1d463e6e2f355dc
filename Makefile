PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help setup check test smoke docs gpu

help:   ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup:  ## make .venv with everything that developing needs
	TALKVID_VENV=$(VENV) $(PYTHON) src/talkvid/cli/launch.py test --version

check:  ## ruff, formatting, mypy, import layers, shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck scripts/*.sh src/data_preprocess/*.sh data_pipeline/*.sh data_pipeline/*/*.sh .ci/run

test:   ## the tests that need no GPU and no production weights
	$(BIN)/python -m pytest -n logical --maxprocesses=4 --dist=loadfile

smoke:  ## one portrait and one second of speech become a video
	$(BIN)/python -m pytest tests/test_smoke.py

docs:   ## pages of the Python API, from its docstrings, in build/api
	$(BIN)/python scripts/make_api_pages.py

gpu:    ## the tests that need an NVIDIA GPU
	$(BIN)/python -m pytest -m gpu
