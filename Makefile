# What you can type is explained in README.md. On Windows, where there is no make, README has the lines.
# PYTHON: which Python makes .venv.  TORCH: default, cpu, or a folder of wheels.  PORT: of JupyterLab.
# LESSON: which one `make reset` puts back.  WEIGHTS: a folder of your own networks, for `make site`.
PYTHON ?= python3
PORT ?= 8888
COURSE = "$(PYTHON)" tools/setup_course.py
VENV_PYTHON = .venv/bin/python

.PHONY: lab reset disk setup test test-fast bench lint checksums site hub-check python

lab: python
	@$(COURSE) lab --torch "$(TORCH)" --port "$(PORT)"

setup: python
	@$(COURSE) setup --torch "$(TORCH)"

reset: setup
	@$(VENV_PYTHON) tools/my_lessons.py reset "$(LESSON)"

disk: setup
	@$(VENV_PYTHON) tools/my_lessons.py disk

test: setup
	@$(VENV_PYTHON) -m tools.run_tests

test-fast: setup
	@$(VENV_PYTHON) -m tools.run_tests --fast

bench: setup
	@$(VENV_PYTHON) -m pip install --quiet -c .venv/course-constraints.txt --no-build-isolation -e ".[bench]"
	@$(VENV_PYTHON) -m bench
	@$(VENV_PYTHON) tools/checksums.py

lint: setup
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m mypy

checksums: setup
	@$(VENV_PYTHON) tools/checksums.py

# A class on a real JupyterHub, for some minutes; needs Linux, the internet, node and npm.
hub-check: setup
	@$(VENV_PYTHON) tools/hub_check.py

# Each lesson has to have run once since it was changed: some minutes the first time.
site: setup
	@$(VENV_PYTHON) -m tools.run_tests --lessons
	@$(VENV_PYTHON) -m web.build --weights "$(WEIGHTS)"

python:
	@command -v "$(PYTHON)" > /dev/null || { echo "There is no program called $(PYTHON) here."; \
	echo "What to do: install Python 3.12 (python.org), then:  make lab PYTHON=python3.12"; exit 1; }
