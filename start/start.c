/* start/start.c - the first function: which of the two vendors' hypervisors the CPU can run. */
#include "lib/base.h"
#include "svm/caps.h"

void vellum_main(uint32_t magic, const void *information);
/* vm/main.c, once for each vendor; what neither is for is refused by the first, with a sentence. */
void vellum_main_vmx(uint32_t magic, const void *information);
void vellum_main_svm(uint32_t magic, const void *information);

void vellum_main(uint32_t magic, const void *information)
{
	if (svm_offered())
		vellum_main_svm(magic, information);
	else
		vellum_main_vmx(magic, information);
}
