/* lab/engine/check.c - what no run can be made of: names that nothing has, and settings that do not go together. */
#include "lab/config/config_text.h"
#include "lab/machine/machine.h"

enum { AT_ONCE_MAX = 65536 };

static bool check_dependence(const struct lab_config *c, struct lab_error *error)
{
	double ratio;

	return !strcmp(c->dependence, "auto") || lab_type_parse(LAB_TYPE_RATIO, c->dependence, &ratio) ||
	       lab_fail(error, "dependence cannot be '%s': it takes auto, or a number from 0 to 1", c->dependence);
}

static bool one_of(const char *key, const char *value, const char *const names[3], struct lab_error *error)
{
	for (unsigned i = 0; i < 3; i++)
		if (names[i] && !strcmp(value, names[i]))
			return true;
	return lab_fail(error, "%s cannot be '%s': it takes %s%s%s%s%s", key, value, names[0], names[2] ? ", " : " or ",
			names[1], names[2] ? " or " : "", names[2] ? names[2] : "");
}

static bool check_cpus(const struct lab_config *c, struct lab_error *error)
{
	if (c->guest.cpus < 1 || c->guest.cpus > LAB_CPUS_MAX)
		return lab_fail(error, "guest.cpus must be from 1 to %d", LAB_CPUS_MAX);
	if (c->guest.cpus > 1 && c->hv.vms > 1)
		return lab_fail(error, "guest.cpus must be 1 where hv.vms is more than 1: several virtual machines "
				       "share one CPU");
	return true;
}

/* Of these as many are made at a time: of more than any machine has a run would not come to its end. */
static bool check_at_once(const struct lab_config *c, struct lab_error *error)
{
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = { { "guest.cpuids", c->guest.cpuids }, { "hv.tick_exits", c->hv.tick_exits } };

	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i].value > AT_ONCE_MAX)
			return lab_fail(error, "%s must be at most %d: each of them is made, one by one", counts[i].key,
					AT_ONCE_MAX);
	return true;
}

/* Of these no machine has none. */
static bool check_least(const struct lab_config *c, struct lab_error *error)
{
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = { { "machine.walkers", c->machine.walkers }, { "machine.window", c->machine.window },
		       { "hv.quantum", c->hv.quantum } };
	const struct {
		const char *key;
		double value;
	} numbers[] = { { "machine.ghz", c->machine.ghz }, { "machine.cpi", c->machine.cpi },
			{ "hv.cpi", c->hv.path_cpi } };

	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (!counts[i].value)
			return lab_fail(error, "%s must be at least 1", counts[i].key);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].value <= 0)
			return lab_fail(error, "%s must be more than 0", numbers[i].key);
	return true;
}

/* What is further away takes as long at least: else data would take less than no time. */
static bool check_order(const struct lab_config *c, struct lab_error *error)
{
	const struct {
		const char *key;
		double value;
	} place[] = { { "machine.l1_cycles", c->machine.l1_cycles }, { "machine.l2_cycles", c->machine.l2_cycles },
		      { "machine.l3_cycles", c->machine.l3_cycles },
		      { "machine.dram_cycles", c->machine.dram_cycles } };

	for (unsigned i = 1; i < sizeof(place) / sizeof(place[0]); i++)
		if (place[i].value < place[i - 1].value)
			return lab_fail(error, "%s must be at least %s, which is %g", place[i].key, place[i - 1].key,
					place[i - 1].value);
	return true;
}

bool lab_config_names(const struct lab_config *c, struct lab_error *error)
{
	static const char *const interrupts[3] = { "trap", "apicv", "ipiv" }, *const idle[3] = { "halt", "poll" };

	if (strcmp(c->hv.mechanism, "native") && !mmu_mechanism_by_name(c->hv.mechanism))
		return lab_fail(error, "there is no mechanism '%s'; there are native, ept, shadow, vtlb and brute",
				c->hv.mechanism);
	return one_of("hv.interrupts", c->hv.interrupts, interrupts, error) &&
	       one_of("guest.idle", c->guest.idle, idle, error) && check_dependence(c, error);
}

bool lab_config_check(const struct lab_config *c, struct lab_error *error)
{
	bool native = !strcmp(c->hv.mechanism, "native");

	if (!lab_config_names(c, error))
		return false;
	if (c->hv.vms < 1 || c->hv.vms > LAB_VMS_MAX)
		return lab_fail(error, "hv.vms must be from 1 to %d", LAB_VMS_MAX);
	if (native && c->hv.vms > 1)
		return lab_fail(error,
				"hv.vms must be 1 where hv.mmu is native: without a hypervisor there is one machine");
	if (!check_cpus(c, error) || !check_at_once(c, error))
		return false;
	if (!strcmp(c->hv.mechanism, "ept") && !c->machine.ept)
		return lab_fail(error,
				"the machine '%s' has no EPT: choose hv.mmu=shadow, vtlb or brute, or another machine",
				c->machine.preset);
	if (c->guest.levels != 4 && c->guest.levels != 5)
		return lab_fail(error, "guest.levels must be 4 or 5");
	if (c->guest.levels == 5 && !c->machine.la57)
		return lab_fail(error, "the machine '%s' has no 5-level paging: set machine.la57=on, or guest.levels=4",
				c->machine.preset);
	if (c->hv.ept_levels != 4 && c->hv.ept_levels != 5)
		return lab_fail(error, "hv.ept_levels must be 4 or 5");
	if (c->hv.ept_levels == 5 && !c->machine.ept_5level && !strcmp(c->hv.mechanism, "ept"))
		return lab_fail(error,
				"the machine '%s' has no EPT tables of five levels: set machine.ept_5level=on, or "
				"hv.ept_levels=4",
				c->machine.preset);
	if (c->guest.memory % (2u << 20) || c->guest.memory < 64u << 20 || c->guest.memory > LAB_MEMORY_MAX)
		return lab_fail(error, "guest.memory must be a multiple of 2M, from 64M to 4T");
	if (!c->machine.l1d_4k.entries || !c->machine.l1i_4k.entries)
		return lab_fail(error,
				"machine.l1d_4k and machine.l1i_4k must have entries: every CPU has TLBs for 4K pages");
	return check_least(c, error) && check_order(c, error);
}
