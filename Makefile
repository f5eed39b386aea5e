# Every target sets up what it needs, then does it; all are safe to repeat.
VENV := .venv
PYTHON := $(VENV)/bin/python
JOBS ?= 2

.DEFAULT_GOAL := help

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/ready-to-run ## Start Supple: web and worker, no configuration needed
	@$(PYTHON) app.py

test: $(VENV)/ready-to-test ## Run every test, on both databases and in a real browser
	$(PYTHON) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(TESTS)

lint: $(VENV)/ready-to-test ## Check style, types and templates
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy newsletter
	$(VENV)/bin/djlint templates --lint --quiet

bench: $(VENV)/ready-to-test ## Measure, and print ratios to a reference measured in the same run
	$(PYTHON) -m bench

pictures: $(VENV)/ready-to-test ## Make the README's pictures anew
	$(PYTHON) scripts/pictures.py

clean: ## Remove what was set up here (not your data in var/)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/ready-to-run: requirements.txt scripts/system.sh
	@sh scripts/system.sh python
	@test -x $(PYTHON) || $$(sh scripts/system.sh interpreter) -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@sh scripts/system.sh pdf $(PYTHON)
	@touch $@

$(VENV)/ready-to-test: $(VENV)/ready-to-run requirements-dev.txt
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@sh scripts/system.sh browser
	@sh scripts/system.sh dkim
	@sh scripts/system.sh redis
	@sh scripts/system.sh network
	@sh scripts/system.sh mail $(VENV)/exim
	@touch $@

.PHONY: help run test lint bench pictures clean
