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

-include $(wildcard $(BUILD)/lab/*/*.d)
