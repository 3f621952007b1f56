/* lab/show/figures.h - the rows of the figures in lab/show/figures.c. */
#ifndef VELLUM_LAB_FIGURES_H
#define VELLUM_LAB_FIGURES_H

#include "lab/show/figure.h"

void lab_rows_walks(struct lab_figure_table *t);
void lab_rows_early(struct lab_figure_table *table);
void lab_rows_build(struct lab_figure_table *table);
void lab_rows_in_sync(struct lab_figure_table *table);
void lab_rows_switches(struct lab_figure_table *t);
void lab_rows_out_of_sync(struct lab_figure_table *t);
void lab_rows_chase(struct lab_figure_table *t);
void lab_rows_nested_cache(struct lab_figure_table *t);
void lab_rows_shadow_ept(struct lab_figure_table *t);
void lab_rows_crossover(struct lab_figure_table *t);
void lab_rows_forkwait(struct lab_figure_table *t);
void lab_rows_vpid(struct lab_figure_table *t);
void lab_rows_large_pages(struct lab_figure_table *t);
void lab_rows_exits(struct lab_figure_table *t);

/* The cells' labels and their rows are made of the same text. */
#define NO_CACHE "0,0,0,0,0,0,0"
#define GUEST_CACHE "2/full,4/full,24/full,0,0,0,0"
#define BOTH_CACHES "2/full,4/full,24/full,2/full,4/full,24/full,0"
#define BOTH_AND_NTLB "2/full,4/full,24/full,2/full,4/full,24/full,16/full"
#define CACHE_KEYS \
	"machine.psc_pml4,machine.psc_pdpt,machine.psc_pd,machine.npsc_pml4,machine.npsc_pdpt,machine.npsc_pd," \
	"machine.ntlb"

/* Of the figure of builds. */
#define BUILD_KEYS "hv.mmu,hv.pages,hv.vpid,hv.exit_period,hv.path_other"
#define BUILD_NATIVE "native,4k,on,7460K,400"
#define BUILD_EPT_4K "ept,4k,on,7460K,400"
#define BUILD_NO_VPID "ept,4k,off,7460K,400"
#define BUILD_EPT_2M "ept,2m,on,7460K,400"
#define BUILD_BUSY_4K "ept,4k,on,340K,20000"
#define BUILD_BUSY_2M "ept,2m,on,340K,20000"

/* Of the figure of context switches. */
#define SWITCHES(n) "ring:processes=" #n ",pages=0,switches=20000"
#define SWITCH_KEYS "machine.preset,hv.mmu,guest.pti,guest.cpus,guest.idle,hv.halt_poll"
#define ONE_CPU_SHADOW "icelake,shadow,on,1,halt,on"
#define ONE_CPU "haswell,ept,off,1,halt,on"
#define TWO_CPUS "haswell,ept,off,2,halt,on"
#define TWO_POLL "haswell,ept,off,2,poll,on"
#define TWO_SLEEP "haswell,ept,off,2,halt,off"
#define TWO_NATIVE "haswell,native,off,2,halt,on"
#define NATIVE_POLL "haswell,native,off,2,poll,on"

#endif
