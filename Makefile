.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[check]'
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Install everything into .venv (the other targets do it by themselves)

.PHONY: demo
demo: $(STAMP) ## A day of flex therapy on the twin, with boluses, a power cut and a stall; draws build/demo/infusion.png
	$(BIN)/thecal demo

.PHONY: therapy-plots
therapy-plots: $(STAMP) ## Draw the pictures of docs/THERAPY.md and of the README again
	$(PY) -m thecal.therapy_plots
	$(BIN)/thecal demo >/dev/null
	cp build/demo/infusion.png docs/infusion.png

.PHONY: image
image: $(STAMP) ## Get or build the MicroPython image
	$(PY) -m thecal.image

.PHONY: build
build: $(STAMP) ## Compile the firmware and write its hash manifest to build/firmware/
	$(PY) -m thecal.build

.PHONY: flash
flash: $(STAMP) ## Flash a board: make flash PORT=/dev/ttyACM0
	$(if $(PORT),,$(error PORT is not set: make flash PORT=/dev/ttyACM0))
	$(BIN)/thecal flash --port $(PORT)

.PHONY: emulate
emulate: $(STAMP) ## An emulated pump on a pseudo-terminal
	$(BIN)/thecal emulate

.PHONY: test
test: $(STAMP) ## All tests: host tests on CPython, board tests on the emulated Pico
	$(PY) -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

.PHONY: powercut
powercut: $(STAMP) ## Cut the power everywhere: the whole campaign, resumable; OPS=N random operations, PARTS=a,b, FRESH=1
	$(PY) -m thecal.powercut $(if $(OPS),--ops $(OPS)) $(if $(PARTS),--parts $(PARTS)) $(if $(FRESH),--fresh)

.PHONY: faults
faults: $(STAMP) ## Put faults into the running application: the whole campaign, resumable; INJECTIONS=N, BOARD=N, PARTS=a,b, FRESH=1
	$(PY) -m thecal.faults $(if $(INJECTIONS),--injections $(INJECTIONS)) $(if $(BOARD),--board $(BOARD)) \
	  $(if $(PARTS),--parts $(PARTS)) $(if $(FRESH),--fresh)

.PHONY: starts
starts: $(STAMP) ## 100 resets of the emulated board at any moment, each followed until DRIVE is high (`make test` follows 28)
	ALL_STARTS=1 $(PY) -m pytest -v --numprocesses auto --maxprocesses 4 host_tests/board/test_starts.py

.PHONY: mutants
mutants: $(VENV)/.mutants ## Change what watches the dose in every place: does a test notice? resumable; MODULES="a.py b.py", FRESH=1
	$(PY) -m thecal.mutation $(MODULES) $(if $(FRESH),--fresh)

$(VENV)/.mutants: $(STAMP)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[mutants]'
	@touch $@

.PHONY: bench
bench: $(STAMP) ## Measure, and write build/bench.json
	$(PY) -m thecal.bench

build/typings/.installed: pyproject.toml $(STAMP)
	rm -rf build/typings
	$(PY) -m pip install --quiet --disable-pip-version-check --target build/typings \
	  $$($(PY) -m thecal.pins stubs)
	@touch $@

.PHONY: check
check: $(STAMP) build/typings/.installed ## Lint, format, spelling, types, every branch of what watches the dose
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(PY) -m thecal.drug_library
	$(BIN)/basedpyright --project pyrightconfig.device.json
	$(BIN)/basedpyright --project pyrightconfig.host.json
	$(PY) -m thecal.mutation.gate

.PHONY: format
format: $(STAMP) ## Format the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## Remove what was built (not the virtual environment, not the cached image)
	rm -rf build
