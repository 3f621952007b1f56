/* Linux that panics says so on its console, and then, unless it was told to reboot, does nothing for ever. Where it has
 * the driver for it, it tells the hypervisor before (dev/firmware/pvpanic.h); where not, its words are all there is. */
#include <stdlib.h>

#include "tool/run/session.h"

static enum config_on_panic on_panic(const struct session *session, size_t vm)
{
	return vm < session->machines->count ? session->machines->vms[vm].on_panic : CONFIG_PANIC_NONE;
}

/* Has every virtual machine ended, or panicked for good? */
static bool nobody_left(const struct session *session)
{
	if (session->result.vm_count < session->machines->count)
		return false;
	for (size_t i = 0; i < session->machines->count; i++) {
		const struct vm_result *vm = &session->result.vms[i];

		if (!vm->ended && !(vm->stuck && on_panic(session, i) == CONFIG_PANIC_STOP))
			return false;
	}
	return true;
}

void panics_alone(struct session *session)
{
	bool any = false;

	for (size_t i = 0; i < session->result.vm_count; i++)
		any |= session->result.vms[i].stuck && !session->result.vms[i].ended;
	if (any && session->ending == RUNNING && nobody_left(session))
		session->ending = GUEST_PANICKED;
}

void look_for_panic(struct session *session, unsigned vm)
{
	const struct vm_result *one = result_vm(&session->result, vm);
	char *request;
	bool first;

	if (!one->stuck || one->ended || session->ending != RUNNING)
		return;
	first = !session->panic_seen[vm];
	session->panic_seen[vm] = true;
	panics_alone(session);
	/* What the machine is stopped for is asked for last (farewell.c). */
	if (first && session->ending == RUNNING) {
		request = text("tell %u%s", vm, on_panic(session, vm) == CONFIG_PANIC_PAUSE ? " pause" : "");
		control_ask(&session->control, request);
		free(request);
		session->panic_told[vm] = true;
	}
}
