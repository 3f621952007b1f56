# The hypervisor: build/vellum.elf, freestanding.

HYP_DIRS := lib mmu emulate dev vm vmx host
# Files that only hosted programs use, if a directory has any, go into HYP_EXCLUDE.
HYP_C := $(filter-out $(HYP_EXCLUDE),$(foreach d,$(HYP_DIRS),$(wildcard $(d)/*.c)))
HYP_S := $(foreach d,$(HYP_DIRS),$(wildcard $(d)/*.S))
HYP_O := $(HYP_C:%.c=$(BUILD)/hyp/%.o) $(HYP_S:%.S=$(BUILD)/hyp/%.S.o)

HYP_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -mcmodel=small \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing -fomit-frame-pointer -ffunction-sections \
	-fdata-sections $(WARNINGS) -Wframe-larger-than=2048 -I.
ifdef DEBUG
HYP_CFLAGS += -DVELLUM_DEBUG
endif

$(BUILD)/hyp/%.o: %.c mk/hypervisor.mk
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(HYP_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/hyp/%.S.o: %.S mk/hypervisor.mk
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(HYP_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/vellum.elf: host/vellum.ld $(HYP_O)
	@echo '  LD  $@'
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--gc-sections -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack \
		-T host/vellum.ld $(HYP_O) -o $@

-include $(HYP_O:.o=.d)

ALL += $(BUILD)/vellum.elf
