# Tests of the device models.

DEV_C := $(filter-out dev/acpi_tables.c dev/acpi_writer.c dev/acpi_dsdt.c dev/mp_table.c,$(wildcard dev/*.c))
DEV_TESTS := core uart pic pit rtc lapic apic_timer ioapic ports fuzz
$(foreach t,$(DEV_TESTS),$(eval UNIT_dev_$(t)_SRC := test/unit/test_dev_$(t).c test/unit/dev_pc.c $(DEV_C)))
UNIT_dev_acpi_tables_SRC := test/unit/test_dev_acpi_tables.c dev/acpi_tables.c dev/acpi_writer.c dev/acpi_dsdt.c
UNIT_dev_mp_table_SRC := test/unit/test_dev_mp_table.c dev/mp_table.c dev/acpi_writer.c
UNIT_TESTS += $(DEV_TESTS:%=dev_%) dev_acpi_tables dev_mp_table
