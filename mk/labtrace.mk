# What QEMU loads to record a program (vellum lab record).
RECORD_SO_C := lab/plugin/record.c lab/plugin/regions.c lab/plugin/program.c
$(BUILD)/vellum-record.so: $(RECORD_SO_C) $(wildcard lab/plugin/*.h) lab/machine/event.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -fPIC -shared -fvisibility=hidden $(WARNINGS) -I. -o $@ $(RECORD_SO_C)
ALL += $(BUILD)/vellum-record.so

# Traces: how fast they are decoded. TRACE=FILE names one; without, a run of sort is recorded.
TRACE_READ_C := lab/trace/read.c lab/trace/decode.c lab/trace/write.c lab/error.c lab/wrap.c

$(BUILD)/bench-trace: bench/trace.c $(TRACE_READ_C) $(LAB_H)
	@mkdir -p $(@D)
	$(CC) $(LAB_CFLAGS) -O3 -o $@ bench/trace.c $(TRACE_READ_C) -lzstd

UNIT_lab_trace_SRC := test/unit/lab/trace/test_trace.c $(TRACE_READ_C)
UNIT_lab_trace_LIBS := -lzstd
UNIT_TESTS += lab_trace

# The guest OS, on a CPU made for the test.
LAB_OS_TEST_C := test/unit/lab/os/guest.c test/unit/lab/os_cpu.c $(call sources,lab/os) lab/error.c lab/wrap.c
UNIT_lab_os_SRC := test/unit/lab/os/test_os.c $(LAB_OS_TEST_C)
UNIT_lab_os_memory_SRC := test/unit/lab/os/test_memory.c $(LAB_OS_TEST_C)
UNIT_TESTS += lab_os lab_os_memory

UNIT_lab_work_SRC := test/unit/lab/work/test_work.c test/unit/lab/os_cpu.c lab/work/work.c $(filter-out \
	lab/work/work.c lab/work/list.c,$(call sources,lab/work)) \
	$(call sources,lab/os) lab/config/config.c lab/config/config_text.c lab/config/presets.c $(TRACE_READ_C)
UNIT_lab_work_LIBS := -lzstd -lm
UNIT_TESTS += lab_work

# Real programs, under QEMU's user-mode emulator.
.PHONY: record-test
record-test: $(BUILD)/vellum $(BUILD)/vellum-record.so
	@test/lab/record.sh $(BUILD)

# The commands, as people give them.
.PHONY: lab-test
lab-test: $(BUILD)/vellum
	@test/lab/commands.sh $(BUILD)

UNIT_lab_record_SRC := test/unit/lab/trace/test_record.c lab/trace/record_drain.c lab/trace/import_lackey.c \
	lab/trace/import_champsim.c $(TRACE_READ_C)
UNIT_lab_record_LIBS := -lzstd
UNIT_TESTS += lab_record

# Where traces are decoded, loops are worth the compiler's while.
$(BUILD)/lab/lab/trace/decode.o: LAB_CFLAGS += -O3

# Coverage-guided, on the reader: FUZZ_SECONDS.
$(BUILD)/fuzz/trace: test/lab/fuzz_trace.c test/unit/lab/trace/frame.h $(TRACE_READ_C) $(LAB_H)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -g -O1 -D_GNU_SOURCE $(WARNINGS) -I. -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ \
		test/lab/fuzz_trace.c $(TRACE_READ_C) -lzstd

.PHONY: fuzz-trace
fuzz-trace: $(BUILD)/fuzz/trace
	@mkdir -p $(BUILD)/fuzz/trace-corpus
	$< -max_len=4096 -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/trace-corpus \
		test/unit/data
