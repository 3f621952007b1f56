/* host/trap/mca_judge.c - what the banks of a machine check mean: nothing, that a context is lost, or the end. */
#include "host/trap/mca.h"

static enum mca_verdict worse(enum mca_verdict a, enum mca_verdict b) { return a > b ? a : b; }

/* SDM, "UCR Error Classification" (the table by UC, EN, PCC, S, AR). */
static enum mca_verdict judge_bank(uint64_t status, uint64_t mcg_status, bool recovery)
{
	if (!(status & MCI_STATUS_VAL))
		return MCA_GO_ON;
	if (status & MCI_STATUS_PCC)
		return MCA_STOP;
	if (!(status & MCI_STATUS_UC))
		return MCA_GO_ON; /* corrected */
	/* A second uncorrected error has left no trace but this bit. */
	if ((status & MCI_STATUS_OVER) || !recovery)
		return MCA_STOP;
	if (!(status & MCI_STATUS_S) || !(status & MCI_STATUS_AR))
		return MCA_GO_ON; /* nobody has used it yet */
	if (mcg_status & MCG_STATUS_EIPV)
		return MCA_CONTEXT_LOST;
	/* Another CPU's, if this one is not told to stop. */
	return mcg_status & MCG_STATUS_RIPV ? MCA_GO_ON : MCA_STOP;
}

enum mca_verdict mca_judge(uint64_t mcg_status, const uint64_t *bank_status, unsigned banks, bool recovery)
{
	enum mca_verdict v = MCA_GO_ON;

	for (unsigned i = 0; i < banks; i++)
		v = worse(v, judge_bank(bank_status[i], mcg_status, recovery));
	if (!(mcg_status & MCG_STATUS_RIPV))
		v = worse(v, mcg_status & MCG_STATUS_EIPV ? MCA_CONTEXT_LOST : MCA_STOP);
	return v;
}
