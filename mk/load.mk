# Tests of the guest loaders and of the description of virtual machines.
LOAD_C := vm/load.c vm/load_elf.c vm/load_linux.c vm/load_multiboot.c lib/fmt.c

UNIT_config_SRC := test/unit/test_config.c vm/config.c vm/config_print.c vm/config_switch.c vm/config_mitigations.c lib/fmt.c
UNIT_load_elf_SRC := test/unit/test_load_elf.c test/unit/load_ram.c $(LOAD_C)
UNIT_load_linux_SRC := test/unit/test_load_linux.c test/unit/load_ram.c $(LOAD_C)
UNIT_load_multiboot_SRC := test/unit/test_load_multiboot.c test/unit/load_ram.c $(LOAD_C)
UNIT_TESTS += config load_elf load_linux load_multiboot
