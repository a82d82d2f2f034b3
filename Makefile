# Firstline: `make` lists what there is. Everything is fetched into .tools and .venv inside this folder.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

PORT ?=
SMTP_PORT ?=
DATA ?=
ARGS ?=

# Each process would compile every module anew, which takes longer than all else that it does at its start.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
SOAK := $(wildcard tests/*/test_*oracle*.py tests/*/test_kill*.py tests/*/test_split_kill.py tests/*/test_same_history.py tests/*/test_campaign.py)
CODE := $(wildcard libs services tests bench tools)

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Settings: PORT=8080 SMTP_PORT=2525 DATA=data; ARGS='...' is handed to pytest or the demo."

.PHONY: up
up: run-tools ## Install what is needed and run the whole desk here (PORT, SMTP_PORT, DATA)
	@exec $(BIN)/firstline up $(if $(PORT),--port $(PORT)) $(if $(SMTP_PORT),--smtp-port $(SMTP_PORT)) $(if $(DATA),--data "$(DATA)")

.PHONY: demo
demo: run-tools ## Play a working day of 24 requests on a desk of its own
	@exec $(BIN)/firstline demo $(ARGS)

.PHONY: prove
prove: dev-tools ## Load a desk, kill it again and again, and count what is left (a minute or two)
	@$(BIN)/python tools/prove.py

.PHONY: test
test: dev-tools ## Run every test (ARGS="tests/queue -x" for some)
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@# Neighbours stay together, since what a folder's or a module's tests share is made in each worker that gets some.
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not process"
	@# Then those that start and kill real processes; the heavy ones take turns (tests/conftest.py). Where a broker is
	@# named, all share it, and so they go one by one.
	@$(BIN)/python -m pytest $(if $(FIRSTLINE_TEST_AMQP),,-n 2 --dist loadfile --no-loadscope-reorder) -m process
endif

.PHONY: check
check: dev-tools ## Check format, style, types, layers, dependencies, spelling, locks
	@echo "==> format"       && $(BIN)/ruff format --check --quiet .
	@echo "==> style"        && $(BIN)/ruff check --quiet .
	@echo "==> types"        && $(BIN)/mypy $(CODE)
	@echo "==> layers"       && $(BIN)/lint-imports --no-cache
	@echo "==> dependencies" && $(BIN)/deptry libs services
	@echo "==> spelling"     && $(BIN)/codespell
	@echo "==> conventions"  && $(BIN)/python -m pytest -q tests/conventions
	@echo "==> deployment"   && $(BIN)/python -m pytest -q tests/deploy
	@echo "==> known weaknesses" && $(BIN)/python tools/audit.py

.PHONY: format
format: dev-tools ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: bench
bench: dev-tools ## Run the benchmarks one by one; figures go to bench/out
	@for file in $$(grep -l __main__ bench/*.py); do \
		echo "==> $$file" && $(BIN)/python "$$file" || exit 1; \
	done

.PHONY: soak
soak: dev-tools ## Run the long campaigns: 100,000 calendars, 250 kills, 10 plays, 2,000 seeds (some hours)
	@FIRSTLINE_ORACLE_CALENDARS=100000 FIRSTLINE_KILL_ROUNDS=50 FIRSTLINE_SPLIT_ROUNDS=200 FIRSTLINE_SIMULATION_SEEDS=2000 \
		FIRSTLINE_PLAY_SEEDS="1 2 3 4 5 6 7 8 9 10" $(BIN)/python -m pytest $(SOAK) $(ARGS)

.PHONY: containers
containers: ## Run docker-compose.yml in real containers and walk through the policy (Debian, root)
	@tools/containers $(ARGS)

.PHONY: lock
lock: dev-tools ## Resolve the requirements anew (versions and hashes, no index addresses)
	@tools/lock

.PHONY: clean
clean: ## Remove everything that was fetched or built; DATA stays
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: run-tools dev-tools
run-tools:
	@tools/bootstrap run
dev-tools:
	@tools/bootstrap dev
