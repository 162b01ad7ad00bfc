# Every command installs first what it lacks (tools/setup.sh), once.
#   PYTHON=  the Python to build for; by default the newest that can
#   SECONDS= how long `make fuzz` runs each harness; ONLY= which ones
#   SEEDS=, FIRST= how many worlds `make sim` runs, from which on; `make sim-mutants` SEEDS= for each
#   ONLY=, QUICK=1  for `make bench`: the groups of rows; rough figures in seconds
#   UPDATE=1 for `make bench-counts`: what is found is the baseline from now on
#   PREFIX=  where `make install` installs; DESTDIR= is honoured

PYTHON ?=
PREFIX ?= /usr/local
SECONDS ?= 60
SEEDS ?= 1000
FIRST ?= 0
export PYTHON

CHECK = .venv/bin/python tools/check.py

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-counts lint test-c test-python test-pythons test-32 sanitize sanitize-python debug-python valgrind coverage coverage-python fuzz sim sim-mutants docs site format wheel install clean

help:
	@echo 'make demo         each protocol: a server, clients, cut cables, and nothing lost'
	@echo 'make test         build everything with warnings as errors and run every test'
	@echo 'make bench        speed beside others; ONLY=frame,envelope picks, QUICK=1 takes seconds'
	@echo 'make bench-counts instructions an operation, beside what they were; UPDATE=1 keeps them'
	@echo 'make lint         format, static analysis and types only'
	@echo 'make test-c       the C library only, installed too'
	@echo 'make test-python  the Python package only'
	@echo 'make test-pythons on every CPython from 3.10 up that is found; ONLY="3.10 3.13" picks'
	@echo 'make test-32      the C tests, built for 32 bits'
	@echo 'make sanitize     the C tests under ASan and UBSan, by gcc and by clang'
	@echo 'make sanitize-python the Python tests under them; make debug-python under CPython checks'
	@echo 'make valgrind     the C tests under valgrind'
	@echo 'make coverage     lines and branches of csrc/ that no C test reaches; none may be left'
	@echo 'make coverage-python the same for python/kedge and its tests, processes of their own included'
	@echo 'make fuzz         every harness of tests/fuzz for SECONDS=$(SECONDS); ONLY=json,utf8 picks'
	@echo 'make sim          SEEDS=$(SEEDS) simulated worlds, from FIRST=$(FIRST) on; one that breaks is made short'
	@echo 'make sim-mutants  planted bugs, and in how many worlds the simulation finds each'
	@echo 'make docs         the protocol pages, from the tables of the code'
	@echo 'make site         the documentation as a site, in build/site'
	@echo 'make format       bring all sources into shape'
	@echo 'make wheel        an sdist, and a wheel built from it, in dist/'
	@echo 'make install      the C library, to PREFIX ($(PREFIX))'
	@echo 'make clean        remove what was built; .venv too'

demo:
	@tools/setup.sh package
	@tools/extension.sh
	@.venv/bin/python -m kedge demo
	@tools/setup.sh library
	@.venv/bin/python tools/demo.py

test:
	@tools/setup.sh test
	@$(CHECK)

lint test-c test-python test-32 sanitize-python debug-python coverage-python:
	@tools/setup.sh test
	@$(CHECK) $@

test-pythons:
	@tools/setup.sh test
	@.venv/bin/python tools/pythons.py $(ONLY)

sanitize valgrind coverage:
	@tools/setup.sh $@
	@$(CHECK) $@

fuzz:
	@tools/setup.sh fuzz
	@$(CHECK) build-fuzz
	@.venv/bin/python tools/fuzz.py run $(SECONDS) $(ONLY)

sim:
	@tools/setup.sh test
	@$(CHECK) build-c
	@build/c/kedge-sim $(SEEDS) $(FIRST)

sim-mutants:
	@tools/setup.sh test
	@$(CHECK) build-c
	@.venv/bin/python tools/mutants.py build/c $(SEEDS) $(ONLY)

docs:
	@tools/setup.sh test
	@$(CHECK) build-examples
	@for page in build/c/pages/*; do $$page > docs/protocols/$${page##*/}.md; done

site:
	@tools/setup.sh docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build -q

bench:
	@tools/setup.sh bench
	@.venv/bin/python -m benchmarks.run --only '$(ONLY)' $(if $(QUICK),--quick)

bench-counts:
	@tools/setup.sh valgrind
	@tools/setup.sh bench
	@.venv/bin/python -m benchmarks.counts $(if $(UPDATE),--update)

format:
	@tools/setup.sh test
	@find . -name '*.[ch]' -not -path './.venv/*' -not -path './build/*' \
	    -exec .venv/bin/clang-format -i {} +
	@.venv/bin/ruff check -q --fix-only .
	@.venv/bin/ruff format -q .

wheel:
	@tools/setup.sh wheel
	@tools/wheel.sh

install:
	@tools/setup.sh library
	@cmake -S . -B build/install -DCMAKE_BUILD_TYPE=Release -DKEDGE_TESTS=OFF \
	    -DCMAKE_INSTALL_PREFIX='$(abspath $(PREFIX))'
	@cmake --build build/install
	@cmake --install build/install

clean:
	rm -rf build dist .venv .mypy_cache .pytest_cache .ruff_cache python/kedge.egg-info
	find python tests tools -name '*.so' -delete -o -name '*.pyc' -delete
