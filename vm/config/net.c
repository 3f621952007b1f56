/* vm/config/net.c - the value of net: NAME[,mac=XX:XX:XX:XX:XX:XX]. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/hex.h"
#include "lib/mutants/mutate.h"

#define GROUP 1u /* in the first byte: the address of several stations */

static bool name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* Six bytes with colons between them, and nothing else. */
static bool read_address(uint8_t *address, const char *p, size_t n)
{
	if (n != 17)
		return false;
	for (unsigned i = 0; i < 6; i++, p += 3) {
		int high = hex_value(p[0]), low = hex_value(p[1]);

		if (high < 0 || low < 0 || (i < 5 && p[2] != ':'))
			return false;
		address[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* IEEE 802.3, "Address fields": the first bit says that the address is a group's. */
static bool is_station(const uint8_t *address)
{
	static const uint8_t none[6];

	return !VM_KEPT(CONFIG_NET_GROUP, address[0] & GROUP) &&
	       !VM_KEPT(CONFIG_NET_ZERO, memcmp(address, none, sizeof(none)) == 0);
}

bool config_set_net(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size)
{
	struct config_net net = { .address_given = false };
	size_t name = 0;

	if (VM_KEPT(CONFIG_NETS, vm->nets == CONFIG_NETS_MAX)) {
		fmt(error, error_size, "machine %s has more than %d network cards", vm->name, CONFIG_NETS_MAX);
		return false;
	}
	while (name < n && name_char(value[name]))
		name++;
	net.address_given = n - name > 5 && memcmp(value + name, ",mac=", 5) == 0;
	if (VM_KEPT(CONFIG_NET_NAME, !name || name > CONFIG_NAME_MAX) || (name < n && !net.address_given)) {
		fmt(error, error_size, "net needs the name of a network, of 1 to %d letters, digits, - and "
		    "_, and behind it perhaps ,mac= and an address, not \"%.*s\"", CONFIG_NAME_MAX,
		    (int)min_u64(n, 40), value);
		return false;
	}
	if (net.address_given &&
	    (!read_address(net.address, value + name + 5, n - name - 5) || !is_station(net.address))) {
		fmt(error, error_size, "mac must be the address of one station, as 52:54:00:12:34:56, not \"%.*s\"",
		    (int)min_u64(n - name - 5, 40), value + name + 5);
		return false;
	}
	memcpy(net.name, value, name);
	vm->net[vm->nets++] = net;
	return true;
}

void config_print_net(const struct config_net *net, char *buf, size_t size)
{
	const uint8_t *a = net->address;

	if (net->address_given)
		fmt(buf, size, "%s,mac=%02x:%02x:%02x:%02x:%02x:%02x", net->name, a[0], a[1], a[2], a[3], a[4], a[5]);
	else
		fmt(buf, size, "%s", net->name);
}
