# What the memory mechanisms cost, over the model; and the figures of docs/mmu.md, drawn from their tables.

BENCHMMU := $(BUILD)/benchmmu
BENCHMMU_C := bench/machine.c $(MMU_C) lib/fmt.c test/unit/hosted.c $(wildcard model/*.c)
# Compiled as the oracle is, and with it.
BENCHMMU_O := $(BENCHMMU_C:%.c=$(ORACLE)/%.o)
-include $(BENCHMMU_O:.o=.d) $(ORACLE)/bench/figures.d $(ORACLE)/bench/cost.d

$(BENCHMMU)/figures: $(ORACLE)/bench/figures.o $(BENCHMMU_O)
	@mkdir -p $(@D)
	$(CC) -o $@ $^

$(BENCHMMU)/cost: $(ORACLE)/bench/cost.o $(BENCHMMU_O)
	@mkdir -p $(@D)
	$(CC) -o $@ $^

.PHONY: figures figures-check bench-mmu
figures: $(BENCHMMU)/figures
	$< docs/figures

# The committed figures are what the code draws.
figures-check: $(BENCHMMU)/figures
	script/figures-check.sh $(BUILD)

# Prints tables; asserts nothing. Needs valgrind for the counts of instructions.
bench-mmu: $(BENCHMMU)/cost
	@bench/cost.sh $<
