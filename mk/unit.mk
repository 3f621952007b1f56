# Hosted unit tests: every test X is built from UNIT_X_SRC (with UNIT_X_LIBS), by gcc or by clang, under ASan and UBSan,
# and linked with cmocka; -g1 has what names a line in a report. A directory's fragment says UNIT_TESTS += X.
# mk/unitrules.mk turns the lists into rules.

UNIT_CFLAGS := -std=gnu11 -O1 -g1 -DVELLUM_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer \
	$(WARNINGS) -I.

# Each source is compiled once by each compiler, in build/unit/COMPILER/: what belongs to the hypervisor's core in
# core/, without vector registers, as for the hypervisor; all else in plain/. The tests of the bench for vm/ and vmx/
# have their own sources in vmbench/ (mk/vmbench.mk): UNIT_X_VARIANT := vmbench.
UNIT_CORE := lib/% mmu/% emulate/% dev/% model/%
# The local APIC has seams where the bench lets other CPUs come in (dev/irq/seam.h).
UNIT_SEAMS_vmbench := dev/irq/lapic%
# $(call unit_core,VARIANT,SOURCES); $(call unit_object,COMPILER,VARIANT,SOURCES): their objects
unit_core = $(filter-out $(UNIT_SEAMS_$(1)),$(filter $(UNIT_CORE),$(2)))
unit_object = $(patsubst %.c,$(BUILD)/unit/$(1)/core/%.o,$(call unit_core,$(2),$(3))) \
	$(patsubst %.c,$(BUILD)/unit/$(1)/$(2)/%.o,$(filter-out $(call unit_core,$(2),$(3)),$(3)))

UNIT_lib_SRC := test/unit/lib/test_lib.c lib/fmt.c
UNIT_lib_heap_SRC := test/unit/lib/test_heap.c lib/heap.c
UNIT_lib_x86_SRC := test/unit/lib/test_x86.c
UNIT_lib_descriptor_SRC := test/unit/lib/test_descriptor.c
UNIT_TESTS += lib lib_heap lib_x86 lib_descriptor
