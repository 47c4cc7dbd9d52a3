# make run        install into .venv (once), then train, sample and write results/quick/report.html
# make table      the test cases of task 1 on little data, into results/quick
# make test       all tests but the long and the thorough ones
# make test-long  the long tests: each notebook from top to bottom
# make test-thorough  every input of the tests of data as people have it, every moment of the kills
# make matrix    every combination of the parts, on the backend of KERAS_BACKEND; CELLS=pairs for some
# make lint       ruff, over the notebooks too
# make notebooks  open the notebooks in Jupyter
# make docs       the site, into build/site; needs npm, from which its scripts come
# make docs-test  the built site in Chromium (not part of make test)
# make docs-serve the site at http://localhost:8000, built again when a page changes
# make clean      remove .venv, caches and results/quick

PYTHON := .venv/bin/python
STAMP := .venv/installed
DOCS_STAMP := .venv/installed-docs
NPM_STAMP := build/npm/installed
MODELS := build/models/complete
CANDIDATES := python3.13 python3.12 python3.11 python3
IN_RANGE := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

.PHONY: run table test test-long test-thorough matrix lint notebooks docs \
	docs-test docs-serve clean

run: $(STAMP)
	.venv/bin/cvae-keras quick --force

table: $(STAMP)
	.venv/bin/cvae-keras table sinusoid --quick --data data_1

test: $(STAMP)
	$(PYTHON) -m pytest -m "not long and not thorough" --numprocesses auto --dist worksteal

test-long: $(STAMP)
	$(PYTHON) -m pytest -m long --numprocesses auto --dist worksteal tests

test-thorough: $(STAMP)
	$(PYTHON) -m pytest --numprocesses auto --dist worksteal tests/data_as_people_have_it tests/faults tests/search

matrix: $(STAMP)
	$(PYTHON) -m cvae_keras.experiments.matrix $(CELLS)

lint: $(STAMP)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

notebooks: $(STAMP)
	$(PYTHON) -m jupyter lab notebooks/

docs: $(DOCS_STAMP) $(NPM_STAMP) $(MODELS)
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet
	@echo "The site is in build/site; make docs-serve shows it"

docs-test: $(DOCS_STAMP)
	$(PYTHON) -m pytest website/test_site.py

docs-serve: $(DOCS_STAMP) $(NPM_STAMP) $(MODELS)
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs serve

$(DOCS_STAMP): $(STAMP)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $(DOCS_STAMP)

$(NPM_STAMP): website/package.json website/package-lock.json
	mkdir -p build/npm
	cp website/package.json website/package-lock.json build/npm
	npm ci --prefix build/npm --ignore-scripts --no-audit --no-fund
	@touch $(NPM_STAMP)

# the models of the playgrounds, as ONNX files; three of them are trained, some minutes, once
$(MODELS): $(DOCS_STAMP) website/export.py website/export_digits.py
	$(PYTHON) website/export.py build/models
	$(PYTHON) website/export_digits.py build/models
	@touch $(MODELS)

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache results/quick
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.txt pyproject.toml
	@if ! $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		for python in $(CANDIDATES); do \
			if $$python -c '$(IN_RANGE)' >/dev/null 2>&1; then \
				echo "Creating .venv with $$($$python --version)"; \
				exec $$python -m venv --clear .venv; \
			fi; \
		done; \
		echo "No Python 3.11, 3.12 or 3.13 with venv was found: install one and try again." >&2; \
		exit 1; \
	fi
	@echo "Installing requirements.txt into .venv (once; some minutes, most of it TensorFlow)"
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)
