/* model/vmentry_event.c - SDM, "VM-Exit Control Fields" and "VM-Entry Control Fields" among the checks on VMX controls;
 * the event that is to be injected belongs to the latter. */
#include "model/vmentry_inside.h"

#define SECTION "VM-Exit Control Fields"

static bool bad_area(const struct entering *g, uint32_t count_field, uint32_t address_field)
{
	uint64_t count = get(g, count_field), at;

	if (!count)
		return false;
	at = get(g, address_field);
	return bad_physical(g, at, 16) || (at + 16 * count - 1) >> g->caps->physical_bits;
}

const char *vmentry_check_exit_controls(const struct entering *g)
{
	BROKEN_IF(bad_bits(g->exit, g->caps->exit), "reserved bits are as the capability MSR says");
	BROKEN_IF((g->exit & CX_SAVE_TIMER) && !(g->pin & C_PIN_TIMER),
		  "the preemption timer is saved only where it is on");
	BROKEN_IF(bad_area(g, F_EXIT_STORE_COUNT, F_EXIT_STORE),
		  "the MSR-store area is at 16 bytes within the physical-address width");
	BROKEN_IF(bad_area(g, F_EXIT_LOAD_COUNT, F_EXIT_LOAD),
		  "the MSR-load area is at 16 bytes within the physical-address width");
	return NULL;
}

#undef SECTION
#define SECTION "VM-Entry Control Fields"

/* Exceptions that deliver an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC. #CP too, where the CPU has it
 * (IA32_VMX_BASIC.56 says that it does not matter). */
static bool has_error_code(unsigned vector)
{
	return vector == V_DF || (vector >= V_TS && vector <= V_PF) || vector == V_AC;
}

static const char *check_error_code(const struct entering *g)
{
	bool delivers = g->event & DELIVERS_ERROR;

	if (g->unrestricted && !(g->cr0 & B_CR0_PE)) {
		BROKEN_IF(delivers, "no error code is delivered in real mode");
		return NULL;
	}
	BROKEN_IF(delivers && event_type(g) != TYPE_EXCEPTION, "only hardware exceptions deliver an error code");
	if (event_type(g) == TYPE_EXCEPTION && !(g->caps->basic & CAP_BASIC_ANY_ERROR_CODE)) {
		BROKEN_IF(delivers && !has_error_code(event_vector(g)), "this exception delivers no error code");
		BROKEN_IF(!delivers && has_error_code(event_vector(g)), "this exception delivers an error code");
	}
	BROKEN_IF(delivers && get(g, F_EVENT_ERROR) >> 16, "bits 31:16 of the error code are 0");
	return NULL;
}

static const char *check_event(const struct entering *g)
{
	unsigned type = event_type(g), vector = event_vector(g);

	BROKEN_IF(type == TYPE_RESERVED, "the interruption type is not 1");
	BROKEN_IF(type == TYPE_OTHER && !(g->caps->proc.may & CAP_PROC_MONITOR_TRAP),
		  "the interruption type is 7 only where there is a monitor trap flag");
	BROKEN_IF(type == TYPE_NMI && vector != V_NMI, "the vector of an NMI is 2");
	BROKEN_IF(type == TYPE_EXCEPTION && vector > V_LAST_EXCEPTION,
		  "the vector of a hardware exception is at most 31");
	BROKEN_IF(type == TYPE_OTHER && vector != 0, "the vector of another event is 0");
	BROKEN_IF(g->event & MASK(30, 12), "reserved bits of the interruption information are 0");
	BROKEN_BY(check_error_code(g));
	if (type >= TYPE_SOFTWARE_INT && type <= TYPE_SOFTWARE) {
		uint64_t length = get(g, F_EVENT_LENGTH);

		BROKEN_IF(length > 15 || (length == 0 && !(g->caps->misc & CAP_MISC_LENGTH_0)),
			  "the instruction of a software event has 1 to 15 bytes");
	}
	return NULL;
}

const char *vmentry_check_entry_controls(const struct entering *g)
{
	BROKEN_IF(bad_bits(g->entry, g->caps->entry), "reserved bits are as the capability MSR says");
	if (g->event)
		BROKEN_BY(check_event(g));
	BROKEN_IF(bad_area(g, F_ENTRY_LOAD_COUNT, F_ENTRY_LOAD),
		  "the MSR-load area is at 16 bytes within the physical-address width");
	BROKEN_IF(g->entry & (CE_SMM | CE_DEACTIVATE),
		  "outside SMM there is no entry to it, and no end of dual-monitor treatment");
	return NULL;
}
