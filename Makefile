# `make help` lists what can be made.
.DEFAULT_GOAL := help
.PHONY: help setup web web-dev lint format test looks faults chaos demo bench reference sim mutants lock wheel clean

PYTHON_BIN := .venv/bin/python
export PYTHON
# Tests start hundreds of processes: each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE
WEB := src/plumber_web/frontend
# Tests wait for other processes as long as they work: one more than there are processors keeps those busy.
WORKERS := $(shell expr $$(nproc) + 1)

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Make .venv and the page's packages with all that development needs
	@tools/setup.sh dev
	@tools/web.sh dev
	@tools/lab.sh

web: ## Build the page
	@tools/web.sh build

web-dev: setup ## Serve the page as it is written, with the API of a running server
	@cd $(WEB) && npm run --silent dev

lint: setup ## Check style, types, imports between packages, and sizes
	@.venv/bin/ruff check --quiet
	@.venv/bin/ruff format --check --quiet || { echo "Run 'make format'."; exit 1; }
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo >/dev/null || .venv/bin/lint-imports --no-logo
	@$(PYTHON_BIN) -m pytest tests/architecture/test_size_budgets.py tests/architecture/test_hygiene.py
	@cd $(WEB) && npm run --silent lint && npm run --silent typecheck && npm run --silent api:check

format: setup ## Format the code
	@.venv/bin/ruff check --quiet --fix-only
	@.venv/bin/ruff format --quiet

test: setup web ## Run all tests, on a real PostgreSQL and in a real browser too; ARGS='tests/unit -k name' chooses
	@cd $(WEB) && npm run --silent test
	@$(PYTHON_BIN) -m pytest --numprocesses=$(WORKERS) --maxprocesses=6 --dist=worksteal -m 'not faults or quick' $(ARGS)

looks: setup web ## Leave a picture of every page and dialog in build/screenshots: 1440, 1024 and 360 px, light and dark, both languages
	@PLUMBER_LOOKS=1 $(PYTHON_BIN) -m pytest --numprocesses=$(WORKERS) --maxprocesses=6 --dist=worksteal tests/browser/test_page_tour.py $(ARGS)

faults: setup ## Run all fault tests and write docs/reference/faults.md from them; ARGS='-k partition' chooses
	@$(PYTHON_BIN) -m pytest --numprocesses=2 --dist=worksteal -rs -m faults \
		--fault-results tests/faults/results.json $(ARGS); status=$$?; $(PYTHON_BIN) tools/reference.py && exit $$status

chaos: setup ## Run steps under a seeded killer of everything and check every promise; STEPS=10000 SEED=7
	@PYTHONPATH=tests $(PYTHON_BIN) -m chaos.run --steps $(or $(STEPS),1000) --seed $(or $(SEED),7) \
		--record tests/chaos/results.jsonl $(ARGS); status=$$?; $(PYTHON_BIN) tools/reference.py && exit $$status

demo: ## Start a server and two agents, run a task on both; ARGS=--exit ends after it, PORT=... moves it
	@tools/setup.sh runtime
	@tools/web.sh demo
	@exec $(PYTHON_BIN) tools/demo.py $(if $(PORT),--port $(PORT)) $(ARGS)

bench: setup web ## Measure dispatch beside a hand-written floor, interleaved, and the page; ARGS='latency --rounds 3' chooses
	@PYTHONPATH=tests $(PYTHON_BIN) -m bench.run $(ARGS)

sim: setup ## Try seeds in the simulator: make sim SEEDS=1..1000; JOBS=2 processes; a line in build/simulation.tsv
	@$(PYTHON_BIN) -m plumber_core.testing.simulator $(or $(SEEDS),1..300) $(if $(JOBS),--jobs $(JOBS)) --shrink --results build/simulation.tsv $(ARGS)

mutants: setup ## Remove each rule of tools/mutants.toml from a copy of the source: do seeds notice? ARGS='--seeds 1..1000'
	@$(PYTHON_BIN) tools/mutants.py $(ARGS)

reference: setup ## Write the generated pages of docs/reference anew
	@$(PYTHON_BIN) tools/reference.py

lock: setup ## Write the lock files anew; ARGS=--upgrade takes newer releases
	@tools/lock.sh $(ARGS)

wheel: setup ## Build the wheel and the source archive into dist/
	@$(PYTHON_BIN) -m hatchling build

clean: ## Remove .venv, caches, builds and the demo's data
	@rm -rf .venv .demo dist build $(WEB)/node_modules src/plumber_web/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
