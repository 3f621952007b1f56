/* model/vmentry_state.c - SDM, "Checks on Guest Non-Register State". */
#include "model/vmentry_inside.h"

#define SECTION "Checks on Guest Non-Register State"

enum { ACTIVE, HLT, SHUTDOWN, WAIT_FOR_SIPI };

#define BY_STI BIT(0)
#define BY_MOV_SS BIT(1)
#define BY_SMI BIT(2)
#define BY_NMI BIT(3)
#define IN_ENCLAVE BIT(4)

#define PENDING_BS BIT(14)
#define PENDING_RTM BIT(16)
#define PENDING_ENABLED BIT(12)

/* Is the event one that this state does not block? */
static bool allowed_in(const struct entering *g, uint64_t activity)
{
	unsigned type = event_type(g), vector = event_vector(g);
	bool mc = type == TYPE_EXCEPTION && vector == V_MC;

	switch (activity) {
	case ACTIVE:
		return true;
	case HLT:
		return type == TYPE_EXTERNAL || type == TYPE_NMI || mc || (type == TYPE_EXCEPTION && vector == V_DB) ||
		       type == TYPE_OTHER;
	case SHUTDOWN:
		return type == TYPE_NMI || mc;
	default:
		return false;
	}
}

static const char *check_activity(const struct entering *g, uint64_t activity, uint64_t blocking)
{
	unsigned dpl = get(g, F_ACCESS + 2 * SS) >> 5 & 3;

	BROKEN_IF(activity > WAIT_FOR_SIPI || (activity && !(g->caps->misc >> 5 & BIT(activity))),
		  "the activity state is one that the CPU has");
	BROKEN_IF(activity == HLT && dpl != 0, "the activity state is not HLT where the DPL of SS is not 0");
	BROKEN_IF(activity != ACTIVE && (blocking & (BY_STI | BY_MOV_SS)),
		  "the activity state is active where STI or MOV SS blocks");
	BROKEN_IF(g->event && !allowed_in(g, activity),
		  "the event to inject is one that the activity state does not block");
	return NULL;
}

static const char *check_interruptibility(const struct entering *g, uint64_t blocking)
{
	BROKEN_IF(blocking >> 5, "reserved bits of the interruptibility state are 0");
	BROKEN_IF((blocking & BY_STI) && (blocking & BY_MOV_SS), "STI and MOV SS do not both block");
	BROKEN_IF((blocking & BY_STI) && !(g->rflags & B_IF), "STI does not block where RFLAGS.IF is 0");
	BROKEN_IF(injects(g, TYPE_EXTERNAL) && (blocking & (BY_STI | BY_MOV_SS)),
		  "neither STI nor MOV SS blocks where an external interrupt is injected");
	BROKEN_IF(injects(g, TYPE_NMI) && (blocking & BY_MOV_SS), "MOV SS does not block where an NMI is injected");
	BROKEN_IF(injects(g, TYPE_NMI) && (blocking & BY_STI),
		  "STI does not block where an NMI is injected (a processor may require it)");
	BROKEN_IF(blocking & BY_SMI, "SMIs are not blocked outside SMM");
	BROKEN_IF((g->pin & C_PIN_VIRTUAL_NMI) && injects(g, TYPE_NMI) && (blocking & BY_NMI),
		  "NMIs are not blocked where one is injected and NMIs are virtual");
	BROKEN_IF((blocking & IN_ENCLAVE) && ((blocking & BY_MOV_SS) || !g->caps->sgx),
		  "an enclave was interrupted only where the CPU has them, and MOV SS does not block");
	return NULL;
}

static const char *check_pending(const struct entering *g, uint64_t activity, uint64_t blocking)
{
	uint64_t pending = get(g, F_PENDING_DEBUG);
	bool steps = (g->rflags & B_TF) && !(get(g, F_DEBUGCTL) & B_DEBUGCTL_BTF);

	BROKEN_IF(pending & (MASK(11, 4) | BIT(13) | BIT(15) | MASK(63, 17)),
		  "reserved bits of the pending debug exceptions are 0");
	if (blocking & (BY_STI | BY_MOV_SS) || activity == HLT) {
		BROKEN_IF(steps && !(pending & PENDING_BS),
			  "under single-step a trap is pending where STI or MOV SS blocks, and in the HLT state");
		BROKEN_IF(!steps && (pending & PENDING_BS), "without single-step no trap of one is pending where STI "
							    "or MOV SS blocks, and in the HLT state");
	}
	if (pending & PENDING_RTM) {
		BROKEN_IF((pending & (MASK(11, 0) | MASK(15, 13))) || !(pending & PENDING_ENABLED),
			  "a debug exception in a transaction comes with bit 12 alone");
		BROKEN_IF(!g->caps->rtm || (blocking & BY_MOV_SS),
			  "a debug exception in a transaction needs a CPU that has them, and no blocking by MOV SS");
	}
	return NULL;
}

/* Vellum uses no shadow VMCS: the pointer is none. */
static const char *check_link(const struct entering *g)
{
	uint64_t link = get(g, F_LINK);
	const uint32_t *vmcs;

	if (link == ~0ull)
		return NULL;
	BROKEN_IF(bad_physical(g, link, PAGE_SIZE),
		  "the VMCS link pointer is a page within the physical-address width");
	vmcs = g->e->memory(g->e->ctx, link, sizeof(*vmcs));
	BROKEN_IF(!vmcs || (*vmcs & MASK(30, 0)) != (g->caps->basic & MASK(30, 0)),
		  "the linked VMCS has the CPU's revision");
	BROKEN_IF(!(*vmcs >> 31) != !(g->proc2 & C2_SHADOW_VMCS),
		  "the linked VMCS is a shadow VMCS where those are on");
	return NULL;
}

const char *vmentry_check_state(const struct entering *g)
{
	uint64_t activity = get(g, F_ACTIVITY), blocking = get(g, F_INTERRUPTIBILITY);

	BROKEN_BY(check_activity(g, activity, blocking));
	BROKEN_BY(check_interruptibility(g, blocking));
	BROKEN_BY(check_pending(g, activity, blocking));
	return check_link(g);
}
