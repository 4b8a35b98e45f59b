# Roadstead. Needs Python 3.11 or later and nothing else; `make help` lists what there is.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; done; echo python3)
RUN = @$(PYTHON) -m deploy.bootstrap
export ROADSTEAD_BROKER ?= $(BROKER)
export ROADSTEAD_IDENTITY ?= $(IDENTITY)
CHAOS = $(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED)) $(if $(BROKER),--broker $(BROKER)) \
	$(if $(FAULTS),--faults $(FAULTS))
OPTIONS = $(if $(NODES),--nodes $(NODES)) $(if $(PORT),--port $(PORT))

.DEFAULT_GOAL := help
.PHONY: help demo up test bench chaos mutants model install compile statechart clean distclean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## set up, start a node, create bays and volumes, kill their worker, show what happens (PORT=)
	$(RUN) demo $(OPTIONS)

up: ## set up and run in the foreground; Ctrl-C stops all of it (NODES=3 PORT=8000 BROKER=rabbitmq IDENTITY=keystone)
	$(RUN) up $(OPTIONS)

test: ## set up and run every check and test (T=tests.bays for some)
	$(RUN) test $(T)

bench: ## set up and measure; minutes (ARGS="--count 400 --rows 100000 --json FILE")
	$(RUN) bench $(ARGS)

chaos: ## set up, put load on a whole installation and break all of it (DURATION=300 SEED=1 BROKER=redis FAULTS=all ARGS=)
	$(RUN) chaos $(CHAOS) $(ARGS)

mutants: ## plant bugs in a copy, each must be caught by its tests (ARGS="--short", "--only NAME", "--list")
	$(RUN) mutants $(ARGS)

model: ## have Spin go through every state of the model of claims, leases and fences (ARGS="--faults 2")
	$(RUN) model $(ARGS)

install: ## only make or update the virtual environments
	$(RUN) install

compile: ## pin requirements*.in again, with hashes (ARGS=--upgrade for newer versions)
	$(RUN) compile $(ARGS)

statechart: install ## draw the state diagrams of the documentation from the transition tables
	@.venv/bin/python manage.py statechart

clean: ## remove .state: all data, logs and passwords
	@$(PYTHON) -m deploy.clean

distclean: clean ## also remove the virtual environments
	rm -rf .venv .venv-heat .venv-keystone .venv-clients
