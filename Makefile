# make book      build the book and open it          make test     run every test
# make offline   build the copy for offline reading  make help     show all commands
#
# Without make (Windows): see book/_tools/build.py.

VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check
BUILD  := $(PY) book/_tools/build.py
GRADE  := $(PY) book/_tools/grade.py
SPEC   := requirements.txt requirements.lock pyproject.toml
PYTHON ?=

.DEFAULT_GOAL := help
.PHONY: help book offline open test coverage lint format run-notebooks release collect grade \
  feedback benchmarks lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(VENV)/.book-installed  ## run every notebook, build _build/html and open it
	@$(BUILD) book

offline: $(VENV)/.book-installed  ## build the self-contained copy _build/offline and its zip
	@$(BUILD) offline

open: $(VENV)/.book-installed  ## open the book that was built last
	@$(BUILD) open

test: $(VENV)/.test-installed  ## run every test: library, notebooks, built pages in a browser
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder tests book

# Lines in kernels count when numba compiles them, so the cache must be empty; hostile calls, which
# are many, run a part of theirs in plain Python.
COVER := $(PY) -m coverage run -m pytest -q -p no:xdist
coverage: $(VENV)/.test-installed  ## tell which lines of the library no test runs (a quarter of an hour)
	@rm -rf _build/coverage && mkdir -p _build/coverage
	@NUMBA_DISABLE_JIT=1 HOSTILE_FACTOR=0.15 $(COVER) tests/hostile & \
	NUMBA_JIT_COVERAGE=1 NUMBA_CACHE_DIR=$(CURDIR)/_build/coverage/kernels $(COVER) tests \
	  --ignore=tests/book --ignore=tests/hostile --ignore=tests/test_survival.py && wait $$!
	@$(PY) -m coverage combine -q && $(PY) -m coverage report

lint: $(VENV)/.test-installed  ## check the style of code and notebooks
	@$(PY) -m ruff check .
	@$(PY) book/_tools/format_notebooks.py --check

format: $(VENV)/.test-installed  ## strip and normalize the notebooks for git
	@$(PY) book/_tools/format_notebooks.py

run-notebooks: $(VENV)/.test-installed  ## run the notebooks in place, then strip them
	@$(PY) book/_tools/format_notebooks.py --execute

release: $(VENV)/.grading-installed  ## make the students' notebook of an exercise set: SET=primer [DUE="2027-03-01 18:00"]
	@$(GRADE) release "$(SET)" $(if $(DUE),--due "$(DUE)")

collect: $(VENV)/.grading-installed  ## take in submissions: SET=primer FROM=folder-or-zip
	@$(GRADE) collect "$(SET)" --from "$(FROM)"

grade: $(VENV)/.grading-installed  ## run and grade them: SET=primer [STUDENT=id] [AGAIN=1] [JOBS=2]
	@$(GRADE) grade "$(SET)" $(if $(STUDENT),--student "$(STUDENT)") $(if $(AGAIN),--again) $(if $(JOBS),--jobs $(JOBS))

feedback: $(VENV)/.grading-installed  ## return marks and pages: SET=primer [PARTIAL=1]
	@$(GRADE) feedback "$(SET)" $(if $(PARTIAL),--partial)

benchmarks: $(VENV)/.book-installed  ## time lib beside its peers, write benchmarks/results.json
	@$(PY) benchmarks/run.py

lock:  ## resolve requirements.lock anew with every suitable Python on this machine
	@python="$(PYTHON)"; $(find_python); "$$python" book/_tools/lock.py

clean:  ## remove everything that was built (the environment in .venv stays)
	@rm -rf _build

# A Python must run (some `python3.12` on the path are wrappers that only fail) and be able to
# make environments. `make book PYTHON=/path/to/python` chooses one by hand.
usable := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
define find_python
for candidate in $${python:-python3.12 python3.11 python3.13 python3 python}; do \
  python=""; \
  if "$$candidate" -c '$(usable)' >/dev/null 2>&1; then python="$$candidate"; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo "No usable Python found: the course needs 3.11, 3.12 or 3.13 with the venv module."; \
  echo "On Debian and Ubuntu: sudo apt install python3-venv. Or: make book PYTHON=/path/to/python"; \
  exit 1; \
fi
endef

$(VENV)/.book-installed: $(SPEC)
	@if ! $(PY) -c '$(usable)' >/dev/null 2>&1 || ! $(PIP) --version >/dev/null 2>&1; then \
	  python="$(PYTHON)"; $(find_python); \
	  echo "Making $(VENV) with $$("$$python" --version)"; \
	  rm -rf $(VENV) && "$$python" -m venv $(VENV); \
	fi
	@echo "Installing the course's packages into $(VENV) (a minute or two, only when they change)"
	@$(PIP) install --quiet -r requirements.txt -c requirements.lock
	@touch $@

$(VENV)/.test-installed: $(VENV)/.book-installed
	@echo "Installing the test packages into $(VENV)"
	@$(PIP) install --quiet -e '.[test]' -c requirements.lock
	@touch $@

$(VENV)/.grading-installed: $(VENV)/.book-installed
	@echo "Installing nbgrader into $(VENV)"
	@$(PIP) install --quiet -e '.[grading]' -c requirements.lock
	@touch $@
