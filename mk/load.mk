# Tests of the guest loaders and of the description of virtual machines.
UNIT_snapshot_file_SRC := test/unit/vm/load/test_snapshot_file.c vm/load/snapshot_file.c lib/fmt.c
UNIT_snapshot_file_LIBS := -lz
UNIT_TESTS += snapshot_file
UNIT_config_SRC := test/unit/vm/config/test_config.c $(CONFIG_C) lib/fmt.c
UNIT_config_disk_SRC := test/unit/vm/config/test_config_disk.c $(CONFIG_C) lib/fmt.c
UNIT_config_merge_SRC := test/unit/vm/config/test_config_merge.c $(CONFIG_C) lib/fmt.c
UNIT_config_net_SRC := test/unit/vm/config/test_config_net.c $(CONFIG_C) lib/fmt.c
UNIT_config_memory_SRC := test/unit/vm/config/test_config_memory.c $(CONFIG_C) lib/fmt.c
UNIT_config_module_SRC := test/unit/vm/config/test_config_module.c $(CONFIG_C) lib/fmt.c
UNIT_load_elf_SRC := test/unit/vm/load/test_elf.c test/unit/vm/load/ram.c $(LOAD_C)
UNIT_config_firmware_SRC := test/unit/vm/config/test_config_firmware.c $(CONFIG_C) lib/fmt.c
UNIT_load_firmware_SRC := test/unit/vm/load/test_load_firmware.c test/unit/vm/load/ram.c $(LOAD_C)
UNIT_load_linux_SRC := test/unit/vm/load/test_linux.c test/unit/vm/load/ram.c $(LOAD_C)
UNIT_load_linux_old_SRC := test/unit/vm/load/test_linux_old.c test/unit/vm/load/ram.c $(LOAD_C)
UNIT_load_multiboot_SRC := test/unit/vm/load/test_multiboot.c test/unit/vm/load/ram.c $(LOAD_C)
$(foreach t,elf firmware linux linux_old multiboot,$(eval UNIT_load_$(t)_LIBS := -lz))
UNIT_TESTS += config config_disk config_firmware config_module config_memory config_merge config_net \
	load_elf load_firmware load_linux load_linux_old load_multiboot
