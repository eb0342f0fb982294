# Everything a new machine needs: `make demo` and `make test` set themselves up in .venv/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin

# The first Python >= 3.12 that runs and can make virtual environments; pyenv's own are asked too, for its shims may fail.
define FIND_PYTHON
for p in $(PYTHON) python3.12 python3.13 python3.14 python3 python $$(pyenv versions --bare 2>/dev/null | sort -V | xargs -rI{} pyenv prefix {} 2>/dev/null | sed 's:$$:/bin/python:'); do \
  "$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { echo "$$p"; exit 0; }; \
done; \
echo "aria_nb needs Python 3.12 or newer with venv, and found none. Install one (Debian, Ubuntu: apt install python3.12 python3.12-venv; macOS: brew install python@3.12; anywhere: pyenv install 3.12) or name it: make PYTHON=/path/to/python3.12" >&2; exit 1
endef

help:
	@echo "make demo     learn the bundled games from demonstrations and play them (runs/demo/report.html)"
	@echo "make test     run every notebook and every test"
	@echo "make export   notebooks -> package"
	@echo "make readme   nbs/index.ipynb -> README.md"
	@echo "make execute  run all notebooks and keep their outputs"
	@echo "make shipped  train the run that comes with the package (an hour)"
	@echo "make screenshots  the README's pictures, from the run of make demo (needs Chromium)"

$(VENV)/ready: settings.ini setup.py
	@python=$$($(FIND_PYTHON)) && echo "setting up $(VENV) with $$($$python --version), some minutes" && "$$python" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(VENV)/ready
	$(BIN)/aria_demo

test: $(VENV)/ready
	$(BIN)/python -m pytest tests

export: $(VENV)/ready
	find aria_nb -name '*.py' ! -name __init__.py -delete
	$(BIN)/nbdev_export

readme: $(VENV)/ready
	$(BIN)/nbdev_clean
	$(BIN)/jupyter nbconvert --to markdown --output-dir . --output README nbs/index.ipynb

execute: $(VENV)/ready
	for n in nbs/*.ipynb; do echo $$n; PYTHONWARNINGS=ignore $(BIN)/jupyter nbconvert --log-level WARN --to notebook --execute --inplace $$n || exit 1; done
	$(BIN)/nbdev_clean

screenshots: $(VENV)/ready
	$(BIN)/python tests/screenshots.py runs/demo nbs/images

shipped: $(VENV)/ready
	$(BIN)/python -c "from aria_nb.demos import make_demos; make_demos('runs/shipped/demonstrations'); make_demos('runs/shipped/more', seeds=range(1, 501), episodes=1, explore=2, error=.1, lose=.05)"
	$(BIN)/aria_train --recordings runs/shipped/demonstrations --epochs 6 --more runs/shipped/more --dynamics 1.5 --joining .3 --out runs/shipped/run
	rm -rf aria_nb/shipped && $(BIN)/python -c "from aria_nb.evaluation import publish; publish('runs/shipped/run', 'aria_nb/shipped', half=True)"

.PHONY: help demo test export readme execute shipped screenshots
