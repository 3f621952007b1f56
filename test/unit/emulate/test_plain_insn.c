/* test/unit/emulate/test_plain_insn.c - which instructions have one operand in memory, and what they do to it
 * (emulate/plain_insn.c). That what they do is what that says, test_plain.c shows by their accesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "emulate/internal.h"

static enum insn_plain plain_of(const char *bytes, enum emulate_mode mode)
{
	struct insn i;

	assert_int_equal(emulate_decode((const uint8_t *)bytes, 15, mode, &i), INSN_OK);
	return insn_plain(&i, EMULATE_HAS_ALL);
}

#define ROOM "\0\0\0\0\0\0\0\0\0\0\0\0\0"

/* What is more than one access to a device is none; nor is what goes elsewhere. */
static void not_plain(void **state)
{
	(void)state;
	assert_int_equal(plain_of("\x8b\x01" ROOM, EMULATE_PROT32), INSN_PLAIN_LOAD);
	assert_int_equal(plain_of("\x8b\x21" ROOM, EMULATE_PROT32), INSN_PLAIN_READ);  /* mov esp, [ecx] */
	assert_int_equal(plain_of("\x01\x21" ROOM, EMULATE_PROT32), INSN_PLAIN_CHANGE);  /* add [ecx], esp */
	assert_int_equal(plain_of("\x83\x21" ROOM, EMULATE_PROT32), INSN_PLAIN_CHANGE); /* and [ecx], 0 */
	assert_int_equal(plain_of("\x8b\xc1" ROOM, EMULATE_PROT32), INSN_NOT_PLAIN);  /* mov eax, ecx */
	assert_int_equal(plain_of("\x8f\x01" ROOM, EMULATE_PROT32), INSN_PLAIN_POP);  /* pop [ecx] */
	assert_int_equal(plain_of("\x8f\x04\x24" ROOM, EMULATE_PROT32), INSN_PLAIN_POP); /* pop [esp] */
	assert_int_equal(plain_of("\x0f\xa3\x21" ROOM, EMULATE_PROT32), INSN_PLAIN_READ); /* bt [ecx], esp */
	assert_int_equal(plain_of("\x0f\xba\x21\x05" ROOM, EMULATE_PROT32), INSN_PLAIN_READ); /* bt [ecx], 5 */
	assert_int_equal(plain_of("\xd1\x21" ROOM, EMULATE_PROT32), INSN_PLAIN_CHANGE); /* shl dword [ecx], 1 */
	assert_int_equal(plain_of("\x0f\x44\x21" ROOM, EMULATE_PROT32), INSN_PLAIN_READ); /* cmove esp, [ecx] */
	assert_int_equal(plain_of("\xf7\x31" ROOM, EMULATE_PROT32), INSN_PLAIN_DIVIDE);  /* div dword [ecx] */
	assert_int_equal(plain_of("\xff\x11" ROOM, EMULATE_PROT32), INSN_PLAIN_CALL);  /* call [ecx] */
	assert_int_equal(plain_of("\xff\x21" ROOM, EMULATE_PROT32), INSN_PLAIN_JUMP);  /* jmp [ecx] */
	assert_int_equal(plain_of("\xff\x19" ROOM, EMULATE_PROT32), INSN_NOT_PLAIN);  /* call far [ecx] */
	assert_int_equal(plain_of("\xc4\xe2\x70\xf2\x01" ROOM, EMULATE_PROT32), INSN_PLAIN_READ); /* andn */
	assert_int_equal(plain_of("\xc4\xe2\x74\xf2\x01" ROOM, EMULATE_PROT32), INSN_NOT_PLAIN);  /* of 256 bits */
	assert_int_equal(plain_of("\xc4\xe3\x73\xf0\x01\5" ROOM, EMULATE_PROT32), INSN_NOT_PLAIN); /* rorx, of two */
	assert_int_equal(plain_of("\x0f\x38\xf9\x01" ROOM, EMULATE_PROT32), INSN_NOT_PLAIN); /* movdiri */
	assert_int_equal(plain_of("\x0f\x58\x01" ROOM, EMULATE_PROT32), INSN_NOT_PLAIN);      /* addps */
	assert_int_equal(plain_of("\x48\x8b\x01" ROOM, EMULATE_LONG64), INSN_PLAIN_READ);
	assert_int_equal(plain_of("\xff\x31" ROOM, EMULATE_LONG64), INSN_PLAIN_PUSH);  /* push of 8 bytes */
	assert_int_equal(plain_of("\x48\x0f\xc7\x09" ROOM, EMULATE_LONG64), INSN_NOT_PLAIN); /* cmpxchg16b */
}

/* Nor what CPUID lacks. */
static void without_cpuid(void **state)
{
	static const struct {
		const char *code;
		uint32_t needs;
	} by_cpuid[] = {
		{ "\xf3\x0f\xb8\x01" ROOM, EMULATE_HAS_POPCNT }, /* popcnt eax, [ecx] */
		{ "\x0f\x38\xf0\x01" ROOM, EMULATE_HAS_MOVBE },  /* movbe eax, [ecx] */
		{ "\x0f\x38\xf1\x01" ROOM, EMULATE_HAS_MOVBE },  /* movbe [ecx], eax */
		{ "\xf2\x0f\x38\xf1\x01" ROOM, EMULATE_HAS_CRC32 },
		{ "\xf3\x0f\x38\xf6\x01" ROOM, EMULATE_HAS_ADX },   /* adox eax, [ecx] */
		{ "\xc4\xe2\x70\xf2\x01" ROOM, EMULATE_HAS_TZCNT }, /* andn, blsr, bextr */
		{ "\xc4\xe2\x78\xf3\x09" ROOM, EMULATE_HAS_TZCNT },
		{ "\xc4\xe2\x70\xf7\x01" ROOM, EMULATE_HAS_TZCNT },
		{ "\xc4\xe2\x71\xf7\x01" ROOM, EMULATE_HAS_BMI2 },  /* shlx, bzhi, mulx, rorx */
		{ "\xc4\xe2\x70\xf5\x01" ROOM, EMULATE_HAS_BMI2 },
		{ "\xc4\xe2\x73\xf6\x01" ROOM, EMULATE_HAS_BMI2 },
		{ "\xc4\xe3\x7b\xf0\x01\5" ROOM, EMULATE_HAS_BMI2 },
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(by_cpuid); n++) {
		struct insn i;

		assert_int_equal(emulate_decode((const uint8_t *)by_cpuid[n].code, 6, EMULATE_PROT32, &i),
				 INSN_OK);
		assert_int_not_equal(insn_plain(&i, by_cpuid[n].needs), INSN_NOT_PLAIN);
		assert_int_equal(insn_plain(&i, EMULATE_HAS_ALL & ~by_cpuid[n].needs), INSN_NOT_PLAIN);
	}
}

static void registers(void **state)
{
	static const struct {
		const char *code;
		bool has;
	} forms[] = {
		{ "\x89\x01", true },      /* mov [ecx], eax */
		{ "\xf7\x31", false },     /* div dword [ecx] */
		{ "\xff\x31", false },     /* push dword [ecx] */
		{ "\x0f\x9f\x21", false }, /* setg [ecx] */
		{ "\x0f\xc1\x01", true },  /* xadd [ecx], eax */
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(forms); n++) {
		struct insn i;

		assert_int_equal(emulate_decode((const uint8_t *)forms[n].code, forms[n].code[0] == 0x0f ? 3 : 2,
						EMULATE_PROT32, &i), INSN_OK);
		assert_int_equal(insn_has_register(&i), forms[n].has);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_plain),
		cmocka_unit_test(without_cpuid),
		cmocka_unit_test(registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
