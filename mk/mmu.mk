# The heart's unit tests.

UNIT_mmu_walk_SRC := test/unit/mmu/test_walk.c mmu/walk.c
UNIT_mmu_walk_random_SRC := test/unit/mmu/test_walk_random.c mmu/walk.c
UNIT_mmu_parts_SRC := test/unit/mmu/test_parts.c $(MMU_C) lib/fmt.c
UNIT_mmu_regs_SRC := test/unit/mmu/test_regs.c $(MMU_C) lib/fmt.c
UNIT_mmu_ept_SRC := test/unit/mmu/ept/test_ept.c $(MMU_C) lib/fmt.c
UNIT_mmu_ept_log_SRC := test/unit/mmu/ept/test_log.c $(MMU_C) lib/fmt.c
UNIT_mmu_lock_SRC := test/unit/mmu/test_lock.c $(MMU_C) lib/fmt.c
UNIT_TESTS += mmu_walk mmu_walk_random mmu_parts mmu_regs mmu_ept mmu_lock mmu_ept_log
UNIT_mmu_shadow_SRC := test/unit/mmu/shadow/test_shadow.c test/unit/mmu/shadow/guest.c $(MMU_C) lib/fmt.c
UNIT_mmu_brute_forgets_SRC := test/unit/mmu/shadow/test_brute_forgets.c test/unit/mmu/shadow/guest.c $(MMU_C) lib/fmt.c
UNIT_mmu_shadow_beside_SRC := test/unit/mmu/shadow/test_beside.c test/unit/mmu/shadow/guest.c $(MMU_C) lib/fmt.c
UNIT_TESTS += mmu_shadow mmu_brute_forgets mmu_shadow_beside
UNIT_mmu_audit_SRC := test/unit/mmu/test_audit.c $(MMU_C) lib/fmt.c
UNIT_TESTS += mmu_audit
