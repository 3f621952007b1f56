/* GDB's remote protocol under libFuzzer (tool/gdb/): whatever arrives, in whatever pieces, is answered by packets, and
 * what the hypervisor is asked for is one line that its channel takes. */
#include <stdlib.h>
#include <string.h>

#include "test/fuzz/input.h"
#include "tool/gdb/stub.h"

static cJSON *answer(void *context, const char *request, char *error, size_t size)
{
	struct input *in = context;

	if (strlen(request) > 180 || strchr(request, '\n') != NULL)
		abort();
	if (in8(in) % 8 == 0) {
		strncpy(error, "no", size);
		return NULL;
	}
	return cJSON_Parse("{\"attached\":true,\"stopped\":true,\"long\":true,\"code_base\":\"0x100\","
			   "\"bytes\":\"00112233\",\"vcpus\":[{\"why\":\"watch\",\"address\":\"0x1\"},"
			   "{\"why\":\"access\",\"address\":\"0x2\"}]}");
}

static void show(FILE *out, const char *command, const cJSON *shown)
{
	(void)shown;
	fputs(command, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stub stub;
	struct input in = { data, size };

	stub = (struct stub){ .ask = answer, .show = show, .context = &in, .vm = "g", .threads = 2, .thread = 1 };
	while (in.left && !stub.detached) {
		size_t n = min_u64(in.left, 1 + in8(&in) % 64);
		struct bytes frame = { 0 };

		n = min_u64(n, in.left);
		if (n & 1)
			packet_frame(&frame, (const char *)in.data, n);
		else
			bytes_add(&frame, in.data, n);
		in.data += n;
		in.left -= n;
		stub_take(&stub, frame.data, frame.length);
		stub_look(&stub);
		stub.out.length = 0;
		bytes_free(&frame);
	}
	stub_end(&stub);
	return 0;
}
