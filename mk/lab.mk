# The lab: hosted, linked into build/vellum (mk/tool.mk) together with the heart, unchanged.

LAB_C := $(call sources,$(LAB_DIRS)) lab/plugin/program.c
LAB_H := $(call headers,$(LAB_DIRS))
LAB_O := $(LAB_C:%.c=$(BUILD)/lab/%.o) $(MMU_C:%.c=$(BUILD)/lab/%.o)
LAB_CFLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 $(WARNINGS) -I.
LAB_LIBS := -lzstd -lm

$(BUILD)/lab/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(LAB_CFLAGS) -MMD -MP -c $< -o $@

# What makes the accesses: loops are worth the compiler's while.
$(BUILD)/lab/lab/machine/fast%.o $(BUILD)/lab/lab/engine/loop.o: LAB_CFLAGS += -O3

# An archive: who links it takes what it uses.
$(BUILD)/lab.a: $(LAB_O)
	@rm -f $@
	ar rcs $@ $(LAB_O)

-include $(LAB_O:.o=.d)

# The engine's tests.
LAB_ENGINE_C := lab/error.c lab/wrap.c $(call sources,lab/engine lab/machine lab/os lab/work lab/config) \
	lab/trace/read.c lab/trace/decode.c lab/trace/write.c \
	$(MMU_C) lib/fmt.c
UNIT_lab_walk_SRC := test/unit/lab/machine/test_walk.c $(filter-out lab/work/list.c,$(LAB_ENGINE_C))
UNIT_lab_engine_SRC := test/unit/lab/engine/test_engine.c $(filter-out lab/work/list.c,$(LAB_ENGINE_C))
UNIT_lab_costs_SRC := test/unit/lab/engine/test_costs.c $(filter-out lab/work/list.c,$(LAB_ENGINE_C))
UNIT_lab_sample_SRC := test/unit/lab/machine/test_sample.c $(filter-out lab/work/list.c,$(LAB_ENGINE_C))
UNIT_lab_phases_SRC := test/unit/lab/machine/test_phases.c $(filter-out lab/work/list.c,$(LAB_ENGINE_C))
$(foreach t,lab_walk lab_engine lab_costs lab_sample lab_phases,$(eval UNIT_$(t)_LIBS := -lcjson -lzstd -lm))
UNIT_TESTS += lab_walk lab_engine lab_costs lab_sample lab_phases

UNIT_lab_config_SRC := test/unit/lab/config/test_config.c lab/config/config.c lab/config/config_text.c \
	lab/config/presets.c lab/error.c lab/wrap.c
UNIT_lab_config_LIBS := -lm
UNIT_TESTS += lab_config

.PHONY: bench-lab
bench-lab: $(BUILD)/vellum
	bench/lab.sh $< $(TRACE)
