# The front door. `make` alone says what there is.

PRESET ?= release
JOBS ?= $(shell nproc)
BUILD := build/$(PRESET)
CLANG_FORMAT ?= $(firstword $(foreach tool,clang-format clang-format-14,$(shell command -v $(tool))))
CLANG_TIDY ?= $(firstword $(foreach tool,clang-tidy clang-tidy-14,$(shell command -v $(tool))))
# One more than there are cores, since tests wait much: for servers, for disks, for what they have killed.
CTEST := ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j $(shell expr $(JOBS) + 1)

.DEFAULT_GOAL := help
.PHONY: help setup configure build tests demo check test memory torture torture-calls torture-full torture-power torture-moves torture-workers torture-increments round-trips look fuzz bench format tidy asan tsan package test-packages test-fresh clean

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install what the build needs (Debian packages, DuckDB, demo data)
	@tools/setup

configure: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET)

build: configure  ## build the library, the command build/tranche and the examples
	cmake --build $(BUILD) -j $(JOBS)
	@if [ -x $(BUILD)/tranche ]; then ln -sfn $(PRESET)/tranche build/tranche; fi

tests: build
	cmake --build $(BUILD) -j $(JOBS) --target tests

demo: build  ## show what Tranche does, on real data
	tools/demo

check: tests  ## the quick tests, under two minutes once built
	$(CTEST) -L quick

test: tests  ## every test: the quick ones, crashes and memory
	$(CTEST)

memory: tests  ## the memory of runs over 10 million records, into bench/results
	TRANCHE_BIN=$(BUILD)/tranche tests/memory/budget.test.py --records 10000000 \
	  --report bench/results/memory-$$(date +%F).md

torture: build  ## kill runs into each sink, with threads and processes, 500 times each, into bench/results (two hours; KILLS, SINKS, MINUTES)
	TRANCHE_BIN=$(BUILD)/tranche RECORDS=300000 KILLS=6 tests/crash/kill.test.py
	TRANCHE_BIN=$(BUILD)/tranche WHOLE=1 tests/crash/commits.test.py
	TRANCHE_BIN=$(BUILD)/tranche TRANCHE_KILLS=6 tests/crash/moving.test.py
	TRANCHE_BIN=$(BUILD)/tranche tests/crash/torture.py --kills $(or $(KILLS),500) --minutes $(or $(MINUTES),240) \
	  $(if $(SINKS),--sinks "$(SINKS)") --report bench/results/kill-$$(date +%F).md

torture-calls: tests  ## kill, and fail, at every I/O call of a job, into bench/results (an hour; EVERY, SINKS, FAULTS)
	TRANCHE_BIN=$(BUILD)/tranche tests/crash/torture_calls.py --every $(or $(EVERY),3) \
	  $(if $(SINKS),--sinks "$(SINKS)") $(if $(FAULTS),--faults "$(FAULTS)") \
	  --report bench/results/calls-$$(date +%F).md

torture-full: tests  ## fill the disk, forty sizes a sink, and mend it (ten minutes; SIZES, needs root)
	TRANCHE_BIN=$(BUILD)/tranche SIZES=$(or $(SIZES),40) tests/crash/full.test.py

torture-power: tests  ## cut the power, fifty times a sink, into bench/results (ten minutes; CUTS, needs root and xfsprogs)
	TRANCHE_BIN=$(BUILD)/tranche tests/crash/torture_power.py --cuts $(or $(CUTS),50) \
	  --report bench/results/power-$$(date +%F).md

torture-moves: build  ## kill backups, restores and migrations of five million rows and every type (three hours; KILLS, SCALE, TABLES, SEED)
	TRANCHE_BIN=$(BUILD)/tranche TRANCHE_KILLS=$(or $(KILLS),10) SCALE=$(or $(SCALE),50) TABLES=$(or $(TABLES),20) \
	  $(if $(SEED),TRANCHE_SEED=$(SEED)) python3 tests/crash/moving.test.py -v

torture-workers: tests  ## poison a million records, and kill workers, engine and supervisor a thousand times (20 minutes)
	TRANCHE_BIN=$(BUILD)/tranche RECORDS=$(or $(RECORDS),1000000) POISON=$(or $(POISON),100) \
	  tests/crash/isolation.test.py Poison.test_in_processes_exactly_the_poisoned_records_are_rejected \
	  Poison.test_in_threads_exactly_the_poisoned_records_are_rejected
	TRANCHE_BIN=$(BUILD)/tranche KILLS=$(or $(KILLS),1000) tests/crash/isolation.test.py Innocence

torture-increments: tests  ## keep a copy of a table up to date a thousand times while others write to it (15 minutes; ROUNDS, SEED)
	TRANCHE_BIN=$(BUILD)/tranche ROUNDS=$(or $(ROUNDS),1000) tests/crash/increments.test.py

round-trips: tests  ## ten million rows of every type from PostgreSQL to Parquet and back, and by SQLite to DuckDB (ten minutes; RECORDS)
	TRANCHE_BIN=$(BUILD)/tranche RECORDS=$(or $(RECORDS),10000000) tests/jobs/round_trips.test.py

look: build  ## look at reports in a headless browser, into build/pages and bench/results (two minutes; needs chromium)
	TRANCHE_BIN=$(BUILD)/tranche tests/browser/look.py --report bench/results/pages-$$(date +%F).md

fuzz:  ## fuzz every parser with libFuzzer, into bench/results (an hour and a half on two cores; MINUTES a target, TARGETS)
	tools/fuzz

bench: build  ## measure against the peers, into bench/results (an hour; RECORDS, REPEAT, ONLY)
	tools/bench --build $(BUILD) $(if $(RECORDS),--records $(RECORDS)) $(if $(REPEAT),--repeat $(REPEAT)) \
	  $(if $(ONLY),--only $(ONLY))

format:  ## format every C++ file in place
	@test -n "$(CLANG_FORMAT)" || { echo "format: install clang-format (14 or later)"; exit 1; }
	@find $(wildcard src include tests examples bench fuzz) -name '*.h' -o -name '*.cpp' | xargs -r $(CLANG_FORMAT) -i

# Configured for clang and without precompiled headers, since clang-tidy can't read those of g++.
tidy: setup  ## clang-tidy on every source
	@test -n "$(CLANG_TIDY)" || { echo "tidy: install clang-tidy and clang (14 or later)"; exit 1; }
	@cmake --preset release -B build/tidy -DCMAKE_CXX_COMPILER=$(subst clang-tidy,clang++,$(CLANG_TIDY)) \
	  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
	@find src -name '*.cpp' | xargs -r -P $(JOBS) -n 1 $(CLANG_TIDY) -p build/tidy --quiet

asan:  ## every quick test under the address and undefined behaviour sanitizers
	$(MAKE) check PRESET=asan

tsan:  ## every quick test under the thread sanitizer
	setarch -R $(MAKE) check PRESET=tsan

package: build  ## a .deb for Debian 12 and a tarball that runs anywhere, into build/packages
	BUILD=$(BUILD) tools/package

test-packages: package  ## install each of them in a bare Debian 12, and run the demo's jobs by it (needs root)
	tools/test-fresh --packages

test-fresh:  ## demo and tests on a bare Debian 12, in a folder of its own (needs root)
	tools/test-fresh

clean:  ## remove what was built (not what setup fetched)
	rm -rf build
