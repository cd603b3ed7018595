# Everything here is a command that you could type; each target sets up .venv by itself.
PYTHON ?= python3
RUN := .venv/bin/python
JTSS := .venv/bin/jtss
DEMO := demo

# The pretrained models: `make models` trains them all by the full recipe (a GPU's work), SETTINGS="--set …" changes it.
MODELS := n1_enhanced n1_baseline n2_best n3_best n4_best n5_best
CLASSES := AGN,SN,VS,asteroid,bogus
OBJECTS := 150000
SETTINGS :=
# What they read differs from TSC Table 3: counts as logarithms, and the nearest source of the reference image. First-alert
# models also read rb, as the original stamp classifier does, and their head is wider, with less dropout, than the
# paper's, which is too small to learn from the metadata.
COUNTS := log_ndethist,log_ncovhist,log_non_detections
SEEN := isdiffpos,magpsf,sigmapsf,diffmaglim,classtar
PLACE := sgscore1,distpsnr1,sgscore2,distpsnr2,sgscore3,distpsnr3,chinr,sharpnr,ra,dec,gal_l,gal_b,ecl_lon,ecl_lat,distnr,magnr
FIRST_ALERT := --set head.units=128,128 --set head.dropout=0.2,0.2 --set encoder.dropout=0.2 \
	--set metadata.static=fwhm,$(COUNTS),$(SEEN),$(PLACE),rb
# n1_enhanced averages three trainings; this is the recipe of the pretrained one, minutes of an H100.
AVERAGED := --seeds 3 --set encoder.kernels=4,3,3,3,3 --set stamp.copies=4 --set training.learning_rate=7e-4 \
	--set training.decay=cosine --set training.iterations=13000 --set training.validate_every=200 --set training.patience=0
SEQUENCES := --set metadata.dynamic=time_gap,fwhm,$(COUNTS),$(SEEN) --set metadata.static=$(PLACE),W1-W2,W2-W3,W3-W4

.PHONY: demo models test test-slow test-gpu fuzz docs lint bench clean

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or later is needed, {sys.executable} is {sys.version.split()[0]}; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[test,docs]'
	@touch $@

demo: .venv/ready
	rm -rf $(DEMO) && mkdir $(DEMO)
	$(JTSS) data simulate --objects 60 --seed 2 --packets $(DEMO)/packets
	$(JTSS) classify $(DEMO)/packets -m n3_best --allwise $(DEMO)/packets/allwise.csv \
		--out $(DEMO)/pretrained.csv --picture $(DEMO)/pretrained.png
	$(JTSS) data simulate --objects 4500 --seed 1 --out $(DEMO)/sky.h5
	$(RUN) train.py --config demo --data $(DEMO)/sky.h5 --out $(DEMO)/run
	$(RUN) evaluate.py --ckpt $(DEMO)/run
	$(RUN) evaluate.py --ckpt $(DEMO)/run --alerts $(DEMO)/packets --allwise $(DEMO)/packets/allwise.csv \
		--out $(DEMO)/predictions.csv --picture $(DEMO)/predictions.png

models: .venv/ready
	mkdir -p models
	test -e models/sky.h5 || $(RUN) -m data_prep simulate --objects $(OBJECTS) --seed 31 --classes $(CLASSES) --out models/sky.h5
	for name in $(MODELS); do \
		case $$name in n1_enhanced) more="$(FIRST_ALERT) $(AVERAGED)";; n1_*) more="$(FIRST_ALERT)";; *) more="$(SEQUENCES)";; esac; \
		$(RUN) train.py --config $$name --data models/sky.h5 --out models/$$name $$more $(SETTINGS) && \
		$(RUN) evaluate.py --ckpt models/$$name && \
		$(JTSS) models export models/$$name --folder jtss/pretrained/files --name $$name --report models/$$name/evaluation/report.json || exit 1; \
	done

test: .venv/ready
	$(RUN) -m pytest -n auto --dist loadfile -m "not slow and not gpu"

test-slow: .venv/ready
	$(RUN) -m pytest -n auto --dist loadfile -m slow

# On a machine with a GPU and JAX for it.
test-gpu: .venv/ready
	$(RUN) -m pytest -m gpu

# Coverage-guided fuzzing of every reader of foreign bytes; what it finds is kept in fuzz/found. Not every Python has atheris.
MINUTES := 5
fuzz: .venv/ready
	@$(RUN) -m pip install --quiet --disable-pip-version-check --only-binary atheris --editable '.[fuzz]' 2>/dev/null || true
	@$(RUN) -m fuzz.run --minutes $(MINUTES)

docs: .venv/ready
	.venv/bin/sphinx-build -q -W --keep-going docs build/docs

lint: .venv/ready
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

bench: .venv/ready
	$(RUN) -m benchmarks.decode
	$(RUN) -m benchmarks.simulate
	$(RUN) -m benchmarks.training
	-$(RUN) -m benchmarks.cpu  # wants PyTorch: pip install '.[bench]'

clean:
	rm -rf .venv $(DEMO) *.egg-info
