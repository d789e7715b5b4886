# Every target creates what it needs. TORCH: another build of torch can be named, for example on a GPU machine.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
SPEECH ?= build/speech
RUN ?= build/demo
export OTOSCOPE_CACHE ?= $(abspath build/cache)

.PHONY: install demo check test test-slow fmt bench docs clean

install: $(VENV)/.demo

demo: $(VENV)/.demo
	$(BIN)/otoscope corpus make-demo $(SPEECH) --languages 12
	$(BIN)/otoscope pitch run --corpus espeak:$(SPEECH) --model logmel --model mfcc --model ge2e \
		--model untrained:ge2e#0 --tracker kaldi --cluster voice --out $(RUN)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(git ls-files 'src/*.py')

test: $(VENV)/.dev
	$(BIN)/pytest -m "not slow"

test-slow: $(VENV)/.dev
	$(BIN)/pytest

fmt: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W -b html docs build/docs

clean:
	rm -rf build $(VENV)

# resemblyzer is installed for the weights in its wheel only: it is never imported, and its own requirements do not build.
define install_with
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt "$(TORCH)" -e ".[$(1)]"
	$(BIN)/pip install --quiet --no-deps -c constraints.txt resemblyzer
	touch $@
endef

$(VENV)/.demo: pyproject.toml constraints.txt
	$(call install_with,demo)

$(VENV)/.dev: pyproject.toml constraints.txt
	$(call install_with,dev)
	touch $(VENV)/.demo

$(VENV)/.bench: pyproject.toml constraints.txt
	$(call install_with,demo$(,)bench)

$(VENV)/.docs: pyproject.toml constraints.txt
	$(call install_with,docs)

, := ,
