/* vm/control/console.c - the console of a virtual machine, from afar: what it has said, and what is typed there. */
#include "vm/control/control.h"

#include "vm/device/console.h"

/* Of a request on the channel; its server is one at a time (CT1). */
static uint8_t said[CONTROL_SAID_MAX];

/* "next" is what to ask for then; "from" is beyond what was asked for where bytes between are no longer kept. */
bool control_console(struct vm *vm, const struct control_request *r, struct json *j)
{
	uint64_t from = r->address;
	unsigned n;

	spin_lock(&vm->device_lock);
	n = console_said(vm, &from, said, sizeof(said));
	spin_unlock(&vm->device_lock);
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_number(j, "from", from);
	json_number(j, "next", from + n);
	json_base64(j, "bytes", said, n);
	if (vm->ended)
		json_text(j, "over", vm->end_text);
	json_close(j, '{');
	return true;
}

bool control_input(struct vm *vm, const struct control_request *r, struct json *j)
{
	unsigned taken = console_type(vm, r->bytes, r->count);

	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_number(j, "taken", taken);
	json_close(j, '{');
	return true;
}
