# Every target creates .venv if needed. To use another Python: make test PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# The published figure that `make reproduce` reproduces.
NAME ?= autoencoder
# How many seconds `make fuzz` spends on each file reader.
SECONDS ?= 600

.PHONY: help demo test check lint types stubs numbers bench faults fuzz reproduce pretrained clean
.PHONY: oldest newest pythons versions site site-test pyodide

help:
	@echo "make demo       run three demos in a few minutes; writes the page gallery/index.html"
	@echo "make test       run all tests"
	@echo "make check      run ruff, mypy and all tests"
	@echo "make oldest     run the quick tests with the oldest dependencies that setup.cfg allows"
	@echo "make newest     run the quick tests with the newest dependencies"
	@echo "make pythons    do both with each installed Python from 3.11 to 3.13"
	@echo "make versions   run a small part of the tests with these dependencies and Pythons, as CI does"
	@echo "make site       build the site from docs/ and the docstrings; open site/index.html"
	@echo "make site-test  open every page of the site in headless Chromium"
	@echo "make pyodide    fetch Python for the browser (needs npm), which the site's page of gradient checks runs"
	@echo "make stubs      write the stub files, which tell type checkers the public names"
	@echo "make numbers    compare every function with 60-digit arithmetic; writes results/numbers.json"
	@echo "make bench      measure the speed against PyTorch and JAX (installs both first); see docs/speed.md"
	@echo "make faults     kill training runs, fill disks, remove folders (ten minutes); writes results/faults.json"
	@echo "make fuzz       fuzz the file readers, SECONDS=600 for each; writes results/fuzz.json"
	@echo "make reproduce  reproduce a published figure, NAME=autoencoder; writes to results/"
	@echo "make pretrained train the models that come with the package; MODELS=vae-2d: one of them"
	@echo "make clean      remove .venv, builds and caches"

demo: $(VENV)/run.stamp
	$(PY) -m scratchgen demo latent
	$(PY) -m scratchgen demo told_what_to_draw
	$(PY) -m scratchgen demo guided_by_classifier
	$(PY) -m scratchgen gallery

test: $(VENV)/test.stamp
	$(PY) -m pytest -q --durations=15

check: lint types test

oldest newest pythons: $(VENV)/test.stamp
	$(PY) tools/dependency_bounds.py $@ --record results/dependencies.json

versions: $(VENV)/test.stamp
	$(PY) tools/dependency_bounds.py pythons --short

lint: $(VENV)/test.stamp
	$(PY) -m ruff check .

types: $(VENV)/test.stamp
	$(PY) -m mypy

stubs: $(VENV)/run.stamp
	$(PY) tools/write_stubs.py

site: $(VENV)/site.stamp
	$(PY) website/build.py

site-test: $(VENV)/site.stamp
	$(PY) -m pytest -q -rs --durations=5 tests/site --ignore=tests/site/test_pages.py
	$(PY) -m pytest -q -rs --durations=5 -n 0 tests/site/test_pages.py

pyodide: $(VENV)/test.stamp
	$(PY) website/browser_python/files.py

numbers: $(VENV)/test.stamp
	$(PY) tools/sweep_numbers.py

bench: $(VENV)/bench.stamp
	$(PY) benchmarks/startup.py
	$(PY) benchmarks/parts.py
	$(PY) benchmarks/convolution.py
	$(PY) benchmarks/products.py
	$(PY) benchmarks/growth.py
	$(PY) benchmarks/run.py
	$(PY) benchmarks/load.py
	$(PY) benchmarks/scaling.py
	$(PY) benchmarks/memory.py
	$(PY) benchmarks/end_to_end.py
	$(PY) benchmarks/mpi.py
	$(PY) benchmarks/chart.py

faults: $(VENV)/run.stamp
	$(PY) -m tools.faults

fuzz: $(VENV)/test.stamp
	$(PY) -m fuzz.run --seconds $(SECONDS)

reproduce: $(VENV)/run.stamp
	$(PY) -m scratchgen reproduce $(NAME)

pretrained: $(VENV)/run.stamp
	$(PY) -m scratchgen study pretrained $(MODELS)

clean:
	rm -rf $(VENV) build dist site scratchgen.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Each stamp depends on the previous one, so that parallel targets (make -j) never run pip at the same time.
$(VENV)/run.stamp: setup.cfg pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "scratchgen: '$(PYTHON)' was not found; choose a Python: make PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "scratchgen: needs Python 3.11 or later, but $(PYTHON) is $$("$(PYTHON)" --version 2>&1);" \
	    "choose another one: make PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "scratchgen: $(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check -e ".[test]"
	@touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	@touch $@

$(VENV)/site.stamp: $(VENV)/test.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check -e ".[site]"
	@touch $@
