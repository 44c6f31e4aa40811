# Every target works as the first command in a fresh clone: it needs make, python3 (3.11 or newer) and the network.
# Downloads are kept in BUILDCTL_TEST_CACHE (~/.cache/buildctl-tests); nothing is installed on the system.

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help test test-long fuzz soak lock audit check bench fmt docs screenshots demo clean

help: ## Show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

test: check ## All checks, then the daemon tests on two real engines (as root), with coverage of both
	@$(BIN)/python -m tests.support.packages
	$(BIN)/pytest tests/daemon -m "not long" -n $(WORKERS) --cov --cov-append --cov-report=term

test-long: $(READY) ## The tests that take minutes
	@$(BIN)/python -m tests.support.packages
	$(BIN)/pytest -m long -n $(WORKERS)

fuzz: $(READY) ## Fuzz what reads the input of others, a minute each; or ONLY=receiving FUZZ_SECONDS=600
	$(BIN)/python -m tests.fuzz --seconds $(or $(FUZZ_SECONDS),60) $(ONLY)

soak: $(READY) ## Build for half an hour, as root, and see that nothing grows; or SOAK_SECONDS=300 SOAK_RATE=1
	@$(BIN)/python -m tests.support.packages
	$(BIN)/python -m tests.load.soak --seconds $(or $(SOAK_SECONDS),1800) --rate $(or $(SOAK_RATE),0) $(if $(SOAK_RECORD),--record)

check: $(READY) ## Lint, formatting, types, import floors, and every test that needs no daemon, with coverage
	$(BIN)/ruff check --output-format concise
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python .ci/audit.py || true
	$(BIN)/pytest --ignore=tests/daemon -m "not long" -n $(WORKERS) --cov --cov-report=

audit: $(READY) ## Ask pip-audit for known weaknesses of the locked dependencies; fails if there are any
	$(BIN)/python .ci/audit.py

lock: ## Take the newest versions that pyproject.toml allows for the tests: .ci/constraints.txt
	$(PYTHON) .ci/bootstrap.py .venv unlocked
	(echo "# The versions that the tests are run with. Written by \`make lock\`."; \
	  $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable) > .ci/constraints.txt
	@touch $(READY)

bench: $(READY) ## Measure against docker-buildx, as root, for hours; or ONLY=a,b PAIRS=3
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(PAIRS),--pairs $(PAIRS))

fmt: $(READY) ## Format the code and fix what lint can fix
	$(BIN)/ruff check --fix --output-format concise
	$(BIN)/ruff format

docs: $(READY) ## Generate completions, reference pages and man pages
	$(BIN)/python -m buildctl.cli.completion.generate
	$(BIN)/python -m buildctl.cli.reference.generate

screenshots: $(READY) ## Take the README's pictures of the live display anew, of real builds (as root)
	$(BIN)/python -m docs.screenshots

demo: $(READY) ## Build examples/hello on a BuildKit and show the result
	$(BIN)/python -m examples.demo

clean: ## Remove what was made here; downloads stay in the cache folder
	rm -rf .venv build dist out examples/hello/out examples/hello/busybox .coverage .coverage.* htmlcov
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made anew when what it depends on changes; the mark is set last, so an interrupted start is started again.
$(READY): pyproject.toml .ci/bootstrap.py .ci/constraints.txt
	$(PYTHON) .ci/bootstrap.py .venv
	@touch $@
