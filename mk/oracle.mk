# The random test of the memory mechanisms against the model. `make oracle` is part of `make test`.

ORACLE := $(BUILD)/oracle
ORACLE_MAIN := test/oracle/main.c test/oracle/exhaustive.c test/oracle/fuzz.c
ORACLE_C := $(filter-out $(ORACLE_MAIN),$(wildcard test/oracle/*.c))
ORACLE_MMU_C := $(filter-out $(HYP_EXCLUDE),$(wildcard mmu/*.c)) lib/fmt.c
ORACLE_ALL := $(ORACLE_C) $(MODEL_C) $(ORACLE_MMU_C)
ORACLE_CFLAGS := -std=gnu11 -g $(WARNINGS) -I.
ORACLE_DEPS := $(ORACLE_ALL) $(wildcard test/oracle/*.h model/*.h mmu/*.h lib/*.h)

$(ORACLE)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ORACLE_CFLAGS) -O2 -MMD -MP -c $< -o $@
-include $(wildcard $(ORACLE)/*/*.d $(ORACLE)/*/*/*.d)

$(ORACLE)/oracle: $(ORACLE)/test/oracle/main.o $(ORACLE_ALL:%.c=$(ORACLE)/%.o)
	$(CC) -o $@ $^

# The same with switches that leave out one flush, protection or check each.
$(ORACLE)-mutants/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ORACLE_CFLAGS) -O2 -DMUTATION -MMD -MP -c $< -o $@
-include $(wildcard $(ORACLE)-mutants/*/*.d $(ORACLE)-mutants/*/*/*.d)

$(ORACLE)-mutants/oracle: $(ORACLE)-mutants/test/oracle/main.o $(ORACLE_ALL:%.c=$(ORACLE)-mutants/%.o)
	$(CC) -o $@ $^

# Every mutant must be killed; the table goes into docs/.
.PHONY: mutate
mutate: $(ORACLE)-mutants/oracle
	script/mutate.sh $< docs/mutations.md

$(ORACLE)/exhaustive: $(ORACLE)/test/oracle/exhaustive.o $(ORACLE_ALL:%.c=$(ORACLE)/%.o)
	$(CC) -o $@ $^
