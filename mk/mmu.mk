# The heart's unit tests.

MMU_C := $(wildcard mmu/*.c)

UNIT_mmu_walk_SRC := test/unit/test_mmu_walk.c mmu/walk.c
UNIT_mmu_parts_SRC := test/unit/test_mmu_parts.c $(MMU_C) lib/fmt.c
UNIT_mmu_regs_SRC := test/unit/test_mmu_regs.c $(MMU_C) lib/fmt.c
UNIT_mmu_ept_SRC := test/unit/test_mmu_ept.c $(MMU_C) lib/fmt.c
UNIT_TESTS += mmu_walk mmu_parts mmu_regs mmu_ept
UNIT_mmu_shadow_SRC := test/unit/test_mmu_shadow.c $(MMU_C) lib/fmt.c
UNIT_TESTS += mmu_shadow
UNIT_mmu_audit_SRC := test/unit/test_mmu_audit.c $(MMU_C) lib/fmt.c
UNIT_TESTS += mmu_audit
