#include "tool/options/workload.h"

#include <stdlib.h>
#include <string.h>

#include "guest/workload_list.h"
#include "lib/base.h"
#include "tool/base/size.h"

static const struct {
	const char *name, *means;
	uint64_t size, most;
} workloads[] = {
#define W(name, means, size, most) { #name, means, size, most },
	WORKLOADS(W)
#undef W
};

/* Says what is wrong with NAME or NAME:SIZE; null: nothing. The caller frees. */
static char *workload_error(const char *name)
{
	size_t length = strcspn(name, ":"), i = 0;
	struct bytes list = { 0 };
	uint64_t size;
	char *error;

	while (i < ARRAY_SIZE(workloads) &&
	       (strlen(workloads[i].name) != length || strncmp(workloads[i].name, name, length) != 0))
		i++;
	if (i == ARRAY_SIZE(workloads)) {
		for (size_t k = 0; k < ARRAY_SIZE(workloads); k++)
			bytes_print(&list, "%s%s", k == 0 ? "" : ", ", workloads[k].name);
		error = text("there is no workload %s; there are %s", name, list.data);
		bytes_free(&list);
		return error;
	}
	if (name[length] == 0)
		return NULL;
	if (workloads[i].means == NULL)
		return text("the workload %s has no size", workloads[i].name);
	if (!parse_number(name + length + 1, &size) || size > workloads[i].most ||
	    (size == 0 && workloads[i].size != 0))
		return text("the size of the workload %s, in %s, must be a number from %d to %llu, not \"%s\"",
			    workloads[i].name, workloads[i].means, workloads[i].size != 0,
			    (unsigned long long)workloads[i].most, name + length + 1);
	return NULL;
}

char *workload_whole(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
		if ((name == NULL || strcmp(workloads[i].name, name) == 0) && workloads[i].means != NULL)
			return text("%s:%llu", workloads[i].name, (unsigned long long)workloads[i].size);
	return text("%s", name);
}

const char *workload_checked(const char *option, const char *name)
{
	char *error = workload_error(name);

	if (error != NULL)
		die(STATUS_USAGE, "%s: %s", option, error);
	return name;
}
