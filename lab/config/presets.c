/* lab/config/presets.c - the machines. docs/lab.md gives the source of every number. */
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"

/* What each line says is from the source that docs/lab.md names; "recalled" and "assumed" mean what they say there. A
 * line that is not here is as in lab/config/config.h, which is Haswell. */
#define CORE_2 \
	"machine.l1d_1g = 0\nmachine.l1i_2m = 7/full\nmachine.l2 = 512/4\nmachine.l2_holds = 4k\n" \
	"machine.ept_pages = 2m\nmachine.ept_ad = off\nmachine.invpcid = off\n"
#define ZEN \
	"machine.l1d_4k = 64/full\nmachine.l1d_unified = on\nmachine.l1i_4k = 64/full\nmachine.l1i_unified = on\n" \
	"machine.l2 = 1536/12\nmachine.walkers = 2\nmachine.psc_pd = 64/full\nmachine.npsc_pd = 64/full\n" \
	"machine.l2_cache = 512K/8\nmachine.l3_cache = 8M/16\n"

const struct lab_preset lab_presets[] = {
	{ "penryn", "Intel Penryn (2008): no EPT, no VPID",
	  "machine.window = 96\n"
	  "machine.ghz = 2.8\nmachine.l1d_4k = 16/4\nmachine.l1d_2m = 16/4\nmachine.l1d_1g = 0\n"
	  "machine.l1i_2m = 8/4\nmachine.l2 = 256/4\nmachine.l2_holds = 4k\nmachine.l2_hit = 2\n"
	  "machine.npsc_pml4 = 0\nmachine.npsc_pdpt = 0\nmachine.npsc_pd = 0\nmachine.ntlb = 0\n"
	  "machine.l1_cycles = 3\nmachine.l2_cache = 6M/24\nmachine.l2_cycles = 15\nmachine.l3_cache = "
	  "0\nmachine.dram_cycles = 240\n"
	  "machine.ept = off\nmachine.vpid = off\nmachine.pcid = off\nmachine.invpcid = off\nmachine.ept_pages = 2m\n"
	  "machine.ept_ad = off\nmachine.exit_cycles = 1266\n" },
	{ "nehalem", "Intel Nehalem (2008)",
	  CORE_2 "machine.window = 128\n"
	  "machine.ghz = 2.67\nmachine.l2_hit = 7\nmachine.l2_cycles = 10\nmachine.l3_cycles = "
		 "39\nmachine.dram_cycles = 219\n"
		 "machine.pcid = off\nmachine.exit_cycles = 1009\n" },
	{ "westmere", "Intel Westmere (2010)",
	  CORE_2 "machine.window = 128\n"
	  "machine.ghz = 2.67\nmachine.l2_hit = 7\nmachine.l2_cycles = 10\nmachine.l3_cache = "
		 "12M/16\nmachine.l3_cycles = 42\n"
		 "machine.dram_cycles = 219\nmachine.exit_cycles = 761\n" },
	{ "sandybridge", "Intel Sandy Bridge (2011)",
	  CORE_2 "machine.window = 168\n"
	  "machine.l1d_1g = 4/full\nmachine.l1i_2m = 8/full\nmachine.l2_hit = 7\nmachine.l3_cycles = 30\n"
		 "machine.dram_cycles = 230\nmachine.exit_cycles = 784\n" },
	{ "ivybridge", "Intel Ivy Bridge (2012)",
	  CORE_2 "machine.window = 168\n"
	  "machine.l1d_1g = 4/full\nmachine.l1i_2m = 8/full\nmachine.l2_hit = 7\nmachine.l3_cycles = 30\n"
		 "machine.dram_cycles = 230\nmachine.exit_cycles = 750\n" },
	{ "haswell", "Intel Haswell (2013)", "" },
	{ "broadwell", "Intel Broadwell (2014)", "machine.l2 = 1536/6\nmachine.l2_1g = 16/4\nmachine.walkers = 2\n" },
	{ "skylake", "Intel Skylake (2015)",
	  "machine.window = 224\n"
	  "machine.ghz = 4\nmachine.l1i_4k = 128/8\nmachine.l2 = 1536/12\nmachine.l2_1g = 16/4\nmachine.walkers = 2\n"
	  "machine.l2_cache = 256K/4\nmachine.l3_cycles = 44\nmachine.dram_cycles = 200\n" },
	{ "icelake", "Intel Ice Lake (2019)",
	  "machine.window = 352\n"
	  "machine.ghz = 3.7\nmachine.l1i_4k = 128/8\nmachine.l1d_1g = 8/full\nmachine.l1i_2m = 16/full\nmachine.l2 = "
	  "2048/16\n"
	  "machine.l2_1g = 1024/16\nmachine.walkers = 4\nmachine.l1_cache = 48K/12\nmachine.l1_cycles = 5\n"
	  "machine.l2_cache = 512K/8\nmachine.l2_cycles = 13\nmachine.l3_cycles = 42\nmachine.dram_cycles = 250\n"
	  "machine.psc_pml5 = 2/full\nmachine.npsc_pml5 = 2/full\nmachine.la57 = on\nmachine.ept_5level = on\n" },
	{ "barcelona", "AMD Barcelona, family 10h (2007); EPT stands for nested paging, VPID for the ASID",
	  "machine.window = 72\nmachine.ghz = 2\nmachine.l1d_4k = 48/full\nmachine.l1d_unified = on\n"
	  "machine.l1i_4k = 32/full\nmachine.l1i_2m = 16/full\nmachine.l2 = 512/4\nmachine.l2_hit = 5\n"
	  "machine.psc_pml4 = 4/full\nmachine.psc_pdpt = 4/full\nmachine.psc_pd = 16/full\n"
	  "machine.npsc_pml4 = 4/full\nmachine.npsc_pdpt = 4/full\nmachine.npsc_pd = 16/full\nmachine.ntlb = 16/full\n"
	  "machine.l1_cache = 64K/2\nmachine.l1_cycles = 3\nmachine.l2_cache = 512K/16\nmachine.l2_cycles = 15\n"
	  "machine.l3_cache = 2M/32\nmachine.l3_cycles = 46\nmachine.dram_cycles = 220\n"
	  "machine.pcid = off\nmachine.invpcid = off\nmachine.exit_cycles = 1600\n" },
	{ "zen1", "AMD Zen (2017); EPT stands for nested paging, VPID for the ASID",
	  ZEN "machine.ghz = 3.6\nmachine.l2_cycles = 17\nmachine.l3_cycles = 40\nmachine.dram_cycles = "
	      "320\nmachine.pcid = off\n"
	      "machine.invpcid = off\nmachine.exit_cycles = 1500\n" },
	{ "zen2", "AMD Zen 2 (2019); EPT stands for nested paging, VPID for the ASID",
	  ZEN "machine.window = 224\n"
	  "machine.ghz = 3.9\nmachine.l2 = 2048/16\nmachine.l2_cycles = 12\nmachine.l3_cache = "
	      "16M/16\nmachine.l3_cycles = 39\n"
	      "machine.dram_cycles = 310\nmachine.pcid = off\nmachine.invpcid = off\nmachine.exit_cycles = 1360\n" },
	{ "zen4", "AMD Zen 4 (2022); EPT stands for nested paging, VPID for the ASID",
	  ZEN "machine.window = 320\n"
	  "machine.ghz = 4.5\nmachine.l1d_4k = 72/full\nmachine.l2 = 3072/24\nmachine.walkers = "
	      "6\nmachine.l2_cache = 1M/8\n"
	      "machine.l2_cycles = 14\nmachine.l3_cache = 32M/16\nmachine.l3_cycles = 50\nmachine.dram_cycles = 360\n"
	      "machine.psc_pml5 = 2/full\nmachine.npsc_pml5 = 2/full\nmachine.la57 = on\nmachine.ept_5level = on\n"
	      "machine.exit_cycles = 1000\n" },
	{ NULL, NULL, NULL },
};

int lab_command_presets(int argc, char **argv)
{
	struct lab_config config;
	struct lab_error error = { "" };

	lab_config_init(&config);
	if (argc > 2 || lab_asks_for_help(argc, argv)) {
		fprintf(argc > 2 ? stderr : stdout, "usage: vellum lab presets [NAME]\n%s",
			argc > 2 ? "" : "\nLists the machines, or prints one as a configuration file for --config.\n");
		return argc > 2 ? 2 : 0;
	}
	if (argc == 1) {
		for (const struct lab_preset *p = lab_presets; p->name; p++)
			printf("%-14s %s\n", p->name, p->title);
		return 0;
	}
	if (!lab_config_set(&config, "machine.preset", argv[1], &error)) {
		fprintf(stderr, "vellum: %s\n", error.text);
		return 2;
	}
	lab_config_write(&config, "machine.", stdout);
	return 0;
}
