/* A guest's memory, page tables, code and symbols as ctl shows them: against tables that are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>

#include "lib/base.h"
#include "tool/ctl/guest.h"

enum { BYTES = 1 << 20 };

/* The guest's RAM, from 0 on. */
static uint8_t ram[BYTES];
static unsigned asked;

/* Stands for the hypervisor: "memory VM 0xADDRESS LENGTH". */
cJSON *ctl_ask_json(struct ctl *ctl, const char *request, char **raw, char *error, size_t error_size)
{
	static uint8_t packed[2 * GUEST_PIECE];
	unsigned long long at, length;
	cJSON *answer;
	char coded[4 * GUEST_PIECE];
	int bytes;

	(void)ctl;
	(void)raw;
	assert_int_equal(sscanf(request, "memory one %llx %llu", &at, &length), 2);
	asked++;
	if (at >= BYTES) {
		snprintf(error, error_size, "there is no memory at gpa 0x%llx", at);
		return NULL;
	}
	answer = cJSON_CreateObject();
	cJSON_AddNumberToObject(answer, "length", (double)length);
	if (at >= BYTES / 2) {
		cJSON_AddNumberToObject(answer, "zeroes", (double)(BYTES - at));
		return answer;
	}
	bytes = LZ4_compress_default((char *)ram + at, (char *)packed, (int)length, sizeof packed);
	assert_true(b64_ntop(packed, (size_t)bytes, coded, sizeof coded) > 0);
	cJSON_AddStringToObject(answer, "packed", coded);
	return answer;
}

static void put64(uint64_t at, uint64_t value) { memcpy(ram + at, &value, 8); }
static void put32(uint64_t at, uint32_t value) { memcpy(ram + at, &value, 4); }

/* ---- memory ---- */

static void memory(void **state)
{
	struct guest guest;
	uint8_t got[40000];

	(void)state;
	for (unsigned i = 0; i < BYTES / 2; i++)
		ram[i] = (uint8_t)(i * 7 + i / 251);
	guest_init(&guest, NULL, "one.3");
	assert_int_equal(guest_read(&guest, 100, got, sizeof got), sizeof got);
	assert_memory_equal(got, ram + 100, sizeof got);
	/* What is 0 is asked for once. */
	asked = 0;
	for (uint64_t at = BYTES / 2; at < BYTES; at += GUEST_PIECE)
		assert_int_equal(guest_read(&guest, at, got, GUEST_PIECE), GUEST_PIECE);
	assert_int_equal(asked, 1);
	assert_int_equal(got[17], 0);
	assert_int_equal(guest_read(&guest, BYTES - 10, got, 20), 10);
	assert_int_equal(guest_read(&guest, BYTES, got, 20), 0);
	guest_free(&guest);
}

/* ---- tables ---- */

static struct mapping found[20];
static unsigned count;

static bool take(void *context, const struct mapping *m)
{
	(void)context;
	found[count++] = *m;
	return count < ARRAY_SIZE(found);
}

static void map_with(uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
	struct guest guest;

	count = 0;
	guest_init(&guest, NULL, "one");
	guest_mappings(&guest, &(struct guest_paging){ cr0, cr3, cr4, efer }, take, NULL);
	guest_free(&guest);
}

#define EXPECT(n, want_gva, want_gpa, want_bytes, rights) \
	do { \
		char got[] = { found[n].user ? 'u' : '-', found[n].write ? 'w' : '-', found[n].exec ? 'x' : '-', 0 }; \
		assert_true(found[n].gva == (want_gva) && found[n].gpa == (want_gpa)); \
		assert_int_equal(found[n].bytes, want_bytes); \
		assert_string_equal(got, rights); \
	} while (0)

#define PG (1ull << 31)

static void four_levels(void **state)
{
	(void)state;
	memset(ram, 0, sizeof ram);
	put64(0x1000 + 8 * 0, 0x2007);
	put64(0x1000 + 8 * 511, 0x5003);
	put64(0x2000, 0x3007);
	put64(0x2008, 0x40000083);              /* 1 GiB */
	put64(0x3000, 0x4007);
	put64(0x3008, 0x600083 | 1ull << 63);   /* 2 MiB */
	put64(0x4000 + 8 * 5, 0x9005);
	put64(0x5000 + 8 * 511, 0x6003);
	put64(0x6000 + 8 * 511, 0x800083);
	map_with(PG | 1, 0x1000, 1 << 5, 1 << 8 | 1 << 10 | 1 << 11);
	assert_int_equal(count, 4);
	EXPECT(0, 0x5000, 0x9000, 0x1000, "u-x");
	EXPECT(1, 0x200000, 0x600000, 0x200000, "-w-");
	EXPECT(2, 0x40000000, 0x40000000, 1u << 30, "-wx");
	EXPECT(3, 0xffffffffffe00000ull, 0x800000, 0x200000, "-wx");
}

static void two_levels(void **state)
{
	(void)state;
	memset(ram, 0, sizeof ram);
	put32(0x1000 + 4 * 1, 0x2007);
	put32(0x1000 + 4 * 1023, 0xc00083 | 1 << 13);   /* 4 MiB, above 4 GiB */
	put32(0x2000 + 4 * 3, 0x7003);
	map_with(PG | 1, 0x1000, 1 << 4, 0);
	assert_int_equal(count, 2);
	EXPECT(0, 0x403000, 0x7000, 0x1000, "-wx");
	EXPECT(1, 0xffc00000, 0x100c00000ull, 0x400000, "-wx");
	/* Without CR4.PSE that is a table, which is not there. */
	map_with(PG | 1, 0x1000, 0, 0);
	assert_int_equal(count, 1);
	map_with(1, 0x1000, 0, 0);
	assert_int_equal(count, 0);
}

static void three_levels(void **state)
{
	(void)state;
	memset(ram, 0, sizeof ram);
	put64(0x1020, 0x2001);
	put64(0x1038, 0x3001);
	put64(0x2000, 0x400083);
	put64(0x3000 + 8 * 511, 0x200087);
	map_with(PG | 1, 0x1020, 1 << 5, 0);
	assert_int_equal(count, 2);
	EXPECT(0, 0, 0x400000, 0x200000, "-wx");
	EXPECT(1, 0xffe00000, 0x200000, 0x200000, "uwx");
}

/* A table that maps itself is walked as far as there are levels, and no further than who takes wants. */
static void a_table_of_itself(void **state)
{
	(void)state;
	memset(ram, 0, sizeof ram);
	for (unsigned n = 0; n < 512; n++)
		put64(0x1000 + 8 * n, 0x1007);
	map_with(PG | 1, 0x1000, 1 << 5, 1 << 10);
	assert_int_equal(count, ARRAY_SIZE(found));
	assert_int_equal(found[1].gva, 0x1000);
}

/* ---- code and symbols ---- */

static char *code(unsigned bits, const char *bytes, size_t n, const struct symbols *symbols)
{
	char *data = NULL;
	size_t length;
	FILE *out = open_memstream(&data, &length);

	code_print(out, bits, 0x1000, (const uint8_t *)bytes, n, 4, symbols);
	fclose(out);
	return data;
}

static void instructions(void **state)
{
	static const struct { unsigned bits; const char *bytes; size_t n; const char *says; } cases[] = {
		{ 64, "\x48\x89\xc3\x0f\xa2", 5, "mov rbx, rax\n" }, { 64, "\x48\x89\xc3\x0f\xa2", 5, "cpuid" },
		{ 32, "\x89\xc3", 2, "mov ebx, eax\n" }, { 16, "\x89\xc3", 2, "mov bx, ax\n" },
		{ 64, "\x06", 1, "there is no instruction at 0x1000" },
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(cases); n++) {
		char *said = code(cases[n].bits, cases[n].bytes, cases[n].n, NULL);

		assert_non_null(strstr(said, cases[n].says));
		free(said);
	}
}

void a_name_that_is_looked_for(void);
void a_name_that_is_looked_for(void) { asked++; }

static void names(void **state)
{
	struct symbols *s = symbols_read("/proc/self/exe");
	uint64_t at;
	char name[100];

	(void)state;
	assert_true(symbols_find(s, "a_name_that_is_looked_for", &at));
	symbols_name(s, at, name, sizeof name);
	assert_string_equal(name, "a_name_that_is_looked_for");
	symbols_name(s, at + 1, name, sizeof name);
	assert_string_equal(name, "a_name_that_is_looked_for+0x1");
	symbols_name(s, 0, name, sizeof name);
	assert_string_equal(name, "");
	symbols_name(NULL, at, name, sizeof name);
	assert_string_equal(name, "");
	assert_false(symbols_find(s, "no such name", &at));
	symbols_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory), cmocka_unit_test(four_levels), cmocka_unit_test(two_levels),
		cmocka_unit_test(three_levels), cmocka_unit_test(a_table_of_itself), cmocka_unit_test(instructions),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
