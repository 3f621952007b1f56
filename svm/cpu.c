#include "svm/cpu.h"

#include "host/memory/frames.h"
#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "hvm/common.h"
#include "lib/mutants/mutate.h"
#include "svm/ops.h"
#include "svm/vmcb.h"

static struct svm_cpu cpus[CPUS_MAX];

struct svm_cpu *svm_this_cpu(void) { return &cpus[this_cpu()->id]; }

const char *svm_cpu_enable(const struct svm_caps *caps)
{
	struct svm_cpu *cpu = svm_this_cpu();
	hfn_t save = frames_alloc(), host = frames_alloc();

	(void)caps;
	if (hfn_is_none(save) || hfn_is_none(host))
		return "there is no memory for the host's save area of AMD-V";
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, hfn_hpa(save).v);
	write_cr4(read_cr4() | hvm_host_cr4());
	cpu->host = hfn_hpa(host);
	vmsave(cpu->host);
	/* What an earlier owner of this machine cached under the same tags may still be there (T1). */
	VM_MUTANT(SVM_FLUSH_FIRST, cpu->flush_all = true);
	return NULL;
}

/* One tag at a time: of a second one, all goes. */
static void later(struct svm_cpu *cpu, uint32_t asid, bool nonglobal)
{
	if (cpu->flush_asid && cpu->flush_asid != asid) {
		VM_MUTANT(SVM_FLUSH_SECOND, cpu->flush_all = true);
		return;
	}
	cpu->flush_nonglobal = nonglobal && (!cpu->flush_asid || cpu->flush_nonglobal);
	cpu->flush_asid = asid;
}

bool svm_flush_tag(enum tag_flush type, uint16_t asid, gva_t gva)
{
	struct svm_cpu *cpu = svm_this_cpu();

	switch (type) {
	case TAG_FLUSH_ADDRESS:
		invlpga(gva.v, asid);
		break;
	case TAG_FLUSH_ALL:
		cpu->flush_all = true;
		break;
	case TAG_FLUSH_SINGLE:
	case TAG_FLUSH_NONGLOBAL:
		later(cpu, asid, type == TAG_FLUSH_NONGLOBAL);
		break;
	}
	return true;
}

/* The vCPUs of the VM have tags of their own, and others of them may run here later: all tags (APM, "TLB
 * Management"). */
bool svm_flush_nested(void)
{
	svm_this_cpu()->flush_all = true;
	return true;
}

/* APM, "TLB Control": one order an entry, of all tags or of the one that enters. */
uint8_t svm_take_flush(uint32_t asid)
{
	struct svm_cpu *cpu = svm_this_cpu();
	uint8_t control = TLB_FLUSH_NOTHING;

	if (likely(!cpu->flush_all && !cpu->flush_asid))
		return control;
	if (cpu->flush_all || VM_KEPT(SVM_FLUSH_OTHER, cpu->flush_asid != asid))
		control = TLB_FLUSH_ALL;
	else
		control = cpu->flush_nonglobal ? TLB_FLUSH_ASID_NONGLOBAL : TLB_FLUSH_ASID;
	cpu->flush_all = cpu->flush_nonglobal = false;
	cpu->flush_asid = 0;
	return control;
}
