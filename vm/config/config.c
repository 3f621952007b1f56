/* vm/config/config.c - the description of virtual machines (vm/config/config.h; docs/protocol.md has the grammar). */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

/* A piece of text that no NUL ends. */
struct text {
	const char *p;
	size_t n;
};

/* What a key's value is checked by: text for file names and command lines, a NUL-terminated word for all else. Writes
 * *vm only on success. */
typedef bool set_text_fn(struct vm_config *vm, struct text value, char *error, size_t error_size);
typedef bool set_word_fn(struct vm_config *vm, const char *value, char *error, size_t error_size);

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool text_is(struct text t, const char *word) { return t.n == strlen(word) && memcmp(t.p, word, t.n) == 0; }
static bool copy_text(char *dst, size_t max, const char *what, struct text value, char *error, size_t error_size)
{
	if (VM_KEPT(CONFIG_LONG, value.n > max)) {
		fmt(error, error_size, "%s is too long: %zu characters, at most %zu are possible", what, value.n, max);
		return false;
	}
	memcpy(dst, value.p, value.n);
	dst[value.n] = 0;
	return true;
}

static bool set_file(char *dst, const char *key, struct text value, char *error, size_t error_size)
{
	if (VM_KEPT(CONFIG_NO_FILE, value.n == 0)) {
		fmt(error, error_size, "%s needs the name of a file", key);
		return false;
	}
	return copy_text(dst, CONFIG_FILE_MAX, "the file's name", value, error, error_size);
}

static bool set_append(struct vm_config *vm, struct text value, char *error, size_t error_size)
{
	return copy_text(vm->append, CONFIG_APPEND_MAX, "the command line", value, error, error_size);
}

static bool set_disk(struct vm_config *vm, struct text value, char *error, size_t error_size)
{
	return config_set_disk(vm, value.p, value.n, error, error_size);
}

static bool set_net(struct vm_config *vm, struct text value, char *error, size_t error_size)
{
	return config_set_net(vm, value.p, value.n, error, error_size);
}

static bool set_module(struct vm_config *vm, struct text value, char *error, size_t error_size)
{
	return config_set_module(vm, value.p, value.n, error, error_size);
}

static bool set_cdrom(struct vm_config *vm, struct text value, char *error, size_t error_size)
{
	return config_set_cdrom(vm, value.p, value.n, error, error_size);
}

/* Reads decimal digits that stand at **p and moves *p behind them. false: none, or more than 64 bits. */
static bool read_number(const char **p, uint64_t *out)
{
	uint64_t n = 0;

	if (!is_digit(**p))
		return false;
	for (; is_digit(**p); (*p)++) {
		unsigned digit = (unsigned)(**p - '0');

		if (VM_KEPT(CONFIG_NUMBER, n > (UINT64_MAX - digit) / 10))
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return true;
}

static unsigned unit_bits(char c)
{
	switch (c) {
	case 'K': case 'k': return 10;
	case 'M': case 'm': return 20;
	case 'G': case 'g': return 30;
	case '\0': return 20; /* as QEMU's -m has it */
	default: return 0;
	}
}

static bool set_mem(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	const char *p = value;
	uint64_t n;
	unsigned bits;

	if (!read_number(&p, &n) || !(bits = unit_bits(*p)) || VM_KEPT(CONFIG_MEM_UNIT, *p && p[1])) {
		fmt(error, error_size, "mem must be a number of megabytes, or with K, M or G, not \"%.40s\"", value);
		return false;
	}
	if (VM_KEPT(CONFIG_MEM_MOST, n > CONFIG_MEM_MAX >> bits)) {
		fmt(error, error_size, "mem %.40s is too much: at most %lluG are possible", value,
		    CONFIG_MEM_MAX >> 30);
		return false;
	}
	n <<= bits;
	if (VM_KEPT(CONFIG_MEM_LEAST, n < CONFIG_MEM_MIN)) {
		fmt(error, error_size, "mem %.40s is too little: a machine needs at least %lluM", value,
		    CONFIG_MEM_MIN >> 20);
		return false;
	}
	if (VM_KEPT(CONFIG_MEM_PAGES, n % PAGE_SIZE)) {
		fmt(error, error_size, "mem %.40s is not a multiple of 4K", value);
		return false;
	}
	vm->mem = n;
	return true;
}

static bool set_vcpus(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	const char *p = value;
	uint64_t n;

	if (!read_number(&p, &n) || *p || VM_KEPT(CONFIG_VCPUS_RANGE, n == 0 || n > CONFIG_VCPUS_MAX)) {
		fmt(error, error_size, "vcpus must be a number from 1 to %u, not \"%.40s\"", CONFIG_VCPUS_MAX, value);
		return false;
	}
	vm->vcpus = (unsigned)n;
	return true;
}

static bool set_mmu(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	char known[64];
	size_t at = 0;

	for (size_t i = 0; config_mechanisms[i]; i++) {
		if (strcmp(value, config_mechanisms[i]) == 0)
			return copy_text(vm->mmu, sizeof(vm->mmu) - 1, "the mechanism",
					 (struct text){ value, strlen(value) }, error, error_size);
		at += fmt(known + at, sizeof(known) - at, "%s%s", i ? ", " : "", config_mechanisms[i]);
	}
	fmt(error, error_size, "there is no mmu mechanism \"%.40s\"; there is: %s", value, known);
	return false;
}

static bool read_switch(bool *on, const char *key, const char *value, char *error, size_t error_size)
{
	if ((*on = strcmp(value, "on") == 0) || strcmp(value, "off") == 0)
		return true;
	fmt(error, error_size, "%s must be on or off, not \"%.40s\"", key, value);
	return false;
}

static bool set_choice(enum config_switch *choice, const char *key, const char *value, char *error, size_t error_size)
{
	bool on;

	if (!read_switch(&on, key, value, error, error_size))
		return false;
	*choice = on ? CONFIG_ON : CONFIG_OFF;
	return true;
}

static bool set_testdev(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	bool on;

	if (!read_switch(&on, "testdev", value, error, error_size))
		return false;
	vm->testdev = on;
	return true;
}

static bool set_switch_every(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	return config_read_period(&vm->switch_every, &vm->switch_exits, value, error, error_size);
}

static bool set_switch_among(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	return config_read_among(vm->switch_among, value, error, error_size);
}

static const struct {
	const char *name;
	set_text_fn *text;
	set_word_fn *word;
	size_t choice; /* of an enum config_switch */
	size_t file;   /* of a file's name */
	bool many;     /* it may be given again, for one more */
} keys[CONFIG_KEYS] = {
	[CONFIG_KERNEL] = { "kernel", .file = offsetof(struct vm_config, kernel) },
	[CONFIG_INITRD] = { "initrd", .file = offsetof(struct vm_config, initrd) },
	[CONFIG_APPEND] = { "append", .text = set_append },
	[CONFIG_MEM] = { "mem", .word = set_mem }, [CONFIG_VCPUS] = { "vcpus", .word = set_vcpus },
	[CONFIG_MMU] = { "mmu", .word = set_mmu }, [CONFIG_PAGES] = { "pages", .word = config_set_pages },
	[CONFIG_EPT_LEVELS] = { "ept-levels", .word = config_set_ept_levels },
	[CONFIG_VPID] = { "vpid", .choice = offsetof(struct vm_config, vpid) },
	[CONFIG_RUN_UNRESTRICTED] = { "unrestricted", .choice = offsetof(struct vm_config, unrestricted) },
	[CONFIG_VM86] = { "vm86", .choice = offsetof(struct vm_config, vm86) },
	[CONFIG_PREALLOC] = { "prealloc", .choice = offsetof(struct vm_config, prealloc) },
	[CONFIG_MERGE] = { "merge", .choice = offsetof(struct vm_config, merge) },
	[CONFIG_MERGE_RATE] = { "merge-rate", .word = config_set_merge_rate },
	[CONFIG_MERGE_SHARE] = { "merge-share", .word = config_set_merge_share },
	[CONFIG_RDRAND] = { "rdrand", .choice = offsetof(struct vm_config, rdrand) },
	[CONFIG_TESTDEV] = { "testdev", .word = set_testdev },
	[CONFIG_SWITCH] = { "switch", .choice = offsetof(struct vm_config, may_switch) },
	[CONFIG_SWITCH_EVERY] = { "switch-every", .word = set_switch_every },
	[CONFIG_SWITCH_AMONG] = { "switch-among", .word = set_switch_among },
	[CONFIG_MITIGATIONS] = { "mitigations", .word = config_set_mitigations },
	[CONFIG_DIRTY] = { "dirty", .word = config_set_dirty }, [CONFIG_TPR] = { "tpr", .word = config_set_tpr },
	[CONFIG_RESERVATION] = { "reservation", .word = config_set_reservation },
	[CONFIG_ZPOOL] = { "zpool", .word = config_set_zpool }, [CONFIG_LIMIT] = { "limit", .word = config_set_limit },
	[CONFIG_SWAP] = { "swap", .word = config_set_swap }, [CONFIG_WEIGHT] = { "weight", .word = config_set_weight },
	[CONFIG_MIGRATE_EVERY] = { "migrate-every", .word = config_set_migrate_every },
	[CONFIG_ON_PANIC] = { "on-panic", .word = config_set_on_panic },
	[CONFIG_CLOCK] = { "clock", .word = config_set_clock },
	[CONFIG_ON_RESET] = { "on-reset", .word = config_set_on_reset },
	[CONFIG_BIOS] = { "bios", .file = offsetof(struct vm_config, bios) },
	[CONFIG_OPTION_ROM] = { "option-rom", .file = offsetof(struct vm_config, option_rom) },
	[CONFIG_VGA] = { "vga", .file = offsetof(struct vm_config, vga) },
	[CONFIG_RESTORE] = { "restore", .file = offsetof(struct vm_config, restore) },
	[CONFIG_DISK] = { "disk", .text = set_disk, .many = true },
	[CONFIG_CDROM] = { "cdrom", .text = set_cdrom, .many = true },
	[CONFIG_MODULE] = { "module", .text = set_module, .many = true },
	[CONFIG_BOOT] = { "boot", .word = config_set_boot }, [CONFIG_TRACE] = { "trace", .word = config_set_trace },
	[CONFIG_NET] = { "net", .text = set_net, .many = true },
	[CONFIG_RNG] = { "rng", .choice = offsetof(struct vm_config, rng) },
	[CONFIG_DETAIL] = { "detail", .choice = offsetof(struct vm_config, detail) },
	[CONFIG_BALLOON] = { "balloon", .word = config_set_balloon },
	[CONFIG_HVC] = { "hvc", .choice = offsetof(struct vm_config, hvc) },
	[CONFIG_CONSOLE] = { "console", .choice = offsetof(struct vm_config, console) },
	[CONFIG_PAUSED] = { "paused", .choice = offsetof(struct vm_config, paused) },
	[CONFIG_START] = { "start", .choice = offsetof(struct vm_config, start) },
};

/* What stands in a text is shown and written again line by line: a control character in it is a mistake or an
 * attack. */
static bool printable(struct text t, bool tabs)
{
	for (size_t i = 0; i < t.n; i++)
		if (((unsigned char)t.p[i] < 0x20 && !(tabs && t.p[i] == '\t')) || t.p[i] == 0x7f)
			return false;
	return true;
}

static bool name_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static bool init_machine(struct vm_config *vm, struct text name, char *error, size_t error_size)
{
	memset(vm, 0, sizeof(*vm));
	if (!printable(name, false)) {
		fmt(error, error_size, "a machine's name holds a control character");
		return false;
	}
	for (size_t i = 0; i < name.n; i++) {
		if (VM_KEPT(CONFIG_NAME_CHARS, !name_char(name.p[i]))) {
			fmt(error, error_size, "a machine's name is made of letters, digits, - and _, not \"%.*s\"",
			    (int)min_u64(name.n, 40), name.p);
			return false;
		}
	}
	if (VM_KEPT(CONFIG_NAME_LENGTH, name.n == 0 || name.n > CONFIG_NAME_MAX)) {
		fmt(error, error_size, "a machine's name has 1 to %d characters, not %zu", CONFIG_NAME_MAX, name.n);
		return false;
	}
	memcpy(vm->name, name.p, name.n);
	vm->mem = CONFIG_MEM_DEFAULT;
	vm->vcpus = 1;
	vm->weight = CONFIG_WEIGHT_DEFAULT;
	return true;
}

bool config_init(struct vm_config *vm, const char *name, char *error, size_t error_size)
{
	return init_machine(vm, (struct text){ name, strlen(name) }, error, error_size);
}

static bool set_word(struct vm_config *vm, unsigned key, struct text value, char *error, size_t error_size)
{
	char word[CONFIG_SWITCH_AMONG_MAX + 1];

	if (!copy_text(word, sizeof(word) - 1, keys[key].name, value, error, error_size))
		return false;
	if (keys[key].word)
		return keys[key].word(vm, word, error, error_size);
	return set_choice((enum config_switch *)((char *)vm + keys[key].choice), keys[key].name, word, error,
			  error_size);
}

static bool set_value(struct vm_config *vm, unsigned key, struct text value, char *error, size_t error_size)
{
	bool ok;

	if (VM_KEPT(CONFIG_TWICE, (vm->given & BIT(key)) && !keys[key].many)) {
		fmt(error, error_size, "%s is given twice for machine %s", keys[key].name, vm->name);
		return false;
	}
	if (VM_KEPT(CONFIG_CONTROL, !printable(value, keys[key].text || keys[key].file))) {
		fmt(error, error_size, "the value of %s holds a control character", keys[key].name);
		return false;
	}
	if (keys[key].file)
		ok = set_file((char *)vm + keys[key].file, keys[key].name, value, error, error_size);
	else
		ok = keys[key].text ? keys[key].text(vm, value, error, error_size)
				    : set_word(vm, key, value, error, error_size);
	if (ok)
		vm->given |= BIT(key);
	return ok;
}

static bool set_key(struct vm_config *vm, struct text key, struct text value, char *error, size_t error_size)
{
	for (unsigned i = 0; i < CONFIG_KEYS; i++)
		if (text_is(key, keys[i].name))
			return set_value(vm, i, value, error, error_size);
	fmt(error, error_size, "unknown key \"%.*s\"", (int)min_u64(key.n, 40), key.p);
	return false;
}

bool config_set(struct vm_config *vm, const char *key, const char *value, char *error, size_t error_size)
{
	return set_key(vm, (struct text){ key, strlen(key) }, (struct text){ value, strlen(value) }, error, error_size);
}

bool config_complete(const struct vm_config *vm, char *error, size_t error_size)
{
	if (VM_KEPT(CONFIG_NO_KERNEL, !vm->kernel[0] && !vm->bios[0] && !vm->restore[0])) {
		fmt(error, error_size, "machine %s has no kernel", vm->name);
		return false;
	}
	if (!config_check_firmware(vm, error, error_size) || !config_check_restore(vm, error, error_size) ||
	    !config_check_memory(vm, error, error_size))
		return false;
	if (VM_KEPT(CONFIG_SWITCH_OFF, vm->may_switch == CONFIG_OFF && (vm->switch_every || vm->switch_exits))) {
		fmt(error, error_size, "machine %s has switch-every, and switch off, which forbids it", vm->name);
		return false;
	}
	if (VM_KEPT(CONFIG_AMONG_ALONE, vm->switch_among[0] && !vm->switch_every && !vm->switch_exits)) {
		fmt(error, error_size,
		    "machine %s has switch-among, but no switch-every that would go through the list", vm->name);
		return false;
	}
	/* A clock that stands still while its one CPU does not run has no meaning for two that run side by side. */
	if (VM_KEPT(CONFIG_CLOCK_OF_ONE, vm->guest_clock && vm->vcpus > 1)) {
		fmt(error, error_size,
		    "machine %s has clock guest and %u vcpus: only the clock of a machine with one can stand still; "
		    "use clock host", vm->name, vm->vcpus);
		return false;
	}
	return true;
}

/* ---- the text ---- */

struct parser {
	struct vm_config *out;
	unsigned max;
	unsigned count;
	unsigned line;
	char *error; /* where the sentence goes, behind "line N: " */
	size_t error_size;
};

static bool start_machine(struct parser *p, struct text name)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (VM_KEPT(CONFIG_SAME_NAME, text_is(name, p->out[i].name))) {
			fmt(p->error, p->error_size, "there are two machines named %s", p->out[i].name);
			return false;
		}
	}
	if (VM_KEPT(CONFIG_COMPLETE, p->count > 0 && !config_complete(&p->out[p->count - 1], p->error, p->error_size)))
		return false;
	if (VM_KEPT(CONFIG_MOST, p->count == p->max)) {
		fmt(p->error, p->error_size, "there are more than %u machines", p->max);
		return false;
	}
	return init_machine(&p->out[p->count++], name, p->error, p->error_size);
}

/* Takes the blanks off both ends. */
static struct text trim(struct text t)
{
	while (t.n && config_is_blank(t.p[0]))
		t = (struct text){ t.p + 1, t.n - 1 };
	while (t.n && config_is_blank(t.p[t.n - 1]))
		t.n--;
	return t;
}

static bool parse_line(struct parser *p, struct text line)
{
	struct text key, value;

	line = trim(line);
	key = (struct text){ line.p, 0 };
	if (line.n == 0 || line.p[0] == '#')
		return true;
	while (key.n < line.n && !config_is_blank(line.p[key.n]))
		key.n++;
	value = trim((struct text){ line.p + key.n, line.n - key.n });
	if (VM_KEPT(CONFIG_CONTROL_KEY, !printable(key, false))) {
		fmt(p->error, p->error_size, "the line holds a control character: this is not a text");
		return false;
	}
	if (text_is(key, "vm"))
		return start_machine(p, value);
	if (VM_KEPT(CONFIG_BEFORE, p->count == 0)) {
		fmt(p->error, p->error_size, "\"%.*s\" stands before the first \"vm NAME\"", (int)min_u64(key.n, 40),
		    key.p);
		return false;
	}
	return set_key(&p->out[p->count - 1], key, value, p->error, p->error_size) &&
	       config_one_console(p->out, p->count, p->error, p->error_size);
}

static struct text next_line(struct text rest)
{
	struct text line = { rest.p, 0 };

	while (line.n < rest.n && rest.p[line.n] != '\n')
		line.n++;
	return line;
}

int config_parse(const char *text, size_t n, struct vm_config *out, unsigned max, char *error, size_t error_size)
{
	char message[160];
	struct parser p = { .out = out, .max = max, .error = message, .error_size = sizeof(message) };
	struct text line;
	bool ok = true;

	for (size_t at = 0; ok && at < n; at += line.n + 1) {
		p.line++;
		line = next_line((struct text){ text + at, n - at });
		ok = parse_line(&p, line);
	}
	if (VM_KEPT(CONFIG_NONE, ok && p.count == 0)) {
		fmt(error, error_size, "the description has no machine in it: it must begin with \"vm NAME\"");
		return -1;
	}
	if (ok)
		ok = config_complete(&out[p.count - 1], message, sizeof(message));
	if (!ok) {
		fmt(error, error_size, "line %u: %s", p.line, message);
		return -1;
	}
	return (int)p.count;
}
