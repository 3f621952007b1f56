/* lab/show/figures.c - the figures: what is run. lab/show/figures_rows.c says what is made of it, docs/lab-figures.md
 * what came out. */
#include <stddef.h>

#include "lab/show/figures.h"

/* A quad-core Opteron (2007), as Bhargava et al. describe the machine that they start from. */
#define OPTERON \
	"hv.mmu=ept machine.ghz=2.3 machine.l1d_4k=48/full machine.l1d_2m=48/full machine.l2=512/4 " \
	"machine.l2_holds=4k " \
	  "machine.l2_hit=7 " \
	"machine.l1_cache=64K/2 machine.l2_cache=512K/16 machine.l3_cache=2M/32 machine.l1_cycles=3 " \
	"machine.l2_cycles=12 " \
	"machine.l3_cycles=38 machine.dram_cycles=200 machine.data_cache=on"
/* Programs that stand for those of the papers. */
#define TLB_BOUND "gups:size=256M,updates=1M;chase:size=256M;zipf:keys=1M,ops=500K;bfs:scale=18"
#define CHURN "boot;fork:children=200;mmap:ops=4000;ring:pages=64,switches=20000;faults:size=64M"

/* Programs of their own work between page faults. */
#define BUILD(work) "boot:processes=8,heap=4M,work=" #work

/* So many of them, and no kernel that begins: with each, less of the time is first touches. */
#define BUILD_OF(processes) "boot:processes=" #processes ",kernel=0,heap=4M,work=400K"

/* A table of more than one page, whatever its size: with one entry in the TLB, most updates miss. */
#define SMALL_PAGES(...) "gups:size=64M," #__VA_ARGS__ ";"
#define HUGE_PAGES(...) "gups:size=2G," #__VA_ARGS__ ";"

/* The papers' guests have run for a while: the host has given them their memory. */
#define RESIDENT " hv.populate=off"

const struct lab_figure lab_figures[] = {
	{ "walk-refs", "References of a page walk without caches, by page sizes",
	  "Published: n m + n + m for n levels of the guest and m of EPT (Bhargava et al., ASPLOS 2008; Gandhi et "
	  "al., MICRO 2014).",
	  "guest.memory=8G machine.l1d_4k=1/1 machine.l1d_2m=1/1 machine.l1d_1g=1/1 machine.l2=0 "
	  "machine.psc_pml4=0 machine.psc_pdpt=0 machine.psc_pd=0 machine.npsc_pml4=0 machine.npsc_pdpt=0 "
	  "machine.npsc_pd=0 "
	  "machine.ntlb=0 machine.la57=on machine.ept_5level=on",
	  "limit=4M", "limit=2200K",
	  { "pair:workload,hv.mmu,guest.levels,hv.ept_levels,guest.pages,hv.pages="
	    SMALL_PAGES(native,4,4,4k,4k) SMALL_PAGES(native,4,4,2m,4k) HUGE_PAGES(native,4,4,1g,4k)
	    SMALL_PAGES(native,5,4,4k,4k)
	    SMALL_PAGES(shadow,4,4,4k,4k) SMALL_PAGES(ept,4,4,4k,4k) SMALL_PAGES(ept,4,4,4k,2m)
	    SMALL_PAGES(ept,4,4,4k,1g)
	    SMALL_PAGES(ept,4,4,2m,4k) SMALL_PAGES(ept,4,4,2m,2m) SMALL_PAGES(ept,4,4,2m,1g) HUGE_PAGES(ept,4,4,1g,4k)
	    HUGE_PAGES(ept,4,4,1g,2m) HUGE_PAGES(ept,4,4,1g,1g) SMALL_PAGES(ept,5,4,4k,4k) SMALL_PAGES(ept,4,5,4k,4k)
	    "gups:size=64M,ept,5,5,4k,4k" },
	  lab_rows_walks, "references a walk", false, NULL, false },
	{ "chase", "Pointer chase over 32 GBytes on Sandy Bridge: DRAM accesses a hop",
	  "Published shape: 1 : 2 : 2 : 3, data included, as 64 MBytes of leaf entries in a dimension exceed the L3 "
	  "cache.",
	  "hv.mmu=ept machine.preset=sandybridge machine.data_cache=on",
	  "workload=chase:size=32G guest.memory=40G limit=60M",
	  "workload=chase:size=1G limit=2M machine.l3_cache=256K/16", { "guest.pages=2m,4k", "hv.pages=2m,4k" },
	  lab_rows_chase, "DRAM accesses a hop", false, NULL, false },
	{ "early-designs", "Pointer chase on the first CPUs with nested paging: which of them paid more",
	  "Published: 17 % on an early Intel design and 39 % on AMD's (quoted without the program's size; only the "
	  "order is comparable).",
	  "machine.data_cache=on guest.pages=4k hv.pages=4k", "workload=chase:size=512M,object=1K",
	  "workload=chase:size=16M limit=100K", { "machine.preset=nehalem,barcelona", "hv.mmu=native,ept" },
	  lab_rows_early, "% by which EPT takes longer than no hypervisor", true, NULL, false },
	{ "build", "A build: what EPT costs against no hypervisor, by its length, pages and devices",
	  "Published: 5 to 20 % on various programs in guests with host pages of 4K (Intel, article 749114, 2022); "
	  "exits of 2,000 cycles and what follows up to ten times as much (SplitX, WIOV 2011, Xeon X5570); port 0x80 "
	  "alone 3 to 5 % of a kernel's build (Linux, commit fdef3ad1b386, 2007); busy devices: 24,509 I/O exits a "
	  "second (Red Hat, kvm_stat), 20,000 instructions each.",
	  "machine.preset=nehalem machine.exit_cycles=2000 machine.data_cache=on", "", "limit=600K",
	  { "workload=" BUILD_OF(4) ";" BUILD_OF(16), "pair:" BUILD_KEYS "=" BUILD_NATIVE ";" BUILD_EPT_4K ";"
	    BUILD_NO_VPID ";" BUILD_EPT_2M ";" BUILD_BUSY_4K ";" BUILD_BUSY_2M },
	  lab_rows_build, "% by which it takes longer than without a hypervisor", true, NULL, false },
	{ "in-sync", "Shadow tables: in sync with every write, or out of sync until the guest flushes",
	  "Published: no curve. Hypervisors had tables in sync first (hv.in_sync), and let them go out of sync later.",
	  "machine.preset=nehalem machine.data_cache=on hv.pages=4k" RESIDENT, "", "limit=600K",
	  { "workload=boot:processes=8,work=200K,heap=4M;" CHURN,
	    "pair:hv.mmu,hv.in_sync=native,off;shadow,off;shadow,on" },
	  lab_rows_in_sync, "time relative to native", false, NULL, false },
	{ "out-of-sync", "What a program gains when shadow tables may go out of sync",
	  "Published: G. Guida, [PATCH 0/4] Out of sync L1 shadows, xen-devel, June 2008: building the Windows Server "
	  "2003 DDK on a Core 2 at 2.13 GHz, one virtual CPU: -14.98 % (32 bits), -25.43 % (PAE), -19.47 % (64 bits).",
	  "machine.preset=penryn machine.exit_cycles=1579 hv.vpid=off machine.data_cache=on hv.pages=4k" RESIDENT, "",
	  "limit=600K",
	  { "workload=" BUILD(100K) ";" BUILD(200K) ";" BUILD(400K) ";" BUILD(800K) ";" CHURN,
	    "pair:hv.mmu,hv.in_sync=shadow,off;shadow,on" },
	  lab_rows_out_of_sync, "% less time than with tables in sync", true, NULL, false },
	{ "switches", "Context switches: processes that wake each other through a pipe, on one CPU and on several",
	  "Published: KVM without EPT, guest with page-table isolation, Ice Lake, lmbench lat_ctx (Y. He, kvm "
	  "mailing list, message 361304: 3 to 11 cached roots). WRMSR exits of a TCP_RR transaction on Ivy Bridge "
	  "(D. Matlack, Message Passing Workloads in KVM, KVM Forum 2015). `contextswitch` in a guest of KVM (Y. "
	  "Zhang, x86/idle: add halt poll support, linux-kernel, August 2017). A small packet there and back: host "
	  "31.33, guest 33.40 (the host polls) and 32.73 (the guest polls) (M. Tosatti, cpuidle: add haltpoll "
	  "governor, kvm mailing list, 2019; the unit is not said).",
	  "machine.data_cache=on" RESIDENT, "", "limit=100K",
	  { "workload=" SWITCHES(2) ";" SWITCHES(3) ";" SWITCHES(4) ";" SWITCHES(5) ";" SWITCHES(6) ";" SWITCHES(7)
	    ";" SWITCHES(8),
	    "pair:" SWITCH_KEYS "=" ONE_CPU_SHADOW ";" ONE_CPU ";" TWO_CPUS ";" TWO_POLL ";" TWO_SLEEP ";" TWO_NATIVE
	    ";" NATIVE_POLL },
	  lab_rows_switches, "microseconds a switch, and exits as the rows say", false, NULL, false },
	{ "nested-cache", "Caching the two-dimensional walk: paging-structure caches, nested TLB, large nested pages",
	  "Published: Bhargava et al., ASPLOS 2008: caching the walk +15 to 38 %, nested TLB +3 to 7 %, large "
	  "nested pages +3 to 22 %.",
	  OPTERON RESIDENT, "", "limit=600K",
	  { "workload=gups:size=256M,updates=1M;zipf:keys=1M,ops=500K;bfs:scale=18;boot",
	    "pair:" CACHE_KEYS "=" NO_CACHE ";" GUEST_CACHE ";" BOTH_CACHES ";" BOTH_AND_NTLB, "hv.pages=4k,2m" },
	  lab_rows_nested_cache, "% faster", true, NULL, false },
	{ "shadow-ept", "EPT over shadow tables: programs that change page tables, and programs that miss the TLB",
	  "Published: VMware (Bhatia 2009): EPT faster by up to 48 % on MMU-intensive programs and 600 % on "
	  "microbenchmarks, and "
	  "slower on some TLB-bound ones. `make` under nested EPT (KVM patches): shadow 87 s, EPT 29 s, native 25 s.",
	  "machine.preset=nehalem machine.data_cache=on" RESIDENT, "", "limit=600K",
	  { "workload=boot:processes=8,work=200K,heap=4M;" CHURN ";" TLB_BOUND,
	    "pair:hv.mmu,hv.pages=native,4k;shadow,4k;ept,4k;ept,2m" },
	  lab_rows_shadow_ept, "% by which shadow takes longer than EPT", true, NULL, false },
	{ "crossover", "Shadow against EPT: where the one overtakes the other",
	  "Published: no curve; the papers report both sides (see shadow-ept). 8 processes take turns; x is what a "
	  "turn touches.",
	  "machine.preset=nehalem machine.data_cache=on" RESIDENT, "", "limit=600K",
	  { "workload=ring:pages=8,switches=80000;ring:pages=32,switches=40000;ring:pages=128,switches=10000;"
	    "ring:pages=512,switches=2500;ring:pages=2048,switches=800;ring:pages=8192,switches=300",
	    "pair:hv.mmu,hv.pages=native,4k;shadow,4k;ept,4k;ept,2m" },
	  lab_rows_crossover, "time relative to native", false, "pages touched between two context switches", true },
	{ "forkwait", "fork and wait: the cost of guarding page tables",
	  "Published: Adams and Agesen, ASPLOS 2006 (forkwait): native 6.0 s, software VMM 36.9 s, VT-x with shadow "
	  "tables 106.4 s.",
	  "machine.preset=penryn machine.exit_cycles=3963 hv.vpid=off machine.data_cache=on" RESIDENT,
	  "workload=fork:children=300,size=256K,write=10",
	  "workload=fork:children=10,size=256K,write=10", { "hv.mmu=native,shadow,vtlb,brute" },
	  lab_rows_forkwait, "time relative to native", false, NULL, false },
	{ "vpid", "What VPIDs save, by the rate of exits",
	  "Published: no curve; without VPIDs, each transition drops the linear and combined mappings (SDM, "
	  "\"Operations that Invalidate\").",
	  "machine.data_cache=on hv.pages=2m", "", "limit=600K",
	  { "workload=gups:size=2M,updates=2M;zipf:keys=4K,ops=300K;zipf:keys=256K,ops=300K;gups:size=256M,updates=1M",
	    "hv.exit_period=100000,30000,10000,3000,1000,300,100", "hv.vpid=on,off" },
	  lab_rows_vpid, "% by which runs without VPID take longer", true, "exits in a million accesses", true },
	{ "large-pages", "Large pages: of the guest, of the host, of both",
	  "Published: up to +5 % for large pages under nested paging (SPEC-like programs); +3 to 22 % for large "
	  "nested pages "
	  "(Bhargava et al., ASPLOS 2008).",
	  "hv.mmu=ept machine.data_cache=on" RESIDENT, "", "limit=600K",
	  { "workload=seq:size=64M;boot;" TLB_BOUND, "guest.pages=4k,2m", "hv.pages=4k,2m" },
	  lab_rows_large_pages, "% faster than 4K in both", true, NULL, false },
	{ "exits", "VM exits that EPT avoids",
	  "Published: EPT avoids about 80 % of VM exits. Linux' KVM, booting a guest in the same emulator: of page "
	  "faults, INVLPG "
	  "and control registers 107,622 with shadow tables, 20,091 with EPT: 81 %.",
	  "machine.data_cache=off hv.pages=4k", "", "limit=600K", { "workload=" CHURN, "hv.mmu=ept,shadow,vtlb,brute" },
	  lab_rows_exits, "% of exits that EPT avoids, those of the timer and of CPUID among them", true, NULL, false },
	{ 0 },
};
