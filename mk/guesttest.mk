# The test kernels: build/guest/test/NAME.elf, Multiboot 1, freestanding. A name of GUEST_TEST64 is built for long mode
# and then given the ELF32 wrapping that Multiboot demands.
GUEST_TEST32 := hello exit-code triple-fault garbage absent paging32 legacy32 realmode hostile32 flood32 irql32 \
	irql32pae lives patch32 tprcost32 tprcost32pae planes small32 micro32 icr
GUEST_TEST64 := paging64 msr-cpuid timer exitcost memory chaos tables emulated stay dirty hostile neighbour flood lost \
	sysret nullss irql64 ipicost tprcost64 fresh typed halves moved vtx
GUEST_TEST_LIB := rt pages
GUEST_TEST_ELF := $(GUEST_TEST32:%=$(GUEST)/test/%.elf) $(GUEST_TEST64:%=$(GUEST)/test/%.elf)

GUEST_TEST_CFLAGS := -std=gnu11 -O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-tree-loop-distribute-patterns -mgeneral-regs-only -fcf-protection=none $(WARNINGS) \
	-Wno-array-bounds -Wno-int-to-pointer-cast -I.
GUEST_TEST_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
	-Wl,-z,max-page-size=4096 -T guest/test/base/test.ld

guest_test_cc = $(CC) -m$(1) $(GUEST_TEST_CFLAGS) $(if $(filter 64,$(1)),-mno-red-zone -mcmodel=small) -MMD -MP -c
# $(call guest_test_rules,BITS): those that look at the emulator, which know more than guests do, are of test/.
define guest_test_rules
$(GUEST)/test/$(1)/%.o: guest/test/%.c
	@mkdir -p $$(@D)
	$$(call guest_test_cc,$(1)) $$< -o $$@
$(GUEST)/test/$(1)/test/%.o: test/%.c
	@mkdir -p $$(@D)
	$$(call guest_test_cc,$(1)) $$< -o $$@
$(GUEST)/test/$(1)/%.o: guest/test/%.S
	@mkdir -p $$(@D)
	$$(CC) -m$(1) -I. -MMD -MP -c $$< -o $$@
-include $$(wildcard $(GUEST)/test/$(1)/*.d $(GUEST)/test/$(1)/*/*.d $(GUEST)/test/$(1)/*/*/*.d)
endef
$(eval $(call guest_test_rules,32))
$(eval $(call guest_test_rules,64))

# $(call guest_test_objects,BITS,NAME); GUEST_TEST_MORE_NAME: its objects besides NAME.o
GUEST_TEST_MORE_tables := table-access
GUEST_TEST_MORE_realmode := realmode-entry
GUEST_TEST_MORE_micro32 := micro32-entry
GUEST_TEST_MORE_icr := icr-entry
GUEST_TEST_MORE_planes := bench
GUEST_TEST_MORE_ipicost := ipicost-entry bench
GUEST_TEST_MORE_fresh := fresh-entry
GUEST_TEST_MORE_exitcost := bench
GUEST_TEST_MORE_tprcost32 := tprcost-forms tprcost-closed tprcost-every bench
GUEST_TEST_MORE_tprcost32pae := tprcost-forms tprcost-closed tprcost-every bench
GUEST_TEST_MORE_tprcost64 := tprcost-forms tprcost-closed tprcost-every tprcost-places bench
GUEST_TEST_MORE_flood := flood-kinds flood-tables
HOSTILE := hostile-code hostile-operands hostile-memory hostile-system
GUEST_TEST_MORE_hostile := hostile64 hostile64-entry hostile64-tables $(HOSTILE)
GUEST_TEST_MORE_hostile32 := hostile hostile32-entry hostile32-tables hostile32-tasks hostile32-real $(HOSTILE)
IRQL := irql irql-main irql-devices irql-rounds irql-exact irql-ways irql-pages irql-moves irql-bench irql-second
GUEST_TEST_MORE_irql32 := $(IRQL) irql-ways32 irql-second32
GUEST_TEST_MORE_irql32pae := $(IRQL) irql-ways32 irql-second32
GUEST_TEST_MORE_irql64 := $(IRQL) irql-ways64 irql-second64
GUEST_TEST_MORE_patch32 := patch32-code patch32-hostile
# Below it lies what its experiments have.
GUEST_TEST_AT_hostile32 := 0x400000
# With 1 MByte of RAM it has nothing above that.
GUEST_TEST_AT_lives := 0x20000
# Where each lies under guest/test/ is found by its name.
GUEST_TEST_SOURCES := $(wildcard guest/test/*.[cS] guest/test/*/*.[cS]) test/emulator/vtx.c
guest_test_source = $(filter guest/test/$(1).c guest/test/$(1).S %/$(1).c %/$(1).S,$(GUEST_TEST_SOURCES))
guest_test_objects = $(foreach n,boot$(1) $(2) $(GUEST_TEST_MORE_$(2)) $(GUEST_TEST_LIB),$(patsubst \
	guest/test/%,$(GUEST)/test/$(1)/%.o,$(patsubst \
	test/%,$(GUEST)/test/$(1)/test/%.o,$(basename $(call guest_test_source,$(n))))))

comma := ,
define guest_test32
$(GUEST)/test/$(1).elf: $(call guest_test_objects,32,$(1)) guest/test/base/test.ld
	$$(CC) -m32 $$(GUEST_TEST_LDFLAGS) $$(if \
		$$(GUEST_TEST_AT_$(1)),-Wl$$(comma)--defsym=image_start=$$(GUEST_TEST_AT_$(1))) $$(filter %.o,$$^) -o \
		$$@
endef
define guest_test64
$(GUEST)/test/$(1).elf: $(call guest_test_objects,64,$(1)) guest/test/base/test.ld
	$$(CC) -m64 $$(GUEST_TEST_LDFLAGS) $$(filter %.o,$$^) -o $$@.64
	objcopy -I elf64-x86-64 -O elf32-i386 $$@.64 $$@
endef
$(foreach t,$(GUEST_TEST32),$(eval $(call guest_test32,$(t))))
$(foreach t,$(GUEST_TEST64),$(eval $(call guest_test64,$(t))))

# Boot sectors: one that loads a test kernel from its disk, and one that is a guest.
$(GUEST)/test/%.bin: $(GUEST)/test/32/sector/%.o
	ld -m elf_i386 -Ttext 0x7c00 -e sector --oformat binary -o $@ $<

.PHONY: guest-test
guest-test: $(GUEST_TEST_ELF) $(GUEST)/test/sector.bin $(GUEST)/test/echo.bin
ALL += $(GUEST_TEST_ELF) $(GUEST)/test/sector.bin $(GUEST)/test/echo.bin
