# make and Python 3.11 or later are all these need; uv is used where it is installed.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin
WORKERS ?= 2
# The suite starts our commands hundreds of times; without caches each start compiles the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-rollout test lint format bench docs requirements clean

demo: $(READY)
	@$(RUN)/migrator demo $(if $(DB),--database $(DB)) $(ARGS)

demo-rollout: $(READY)
	@$(RUN)/python examples/shop/demo.py $(if $(DB),--database $(DB)) $(ARGS)

test: $(READY)
	@$(RUN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(READY)
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

format: $(READY)
	@$(RUN)/ruff format .
	@$(RUN)/ruff check --fix .

bench: $(READY)
	@$(RUN)/python -m benchmarks.backfill $(ARGS)
	@$(RUN)/python -m benchmarks.matched
	@$(RUN)/python -m benchmarks.key_type $(ARGS)
	@$(RUN)/python -m benchmarks.mysql $(ARGS)
	@$(RUN)/python -m benchmarks.startup
	@$(RUN)/python -m benchmarks.lint_speed

docs: $(READY)
	@$(RUN)/zensical build --clean

# Exact versions and hashes of everything the commands above install.
requirements:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --all-extras --group dev --output-file requirements/dev.txt pyproject.toml

$(READY): requirements/dev.txt pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --compile-bytecode --python $(RUN)/python --require-hashes -r requirements/dev.txt && \
	  uv pip install --quiet --python $(RUN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12")' && \
	  $(PYTHON) -m venv $(VENV) && \
	  $(RUN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt && \
	  $(RUN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(READY)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis site dist
