# Every target creates the environment it needs; Python 3.11 or later and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS_VENV := .venv-plugins
AUDIT_VENV := .venv-audit
OLDEST_VENV := .venv-oldest
NEWEST_VENV := .venv-newest
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/mlmi-sklearn-*/pyproject.toml))
PEERS := $(patsubst benchmarks/peers/%.txt,%,$(wildcard benchmarks/peers/*.txt))
# One thread: small nets gain nothing from more, and lose a lot on a busy machine.
RUN := OMP_NUM_THREADS=1 MLMI_SKLEARN_PLUGINS=none $(BIN)/python

.PHONY: help docs docs-linkcheck docs-clean demo test test-all test-oldest test-newest fuzz
.PHONY: lint mutation coverage
.PHONY: audit scale bench bench-peers bench-science clean

help:
	@echo "make demo      train on embedded real data; report in mlmi-demo/report.html"
	@echo "make test      the tests, without the slow science"
	@echo "make test-all  the tests and the slow science"
	@echo "make coverage  lines and branches that the tests reach"
	@echo "make test-oldest  the tests with the oldest releases that the package admits"
	@echo "make test-newest  the tests with the newest releases, whatever the pins say"
	@echo "make fuzz      odd arguments for every estimator; FUZZ_EXAMPLES=1000 of each"
	@echo "make test-plugins  the tests of each plugin in plugins/, in an environment of their own"
	@echo "make mutation  small errors in PART=mil, and whether its tests notice; SAMPLE=150 of them"
	@echo "make scale     clusters of processes, shared fits, data that do not fit in memory"
	@echo "make lint      ruff, mypy, import-linter, codespell"
	@echo "make audit     known weaknesses of the pinned versions (needs the network), dangerous calls"
	@echo "make docs      the site, docs/_build/html; ARGS='-D plot_gallery=0' runs no examples"
	@echo "make bench     timed beside peers and raw loops; FAMILY=mil: one family"
	@echo "make bench-science  accuracy of all families, and memory (hours)"

$(VENV)/base.stamp: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/test.stamp: $(VENV)/base.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

$(VENV)/lint.stamp: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,lint]"
	touch $@

$(VENV)/bench.stamp: $(VENV)/base.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	touch $@

$(VENV)/scale.stamp: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,out-of-core,distributed,accelerate]"
	touch $@

$(VENV)/mutation.stamp: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,mutation]"
	touch $@

$(VENV)/docs.stamp: $(VENV)/base.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs,images,resampling]"
	touch $@

demo: $(VENV)/base.stamp
	$(RUN) -m mlmi_sklearn demo $(ARGS)

test: $(VENV)/test.stamp
	$(RUN) -m pytest -m "not slow" -n 2 $(ARGS)

coverage: $(VENV)/test.stamp
	$(RUN) -m pytest -m "not slow" -n 2 --cov --cov-report=term-missing:skip-covered --cov-fail-under=95 $(ARGS)

test-all: $(VENV)/test.stamp
	$(RUN) -m pytest -n 2 $(ARGS)

# What is left out of .ci/oldest.txt has no lower limit and comes as new as it is.
$(OLDEST_VENV)/test.stamp: pyproject.toml .ci/oldest.txt
	test -x $(OLDEST_VENV)/bin/python || $(PYTHON) -m venv $(OLDEST_VENV)
	$(OLDEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c .ci/oldest.txt -e ".[test]"
	touch $@

test-oldest: $(OLDEST_VENV)/test.stamp
	OMP_NUM_THREADS=1 MLMI_SKLEARN_PLUGINS=none $(OLDEST_VENV)/bin/python -m pytest -m "not slow" -n 2 -o filterwarnings= $(ARGS)

# What a user gets who installs today; `make clean` forgets those of yesterday.
$(NEWEST_VENV)/test.stamp: pyproject.toml
	test -x $(NEWEST_VENV)/bin/python || $(PYTHON) -m venv $(NEWEST_VENV)
	$(NEWEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager -e ".[test]"
	touch $@

test-newest: $(NEWEST_VENV)/test.stamp
	OMP_NUM_THREADS=1 MLMI_SKLEARN_PLUGINS=none $(NEWEST_VENV)/bin/python -m pytest -m "not slow" -n 2 $(ARGS)

# Every oddity with every estimator, then random combinations of them.
FUZZ_EXAMPLES ?= 100
fuzz: $(VENV)/scale.stamp
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(RUN) -m pytest tests/reliability/test_fuzz.py -n 0 $(ARGS)

# PART is one of those that .ci/mutation.py knows.
PART ?= persistence
SAMPLE ?= 150
mutation: $(VENV)/mutation.stamp
	$(BIN)/python .ci/mutation.py $(PART) --sample $(SAMPLE) $(ARGS)

# Local clusters of processes: not beside others, which would slow them down.
scale: $(VENV)/scale.stamp
	$(RUN) -m pytest -m "slow or not slow" tests/scale tests/integrations/test_joblib_backends.py tests/reliability/test_concurrency.py $(ARGS)

# Each plugin declares what it needs, which is too heavy for the environment of the rest.
$(PLUGINS_VENV)/plugins.stamp: pyproject.toml constraints.txt $(addsuffix /pyproject.toml,$(PLUGINS))
	test -x $(PLUGINS_VENV)/bin/python || $(PYTHON) -m venv $(PLUGINS_VENV)
	$(PLUGINS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]" $(foreach plugin,$(PLUGINS),-e "./$(plugin)[test]")
	touch $@

test-plugins: $(PLUGINS_VENV)/plugins.stamp
	@failed=; for plugin in $(PLUGINS); do \
	  echo "== $$plugin"; \
	  (cd $$plugin && OMP_NUM_THREADS=1 $(CURDIR)/$(PLUGINS_VENV)/bin/python -m pytest -p no:cacheprovider $(ARGS)) || failed="$$failed $$plugin"; \
	done; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

lint: $(VENV)/lint.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/codespell

# FAMILY="mil engine" runs some families, ARGS="--quick" passes arguments.
bench: $(VENV)/bench.stamp bench-peers
	$(RUN) benchmarks/run.py $(FAMILY) $(ARGS)
	$(RUN) benchmarks/readme_table.py

# Peers that fight over versions with the rest have an environment each. One that cannot
# be installed is named in the tables, and stops nothing.
bench-peers: $(PEERS:%=.venv-bench-%/peer.stamp)

.venv-bench-%/peer.stamp: benchmarks/peers/%.txt
	@test -x .venv-bench-$*/bin/python || $(PYTHON) -m venv .venv-bench-$*
	@.venv-bench-$*/bin/python -m pip install --quiet --disable-pip-version-check -r $< \
	  && touch $@ || { echo "$*: not installed"; rm -rf .venv-bench-$*; }

bench-science: $(VENV)/bench.stamp
	$(RUN) benchmarks/bench_mil_sets.py
	$(RUN) benchmarks/bench_mil_nuclei.py
	$(RUN) benchmarks/bench_mil_memory.py
	$(RUN) benchmarks/bench_mil_cv.py
	$(RUN) benchmarks/bench_da_moons.py
	$(RUN) benchmarks/bench_da_skada.py
	$(RUN) benchmarks/bench_da_digits.py
	$(RUN) benchmarks/bench_da_objects.py
	$(RUN) benchmarks/bench_da_amazon.py
	$(RUN) benchmarks/bench_da_amazon.py --msda
	$(RUN) benchmarks/bench_meta_sinusoid.py
	$(RUN) benchmarks/bench_meta_sinusoid.py --iterations 70000
	$(RUN) benchmarks/bench_meta_memory.py
	$(RUN) benchmarks/bench_meta_omniglot.py
	$(RUN) benchmarks/bench_meta_parkinsons.py
	$(RUN) benchmarks/bench_gan_tables.py
	$(RUN) benchmarks/bench_gan_tables.py --parts digits cancer --ctgan --seeds 1
	$(RUN) benchmarks/bench_gan_phantom.py
	$(RUN) benchmarks/bench_gan_translation.py
	$(RUN) benchmarks/readme_table.py

# Tools for this alone, away from the pins that they look at.
$(AUDIT_VENV)/audit.stamp:
	test -x $(AUDIT_VENV)/bin/python || $(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check "bandit[toml]>=1.8" "pip-audit>=2.8"
	touch $@

audit: $(AUDIT_VENV)/audit.stamp
	$(AUDIT_VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive mlmi_sklearn
	$(AUDIT_VENV)/bin/python .ci/audit.py $(ARGS)

docs: $(VENV)/docs.stamp
	$(RUN) -m sphinx -b html -W --keep-going -j auto $(ARGS) docs docs/_build/html

docs-linkcheck: $(VENV)/docs.stamp
	$(RUN) -m sphinx -b linkcheck -D plot_gallery=0 $(ARGS) docs docs/_build/linkcheck

docs-clean:
	rm -rf docs/_build docs/auto_examples docs/api/*.rst docs/api/generated docs/api/backreferences docs/sg_execution_times.rst

clean: docs-clean
	rm -rf $(VENV) .venv-bench-* $(PLUGINS_VENV) $(AUDIT_VENV) $(OLDEST_VENV) $(NEWEST_VENV) .mutation build dist *.egg-info mlmi-demo
