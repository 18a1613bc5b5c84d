# Everything a contributor runs. `make help` lists it; `make setup` is implied by what needs it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ROOT := $(CURDIR)
# The project's own tools come first. Nothing is written into the home folder but package caches.
export PATH := $(ROOT)/.tools/bin:$(ROOT)/.venv/bin:$(PATH)
export SOLCX_BINARY_PATH := $(ROOT)/.tools/solcx
export APE_DATA_FOLDER := $(ROOT)/.build/ape
export XMTP_TEE_FIXTURES ?= $(ROOT)/../shared/fixtures
export XMTP_TEE_VECTORS ?= $(ROOT)/../shared/vectors
# Ape imports half a second of modules for every one that is not compiled yet.
export PYTHONDONTWRITEBYTECODE :=

# Extra arguments: make test ARGS="-k rotate", make demo ARGS=--json
ARGS ?=
# The TEE that the demo simulates: tdx, nitro or sevsnp.
TEE ?= tdx

step = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- setup -----------------------------------------------------------------------------------------

.PHONY: setup
setup: ## install the Python environment, the npm packages and the compilers
	@$(MAKE) -s -j2 .tools/ready

.venv/stamp: requirements.lock pyproject.toml tools/install-python.sh
	$(call step,Python environment (.venv))
	@python="$$(tools/prerequisites.sh)" && tools/install-python.sh "$$python"
	@touch $@

node_modules/.stamp: package.json package-lock.json
	$(call step,npm packages (node_modules))
	@tools/prerequisites.sh >/dev/null
	@npm ci --ignore-scripts --silent || npm ci --ignore-scripts --loglevel=error
	@touch $@

.tools/ready: .venv/stamp node_modules/.stamp tools/link-binaries.js tools/solc
	$(call step,compilers (.tools))
	@node tools/link-binaries.js
	@{ forge --version | head -n 1; anvil --version | head -n 1; tools/solc --version | tail -n 1; \
	   .venv/bin/python --version; } | sed 's/^/    /'
	@{ cat package-lock.json requirements.lock | cksum; } > $@

.PHONY: peers
peers: tests/node_sdk/node_modules/.stamp tests/ts_mls/node_modules/.stamp ## install the peers from npm: XMTP's SDK for Node (430 MB), ts-mls

%/node_modules/.stamp: %/package.json %/package-lock.json
	$(call step,npm packages ($*/node_modules))
	@cd $* && npm ci --ignore-scripts --silent
	@touch $@

# --- use -------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## from a key's birth in an enclave to a conversation with it; TEE=tdx, nitro or sevsnp
	@xmtp-tee demo --tee $(TEE) $(ARGS)

# --- checks ----------------------------------------------------------------------------------------

.PHONY: test
test: setup ## run the whole suite: forge's tests, then pytest's
	$(call step,forge test and pytest)
	@failed=""; \
	forge test | sed '/^\[PASS\]/d' || failed="forge test"; \
	pytest $(ARGS) || failed="$$failed pytest"; \
	if [ -n "$$failed" ]; then echo "error: failed: $$failed" >&2; exit 1; fi

.PHONY: proof
proof: setup ## the same properties looked at for long: big fuzz runs, exhaustive tests
	$(call step,forge test (profile proof))
	@FOUNDRY_PROFILE=proof forge test | sed '/^\[PASS\]/d'
	$(call step,pytest -m proof)
	@HYPOTHESIS_PROFILE=proof pytest -m proof --timeout 3600 $(ARGS)
	@$(MAKE) symbolic ARGS=
	@$(MAKE) mutate ARGS="--sample 40"

.PHONY: gas
gas: setup ## measure gas by transactions and write benchmarks/results/gas.json
	@python -m benchmarks.gas $(ARGS)

.PHONY: gas-check
gas-check: setup ## measure gas and compare with benchmarks/results/gas.json
	@python -m benchmarks.gas --check

.PHONY: bench
bench: setup ## measure speed and write benchmarks/results/: enclave, MLS, XMTP, the registry's client
	@failed=""; \
	for name in enclave mls xmtp registry_client; do \
	    python -m benchmarks.$$name --output benchmarks/results/$$name.json || failed="$$failed $$name"; \
	done; \
	if [ -n "$$failed" ]; then echo "error: failed, or missed a bar:$$failed" >&2; exit 1; fi

.PHONY: fmt
fmt: setup ## format Python and Solidity
	@ruff check --quiet --fix-only .
	@ruff format .
	@forge fmt

.PHONY: lint
lint: setup ## check format and style of Python and Solidity
	$(call step,ruff)
	@ruff check .
	@ruff format --check .
	$(call step,forge fmt)
	@forge fmt --check
	$(call step,solhint)
	@node_modules/.bin/solhint --disc --noPoster --max-warnings 0 'contracts/**/*.sol'
	$(call step,forge lint)
	@# Its own folders: it writes artifacts without bytecode.
	@FOUNDRY_OUT=.build/lint/out FOUNDRY_CACHE_PATH=.build/lint/cache forge lint --quiet --deny warnings

.PHONY: types
types: setup ## check types, mypy strict
	@mypy

.tools/slither/stamp: tools/slither.lock .venv/stamp
	$(call step,slither in an environment of its own (.tools/slither))
	@rm -rf .tools/slither
	@.venv/bin/python -m venv .tools/slither
	@.tools/slither/bin/python -m pip --quiet --disable-pip-version-check install \
	    --require-hashes --requirement tools/slither.lock
	@touch $@

.PHONY: slither
slither: setup .tools/slither/stamp ## analyse the contracts; every finding has its answer in tools/slither.toml
	@python tools/slither.py $(ARGS)

.PHONY: mutate
mutate: setup ## change the registries in one place at a time: every survivor has its answer in tools/mutants.toml
	$(call step,mutation test)
	@nice python tools/mutate.py $(ARGS)

.PHONY: coverage
coverage: setup ## which lines of the contracts forge's tests reach; every other has its answer in tools/uncovered.toml
	$(call step,forge coverage)
	@mkdir -p .build/coverage
	@# Figures of gas are the optimised code's; campaigns reach what single tests must reach alone; and forge keeps no
	@# artifact here of which a test could read the functions.
	@FOUNDRY_PROFILE=coverage FOUNDRY_OUT=.build/coverage/out forge coverage --ir-minimum --report lcov \
	    --report-file .build/coverage/lcov.info --no-match-contract 'Gas|Invariants|Symbolic' \
	    --no-match-test 'least_gas|_functions?_' \
	    --no-match-coverage 'contracts/(attestation/(dcap|nitro|sevsnp)|crypto|encoding)/' \
	    > .build/coverage/log 2>&1 || { grep -v '^\[PASS\]' .build/coverage/log >&2; exit 1; }
	@python tools/uncovered.py .build/coverage/lcov.info

.PHONY: slither-lock
slither-lock: setup ## renew tools/slither.lock, ARGS="slither-analyzer==VERSION"
	@echo "$(or $(ARGS),$$(grep -o '^slither-analyzer==[0-9.]*' tools/slither.lock))" | \
	    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --custom-compile-command "make slither-lock" - --output-file tools/slither.lock

.tools/halmos/stamp: tools/halmos.lock .venv/stamp
	$(call step,halmos in an environment of its own (.tools/halmos))
	@rm -rf .tools/halmos
	@.venv/bin/python -m venv .tools/halmos
	@.tools/halmos/bin/python -m pip --quiet --disable-pip-version-check install \
	    --require-hashes --requirement tools/halmos.lock
	@touch $@

.PHONY: symbolic
symbolic: setup .tools/halmos/stamp ## execute the key registry symbolically, prove P-384's reduction, ARGS="--function check_revoke"
	$(call step,halmos)
	@# The solver is the lock's: halmos would fetch one that it does not find. A path that was left out is a failure.
	@mkdir -p .build/symbolic
	@PATH="$(ROOT)/.tools/halmos/bin:$$PATH" FOUNDRY_PROFILE=symbolic halmos --forge-build-out .build/symbolic/out \
	    --match-contract SymbolicTest --loop 40 --default-bytes-lengths 32,64,65,96 --default-array-lengths 0,1 \
	    --solver yices --solver-threads 1 --no-status $(ARGS) | tee .build/symbolic/log
	@if ! grep -q '\[PASS\]' .build/symbolic/log; then echo "error: no check ran" >&2; exit 1; fi
	@if grep -qE '\[(FAIL|ERROR|TIMEOUT)\]|not been' .build/symbolic/log; then \
	    echo "error: a check failed or is incomplete" >&2; exit 1; fi
	$(call step,z3 on P-384's field)
	@.tools/halmos/bin/python tools/p384_proof.py

.PHONY: halmos-lock
halmos-lock: setup ## renew tools/halmos.lock, ARGS="halmos==VERSION"
	@echo "$(or $(ARGS),$$(grep -o '^halmos==[0-9.]*' tools/halmos.lock))" | \
	    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --custom-compile-command "make halmos-lock" - --output-file tools/halmos.lock

.PHONY: build
build: setup ## compile the contracts, check their sizes and the bundled ABI
	@forge build
	@python tools/sizes.py
	@python tools/abi.py --check
	@python tools/p384_constants.py --check

.PHONY: abi
abi: setup ## write the client's abi.json and storage_layout.json from the compiled contracts
	@forge build
	@python tools/abi.py

.PHONY: check
check: test lint types build ## what .ci/run checks, without the peers and the gas figures

# --- upkeep ----------------------------------------------------------------------------------------

.PHONY: lock
lock: setup ## renew package-lock.json and requirements.lock from package.json and pyproject.toml
	$(call step,requirements.lock)
	@uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
	    --generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock" \
	    pyproject.toml --output-file requirements.lock $(ARGS)
	$(call step,package-lock.json)
	@npm install --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel=error

.PHONY: clean
clean: ## remove what was built; `make clean ALL=1` removes what was installed too
	@rm -rf .build dist contracts/.cache lcov.info
	@if [ -n "$(ALL)" ]; then rm -rf .venv .tools node_modules tests/*/node_modules; fi
