#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/vm/load/ram.h"
#include "lib/xorshift.h"

/* LI2: RAM only, and not where the firmware's tables are. */
static bool touch(struct ram *r, gpa_t gpa, size_t n)
{
	assert_true(n > 0);
	assert_true(gpa.v + n >= gpa.v);
	assert_true(gpa.v + n <= r->mem.low_ram_end);
	assert_true(gpa.v >= LOADER_MB || gpa.v + n <= LOADER_EBDA);
	r->written += n;
	return !r->refuse;
}

static bool ram_write(void *ctx, gpa_t gpa, const void *data, size_t n)
{
	struct ram *r = ctx;
	uint8_t sum = 0;

	if (!touch(r, gpa, n))
		return false;
	if (r->bytes)
		memcpy(r->bytes + gpa.v, data, n);
	for (size_t i = 0; i < n; i++)
		sum ^= ((const uint8_t *)data)[i]; /* the sanitizer sees whether all of it may be read */
	*(volatile uint8_t *)&sum;
	return true;
}

static bool ram_zero(void *ctx, gpa_t gpa, size_t n)
{
	struct ram *r = ctx;

	if (!touch(r, gpa, n))
		return false;
	if (r->bytes)
		memset(r->bytes + gpa.v, 0, n);
	return true;
}

void ram_init(struct ram *r, uint64_t low_ram_end, uint64_t high_ram, bool keep)
{
	*r = (struct ram){ .mem = { .write = ram_write, .zero = ram_zero, .ctx = r, .low_ram_end = low_ram_end,
				    .high_ram = high_ram, .acpi_rsdp = 0xe0000 } };
	if (keep) {
		/* Not zero: what the guest must find zero, the loader must have zeroed. */
		r->bytes = malloc(low_ram_end);
		assert_non_null(r->bytes);
		memset(r->bytes, 0xaa, low_ram_end);
	}
}

void ram_free(struct ram *r) { free(r->bytes); }

static const uint8_t *at(const struct ram *r, uint64_t gpa, size_t n)
{
	assert_true(gpa + n <= r->mem.low_ram_end);
	return r->bytes + gpa;
}

uint16_t ram_u16(const struct ram *r, uint64_t gpa)
{
	uint16_t v;

	memcpy(&v, at(r, gpa, sizeof(v)), sizeof(v));
	return v;
}

uint32_t ram_u32(const struct ram *r, uint64_t gpa)
{
	uint32_t v;

	memcpy(&v, at(r, gpa, sizeof(v)), sizeof(v));
	return v;
}

uint64_t ram_u64(const struct ram *r, uint64_t gpa)
{
	uint64_t v;

	memcpy(&v, at(r, gpa, sizeof(v)), sizeof(v));
	return v;
}

const char *ram_text(const struct ram *r, uint64_t gpa)
{
	assert_non_null(memchr(at(r, gpa, 1), 0, r->mem.low_ram_end - gpa));
	return (const char *)r->bytes + gpa;
}

struct cpu_start load_ok(struct ram *r, const struct image_files *files)
{
	struct cpu_start start;
	char error[200] = "";

	if (!load_image(&r->mem, files, &start, error, sizeof(error)))
		fail_msg("refused: %s", error);
	return start;
}

static void check_sentence(const char *error)
{
	assert_true(strlen(error) > 10);
	for (const char *p = error; *p; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
	assert_true(error[strlen(error) - 1] != '.');
}

void load_bad(struct ram *r, const struct image_files *files, const char *part)
{
	struct cpu_start start;
	char error[200] = "";

	assert_false(load_image(&r->mem, files, &start, error, sizeof(error)));
	check_sentence(error);
	if (!strstr(error, part))
		fail_msg("the sentence is \"%s\", without \"%s\"", error, part);
}

void *exact_copy(const void *data, size_t n)
{
	void *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, data, n);
	return copy;
}

static const uint64_t interesting[] = { 0, 1, 0xf, 0x7f, 0xff, 0x1000, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff,
					0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff };

static void mutate(uint8_t *image, size_t n, size_t head, uint64_t *state)
{
	unsigned changes = 1 + xorshift(state) % 4;

	while (changes--) {
		size_t range = xorshift(state) % 8 ? (head < n ? head : n) : n;
		size_t at_byte = xorshift(state) % range;
		size_t width = (size_t)1 << xorshift(state) % 4;
		uint64_t value = xorshift(state) % 2 ? interesting[xorshift(state) % ARRAY_SIZE(interesting)]
							: xorshift(state);

		if (xorshift(state) % 2)
			at_byte &= ~(width - 1);
		if (width > n - at_byte)
			width = 1;
		memcpy(image + at_byte, &value, width);
	}
}

unsigned load_mutations(struct ram *r, const struct image_files *files, size_t head, unsigned count)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	unsigned loaded = 0;

	for (unsigned i = 0; i < count; i++) {
		size_t n = files->kernel_size;
		struct image_files f = *files;
		struct cpu_start start;
		char error[200] = "";
		uint8_t *image;

		if (xorshift(&state) % 4 == 0)
			n = xorshift(&state) % (n + 1);
		image = exact_copy(files->kernel, n);
		if (n)
			mutate(image, n, head, &state);
		f.kernel = image;
		f.kernel_size = n;
		r->written = 0;
		if (load_image(&r->mem, &f, &start, error, sizeof(error))) {
			loaded++;
			assert_true(start.rip < r->mem.low_ram_end);
			assert_true(start.gdt_base + start.gdt_limit < r->mem.low_ram_end);
		} else {
			check_sentence(error);
		}
		/* LI1: bounded by the RAM, plus what the loader itself writes. */
		assert_true(r->written <= r->mem.low_ram_end + 0x10000);
		free(image);
	}
	return loaded;
}
