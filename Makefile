# Everything a checkout needs: python3 (3.11 to 3.13), git and make. `make` alone lists the targets.

VENV ?= .venv
DEMO := .amp-demo
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

PIP = $(VENV)/bin/python -m pip install -qq --disable-pip-version-check

.PHONY: help demo test test-all test-scale lint bench torture images docs dist clean
.DELETE_ON_ERROR:

help:
	@echo "make demo      draw a small labelled set and build 20 variants of each training image: $(DEMO)/build"
	@echo "make test      run the tests, but for those that take minutes"
	@echo "make test-all  run all tests"
	@echo "make test-scale  run the tests of Ray, remote storage and the hub, which start servers of their own"
	@echo "make lint      ruff and mypy"
	@echo "make bench     run every benchmark (those that need other libraries say so)"
	@echo "make torture   kill, interrupt and fill the disk under all commands that write, for some minutes"
	@echo "make images    draw the documentation's images again"
	@echo "make docs      write the reference again and build the documentation: site/index.html"
	@echo "make dist      build the wheel and the source archive of the changelog's newest version: dist/"
	@echo "make clean     remove what these targets made"

demo: $(VENV)/.installed $(DEMO)/.set
	$(VENV)/bin/amp build manifests/quickstart.yaml -o $(DEMO)/build

test: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -n 2 -m "not slow"

test-all: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -n 2

test-scale: $(VENV)/.installed-test $(VENV)/.installed-scale
	$(VENV)/bin/python -m pytest tests/building/test_cluster.py tests/storage/test_remote.py

lint: $(VENV)/.installed-lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(VENV)/.installed-test
	@set -e; for file in $$(grep -l '^if __name__ == "__main__"' benchmarks/*.py); do \
		echo "== $$file"; $(VENV)/bin/python $$file; done

torture: $(VENV)/.installed-test
	$(VENV)/bin/python benchmarks/torture.py

images: $(VENV)/.installed
	$(VENV)/bin/python docs/figures.py
	@$(VENV)/bin/python -c "import fastapi, playwright" 2>/dev/null && $(VENV)/bin/python docs/screens.py \
		|| echo "studio.webp and report.webp stay as they are: pip install '.[studio,browser]' draws them, too"
	$(VENV)/bin/python docs/strips.py

docs: $(VENV)/.installed $(VENV)/.installed-docs
	$(VENV)/bin/python docs/reference.py
	$(VENV)/bin/python -m mkdocs build --strict

dist: $(VENV)/.installed-test $(VENV)/.installed-release
	$(VENV)/bin/python -m pytest -q tests/test_packaging.py
	rm -rf dist
	$(VENV)/bin/python -m build
	$(VENV)/bin/python -m twine check --strict dist/*

clean:
	rm -rf $(VENV) $(DEMO) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(DEMO)/.set: amp_datasets/demo/write.py amp_datasets/demo/scene.py | $(VENV)/.installed
	rm -rf $(DEMO)/set
	$(VENV)/bin/python -m amp_datasets.demo $(DEMO)/set
	@touch $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 on the PATH" >&2; \
		echo "  fix: install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-%: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[$*]'
	@touch $@ $(VENV)/.installed
