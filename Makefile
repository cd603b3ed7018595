# Everything here is a command that you could type; each target sets up .venv by itself.
PYTHON ?= python3
RUN := .venv/bin/python
DEMO := demo

.PHONY: demo test test-slow lint bench clean

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or later is needed, {sys.executable} is {sys.version.split()[0]}; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: .venv/ready
	rm -rf $(DEMO) && mkdir $(DEMO)
	$(RUN) -m data_prep simulate --objects 4500 --seed 1 --out $(DEMO)/sky.h5
	$(RUN) train.py --config demo --data $(DEMO)/sky.h5 --out $(DEMO)/run
	$(RUN) evaluate.py --ckpt $(DEMO)/run
	$(RUN) -m data_prep simulate --objects 60 --seed 2 --packets $(DEMO)/packets
	$(RUN) evaluate.py --ckpt $(DEMO)/run --alerts $(DEMO)/packets --allwise $(DEMO)/packets/allwise.csv \
		--out $(DEMO)/predictions.csv --picture $(DEMO)/predictions.png

test: .venv/ready
	$(RUN) -m pytest -m "not slow and not gpu"

test-slow: .venv/ready
	$(RUN) -m pytest -m slow

lint: .venv/ready
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

bench: .venv/ready
	$(RUN) benchmarks/decode.py
	$(RUN) benchmarks/simulate.py
	$(RUN) benchmarks/training.py
	-$(RUN) benchmarks/cpu.py  # wants PyTorch: pip install '.[bench]'

clean:
	rm -rf .venv $(DEMO) *.egg-info
