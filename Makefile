# The front door; the build itself is Meson's (meson.build). Each target sets up what it needs.
PREFIX ?= /usr/local
DESTDIR ?=
SECONDS ?= 60
MINUTES ?= 10

.DEFAULT_GOAL := help
.PHONY: help build run test e2e attacks bench bench-heap test262 soak asan tidy format fuzz coverage install uninstall clean
# A log is spared the progress of the build.
NINJA = ninja $$([ -t 2 ] || echo --quiet)
MESON_TEST = meson test --no-rebuild --print-errorlogs
# What takes snapshots: make e2e has them read back by memlab.
SNAPSHOT_TESTS = snapshot snapshot_limit snapshot_ways fork inside inspector
ASAN_TEST = $(MESON_TEST) -C build-asan --wrapper "$(CURDIR)/tools/sanitized"

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

build: ## the library, the cell and the command, with gcc, into build/
	@tools/setup build
	@tools/configure build "$(PREFIX)"
	@$(NINJA) -C build program

run: build ## a real program in a cell: a Markdown renderer over README.md, under limits
	@tools/demo

test: ## all tests, built by gcc and clang and with sanitizers; the last line counts them
	@tools/setup test
	@rm -f build/meson-logs/testlog*.json build-asan/meson-logs/testlog*.json
	@for dir in build build-clang build-asan; do \
	    echo "test: building $$dir"; \
	    tools/configure $$dir && $(NINJA) -C $$dir || { tools/summary build build-asan; exit 1; } \
	done
	@$(MESON_TEST) -C build || :
	@$(ASAN_TEST) || :
	@tools/summary build build-asan

e2e: ## Debian's Chromium: its DevTools on a cell, the page of heap report (pictures are build/*.png); heaps of other makers
	@tools/setup e2e
	@tools/configure build
	@$(NINJA) -C build program test/devtools/devtools_host test/heap/heap_dump $(SNAPSHOT_TESTS:%=test/integration/test_%)
	@GLOVEBOX_READER=memlab $(MESON_TEST) -C build --suite integration --timeout-multiplier 4 $(SNAPSHOT_TESTS)
	@build/libexec/glovebox/engine/bin/node test/devtools/chromium.mjs build/test/devtools/devtools_host build/devtools.png
	@build/libexec/glovebox/engine/bin/node test/devtools/report.mjs build/glovebox build/report-light.png build/report-dark.png
	@build/libexec/glovebox/engine/bin/node --max-old-space-size=4096 test/heap/makers.mjs build/test/heap/heap_dump build/glovebox
	@build/libexec/glovebox/engine/bin/node --max-old-space-size=4096 test/heap/written.mjs build/test/heap/heap_dump build/glovebox

attacks: ## only what guests try on us, with what is too slow for make test
	@tools/setup test
	@tools/configure build
	@$(NINJA) -C build
	@ATTACKS_ALL=1 $(MESON_TEST) -C build deaths 'attacks language' 'attacks resources'

bench: ## the measurements, each line with its unit; some minutes, alone on the machine
	@tools/setup test
	@tools/configure build
	@$(NINJA) -C build
	@tools/bench

bench-heap: ## reading heap snapshots of 170 MB and 1.1 GB, beside DevTools' own code and memlab; some minutes
	@tools/setup test
	@tools/configure build
	@$(NINJA) -C build bench/bench_heap
	@build/libexec/glovebox/engine/bin/node bench/heap.mjs build/bench/bench_heap

test262: ## TC39's conformance tests of DIR, a checkout of test262, each in a cell of its own; PREFIX: only those below it
	@tools/setup test
	@tools/configure build
	@$(NINJA) -C build program conformance
	@tools/test262 build "$(DIR)" "$(PREFIX)"

soak: ## everything at random, with faults, for MINUTES (10); ends with the counts flat
	@tools/setup test
	@tools/configure build
	@$(NINJA) -C build program test/soak/soak
	@build/test/soak/soak $(MINUTES)

asan: ## only the tests with ASan and UBSan, into build-asan/
	@tools/setup test
	@tools/configure build-asan
	@$(NINJA) -C build-asan
	@$(ASAN_TEST)

tidy: ## clang-tidy over every C file
	@tools/setup test
	@tools/configure build-clang
	@tools/tidy build-clang

format: ## clang-format over every file
	@tools/check_format --write

fuzz: ## each fuzz target in turn, SECONDS (60) seconds in all, into build-fuzz/
	@tools/setup test
	@tools/configure build-fuzz
	@$(NINJA) -C build-fuzz fuzzers
	@tools/fuzz build-fuzz $(SECONDS)

coverage: ## lines that the fuzz corpus reaches of what reads a cell's bytes; fails below 100 %
	@tools/setup test
	@tools/configure build-coverage
	@$(NINJA) -C build-coverage replays
	@tools/coverage build-coverage

install: build ## into PREFIX (/usr/local), below DESTDIR if that is set
	@DESTDIR="$(DESTDIR)" meson install -C build --no-rebuild --strip --quiet

uninstall: ## takes away what install put there
	@tools/uninstall "$(DESTDIR)$(PREFIX)"

clean: ## removes what was built; the engine stays
	@rm -rf build build-clang build-asan build-fuzz build-coverage
