# The random test of the memory mechanisms against the model. `make oracle` is part of `make test`.

ORACLE := $(BUILD)/oracle
ORACLE_MAIN := test/oracle/main.c test/oracle/exhaustive.c test/oracle/fuzz.c
ORACLE_C := $(filter-out $(ORACLE_MAIN),$(wildcard test/oracle/*.c))
ORACLE_MMU_C := $(MMU_C) lib/fmt.c
ORACLE_ALL := $(ORACLE_C) $(MODEL_C) $(ORACLE_MMU_C)
ORACLE_CFLAGS := -std=gnu11 -g $(WARNINGS) -I.
ORACLE_DEPS := $(ORACLE_ALL) $(call headers,test/oracle model $(MMU_DIRS) lib)

$(ORACLE)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ORACLE_CFLAGS) -O2 -MMD -MP -c $< -o $@
-include $(ORACLE_ALL:%.c=$(ORACLE)/%.d) $(ORACLE_MAIN:%.c=$(ORACLE)/%.d)

$(ORACLE)/oracle: $(ORACLE)/test/oracle/main.o $(ORACLE_ALL:%.c=$(ORACLE)/%.o)
	$(CC) -o $@ $^

# The same with others coming in the middle of mmu/'s steps, at each store to a table too (test/oracle/seam/).
INTERLEAVE := $(BUILD)/interleave
INTERLEAVE_CFLAGS := $(ORACLE_CFLAGS:-I.=-Itest/oracle/seam -I.)
$(INTERLEAVE)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(INTERLEAVE_CFLAGS) -O2 -MMD -MP -c $< -o $@
-include $(ORACLE_ALL:%.c=$(INTERLEAVE)/%.d) $(ORACLE_MAIN:%.c=$(INTERLEAVE)/%.d)

$(INTERLEAVE)/oracle: $(INTERLEAVE)/test/oracle/main.o $(ORACLE_ALL:%.c=$(INTERLEAVE)/%.o)
	$(CC) -o $@ $^

# Every order of short sequences: what each step reads and writes the compiler tells, and footprint.c is told of it in
# the place of the thread sanitizer. Two that explore are not told of themselves. (GCC does not tell of a store of what
# a call returns as a structure.)
EXPLORE := $(BUILD)/explore
EXPLORE_BARE_C := test/oracle/explore/explore.c test/oracle/explore/footprint.c
EXPLORE_TOLD_C := $(ORACLE_ALL) $(filter-out $(EXPLORE_BARE_C),$(wildcard test/oracle/explore/*.c))
EXPLORE_TOLD := -O1 -fsanitize=thread -fno-builtin -mllvm -tsan-instrument-func-entry-exit=0 \
	-Wno-unneeded-internal-declaration
EXPLORE_WRAP := $(addprefix -Wl$(comma)--wrap=,memcpy memmove memset memcmp malloc calloc realloc free)
$(EXPLORE_BARE_C:%.c=$(EXPLORE)/%.o): $(EXPLORE)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(INTERLEAVE_CFLAGS) -O2 -MMD -MP -c $< -o $@
$(EXPLORE)/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(INTERLEAVE_CFLAGS) $(EXPLORE_TOLD) -MMD -MP -c $< -o $@
$(EXPLORE)-mutants/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(INTERLEAVE_CFLAGS) $(EXPLORE_TOLD) -DMUTATION -MMD -MP -c $< -o $@
-include $(foreach d,$(EXPLORE) $(EXPLORE)-mutants,$(EXPLORE_TOLD_C:%.c=$(d)/%.d)) $(EXPLORE_BARE_C:%.c=$(EXPLORE)/%.d)

$(EXPLORE)/explore: $(EXPLORE_TOLD_C:%.c=$(EXPLORE)/%.o)
$(ORACLE)-mutants/explore: $(EXPLORE_TOLD_C:%.c=$(EXPLORE)-mutants/%.o)
$(EXPLORE)/explore $(ORACLE)-mutants/explore: $(EXPLORE_BARE_C:%.c=$(EXPLORE)/%.o)
	@mkdir -p $(@D)
	$(CC) $(EXPLORE_WRAP) -o $@ $^

# Real threads, under the thread sanitizer.
THREADS_ALL := $(wildcard test/threads/*.c) test/unit/hosted.c $(MODEL_C) $(ORACLE_MMU_C)
THREADS := $(BUILD)/threads
$(THREADS)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ORACLE_CFLAGS) -O1 -fsanitize=thread -MMD -MP -c $< -o $@
-include $(THREADS_ALL:%.c=$(THREADS)/%.d)

$(THREADS)/threads: $(THREADS_ALL:%.c=$(THREADS)/%.o)
	$(CC) -fsanitize=thread -o $@ $^

# The same over the local APICs of one virtual machine.
LAPIC_THREADS_ALL := test/threads/lapic/main.c test/unit/hosted.c $(wildcard dev/irq/lapic*.c) \
	dev/irq/apic_message.c dev/timer.c
-include $(LAPIC_THREADS_ALL:%.c=$(THREADS)/%.d)
$(THREADS)/lapic_threads: $(LAPIC_THREADS_ALL:%.c=$(THREADS)/%.o)
	$(CC) -fsanitize=thread -o $@ $^

# The same with switches that leave out one flush, protection or check each.
$(ORACLE)-mutants/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(INTERLEAVE_CFLAGS) -O2 -DMUTATION -MMD -MP -c $< -o $@
-include $(ORACLE_ALL:%.c=$(ORACLE)-mutants/%.d) $(ORACLE_MAIN:%.c=$(ORACLE)-mutants/%.d)

$(ORACLE)-mutants/oracle: $(ORACLE)-mutants/test/oracle/main.o $(ORACLE_ALL:%.c=$(ORACLE)-mutants/%.o)
	$(CC) -o $@ $^

# Every mutant must be killed; the table goes into docs/.
.PHONY: mutate
mutate: $(ORACLE)-mutants/oracle $(ORACLE)-mutants/explore
	script/mutate.sh $< docs/mutations.md

$(ORACLE)/exhaustive: $(ORACLE)/test/oracle/exhaustive.o $(ORACLE_ALL:%.c=$(ORACLE)/%.o)
	$(CC) -o $@ $^

# The same under sanitizers, with every invariant checked after every step: of the objects of the unit tests.
ORACLE_ASAN_O := $(call unit_object,clang,plain,test/oracle/main.c $(ORACLE_ALL))
$(ORACLE)-asan/oracle: $(ORACLE_ASAN_O)
	@mkdir -p $(@D)
	$(CLANG) -fsanitize=address,undefined -o $@ $^

# The interleaved ones in the same way.
INTERLEAVE_SAN := $(INTERLEAVE)-asan
$(INTERLEAVE_SAN)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS:-I.=-Itest/oracle/seam -I.) -MMD -MP -c $< -o $@
-include $(ORACLE_ALL:%.c=$(INTERLEAVE_SAN)/%.d) $(INTERLEAVE_SAN)/test/oracle/main.d

$(INTERLEAVE_SAN)/oracle: $(INTERLEAVE_SAN)/test/oracle/main.o $(ORACLE_ALL:%.c=$(INTERLEAVE_SAN)/%.o)
	$(CC) -fsanitize=address,undefined -o $@ $^

# Part of `make test`: some 40 million checked accesses over all mechanisms and paging modes (test/programs.py).
.PHONY: oracle soak fuzz-oracle account
ORACLE_TESTS := $(ORACLE)/oracle $(ORACLE)/exhaustive $(ORACLE)-asan/oracle $(INTERLEAVE)/oracle \
	$(EXPLORE)/explore $(INTERLEAVE_SAN)/oracle $(THREADS)/threads $(THREADS)/lapic_threads
oracle: $(ORACLE_TESTS)
	python3 -B test/all.py --only '^oracle: ' $(BUILD)

# A nightly's worth: a billion.
soak: $(ORACLE)/oracle $(ORACLE)/exhaustive
	script/soak.sh $(ORACLE) 1000000000

# Flushes issued against those that dropped something that was wrong by then.
account: $(ORACLE)/oracle
	$< --account --runs 60 --steps 2000

# Coverage-guided, over the same steps; one of `make fuzz` (mk/fuzz.mk).
$(BUILD)/fuzz/oracle: test/oracle/fuzz.c $(ORACLE_DEPS)
	@mkdir -p $(@D)
	$(CLANG) $(ORACLE_CFLAGS) -O1 -DVELLUM_DEBUG -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o \
		$@ test/oracle/fuzz.c $(ORACLE_ALL)

fuzz-oracle: $(BUILD)/fuzz/oracle
	@mkdir -p $(BUILD)/fuzz/corpus/oracle
	ASAN_OPTIONS=detect_leaks=0 $< -max_len=4096 -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 \
		$(FUZZ_ARGS) \
		-artifact_prefix=$(BUILD)/fuzz/oracle- $(BUILD)/fuzz/corpus/oracle test/oracle/corpus
