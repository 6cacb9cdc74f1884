# Two commands set everything up by themselves: `make quickstart` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?= data
# One process a core for the tests, one thread each.
TEST_ARGS ?= -n auto --dist worksteal

.PHONY: quickstart test lint doc bench clean

# The environment is rebuilt when what it holds changes.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,plot,progress]"
	touch $@

quickstart: $(VENV)/.installed
	MPLBACKEND=Agg $(BIN)/python examples/plot_quickstart.py

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m pytest $(TEST_ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

doc: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[doc]"
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
	$(BIN)/python benchmarks/all_pairs_mnist.py --data $(DATA)
	$(BIN)/python benchmarks/translates_mnist.py --data $(DATA)

clean:
	rm -rf $(VENV) build dist doc/_build doc/auto_examples *.egg-info
