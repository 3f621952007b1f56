/* The loaders under libFuzzer: the input is a kernel image, with an initrd behind it, for a guest of some size. The
 * memory checks that each write is where one may be (LI2 in vm/load/image.h); where the loader says yes, the guest's
 * first state makes sense; where it says no, a sentence says why. */
#include "test/fuzz/input.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/vm/load/ram.h"

static void judge(const struct ram *r, bool ok, const struct cpu_start *s, const char *error)
{
	if (!ok && !error[0]) {
		fprintf(stderr, "refused without a word\n");
		abort();
	}
	if (ok && ((s->mode != START_LONG64 && s->mode != START_PROT32) || s->gdt_base >= r->mem.low_ram_end ||
		   (s->cs & 7) || (s->ds & 7) || s->gdt_limit < s->cs + 7u || s->gdt_limit < s->ds + 7u ||
		   (s->mode == START_LONG64 && (s->cr3 & 0xfff)))) {
		fprintf(stderr, "an impossible start: rip 0x%lx, gdt 0x%lx\n", s->rip, s->gdt_base);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned how = in8(&in);
	size_t wanted = in8(&in) * 8u, initrd = wanted % (in.left + 1), kernel = in.left - initrd;
	void *kernel_copy = exact_copy(in.data, kernel), *initrd_copy = exact_copy(in.data + kernel, initrd);
	struct image_files files = { .kernel = kernel_copy,
				     .kernel_size = kernel,
				     .initrd = how & 1 ? initrd_copy : NULL,
				     .initrd_size = how & 1 ? initrd : 0,
				     .cmdline = how & 2 ? "console=ttyS0 a b" : "",
				     .kernel_name = how & 4 ? "/boot/kernel" : NULL,
				     .initrd_name = how & 8 ? "initrd" : NULL };
	struct cpu_start start;
	char error[240] = "";
	struct ram r;

	ram_init(&r, (1ull << 20) << (how >> 4 & 7), how & 0x80 ? 1 << 30 : 0, false);
	judge(&r, load_image(&r.mem, &files, &start, error, sizeof(error)), &start, error);
	ram_free(&r);
	free(kernel_copy);
	free(initrd_copy);
	return 0;
}
