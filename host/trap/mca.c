#include "host/trap/mca.h"

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/device/console.h"
#include "host/trap/interrupt.h"

#define FAMILY_P6 6
#define MODEL_NEHALEM 0x1a

struct record {
	uint64_t mcg_status;
	unsigned banks;
	bool recovery;
	uint64_t status[MCA_BANKS_MAX], address[MCA_BANKS_MAX];
};

static uint32_t bank_msr(unsigned bank, unsigned n) { return MSR_MC0_CTL + 4 * bank + n; }

static unsigned bank_count(uint64_t *cap)
{
	if (!(cpuid(CPUID_LEAF_VERSION, 0).edx & CPUID_1_EDX_MCA) || !rdmsr_safe(MSR_MCG_CAP, cap))
		return 0;
	return (unsigned)min_u64(*cap & MCG_CAP_COUNT, MCA_BANKS_MAX);
}

/* Before Nehalem the firmware alone sets up bank 0 (SDM, "IA32_MCi_CTL MSRs"). */
static bool bank0_is_firmware(void)
{
	uint32_t eax = cpuid(CPUID_LEAF_VERSION, 0).eax;

	return CPUID_1_EAX_FAMILY(eax) == FAMILY_P6 && CPUID_1_EAX_MODEL(eax) < MODEL_NEHALEM;
}

/* SDM, "Machine-Check Initialization". */
void mca_init_cpu(void)
{
	uint64_t cap = 0;
	unsigned banks = bank_count(&cap);

	if (!(cpuid(CPUID_LEAF_VERSION, 0).edx & CPUID_1_EDX_MCE))
		return;
	if (banks && (cap & MCG_CAP_CTL))
		wrmsr_safe(MSR_MCG_CTL, ~0ull);
	for (unsigned i = 0; i < banks; i++) {
		if (i || !bank0_is_firmware())
			wrmsr_safe(bank_msr(i, 0), ~0ull);
		wrmsr_safe(bank_msr(i, 1), 0);
	}
	write_cr4(read_cr4() | CR4_MCE);
}

static void read_record(struct record *r)
{
	uint64_t cap = 0;

	*r = (struct record){ .banks = bank_count(&cap), .recovery = cap & MCG_CAP_SER_P };
	rdmsr_safe(MSR_MCG_STATUS, &r->mcg_status);
	for (unsigned i = 0; i < r->banks; i++) {
		rdmsr_safe(bank_msr(i, 1), &r->status[i]);
		if ((r->status[i] & MCI_STATUS_VAL) && (r->status[i] & MCI_STATUS_ADDRV))
			rdmsr_safe(bank_msr(i, 2), &r->address[i]);
	}
}

/* The exception may have come where this CPU writes a line: what finds a lock held is not said, unless the machine ends
 * anyway. */
static void log_record(const struct record *r)
{
	console_log_at_once("machine check on CPU %u: IA32_MCG_STATUS 0x%lx", this_cpu()->id, r->mcg_status);
	for (unsigned i = 0; i < r->banks; i++)
		if (r->status[i] & MCI_STATUS_VAL)
			console_log_at_once("machine check on CPU %u: bank %u status 0x%lx address 0x%lx",
					    this_cpu()->id, i, r->status[i], r->address[i]);
}

/* The error was taken: the next one does not find the registers full, nor MCIP set, which would shut the CPU down. */
static void clear(const struct record *r)
{
	for (unsigned i = 0; i < r->banks; i++)
		if (r->status[i] & MCI_STATUS_VAL)
			wrmsr_safe(bank_msr(i, 1), 0);
	wrmsr_safe(MSR_MCG_STATUS, 0);
}

bool host_machine_check(void)
{
	struct record r;
	enum mca_verdict v;

	read_record(&r);
	v = mca_judge(r.mcg_status, r.status, r.banks, r.recovery);
	if (v == MCA_STOP)
		console_break_locks();
	log_record(&r);
	if (v == MCA_STOP)
		console_panic("machine check: the hardware has lost what cannot be told; nothing on this machine can "
			      "be trusted to go on");
	clear(&r);
	return v == MCA_GO_ON;
}
