/* vm/config/config.h - the description of virtual machines: its text form (docs/protocol.md), and what a reader makes
 * of it.
 *
 * Freestanding and without state: the hypervisor reads the module `config` with it, the `vellum` command a --vm file
 * and its own options, so that both refuse the same nonsense in the same words.
 *
 *   C1  What config_parse() returns is complete and sane: every limit below holds, nothing needs to be checked again.
 *   C2  An error is one clause or sentence without a final newline; config_parse() puts "line N: " before it. */
#ifndef VELLUM_VM_CONFIG_H
#define VELLUM_VM_CONFIG_H

#include "lib/base.h"

#define CONFIG_NAME_MAX 31
#define CONFIG_FILE_MAX 1023
/* One less than what Linux keeps of a command line on x86. */
#define CONFIG_APPEND_MAX 2047
#define CONFIG_VCPUS_MAX 32
#define CONFIG_DISKS_MAX 4
#define CONFIG_IDE_CHANNELS 2 /* of config_disk_place(): */
#define CONFIG_SATA_PORTS 8
#define CONFIG_DISK_PLACES "ide0.0 to ide1.1, sata0 to sata7"
#define CONFIG_NETS_MAX 4
#define CONFIG_MODULES_MAX 8 /* as IMAGE_MODULES_MAX */
#define CONFIG_MODULE_TEXT_MAX 2047
#define CONFIG_SWITCHES_MAX 16      /* mechanisms in a list to go through */
#define CONFIG_SWITCH_AMONG_MAX 127
#define CONFIG_WEIGHT_MIN 1
#define CONFIG_WEIGHT_MAX 10000
#define CONFIG_WEIGHT_DEFAULT 100
#define CONFIG_MEM_DEFAULT (256ull << 20)
#define CONFIG_MEM_MIN (1ull << 20)
#define CONFIG_MEM_MIN_BIOS (2ull << 20) /* beside what lies below 1 MByte */
#define CONFIG_MEM_MAX (512ull << 30)

enum config_switch {
	CONFIG_DEFAULT, /* not given: as the CPU allows */
	CONFIG_ON,
	CONFIG_OFF,
};

/* What becomes of a guest that says that it has panicked. */
enum config_on_panic {
	CONFIG_PANIC_STOP,  /* it is over */
	CONFIG_PANIC_PAUSE, /* it is paused, to be looked at */
	CONFIG_PANIC_NONE,  /* it goes on as it likes */
	CONFIG_PANICS,
};

/* What becomes of a guest that resets its machine. */
enum config_on_reset {
	CONFIG_RESET_END,  /* it is over */
	CONFIG_RESET_BOOT, /* it boots again */
	CONFIG_RESETS,
};

/* How the guest's accesses to its local APIC's priority register are virtualized. */
enum config_tpr {
	CONFIG_TPR_AUTO,         /* the best that the CPU has */
	CONFIG_TPR_TRAP,         /* each is an exit, and emulated */
	CONFIG_TPR_PATCH,        /* the guest's instructions are replaced by others that need none */
	CONFIG_TPR_FLEXPRIORITY, /* the CPU serves them in a page of its own */
	CONFIG_TPR_APICV,        /* and the other registers', and delivers interrupts by itself */
	CONFIG_TPRS,
};

/* How writes to its memory are found while that is logged. */
enum config_dirty {
	CONFIG_DIRTY_AUTO, /* the best that the CPU has */
	CONFIG_DIRTY_WP,   /* pages are read-only until they are written to */
	CONFIG_DIRTY_AD,   /* by the dirty flags of nested tables */
	CONFIG_DIRTY_PML,  /* by the log that the CPU keeps of these */
	CONFIG_DIRTIES,
};

/* Can its guest give memory back (dev/virtio/balloon.h)? */
enum config_balloon {
	CONFIG_BALLOON_OFF,
	CONFIG_BALLOON_ON,
	CONFIG_BALLOON_OOM, /* and it may take it again where it is short */
	CONFIG_BALLOONS,
};

/* The keys, also as a set of bits in vm_config.given. */
enum config_key {
	CONFIG_KERNEL,
	CONFIG_INITRD,
	CONFIG_APPEND,
	CONFIG_MEM,
	CONFIG_VCPUS,
	CONFIG_MMU,
	CONFIG_PAGES,
	CONFIG_DIRTY,
	CONFIG_EPT_LEVELS,
	CONFIG_VPID,
	CONFIG_RUN_UNRESTRICTED,
	CONFIG_PREALLOC,
	CONFIG_RDRAND,
	CONFIG_CLOCK,
	CONFIG_TESTDEV,
	CONFIG_SWITCH,
	CONFIG_SWITCH_EVERY,
	CONFIG_SWITCH_AMONG,
	CONFIG_MITIGATIONS,
	CONFIG_ON_PANIC,
	CONFIG_TPR,
	CONFIG_WEIGHT,
	CONFIG_MIGRATE_EVERY,
	CONFIG_ON_RESET,
	CONFIG_START,
	CONFIG_BIOS,
	CONFIG_OPTION_ROM,
	CONFIG_VM86,
	CONFIG_DISK,
	CONFIG_CDROM,
	CONFIG_BOOT,
	CONFIG_PAUSED,
	CONFIG_NET,
	CONFIG_RNG,
	CONFIG_HVC,
	CONFIG_DETAIL,
	CONFIG_TRACE,
	CONFIG_MODULE,
	CONFIG_VGA,
	CONFIG_CONSOLE,
	CONFIG_RESTORE,
	CONFIG_RESERVATION,
	CONFIG_ZPOOL,
	CONFIG_LIMIT,
	CONFIG_SWAP,
	CONFIG_MERGE,
	CONFIG_MERGE_RATE,
	CONFIG_MERGE_SHARE,
	CONFIG_BALLOON,
	CONFIG_KEYS,
};

/* Bytes of a display's own memory, beside its machine's. */
#define CONFIG_VGA_MEMORY (16u << 20)

struct config_disk {
	char name[CONFIG_FILE_MAX + 1]; /* a file of the host in a --vm file, its place on the boot image */
	bool read_only;
	bool snapshot;                  /* what is written stays in memory */
	bool ide;                       /* a drive at the guest's IDE controller; else a virtio device, */
	bool flash;                     /* or flash memory, where its firmware keeps its variables */
	bool cd;                        /* a CD drive's medium, at the IDE controller and read-only */
};

/* The network with a way out, by the machine's own card. */
#define CONFIG_NET_USER "user"

struct config_net {
	char name[CONFIG_NAME_MAX + 1]; /* of the network that its card is on */
	bool address_given;             /* else it has one by its numbers */
	uint8_t address[6];
};

struct config_module {
	char name[CONFIG_FILE_MAX + 1]; /* a file of the host in a --vm file, a module's name on the boot image */
	/* What a Multiboot kernel is told with it; in a --vm file, behind the file's own name. */
	char text[CONFIG_MODULE_TEXT_MAX + 1];
};

struct vm_config {
	char name[CONFIG_NAME_MAX + 1];
	char kernel[CONFIG_FILE_MAX + 1];     /* a file of the host in a --vm file, a module's name on the boot image */
	char initrd[CONFIG_FILE_MAX + 1];     /* "": none */
	char append[CONFIG_APPEND_MAX + 1];
	char bios[CONFIG_FILE_MAX + 1];       /* the firmware that it starts at; "": at its kernel */
	char option_rom[CONFIG_FILE_MAX + 1]; /* that the firmware runs; "": none */
	char vga[CONFIG_FILE_MAX + 1];        /* its display's BIOS; "": it has no display */
	char restore[CONFIG_FILE_MAX + 1];    /* the snapshot that it goes on with; "": it begins anew */
	uint64_t mem;                         /* bytes, a multiple of 4 KiB */
	unsigned vcpus;                       /* virtual CPUs, 1 to CONFIG_VCPUS_MAX */
	char mmu[16];                         /* the mechanism's name; "": the best that the CPU has */
	unsigned page_bits;                   /* 12, 21 or 30, as enum page_limit in mmu/mmu.h; 0: auto */
	unsigned ept_levels;                  /* of EPT tables: 4 or 5; 0: as many as its memory needs */
	enum config_switch vpid;
	enum config_switch unrestricted;      /* is "unrestricted guest" used where the CPU has it? */
	enum config_switch vm86;              /* is real mode run in virtual-8086 mode where the CPU cannot enter it? */
	enum config_switch prealloc;          /* is its RAM taken at once? */
	enum config_switch merge;             /* on: its pages may lie in one frame with others' that hold the same */
	unsigned merge_rate;                  /* of its pages that are looked at for that, a second; 0: default */
	unsigned merge_share;                 /* per cent of the time for that while there is more to do; 0: default */
	enum config_switch rdrand;            /* are RDRAND and RDSEED offered where the CPU has them? */
	bool guest_clock;                     /* its clock stands still while it does not run; else it is the host's */
	bool testdev;
	enum config_switch may_switch;        /* to another mechanism, while it runs */
	uint64_t switch_every;                /* microseconds between two changes; 0: none */
	unsigned switch_exits;                /* VM exits between two changes; 0: none; not both */
	/* the mechanisms to go through, by commas; "": all that the CPU can run */
	char switch_among[CONFIG_SWITCH_AMONG_MAX + 1];
	bool mitigations_chosen;              /* else: those that the CPU needs */
	uint32_t mitigations;                 /* a set of bits: n for config_measures[n] */
	enum config_on_panic on_panic;
	enum config_on_reset on_reset;
	enum config_switch start;             /* off: with the machine it does not begin, but on request */
	enum config_switch paused;            /* on: it begins, but stands before its first instruction */
	enum config_tpr tpr;
	enum config_dirty dirty;
	struct config_disk disk[CONFIG_DISKS_MAX];
	unsigned disks;                       /* of them */
	struct config_net net[CONFIG_NETS_MAX];
	unsigned nets;                        /* of them: network cards */
	enum config_switch rng;               /* on: it has a source of random numbers */
	enum config_switch detail;            /* on: its exits are looked at one by one */
	char trace[CONFIG_NAME_MAX + 1];      /* the place of a disk that they are written to; "": none */
	uint64_t reservation;                 /* bytes of its RAM that stay in memory, once they are; 0: none */
	uint64_t limit;                       /* bytes of it that may be in memory; 0: all */
	/* the place of a disk that its pages go to where memory is short; "": they stay */
	char swap[CONFIG_NAME_MAX + 1];
	uint64_t zpool;                       /* bytes of the machine's RAM that such pages may have, packed; 0: none */
	enum config_switch hvc;               /* on: it has a virtio console beside its serial port */
	enum config_balloon balloon;          /* can its guest give memory back? */
	/* on: its console is the machine's own, one at most has it so; if none has: the first one's */
	enum config_switch console;
	struct config_module module[CONFIG_MODULES_MAX];
	unsigned modules;                     /* of them: what a Multiboot kernel gets beside the initrd */
	char boot[4];                         /* what a firmware boots from, in order; "": disks, then CD drives */
	unsigned weight;                      /* its share of the CPUs, beside those of the others */
	uint64_t migrate_every;               /* microseconds between two moves of each virtual CPU; 0: none */
	uint64_t given;                       /* BIT(enum config_key) of what was set, for the check for duplicates */
};

/* Between the words of a line. */
static inline bool config_is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* A machine of this name (which must be valid) with every default. false: error says what is wrong with the name. */
bool config_init(struct vm_config *vm, const char *name, char *error, size_t error_size);

/* Has none before the last of these machines the console, if that has it? (vm/config/console.c) */
bool config_one_console(const struct vm_config *vms, unsigned count, char *error, size_t error_size);
/* The values of on-panic, by enum config_on_panic (vm/config/panic.c). */
extern const char *const config_panics[CONFIG_PANICS];
bool config_set_on_panic(struct vm_config *vm, const char *value, char *error, size_t error_size);

/* The values of on-reset, by enum config_on_reset (vm/config/life.c). */
extern const char *const config_resets[CONFIG_RESETS];
bool config_set_on_reset(struct vm_config *vm, const char *value, char *error, size_t error_size);

/* The values of tpr, by enum config_tpr and ended by NULL (vm/config/tpr.c). */
extern const char *const config_tprs[CONFIG_TPRS + 1];
bool config_read_tpr(enum config_tpr *tpr, const char *value, char *error, size_t error_size);
bool config_set_tpr(struct vm_config *vm, const char *value, char *error, size_t error_size);

/* The same of dirty (vm/config/dirty.c). */
extern const char *const config_dirties[CONFIG_DIRTIES + 1];
bool config_read_dirty(enum config_dirty *dirty, const char *value, char *error, size_t error_size);
bool config_set_dirty(struct vm_config *vm, const char *value, char *error, size_t error_size);

#define CONFIG_MERGE_RATE_DEFAULT 5000
#define CONFIG_MERGE_RATE_MAX 10000000
#define CONFIG_MERGE_SHARE_DEFAULT 5
/* The values of merge-rate and merge-share (vm/config/merge.c). */
bool config_set_merge_rate(struct vm_config *vm, const char *value, char *error, size_t error_size);
bool config_set_merge_share(struct vm_config *vm, const char *value, char *error, size_t error_size);

/* The values of clock, weight and migrate-every (vm/config/turns.c). */
bool config_set_clock(struct vm_config *vm, const char *value, char *error, size_t error_size);
bool config_set_weight(struct vm_config *vm, const char *value, char *error, size_t error_size);
bool config_set_migrate_every(struct vm_config *vm, const char *value, char *error, size_t error_size);

/* The values of reservation, limit, zpool and swap (vm/config/memory.c). */
bool config_set_reservation(struct vm_config *vm, const char *value, char *error, size_t error_size);
bool config_set_limit(struct vm_config *vm, const char *value, char *error, size_t error_size);
bool config_set_zpool(struct vm_config *vm, const char *value, char *error, size_t error_size);
bool config_set_swap(struct vm_config *vm, const char *value, char *error, size_t error_size);
/* The values of balloon, by enum config_balloon. */
extern const char *const config_balloons[CONFIG_BALLOONS];
bool config_set_balloon(struct vm_config *vm, const char *value, char *error, size_t error_size);
/* Do these go together? */
bool config_check_memory(const struct vm_config *vm, char *error, size_t error_size);

/* The value of disk, of n characters, which adds one (vm/config/disk.c). */
bool config_set_disk(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size);
/* The value of net, of n characters, which adds one (vm/config/net.c). */
bool config_set_net(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size);
/* Writes it as it is read. */
void config_print_net(const struct config_net *net, char *buf, size_t size);
/* The value of module, of n characters, which adds one (vm/config/module.c). */
bool config_set_module(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size);
/* The values of cdrom, which adds a disk, of trace and of boot (vm/config/disk.c). */
bool config_set_cdrom(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size);
bool config_set_trace(struct vm_config *vm, const char *value, char *error, size_t error_size);
/* Letters as in QEMU's -boot, each once: c disks, d CD drives, n the network. */
bool config_set_boot(struct vm_config *vm, const char *value, char *error, size_t error_size);
/* What a disk's name on the boot image stands for: a disk of the machine's. false: it is none. */
bool config_disk_place(const char *name, unsigned *channel, unsigned *unit);

/* What can be hidden of a CPU; the names are in vm/config/features.c. */
enum config_feature {
	CONFIG_EPT, CONFIG_VPIDS, CONFIG_UNRESTRICTED, CONFIG_TPR_SHADOW, CONFIG_APIC_ACCESS,
	CONFIG_APIC_REGISTERS, CONFIG_VIRTUAL_INTERRUPTS, CONFIG_EPT_AD, CONFIG_PML, CONFIG_FEATURES
};
/* Reads names with commas between them into a set of bits. */
bool config_read_features(uint32_t *set, const char *list, char *error, size_t error_size);

/* The mechanisms' names, ended by NULL. */
extern const char *const config_mechanisms[];

/* The page sizes' names with their address bits, ended by one without a name. */
struct config_page_size {
	const char *name;
	unsigned bits;
};
extern const struct config_page_size config_page_sizes[];

/* The values of pages and ept-levels (vm/config/pages.c). */
bool config_set_pages(struct vm_config *vm, const char *value, char *error, size_t error_size);
bool config_set_ept_levels(struct vm_config *vm, const char *value, char *error, size_t error_size);

/* The values of switch-every and switch-among (vm/config/switch.c), as config_set() reads and config_print() writes
 * them. */
bool config_read_period(uint64_t *us, unsigned *exits, const char *value, char *error, size_t error_size);
void config_print_period(uint64_t us, unsigned exits, char *buf, size_t size);
bool config_read_among(char *among, const char *value, char *error, size_t error_size);
/* The next name of a list, copied to name (16 bytes); returns what is behind it, NULL at the end. */
const char *config_next_among(const char *among, char *name);

/* What can be done against speculation, by name, in the order of enum measure (host/cpu/speculation.h); ended by
 * NULL. */
#define CONFIG_MEASURES 7
extern const char *const config_measures[CONFIG_MEASURES + 1];

/* The value of mitigations (vm/config/mitigations.c). */
bool config_set_mitigations(struct vm_config *vm, const char *value, char *error, size_t error_size);
/* Writes a set of measures as config_set_mitigations() reads it. */
void config_print_measures(uint32_t measures, char *buf, size_t size);

/* Sets one key, by its name in the text form, as the text does. false: the key is not known, was set already or its
 * value makes no sense; vm is then unchanged. */
bool config_set(struct vm_config *vm, const char *key, const char *value, char *error, size_t error_size);

/* true: everything that must be given was given. */
bool config_complete(const struct vm_config *vm, char *error, size_t error_size);

/* What a machine that starts at a firmware must be (vm/config/firmware.c). */
bool config_check_firmware(const struct vm_config *vm, char *error, size_t error_size);
/* And one that goes on with a snapshot (vm/config/life.c). */
bool config_check_restore(const struct vm_config *vm, char *error, size_t error_size);

/* How many machines the text may describe: room for so many is enough for config_parse() (vm/config/life.c). */
unsigned config_count(const char *text, size_t n);

/* Reads n bytes of text (no NUL needed) into out[0 .. max). Returns how many machines it describes, at least 1, or
 * -1. */
int config_parse(const char *text, size_t n, struct vm_config *out, unsigned max, char *error, size_t error_size);

/* Writes vm's text form (vm/config/print.c), which config_parse() reads back into the same machine. Returns the length
 * of the whole text, as fmt() does. names are those to write in place of vm's own files; NULL keeps one. */
struct config_files {
	const char *kernel, *initrd, *bios, *option_rom, *vga, *restore;
};
size_t config_print(const struct vm_config *vm, const struct config_files *names, char *buf, size_t size);

#endif
