# Tests of the device models.

DEV_C := $(filter-out dev/firmware/acpi_tables.c dev/firmware/acpi_writer.c dev/firmware/acpi_dsdt.c \
	dev/firmware/mp_table.c dev/firmware/smbios.c dev/firmware/table_loader.c,$(call sources,$(DEV_DIRS)))
DEV_TESTS := timer pio mmio uart pic pit rtc rtc_alarm lapic lapic_priority lapic_ipi lapic_modes lapic_plain \
	lapic_timer ioapic pci piix dma8237 ports i8042 mouse vga vga_memory vga_picture vga_text dispi vga_fuzz \
	acpi_pm fw_cfg flash pvpanic testdev fuzz
$(foreach t,$(DEV_TESTS),$(eval UNIT_dev_$(t)_SRC := $(wildcard test/unit/dev/test_$(t).c \
	test/unit/dev/*/test_$(t).c) test/unit/dev/pc.c $(DEV_C)))
UNIT_dev_lapic_plain_SRC += test/unit/dev/irq/plain_apic.c test/unit/dev/irq/virtual_apic.c
UNIT_dev_state_SRC := test/unit/dev/test_state.c test/unit/dev/pc.c $(DEV_C)
UNIT_dev_sections_SRC := test/unit/dev/test_sections.c dev/state.c
UNIT_dev_acpi_tables_SRC := test/unit/dev/firmware/test_acpi_tables.c dev/firmware/acpi_tables.c \
	dev/firmware/acpi_writer.c dev/firmware/acpi_dsdt.c
UNIT_dev_table_loader_SRC := test/unit/dev/firmware/test_table_loader.c dev/firmware/table_loader.c \
	dev/firmware/acpi_tables.c dev/firmware/acpi_writer.c dev/firmware/acpi_dsdt.c
UNIT_dev_mp_table_SRC := test/unit/dev/firmware/test_mp_table.c dev/firmware/mp_table.c dev/firmware/acpi_writer.c
UNIT_dev_smbios_SRC := test/unit/dev/firmware/test_smbios.c dev/firmware/smbios.c dev/firmware/acpi_writer.c
UNIT_TESTS += $(DEV_TESTS:%=dev_%) dev_state dev_sections dev_acpi_tables dev_table_loader dev_mp_table dev_smbios
UNIT_dev_block_SRC := test/unit/dev/block/test_block.c test/unit/dev/block/medium.c $(call sources,dev/block)
UNIT_dev_snapshot_SRC := test/unit/dev/block/test_snapshot.c dev/block/snapshot.c
UNIT_dev_block_threads_SRC := test/unit/dev/block/test_block_threads.c $(call sources,dev/block)
UNIT_dev_block_threads_LIBS := -pthread
UNIT_TESTS += dev_block dev_snapshot dev_block_threads
# Virtio disks over a medium of the test's.
VIRTIO_RIG_C := test/unit/dev/virtio/driver.c test/unit/dev/block/rig.c test/unit/dev/block/medium.c dev/state.c \
	$(call sources,dev/block dev/net dev/virtio dev/bus)
$(foreach t,queue blk state,$(eval UNIT_dev_virtio_$(t)_SRC := test/unit/dev/virtio/test_$(t).c $(VIRTIO_RIG_C)))
UNIT_dev_virtio_pci_SRC := test/unit/dev/virtio/test_virtio_pci.c $(VIRTIO_RIG_C)
UNIT_TESTS += dev_virtio_queue dev_virtio_blk dev_virtio_pci dev_virtio_state
# Drives at an IDE controller.
IDE_RIG_C := test/unit/dev/ide/rig.c test/unit/dev/block/rig.c test/unit/dev/block/medium.c dev/state.c \
	$(call sources,dev/block dev/ide dev/bus)
IDE_TESTS := disk dma channel cd state
$(foreach t,$(IDE_TESTS),$(eval UNIT_dev_ide_$(t)_SRC := test/unit/dev/ide/test_$(t).c $(IDE_RIG_C)))
UNIT_TESTS += $(IDE_TESTS:%=dev_ide_%)
# The others by their queues alone.
$(foreach t,net rng console balloon,$(eval UNIT_dev_virtio_$(t)_SRC := test/unit/dev/virtio/test_$(t).c \
	test/unit/dev/virtio/box.c dev/state.c $(call sources,dev/net dev/virtio dev/bus dev/block)))
UNIT_dev_switch_SRC := test/unit/dev/net/test_switch.c $(call sources,dev/net)
UNIT_TESTS += dev_virtio_net dev_virtio_rng dev_virtio_console dev_virtio_balloon dev_switch
