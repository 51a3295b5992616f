# What people type. The work is done by tools/ and by the commands in .venv/bin.
.DEFAULT_GOAL := help
.PHONY: help setup run test lint format bench bench-data faults fuzz clean

BIN := .venv/bin
# Folders that hold Python of ours; those that a checkout lacks are left out.
CODE := $(wildcard receiver migrations tests bench faults fuzz)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18

setup: ## make .venv with the pinned dependencies
	@tools/setup.sh

run: ## receiver + worker on 127.0.0.1:8080 over an embedded database in var/
	@tools/setup.sh && exec $(BIN)/receiver up

test: ## every test, over SQLite and a private MariaDB (ARGS="-k words" for some)
	@tools/setup.sh dev && tools/test-needs.sh && exec $(BIN)/pytest -n 2 --dist worksteal $(ARGS)

lint: ## ruff, mypy --strict, import-linter, bandit, pip-audit
	@tools/setup.sh dev
	@for check in "ruff check ." "ruff format --check ." "mypy $(CODE)" lint-imports \
	    "bandit -q -c pyproject.toml -r receiver migrations" "python tools/audit.py"; do \
	  echo "$$check"; $(BIN)/$$check || failed=1; \
	done; test -z "$$failed"

format: ## lay the code out as lint wants it
	@tools/setup.sh dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ## webhooks and alerts a second, latency, memory
	@tools/setup.sh dev && tools/test-needs.sh && exec $(BIN)/python -m bench $(ARGS)

bench-data: ## 5 million alerts and 200,000 incidents in a private MariaDB, and how long reports take on them
	@tools/setup.sh dev && tools/test-needs.sh && exec $(BIN)/python -m bench.data $(ARGS)

faults: ## kill, stop and starve every part under load, and check that nothing is lost or doubled
	@tools/setup.sh dev && tools/test-needs.sh && exec $(BIN)/python -m faults $(ARGS)

fuzz: ## arbitrary bytes for everything that reads what strangers sent, 10 minutes (ARGS="--seconds 60")
	@tools/setup.sh dev && exec $(BIN)/python -m fuzz $(ARGS)

clean: ## remove what setting up, testing and building left behind; the database in var/ stays
	rm -rf .venv var/test var/tools build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
