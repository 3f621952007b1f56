# What the memory mechanisms cost, over the model; and the figures of docs/mmu.md, drawn from their tables.

BENCHMMU := $(BUILD)/benchmmu
BENCHMMU_C := bench/machine.c $(MMU_C) lib/fmt.c test/unit/hosted.c $(wildcard model/*.c)
BENCHMMU_O := $(BENCHMMU_C:%.c=$(BENCHMMU)/%.o)

$(BENCHMMU)/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O2 -g $(WARNINGS) -I. -MMD -MP -c $< -o $@
-include $(BENCHMMU_O:.o=.d)

$(BENCHMMU)/figures: $(BENCHMMU)/bench/figures.o $(BENCHMMU_O)
	$(CC) -o $@ $^

$(BENCHMMU)/cost: $(BENCHMMU)/bench/cost.o $(BENCHMMU_O)
	$(CC) -o $@ $^

.PHONY: figures figures-check bench-mmu
figures: $(BENCHMMU)/figures
	$< docs/figures

# The committed figures are what the code draws.
figures-check: $(BENCHMMU)/figures
	@rm -rf $(BENCHMMU)/drawn && mkdir -p $(BENCHMMU)/drawn
	$< $(BENCHMMU)/drawn
	diff -r docs/figures $(BENCHMMU)/drawn

# Prints tables; asserts nothing. Needs valgrind for the counts of instructions.
bench-mmu: $(BENCHMMU)/cost
	@bench/cost.sh $<
