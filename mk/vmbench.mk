# The bench for vm/ and vmx/ (test/vm/bench.h): the exit handlers in an ordinary process. They are compiled as for the
# hypervisor, without vector registers; headers of test/vm/shadow/ come before those that hold instructions no process
# may execute.

VMBENCH_HYP_C := $(filter-out vm/main.c vm/native/native.c vm/cpu/resident.c vmx/entry_check.c vmx/cpu.c,$(call \
	sources,$(VM_DIRS) vmx)) host/device/console.c host/cpu/spinlock.c host/cpu/unpack.c host/cpu/vector.c \
	host/cpu/speculation.c host/cpu/speculation_read.c lib/fmt.c lib/heap.c
VMBENCH_C := $(wildcard test/vm/*.c) test/unit/emulate/cpu.c test/unit/dev/irq/virtual_apic.c $(VMBENCH_HYP_C) \
	$(call sources,$(DEV_DIRS) $(EMULATE_DIRS) $(MMU_DIRS)) $(wildcard model/vmentry*.c)
# Not position-independent: static tables have addresses that the CPU models can have as physical ones.
VMBENCH_FLAGS := -D_GNU_SOURCE -mgeneral-regs-only -fno-pie -Itest/vm/shadow

VMBENCH_TESTS := ram ram_out ram_moving ram_join ram_share reclaim packed balance \
	modes dispatch exception event chain cr msr io mmu emulation handover task_switch task_segment run \
	trace platform panic lapic_order tpr tpr_memory tpr_model apicv alarm patch patch_undo apic apic_trapped \
	decoded push known told \
	synced vcpus smp freeze enterable emulated mechanism_switch mitigations stats release disk ide net virtio life \
	state schedule sleep move cpus clock caps mechanism cpuid create control snapshot possible save exchange dirty \
	live live_refused live_follows ram_elsewhere flash firmware save_firmware v86 debug video planes planes_access \
	length console merge compress ram_give ram_hold patch_state
$(foreach t,$(VMBENCH_TESTS),$(eval UNIT_vm_$(t)_SRC := $(wildcard test/unit/vm*/test_$(t).c \
	test/unit/vm/*/test_$(t).c test/unit/dev/irq/test_$(t).c) $(VMBENCH_C))$(eval UNIT_vm_$(t)_VARIANT := \
	vmbench)$(eval UNIT_vm_$(t)_LIBS := -no-pie -llz4 -lz))
UNIT_vm_snapshot_SRC += test/unit/vm/snapshot/taken.c
UNIT_vm_save_SRC += test/unit/vm/snapshot/taken.c
UNIT_vm_save_firmware_SRC += test/unit/vm/snapshot/taken.c
UNIT_vm_possible_SRC += test/unit/vm/snapshot/taken.c
UNIT_TESTS += $(VMBENCH_TESTS:%=vm_%)

# What replaces patched instructions does the same as they, by the emulator.
UNIT_vm_patch_insn_SRC := test/unit/vm/tpr/test_patch_insn.c vm/tpr/patch_insn.c vm/tpr/patch_stub.c $(EMULATE_WORLD_C)
UNIT_TESTS += vm_patch_insn

# svm/ over a CPU of its own (test/unit/svm/soft.h).
SVM_TESTS := caps cpu entry_check exits guest vcpu
SVM_WORLD_C := test/unit/svm/soft.c $(call sources,svm)
$(foreach t,$(SVM_TESTS),$(eval UNIT_svm_$(t)_SRC := test/unit/svm/test_$(t).c $(SVM_WORLD_C))\
	$(eval UNIT_svm_$(t)_VARIANT := vmbench)$(eval UNIT_svm_$(t)_LIBS := -no-pie))
UNIT_TESTS += $(SVM_TESTS:%=svm_%)

# The same with switches that leave out one check or rule each (lib/mutants/mutate.h); `make mutate` runs them after
# those of the heart.
VM_MUTANTS_DIR := $(BUILD)/vm-mutants
$(VM_MUTANTS_DIR)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(VMBENCH_FLAGS) -std=gnu11 -O1 -g -DVM_MUTATION $(WARNINGS) -I. -MMD -MP -c -o $@ $<
define vm_mutants_rule
$(VM_MUTANTS_DIR)/vm_$(1): $(patsubst %.c,$(VM_MUTANTS_DIR)/obj/%.o,$(UNIT_vm_$(1)_SRC))
	@echo '  mutants  vm_$(1)'
	@$(CC) -no-pie -o $$@ $$^ -llz4 -lz -lcmocka
endef
$(foreach t,$(VMBENCH_TESTS),$(eval $(call vm_mutants_rule,$(t))))
# Parts of vm/ and vmx/ whose unit tests need no bench.
VM_PLAIN_TESTS := $(SVM_TESTS:%=svm_%) config_merge \
	host_frames host_multiboot host_ata host_ahci host_e1000 host_speculation vmx_guards config config_disk \
	config_firmware config_memory config_module \
	control_request load_elf load_firmware load_linux load_linux_old load_multiboot dev_block dev_virtio_queue \
	dev_virtio_blk dev_virtio_pci dev_virtio_net dev_virtio_rng dev_virtio_console dev_virtio_balloon \
	dev_switch config_net dev_flash \
	dev_pci dev_fw_cfg dev_uart dev_vga_text $(IDE_TESTS:%=dev_ide_%) dev_i8042 dev_mouse dev_vga dev_vga_memory \
	dev_dispi $(patsubst %,dev_%,timer lapic lapic_modes lapic_priority lapic_ipi lapic_plain lapic_timer ioapic \
	pic pit rtc rtc_alarm state sections table_loader virtio_state) snapshot_file
define vm_plain_rule
$(VM_MUTANTS_DIR)/plain/$(1): $(patsubst %.c,$(VM_MUTANTS_DIR)/obj/%.o,$(UNIT_$(1)_SRC) test/vm/mutants.c \
	test/unit/hosted.c)
	@mkdir -p $$(@D)
	@echo '  mutants  $(1)'
	@$(CC) -no-pie -o $$@ $$^ $(UNIT_$(1)_LIBS) -lcmocka
endef
$(foreach t,$(VM_PLAIN_TESTS),$(eval $(call vm_plain_rule,$(t))))
-include $(patsubst %.c,$(VM_MUTANTS_DIR)/obj/%.d,$(sort $(foreach t,$(VMBENCH_TESTS),$(UNIT_vm_$(t)_SRC)) \
	$(foreach t,$(VM_PLAIN_TESTS),$(UNIT_$(t)_SRC))))

.PHONY: mutate-vm
mutate: mutate-vm
mutate-vm: $(VMBENCH_TESTS:%=$(VM_MUTANTS_DIR)/vm_%) $(VM_PLAIN_TESTS:%=$(VM_MUTANTS_DIR)/plain/%)
	script/mutate-vm.sh $(VM_MUTANTS_DIR) docs/mutations-vm.md
