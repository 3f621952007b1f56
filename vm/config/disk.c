/* vm/config/disk.c - the values of disk, NAME[,if=ide|,if=pflash][,ro][,snapshot], of cdrom, a name, and of boot. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

/* Takes ",WORD" off the end of a text of *n characters, if it is there. */
static bool take_word(const char *p, size_t *n, const char *word)
{
	size_t length = strlen(word);

	if (*n <= length || p[*n - length - 1] != ',' || memcmp(p + *n - length, word, length) != 0)
		return false;
	*n -= length + 1;
	return true;
}

/* What is said of a disk behind its name. */
struct words {
	bool read_only, snapshot, ide, flash, cd;
};

static struct words take_words(const char *p, size_t *n)
{
	struct words w = { false };

	for (bool some = true; some;) {
		some = true;
		if (take_word(p, n, "ro"))
			w.read_only = true;
		else if (take_word(p, n, "snapshot"))
			w.snapshot = true;
		else if (take_word(p, n, "if=ide"))
			w.ide = true;
		else if (take_word(p, n, "if=pflash"))
			w.flash = true;
		else if (!take_word(p, n, "if=virtio"))
			some = false;
	}
	return w;
}

/* Is there an interface left that is none of these? */
static bool odd_interface(const char *p, size_t n)
{
	static const char word[] = ",if=";

	for (size_t i = 0; i + sizeof(word) - 1 <= n; i++)
		if (memcmp(p + i, word, sizeof(word) - 1) == 0)
			return true;
	return false;
}

static bool add(struct vm_config *vm, const char *key, const char *name, size_t n, struct words w, char *error,
		size_t error_size)
{
	struct config_disk *d = &vm->disk[vm->disks];

	if (VM_KEPT(CONFIG_DISKS, vm->disks == CONFIG_DISKS_MAX)) {
		fmt(error, error_size, "machine %s has more than %d disks", vm->name, CONFIG_DISKS_MAX);
		return false;
	}
	if (VM_KEPT(CONFIG_DISK_NAME, n == 0 || n > CONFIG_FILE_MAX)) {
		fmt(error, error_size, "%s needs the name of a file, of at most %d characters", key, CONFIG_FILE_MAX);
		return false;
	}
	memcpy(d->name, name, n);
	d->name[n] = 0;
	d->read_only = w.read_only;
	d->snapshot = w.snapshot;
	d->ide = w.ide;
	d->flash = w.flash;
	d->cd = w.cd;
	vm->disks++;
	return true;
}

bool config_set_disk(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size)
{
	struct words w = take_words(value, &n);

	if (VM_KEPT(CONFIG_DISK_INTERFACE, odd_interface(value, n))) {
		fmt(error, error_size, "a disk's interface is if=virtio, if=ide or if=pflash, not \"%.*s\"",
		    (int)min_u64(n, 40), value);
		return false;
	}
	if (VM_KEPT(CONFIG_FLASH_IDE, w.flash && w.ide)) {
		fmt(error, error_size, "a disk has one interface, if=ide or if=pflash, not both");
		return false;
	}
	if (VM_KEPT(CONFIG_DISK_BOTH, w.read_only && w.snapshot)) {
		fmt(error, error_size, "a disk is ro or snapshot, not both: what cannot be written needs no snapshot");
		return false;
	}
	return add(vm, "disk", value, n, w, error, error_size);
}

bool config_set_cdrom(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size)
{
	return add(vm, "cdrom", value, n, (struct words){ .read_only = true, .ide = true, .cd = true }, error,
		   error_size);
}

bool config_set_boot(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	static const char letters[] = "cdn";
	size_t n = strlen(value);
	bool good = n >= 1 && n < sizeof(vm->boot);

	for (size_t i = 0; good && i < n; i++) {
		bool known = false;

		for (size_t k = 0; letters[k]; k++)
			known |= letters[k] == value[i];
		for (size_t k = 0; k < i; k++)
			known &= value[k] != value[i];
		good = known;
	}
	if (VM_KEPT(CONFIG_BOOT_ORDER, !good)) {
		fmt(error, error_size, "boot is an order of c (disks), d (CD drives) and n (network), each once, not "
		    "\"%.40s\"", value);
		return false;
	}
	memcpy(vm->boot, value, n + 1);
	return true;
}

/* "ideC.D": disk D of channel C, as the controller counts them; "sataP": that at port P of an AHCI controller, whose
 * channels come behind. */
bool config_disk_place(const char *name, unsigned *channel, unsigned *unit)
{
	if (strncmp(name, "sata", 4) == 0 && name[4] >= '0' && name[4] < '0' + CONFIG_SATA_PORTS && !name[5]) {
		*channel = CONFIG_IDE_CHANNELS + (unsigned)(name[4] - '0');
		*unit = 0;
		return true;
	}
	if (strncmp(name, "ide", 3) != 0 || (name[3] != '0' && name[3] != '1') || name[4] != '.' ||
	    (name[5] != '0' && name[5] != '1') || name[6])
		return false;
	*channel = (unsigned)(name[3] - '0');
	*unit = (unsigned)(name[5] - '0');
	return true;
}

bool config_set_trace(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	unsigned channel, unit;

	if (VM_KEPT(CONFIG_TRACE_PLACE, !config_disk_place(value, &channel, &unit))) {
		fmt(error, error_size, "trace is the place of a disk, " CONFIG_DISK_PLACES ", not \"%.40s\"",
		    value);
		return false;
	}
	fmt(vm->trace, sizeof(vm->trace), "%s", value);
	return true;
}
