/* dev/firmware/firmware_state.c - what a snapshot holds of ACPI's registers and of fw_cfg. */
#include "dev/firmware/acpi_pm.h"
#include "dev/firmware/fw_cfg.h"
#include "lib/mutants/mutate.h"

void acpi_pm_state(struct fields *s, struct acpi_pm *pm)
{
	state_begin(s, "acpi_pm", 1);
	state_u16(s, &pm->pm1_sts);
	state_u16(s, &pm->pm1_en);
	state_u16(s, &pm->pm1_cnt);
	state_u16(s, &pm->gpe_sts);
	state_u16(s, &pm->gpe_en);
	state_time(s, &pm->epoch);
	state_u64(s, &pm->tmr_seen);
	state_check(s, VM_LEFT_OUT_OR(STATE_PM_TIMER, pm->tmr_seen < BIT(32)), "the timer has run for too long");
	timer_state(s, pm->timers, &pm->overflow);
	state_end(s);
}

void fw_cfg_state(struct fields *s, struct fw_cfg *f)
{
	state_begin(s, "fw_cfg", 1);
	state_u16(s, &f->key);
	state_u32(s, &f->offset);
	state_u32(s, &f->dma_high);
	state_bool(s, &f->dma.busy);
	state_bool(s, &f->dma.read);
	state_u64(s, &f->dma.descriptor);
	state_u64(s, &f->dma.gpa);
	state_u32(s, &f->dma.left);
	state_check(s, VM_LEFT_OUT_OR(STATE_FW_DMA, f->memory || !f->dma.busy),
		    "a transfer goes on that none can have");
	timer_state(s, f->timers, &f->next_piece);
	state_check(s, f->memory || !f->next_piece.armed, "a transfer goes on that none can have");
	state_end(s);
}
