/* host/trap/mca.h - machine checks. SDM, "Machine-Check Architecture" and "Recovery of Uncorrected Recoverable (UCR)
 * Errors". */
#ifndef VELLUM_HOST_MCA_H
#define VELLUM_HOST_MCA_H

#include "lib/base.h"
#include "lib/x86_msr.h"

#define MCA_BANKS_MAX 32

enum mca_verdict {
	MCA_GO_ON,        /* nothing that anybody uses was lost */
	MCA_CONTEXT_LOST, /* what was interrupted used what was lost; the rest of the machine did not */
	MCA_STOP,         /* nobody can say what was lost */
};

/* What one CPU's registers say. recovery: IA32_MCG_CAP.MCG_SER_P, that is, MCI_STATUS_S and _AR mean something. */
enum mca_verdict mca_judge(uint64_t mcg_status, const uint64_t *bank_status, unsigned banks, bool recovery);

/* Makes machine checks arrive on the calling CPU: the banks' errors and CR4.MCE. Its IDT is loaded. */
void mca_init_cpu(void);
/* After a machine check, as an exception of the host or as a VM exit: reads the banks, logs what they hold and clears
 * them. true: what was interrupted can go on. false: it cannot (a guest: its virtual machine must end). Does not return
 * where the host cannot go on. */
bool host_machine_check(void);

#endif
