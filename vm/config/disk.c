/* vm/config/disk.c - the value of disk: NAME[,ro][,snapshot]. */
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

bool config_set_disk(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size)
{
	struct config_disk *d = &vm->disk[vm->disks];
	bool read_only = false, snapshot = false;

	if (VM_KEPT(CONFIG_DISKS, vm->disks == CONFIG_DISKS_MAX)) {
		fmt(error, error_size, "machine %s has more than %d disks", vm->name, CONFIG_DISKS_MAX);
		return false;
	}
	for (bool some = true; some;) {
		some = false;
		if (take_word(value, &n, "ro"))
			some = read_only = true;
		else if (take_word(value, &n, "snapshot"))
			some = snapshot = true;
	}
	if (VM_KEPT(CONFIG_DISK_NAME, n == 0 || n > CONFIG_FILE_MAX)) {
		fmt(error, error_size, "disk needs the name of a file, of at most %d characters", CONFIG_FILE_MAX);
		return false;
	}
	if (VM_KEPT(CONFIG_DISK_BOTH, read_only && snapshot)) {
		fmt(error, error_size, "a disk is ro or snapshot, not both: what cannot be written needs no snapshot");
		return false;
	}
	memcpy(d->name, value, n);
	d->name[n] = 0;
	d->read_only = read_only;
	d->snapshot = snapshot;
	vm->disks++;
	return true;
}

/* "ideC.D": disk D of channel C, as the controller counts them. */
bool config_disk_place(const char *name, unsigned *channel, unsigned *unit)
{
	if (strncmp(name, "ide", 3) != 0 || (name[3] != '0' && name[3] != '1') || name[4] != '.' ||
	    (name[5] != '0' && name[5] != '1') || name[6])
		return false;
	*channel = (unsigned)(name[3] - '0');
	*unit = (unsigned)(name[5] - '0');
	return true;
}
