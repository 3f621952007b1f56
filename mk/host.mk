# What of host/ and vmx/ can be tested in a process.
UNIT_host_mca_judge_SRC := test/unit/host/trap/test_mca_judge.c host/trap/mca_judge.c
UNIT_TESTS += host_mca_judge
UNIT_host_speculation_SRC := test/unit/host/cpu/test_speculation.c host/cpu/speculation.c
UNIT_TESTS += host_speculation
UNIT_vmx_guards_SRC := test/unit/vmx/test_guards.c vmx/guards.c
UNIT_TESTS += vmx_guards
# What lies in RAM at boot, with a CPU of software (test/vm/shadow/host/cpu/x86.h) that unpacks.
BOOT_C := test/unit/host/boot/information.c host/boot/multiboot.c host/memory/frames.c host/cpu/unpack.c \
	host/cpu/vector.c lib/fmt.c
UNIT_host_frames_SRC := test/unit/host/memory/test_frames.c $(BOOT_C)
UNIT_host_multiboot_SRC := test/unit/host/boot/test_multiboot.c $(BOOT_C)
$(foreach t,frames multiboot,$(eval UNIT_host_$(t)_VARIANT := vmbench)$(eval UNIT_host_$(t)_LIBS := -no-pie -llz4))
UNIT_TESTS += host_frames host_multiboot
UNIT_host_ata_SRC := test/unit/host/device/test_ata.c test/unit/host/device/controller.c host/device/ata.c
UNIT_TESTS += host_ata
UNIT_host_ahci_SRC := test/unit/host/device/test_ahci.c test/unit/host/device/hba.c host/device/ahci.c host/device/ata.c
UNIT_TESTS += host_ahci
UNIT_host_e1000_SRC := test/unit/host/device/test_e1000.c host/device/e1000.c
UNIT_TESTS += host_e1000
UNIT_host_spinlock_SRC := test/unit/host/cpu/test_spinlock.c host/cpu/spinlock.c
UNIT_host_spinlock_LIBS := -lpthread
UNIT_TESTS += host_spinlock
