/* tool/options/guest_check.h - would the hypervisor load this guest? Its own loaders decide (vm/load/), over memory
 * that keeps nothing, so that what cannot run is refused in the same words before a machine is started. */
#ifndef VELLUM_TOOL_GUEST_CHECK_H
#define VELLUM_TOOL_GUEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/for_tests.h"
#include "vm/config/config.h"
#include "vm/load/image.h"

struct guest_needs {
	uint64_t load;          /* bytes of RAM without which it cannot be loaded */
	/* ... and without which it hardly gets far: Linux takes its initial RAM disk apart into RAM beside it */
	uint64_t run;
};

/* What the loaders take a file for; OTHER also for what they refuse, and for what may be Linux or not. */
enum guest_kind { GUEST_OTHER, GUEST_LINUX_64, GUEST_LINUX_32 };
enum guest_kind guest_kind(const char *path);

/* files: their bytes, and the modules' strings; the rest is vm's. native: it gets the whole machine, without RAM above
 * 4 GiB. false: it cannot be loaded, with the RAM that vm says or with any; error is one sentence. */
FOR_TESTS bool guest_check(const struct vm_config *vm, const struct image_files *files, bool native,
			   struct guest_needs *needs, char *error, size_t error_size);
/* The same of the files that vm names. Ends the program where it cannot be loaded; says so where it has hardly enough
 * RAM to run. */
void guest_check_files(const struct vm_config *vm, bool native);

#endif
