# Hosted unit tests: every test X is built from UNIT_X_SRC (with UNIT_X_LIBS), by gcc and by clang, under ASan and UBSan, and linked
# with cmocka. A directory's fragment says UNIT_TESTS += X. mk/unitrules.mk turns the lists into rules.

UNIT_CFLAGS := -std=gnu11 -O1 -g -DVELLUM_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	$(WARNINGS) -I.

UNIT_lib_SRC := test/unit/lib/test_lib.c lib/fmt.c
UNIT_lib_x86_SRC := test/unit/lib/test_x86.c
UNIT_TESTS += lib lib_x86
