# The hostile guests at length: INSTRUCTIONS hostile ones, at least, under each of MECHANISMS, beside a neighbour,
# compared with the bare machine (EXPERIMENTS=N: so many in a run; SEED=N: the first seed). And the table of what each
# flood leaves a neighbour (FLOODS=REGEX chooses).
INSTRUCTIONS ?= 10000000
EXPERIMENTS ?= 400
SEED ?= 1
.PHONY: hostile bench-fairness
hostile: all
	EXPERIMENTS=$(EXPERIMENTS) SEED=$(SEED) python3 -B test/boot/hostile.py $(BUILD) $(INSTRUCTIONS) $(MECHANISMS)

bench-fairness: all
	python3 -B test/boot/fairness.py $(BUILD) $(FLOODS)
