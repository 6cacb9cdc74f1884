# Two commands set everything up by themselves: `make quickstart` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?= data
CONSTRAINTS := constraints.txt
# One process per core for the tests, one thread each.
TEST_ARGS ?= -n auto --dist worksteal
PYTEST    := OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m pytest $(TEST_ARGS)

# Environments build the same tree.
.NOTPARALLEL:
.PHONY: quickstart test test-slow test-oldest fuzz faults coverage lint doc bench clean

# The environment is rebuilt when what it holds changes.
$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e ".[test,plot,progress]"
	touch $@

quickstart: $(VENV)/.installed
	MPLBACKEND=Agg $(BIN)/python examples/plot_quickstart.py

test: $(VENV)/.installed
	$(PYTEST)

# What is slow by nature: clusters, full products of cases, what only training can show.
test-slow: $(VENV)/.installed
	$(PYTEST) -m "slow and not gpu"

# The oldest releases that pyproject.toml allows, in an environment of their own. They
# exist for Python 3.11 and 3.12: PYTHON=python3.11, if yours is newer.
test-oldest:
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

# For an hour: inputs of any kind, and model files that were changed.
fuzz: $(VENV)/.installed
	SKWASS_FUZZ=nightly $(PYTEST) tests/fuzz
	$(BIN)/python benchmarks/fuzz.py
	$(BIN)/python benchmarks/files.py

# Processes that are killed at random moments, files that are cut short and garbled.
faults: $(VENV)/.installed
	$(PYTEST) -m "not gpu" tests/ot/test_ledger.py tests/test_streaming.py tests/embedders/test_checkpoint.py tests/embedders/test_files.py
	$(BIN)/python benchmarks/kills.py

# Lines and branches that the tests reach, slow ones included, room by room.
coverage: $(VENV)/.installed
	$(PYTEST) -m "not gpu" --cov=skwass --cov-branch --cov-report=html
	@for file in skwass/*/__init__.py; do \
	  room=$$(dirname $$file); \
	  printf "%-20s %s %%\n" $$room $$($(BIN)/coverage report --format=total --include="$$room/*"); \
	done
	@printf "%-20s %s %%\n" all $$($(BIN)/coverage report --format=total)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

doc: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e ".[doc]"
	MPLBACKEND=Agg $(BIN)/python -m sphinx -W -b html doc doc/_build/html

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/dwe_mnist.py --data $(DATA)
	$(BIN)/python benchmarks/ground_truth.py --data $(DATA)
	$(BIN)/python benchmarks/nearest_edm.py --data $(DATA)
	$(BIN)/python benchmarks/kuratowski_mnist.py --data $(DATA)
	$(BIN)/python benchmarks/kuratowski_mnist.py --data $(DATA) --labels 200000
	$(BIN)/python benchmarks/wormhole.py --data $(DATA) --dataset mnist --labels 60000 --max-iter 20
	$(BIN)/python benchmarks/wormhole.py --data $(DATA) --dataset modelnet --labels 12000
	$(BIN)/python benchmarks/table1.py --data $(DATA)
	$(BIN)/python benchmarks/label_efficiency.py --data $(DATA)
	$(BIN)/python benchmarks/schedule_mnist.py --data $(DATA)
	$(BIN)/python benchmarks/all_pairs_mnist.py --data $(DATA)
	$(BIN)/python benchmarks/translates_mnist.py --data $(DATA)
	$(BIN)/python benchmarks/geometry.py --data $(DATA)
	$(BIN)/python benchmarks/transfer.py --data $(DATA)
	$(BIN)/python benchmarks/devices_mnist.py --data $(DATA) --devices cpu

clean:
	rm -rf $(VENV) .venv-oldest htmlcov .coverage* build dist doc/_build doc/auto_examples *.egg-info
