# The lab: hosted, linked into build/vellum (mk/tool.mk) together with the heart, unchanged.

LAB_C := $(wildcard lab/*.c) lab/plugin/program.c
LAB_MMU_C := $(filter-out $(HYP_EXCLUDE),$(wildcard mmu/*.c))
LAB_O := $(LAB_C:%.c=$(BUILD)/lab/%.o) $(LAB_MMU_C:%.c=$(BUILD)/lab/%.o)
LAB_CFLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 $(WARNINGS) -I.
LAB_LIBS := -lzstd -lm

$(BUILD)/lab/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(LAB_CFLAGS) -MMD -MP -c $< -o $@

# An archive: who links it takes what it uses.
$(BUILD)/lab.a: $(LAB_O)
	@rm -f $@
	ar rcs $@ $(LAB_O)

-include $(wildcard $(BUILD)/lab/*/*.d $(BUILD)/lab/*/*/*.d)

# The engine's tests.
LAB_ENGINE_C := $(addprefix lab/,account.c config.c config_text.c engine.c error.c ghost.c guestcpu.c loop.c memory.c presets.c price.c values.c vm.c) \
	$(wildcard lab/fast*.c lab/plain*.c lab/os*.c lab/work*.c) lab/trace_read.c lab/trace_decode.c lab/trace_write.c \
	$(LAB_MMU_C) lib/fmt.c
UNIT_lab_walk_SRC := test/unit/test_lab_walk.c $(filter-out lab/work_list.c,$(LAB_ENGINE_C))
UNIT_lab_engine_SRC := test/unit/test_lab_engine.c $(filter-out lab/work_list.c,$(LAB_ENGINE_C))
$(foreach t,lab_walk lab_engine,$(eval UNIT_$(t)_CFLAGS := -D_GNU_SOURCE) $(eval UNIT_$(t)_LIBS := -lcjson -lzstd -lm) \
	$(eval UNIT_$(t)_DEPS := $(wildcard lab/*.h)))
UNIT_TESTS += lab_walk lab_engine

UNIT_lab_config_SRC := test/unit/test_lab_config.c lab/config.c lab/config_text.c lab/presets.c lab/error.c
UNIT_lab_config_CFLAGS := -D_GNU_SOURCE
UNIT_lab_config_LIBS := -lm
UNIT_TESTS += lab_config

.PHONY: bench-lab
bench-lab: $(BUILD)/vellum
	bench/lab.sh $< $(TRACE)
