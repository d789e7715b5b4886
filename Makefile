# Every target creates what it needs. TORCH: another build of torch can be named, for example on a GPU machine.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
SPEECH ?= build/speech
RUN ?= build/demo
MUSIC ?= build/music
MEMORY ?= build/memorability
export OTOSCOPE_CACHE ?= $(abspath build/cache)

.PHONY: install demo check test test-slow test-browser fmt bench docs clean

install: $(VENV)/.demo

demo: $(VENV)/.demo
	$(BIN)/otoscope corpus make-demo $(SPEECH) --languages 12
	$(BIN)/otoscope pitch run --corpus espeak:$(SPEECH) --model logmel --model mfcc --model ge2e \
		--model untrained:ge2e#0 --cluster voice --out $(RUN)
	$(BIN)/otoscope memorability make-demo $(MUSIC) --tracks 60
	$(BIN)/otoscope memorability evaluate --clips $(MUSIC)/clips --labels $(MUSIC)/labels.csv --model svr,ridge \
		--shifts none --repeats 2 --out $(MEMORY)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(git ls-files 'src/*.py')

test: $(VENV)/.dev
	$(BIN)/pytest -m "not slow and not browser"

test-slow: $(VENV)/.dev
	$(BIN)/pytest -m "not browser"

# Needs Chromium and its driver (Debian: chromium chromium-driver fonts-noto-cjk).
test-browser: $(VENV)/.dev
	$(BIN)/pytest -m browser tests/browser

fmt: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W -b html docs build/docs

clean:
	rm -rf build $(VENV)

# resemblyzer and basic-pitch are installed for the weights in their wheels only: they are never imported, and their own
# requirements do not build, or pull TensorFlow.
define install_with
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt "$(TORCH)" -e ".[$(1)]"
	$(BIN)/pip install --quiet --no-deps -c constraints.txt resemblyzer basic-pitch
	$(BIN)/python -m otoscope.f0.yaapt_core
	touch $@
endef

$(VENV)/.demo: pyproject.toml constraints.txt
	$(call install_with,demo$(,)notes$(,)swift$(,)game)

$(VENV)/.dev: pyproject.toml constraints.txt
	$(call install_with,dev)
	touch $(VENV)/.demo

$(VENV)/.bench: pyproject.toml constraints.txt
	$(call install_with,demo$(,)notes$(,)swift$(,)game$(,)bench)

$(VENV)/.docs: pyproject.toml constraints.txt
	$(call install_with,docs)

, := ,
