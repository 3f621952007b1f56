# The hypervisor: build/vellum.elf, freestanding.

# What includes hvm/hvm.h is compiled once for each vendor, and linked to that vendor's room alone (build/hyp/vm-vmx.o,
# vm-svm.o, of which nothing but the first function is seen outside); all else once.
HYP_TWICE_DIRS := $(filter-out vm/load vm/config vm/native,$(VM_DIRS))
HYP_DIRS := lib $(MMU_DIRS) $(EMULATE_DIRS) $(DEV_DIRS) vm/load vm/config vm/native vmx svm $(HOST_DIRS) start
# The checks at VM entry (model/vmentry.h) are linked in; only debug builds call them, others drop them.
HYP_C := $(call sources,$(HYP_DIRS)) $(wildcard model/vmentry*.c)
HYP_S := $(foreach d,$(HYP_DIRS),$(wildcard $(d)/*.S))
HYP_TWICE_C := $(call sources,$(HYP_TWICE_DIRS))
HYP_VENDORS := vmx svm
HYP_O := $(HYP_C:%.c=$(BUILD)/hyp/%.o) $(HYP_S:%.S=$(BUILD)/hyp/%.S.o) $(HYP_VENDORS:%=$(BUILD)/hyp/vm-%.o)

HYP_CFLAGS := -std=gnu11 -O3 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -mcmodel=small \
	-mstack-protector-guard=global -fno-asynchronous-unwind-tables -fno-strict-aliasing -fomit-frame-pointer \
		-ffunction-sections \
	-fdata-sections $(WARNINGS) -Wframe-larger-than=2048 -I.
# The stack protector (host/trap/canary.c): where a function has any array, or hands out the address of a local
# variable; and local variables begin as 0. In the files that the shortest exits go through, and in the heart, whose
# variables by address are structures of a fixed form, only where a function has an array of bytes: there each check
# would be 5 of some 100 instructions.
HYP_LEAN := $(MMU_C) vm/exit/dispatch.c vm/exit/msr.c vm/exit/cr.c vm/exit/mmu.c vm/exit/event.c vm/exit/apic.c \
	vm/exit/push.c vm/exit/known.c vm/exit/told.c vmx/vcpu.c svm/vcpu.c
hyp_protector = $(if $(filter $(HYP_LEAN),$(1)),-fstack-protector,-fstack-protector-strong -ftrivial-auto-var-init=zero)
ifdef DEBUG
HYP_CFLAGS += -DVELLUM_DEBUG
endif

$(BUILD)/hyp/%.o: %.c mk/hypervisor.mk
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(HYP_CFLAGS) $(call hyp_protector,$<) -MMD -MP -c $< -o $@

$(BUILD)/hyp-svm/%.o: %.c mk/hypervisor.mk
	@mkdir -p $(@D)
	@echo '  CC  $< (SVM)'
	@$(CC) $(HYP_CFLAGS) -DVELLUM_SVM $(call hyp_protector,$<) -MMD -MP -c $< -o $@

$(BUILD)/hyp/vm-vmx.o: $(HYP_TWICE_C:%.c=$(BUILD)/hyp/%.o)
$(BUILD)/hyp/vm-svm.o: $(HYP_TWICE_C:%.c=$(BUILD)/hyp-svm/%.o)
$(HYP_VENDORS:%=$(BUILD)/hyp/vm-%.o): $(BUILD)/hyp/vm-%.o:
	@echo '  LD  $@'
	@$(LD) -r -o $@ $^
	@objcopy --redefine-sym vellum_main=vellum_main_$* $@
	@objcopy --keep-global-symbol=vellum_main_$* $@

$(BUILD)/hyp/%.S.o: %.S mk/hypervisor.mk
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(HYP_CFLAGS) -MMD -MP -c $< -o $@

# Of the system's packages, a member of an archive each: LZ4 (vm/memory/compress.c, host/cpu/unpack.c), from which
# nothing asks for a heap, and zlib's CRC-32 (vm/load/snapshot_file.c), which asks for nothing.
LIBLZ4 := $(shell $(CC) -print-file-name=liblz4.a)
LIBZ := $(shell $(CC) -print-file-name=libz.a)
HYP_LIBRARIES := $(BUILD)/hyp/liblz4-lz4.o $(BUILD)/hyp/libz-crc32.o
$(BUILD)/hyp/liblz4-lz4.o: $(LIBLZ4) mk/hypervisor.mk
	@mkdir -p $(@D)
	@ar p $< lz4.o > $@
	@objcopy --redefine-sym calloc=library_alloc --redefine-sym free=library_free $@
$(BUILD)/hyp/libz-crc32.o: $(LIBZ) mk/hypervisor.mk
	@mkdir -p $(@D)
	@ar p $< crc32.o > $@

$(BUILD)/vellum.elf: host/boot/vellum.ld $(HYP_O) $(HYP_LIBRARIES)
	@echo '  LD  $@'
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--gc-sections -Wl,-z,max-page-size=4096 \
		-Wl,-z,noexecstack \
		-T host/boot/vellum.ld $(HYP_O) $(HYP_LIBRARIES) -o $@

-include $(HYP_O:.o=.d) $(HYP_TWICE_C:%.c=$(BUILD)/hyp/%.d) $(HYP_TWICE_C:%.c=$(BUILD)/hyp-svm/%.d)

ALL += $(BUILD)/vellum.elf
