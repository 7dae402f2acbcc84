# The commands of this project. Every one of them makes .venv first if it is missing, with the first Python from 3.11 to 3.13 that is there.
SUITS := 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'
PYTHON ?= $(firstword $(foreach p, python3.11 python3.12 python3.13 python3, $(shell $(p) -c $(SUITS) 2> /dev/null && echo $(p))))
BIN := .venv/bin
PIP := $(BIN)/pip install --disable-pip-version-check
UV := $(BIN)/uv pip install --system-certs --python $(BIN)/python
LOCKED := --requirement requirements.lock
# CUDA 13's builds leave out GPUs before Turing (compute capability 7.5), and CUDA 12.6's are the last that have them; for all others uv looks at the driver.
NEWEST_GPU = nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | sort -n | tail -n 1
TORCH_BACKEND ?= $(shell $(NEWEST_GPU) | awk '$$1 + 0 > 0 && $$1 < 7.5 {old = 1} END {print old ? "cu126" : "auto"}')
export MALLOC_MMAP_THRESHOLD_ = 4294967296
export MALLOC_TRIM_THRESHOLD_ = 17179869184
export DO_NOT_TRACK = 1
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export DVC_NO_ANALYTICS = 1

.PHONY: demo serve bench fullsize study evidence transfer beyond test test-slow test-browser lint pretrain quality lock
demo: .venv/ready            ## the whole job on the embedded base: two toys in, videos of both out
	env -u PREFECT_API_URL -u PREFECT_PROFILE -u PREFECT_PROFILES_PATH PREFECT_HOME=$(CURDIR)/.prefect $(BIN)/python -m flows.full run --combination toys --approval auto

serve: .venv/ready           ## a Prefect server on 127.0.0.1 (if none answers) and the deployment videodreamer/full
	$(BIN)/python -m flows.serve

test: .venv/ready            ## all tests but the slow ones
	$(BIN)/python -m pytest

test-slow: .venv/ready       ## the slow tests: the whole pipeline through DVC, runs that wait on a real server
	$(BIN)/python -m pytest -m slow

test-browser: .venv/ready    ## a person with a mouse in the Prefect UI; needs chromium (apt-get install chromium)
	$(BIN)/python -m pytest -m browser --numprocesses 0

lint: .venv/ready            ## ruff, import-linter, pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

quality: .venv/ready         ## how well the embedded base and its judges do: models/toybox/quality.json
	$(BIN)/python -m tasks.commands.quality

bench: .venv/ready           ## our training step and generators against others, on a quiet machine: metrics/bench.json, docs/speed.md
	$(BIN)/python -m tasks.commands.bench

fullsize: .venv/ready        ## every stage on bases of the published size with random weights: metrics/fullsize.json, README's hardware table
	$(BIN)/python -m tasks.commands.fullsize

study: .venv/ready           ## the methods' videos side by side on MultiStudioBench's drawn edition, profile quick: docs/benchmark.md
	$(BIN)/python -m flows.benchmark run

evidence: .venv/ready        ## the methods and ablations side by side on held-out toys: metrics/evidence.json, docs/evidence.md
	$(BIN)/python -m flows.benchmark run --profile pictures
	$(BIN)/python -m flows.benchmark run --profile clips
	$(BIN)/python -m tasks.commands.evidence

transfer: .venv/ready        ## motions of drawn clips given to the demo's subjects (after make demo): metrics/motion.json, docs/evidence.md
	$(BIN)/python -m tasks.commands.transfer

beyond: .venv/ready          ## regions, more subjects, events and motion from a clip on held-out toys: metrics/beyond.json, docs/regions.md
	$(BIN)/python -m tasks.commands.beyond

pretrain: .venv/ready        ## train the embedded base from nothing (hours); goes on where it was stopped
	$(BIN)/python -m tasks.commands.pretrain

.venv/ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 is on the path; install one, or say which: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) --quiet $$(grep '^uv==' requirements.lock) || true  # pip does all that uv, four times as fast, cannot
	@echo "PyTorch for this machine: its GPU and driver, or no CUDA; where that is not to be had, PyPI's"
	$(UV) --torch-backend=$(TORCH_BACKEND) $(LOCKED) || $(UV) $(LOCKED) || $(PIP) --no-compile --progress-bar on $(LOCKED)
	nice $(BIN)/python -m compileall -q -j 0 .venv/lib > .venv/compileall.txt 2>&1 &  # beside what comes next; some packages ship Python 2 templates
	$(UV) --quiet --no-deps --editable . || $(PIP) --quiet --no-deps --editable .
	touch $@

lock: .venv/ready            ## write requirements.lock from what is installed; what a PyTorch has of CUDA it asks for by itself, and a Mac has none
	$(BIN)/pip freeze --exclude-editable | grep -vE '^(nvidia-|cuda-|triton==)' | sed -E 's/^(torch|torchvision)==([0-9.]+)\+.*/\1==\2/' > requirements.lock
