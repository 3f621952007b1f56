# The hostile guest at length: STARTS random instructions, at least, under each of MECHANISMS, beside a neighbour, compared
# with the bare
# machine. Hours. And the table of what each flood leaves a neighbour (FLOODS=REGEX chooses some).
STARTS ?= 10000000
.PHONY: hostile bench-fairness
hostile: all
	python3 -B test/boot/hostile.py $(BUILD) $(STARTS) $(MECHANISMS)

bench-fairness: all
	python3 -B test/boot/fairness.py $(BUILD) $(FLOODS)
