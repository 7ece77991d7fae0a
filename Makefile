# Everything goes into .venv and .home; `make clean` removes both.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export MLXR_HOME ?= $(CURDIR)/.home
# Images of containers set it. Tests start hundreds of processes, each of which would compile every module again.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check
CPP := $(shell find mlxr/metal/cpu/native tests/metal/gpu/emulator -name '*.h' -o -name '*.cpp')
NATIVE := $(CPP) mlxr/metal/cpu/native/CMakeLists.txt
# The web application is built where there is a Node that its tools run on. Without one all but its pages works.
UI := $(shell find ui -type f -not -path '*/node_modules/*' -not -path '*/e2e/*' -not -name openapi.json)
BUNDLE := mlxr/http/ui/bundle/dist/index.html
NODE := $(shell node -e 'const [a, b] = process.versions.node.split("."); if (a > 20 || (a == 20 && b >= 19)) console.log(1)' 2> /dev/null)
WEB := $(if $(NODE),$(BUNDLE))

# An extra's packages without mlxr itself, which is there already: those that build from source get what they need to.
define install-extra
	$(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"], sep="\n")' > $(VENV)/$(1).txt
	$(PIP) install -q -c constraints.txt -r $(VENV)/$(1).txt
endef

# The native kernels are built in a folder that stays, so that what has not changed is not compiled again. With CI set,
# as services that test have it, warnings are errors from the beginning: `test-native` finds all built as it wants it.
BUILT := -C cmake.define.MLXR_NATIVE_BUILD="$(CURDIR)/build/native" \
	$(if $(CI),-C cmake.define.CMAKE_COMPILE_WARNING_AS_ERROR=ON)

# MLX for NVIDIA's GPUs, where CUDA=13 asks for it. Its library lies where mlx-cpu's does, so it is installed behind
# that.
CUDA ?=
define install-cuda
	@echo "fetching MLX for NVIDIA's GPUs and the CUDA libraries that it takes, about 2 GB"
	@$(PIP) install -q -c constraints.txt 'mlx[cuda$(CUDA)]'
	@$(PIP) install -q -c constraints.txt --no-deps --force-reinstall mlx-cuda-$(CUDA)
endef

.PHONY: setup help up test test-native test-clients test-ui test-families test-speculation test-peers fuzz lint format bench models clean

setup: $(VENV)/installed $(WEB) ## make .venv with everything in it; done again where what it was made of has changed
$(VENV)/installed: pyproject.toml constraints.txt CMakeLists.txt $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "mlxr needs Python 3.11 to 3.13; name one with make PYTHON=..."; exit 1; }
	@echo "setting up $(VENV) (1 of 3): a Python environment, with MLX and what building takes"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install -q -c constraints.txt scikit-build-core nanobind cmake ninja 'mlx[cpu]; sys_platform == "linux"' \
		'mlx; sys_platform == "darwin"'
	@echo "setting up $(VENV) (2 of 3): the packages that mlxr and its tests need"
	@$(BIN)/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		print(*project["dependencies"], *project["optional-dependencies"]["dev"], sep="\n")' > $(VENV)/all.txt
	@$(PIP) install -q -c constraints.txt -r $(VENV)/all.txt
	$(if $(CUDA),$(install-cuda))
	@command -v $${CXX:-c++} > /dev/null || echo "there is no C++ compiler ($${CXX:-c++}): without one mlxr computes with plain" \
		"MLX operations, many times slower on a CPU. Install g++ or clang (macOS: xcode-select --install), then: make -B setup"
	@echo "setting up $(VENV) (3 of 3): building the native kernels, a minute or two on two cores"
	@$(PIP) install -q -c constraints.txt --no-build-isolation --no-deps $(BUILT) -e .
	@$(BIN)/mlxr doctor | grep '^backend'
	@touch $@
	@test -n "$(CUDA)" || ! nvidia-smi -L > /dev/null 2>&1 || \
		echo "there is an NVIDIA GPU, which computes once its libraries are here: make -B setup CUDA=13"
	@test -n "$(NODE)" || echo "the web application is not built: it takes Node 20.19 or newer, then make setup again"

# What is built without a network may fail, and takes nothing else with it.
ui/node_modules/.package-lock.json: ui/package.json ui/package-lock.json
	@echo "fetching the packages of the web application"
	@npm --prefix ui ci --silent
$(BUNDLE): $(UI)
	@{ $(MAKE) -s ui/node_modules/.package-lock.json && npm --prefix ui run --silent build -- --logLevel warn && touch $@; } || \
		echo "the web application could not be built; all else works, and make setup tries again"

help: ## show these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "make %-14s %s\n", $$1, $$2}'

up: setup ## serve a model until interrupted
	$(BIN)/mlxr up

models: setup ## fetch the models that tests and benchmarks need
	@$(BIN)/python -m tests.models > /dev/null

test: models ## run all tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

# The C++ programs, and the Python module as `setup` builds it, with warnings as errors.
test-native: setup ## build and run the native kernels' own tests
	@test -f build/native/CMakeCache.txt || $(MAKE) -s -B $(VENV)/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake -S mlxr/metal/cpu/native -B build/native -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
	$(BIN)/cmake --build build/native --parallel 2 --target native_tests _native
	$(BIN)/ctest --test-dir build/native --output-on-failure

# Hostile inputs of every kind, for ten minutes at most. A short form: make fuzz SHARE=0.02
SHARE ?= 1
fuzz: models ## throw hostile inputs of every kind at it, for ten minutes at most
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake -S mlxr/metal/cpu/native -B build/asan -DMLXR_SANITIZE=ON
	$(BIN)/cmake --build build/asan --parallel 2 --target quant_fuzz
	build/asan/quant_fuzz $$($(BIN)/python -c 'print(int(10_000 * $(SHARE)))')
	$(BIN)/python -m tests.fuzz --share $(SHARE)

test-clients: models ## run the tests with other people's client packages
	$(call install-extra,clients)
	npm install --prefix tests/clients/programs --no-package-lock --no-audit --no-fund --silent
	$(BIN)/python -m pytest -q -m clients tests/clients

# TypeScript's types of the API are made from the server's own document; they fail where the two have parted.
.PHONY: ui-types
ui-types: setup ui/node_modules/.package-lock.json ## write the browser's types of the API
	$(BIN)/python -m mlxr.http.openapi_document > ui/openapi.json
	npm --prefix ui run --silent types

test-ui: models ui/node_modules/.package-lock.json ## test the web application, in Chromium against a real server
	npm --prefix ui run --silent size
	npm --prefix ui run --silent test
	npm --prefix ui run --silent e2e -- $(E2E)

# Into build/screenshots, in light and dark, for a phone and a desktop. PICK="chat-desktop-light" copies one to
# docs/images.
.PHONY: screenshots
screenshots: models ui/node_modules/.package-lock.json ## take pictures of every page, with content, for people to look at
	npm --prefix ui run --silent screenshots
	@for name in $(PICK); do mkdir -p docs/images && cp "build/screenshots/$$name.png" docs/images/; done

# llama.cpp's converter comes in the source distribution of llama-cpp-python. FAMILIES="qwen gemma" picks some.
PEER := .cache/llama-cpp-python
.PHONY: peer
peer: setup
	$(call install-extra,families)
	mkdir -p $(PEER)
	$(PIP) download -q -c constraints.txt --no-deps --no-binary llama-cpp-python -d $(PEER) llama-cpp-python
	tar xzf $(PEER)/*.tar.gz -C $(PEER) --strip-components 1

test-speculation: models ## hold a thousand random requests with speculation against the same without it
	$(BIN)/python -m tests.actors.speculation --requests 1000

test-peers: models peer ## compare quantized and converted models with llama.cpp's and mlx-lm's
	PEER_SOURCES=$(PEER)/vendor/llama.cpp $(BIN)/python -m pytest -q -m peers tests/peers

test-families: models peer ## hold every family against transformers and llama.cpp, and write docs/families.md
	$(BIN)/python -m tests.families --sources $(PEER)/vendor/llama.cpp $(FAMILIES)

lint: setup ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(CPP)
	$(BIN)/mypy
	@test -z "$(NODE)" || { $(MAKE) -s ui/node_modules/.package-lock.json && \
		$(BIN)/python -m mlxr.http.openapi_document > ui/openapi.json && npm --prefix ui run --silent check; }

format: setup ## bring code into the one form
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP)

bench: models ## measure speed against peers
	$(call install-extra,bench)
	$(BIN)/python -m bench

clean: ## remove all that was made here
	rm -rf $(VENV) .home build .cache ui/node_modules mlxr/http/ui/bundle/dist
