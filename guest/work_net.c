/* Two virtual machines on one network, and a third that watches. Who is who is told by the last bytes of their
 * addresses, which the hypervisor gives by number: the first sends, the second receives and answers, all others see
 * that nothing comes to them that is not for them, and try to speak as the first. With vellum.watched on its command
 * line the first one waits for one that watches before it begins. */
#define _GNU_SOURCE
#include "guest.h"
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, WORDS = CHUNK / 8, PER_MB = (1 << 20) / CHUNK, SEED = 41000, PINGS = 50, PORT = 7077,
       WATCH_PORT = 7078, PATIENCE = 600 /* tries, 100 ms apart */ };

static const char card[] = "eth0";
static unsigned char own[ETH_ALEN];

static int open_socket(int family, int type, int protocol)
{
	int s = socket(family, type, protocol);

	if (s < 0)
		fail("socket: %s", strerror(errno));
	return s;
}

static struct sockaddr_in station(unsigned n, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	a.sin_addr.s_addr = htonl(0x0a4d0001u + n); /* 10.77.0.1 and up */
	return a;
}

/* The number of this virtual machine. */
static unsigned bring_up(void)
{
	int s = open_socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { 0 };
	struct sockaddr_in address;
	unsigned number;

	strcpy(r.ifr_name, card);
	if (ioctl(s, SIOCGIFHWADDR, &r) != 0)
		fail("there is no %s: %s (net NAME in the description)", card, strerror(errno));
	memcpy(own, r.ifr_hwaddr.sa_data, ETH_ALEN);
	number = own[3] * 256u + own[4];
	address = station(number, 0);
	memcpy(&r.ifr_addr, &address, sizeof address);
	if (ioctl(s, SIOCSIFADDR, &r) != 0)
		fail("SIOCSIFADDR: %s", strerror(errno));
	address.sin_addr.s_addr = htonl(0xffffff00);
	memcpy(&r.ifr_netmask, &address, sizeof address);
	if (ioctl(s, SIOCSIFNETMASK, &r) != 0)
		fail("SIOCSIFNETMASK: %s", strerror(errno));
	r.ifr_flags = IFF_UP | IFF_RUNNING | (number > 1 ? IFF_PROMISC : 0);
	if (ioctl(s, SIOCSIFFLAGS, &r) != 0)
		fail("SIOCSIFFLAGS: %s", strerror(errno));
	close(s);
	return number;
}

static void put_all(int s, const void *from, size_t n)
{
	const char *p = from;

	for (ssize_t did; n > 0; p += did, n -= (size_t)did)
		if ((did = write(s, p, n)) <= 0)
			fail("send: %s", did < 0 ? strerror(errno) : "nothing was taken");
}

static void get_all(int s, void *to, size_t n)
{
	char *p = to;

	for (ssize_t did; n > 0; p += did, n -= (size_t)did)
		if ((did = read(s, p, n)) <= 0)
			fail("receive: %s", did < 0 ? strerror(errno) : "the other end has closed");
}

static uint16_t internet_sum(const void *data, size_t n)
{
	const uint16_t *p = data;
	uint32_t sum = 0;

	for (; n > 1; n -= 2)
		sum += *p++;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

/* ICMP echo, one after the other; the other's kernel answers. */
static void ping(void)
{
	struct { struct icmphdr head; uint64_t data[7]; } out = { .head = { .type = ICMP_ECHO } };
	unsigned char in[200];
	int s = open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct sockaddr_in to = station(1, 0);

	for (unsigned n = 0; n < PINGS; n++) {
		ssize_t got;

		out.head.un.echo.id = htons(77);
		out.head.un.echo.sequence = htons((uint16_t)n);
		fill_words(out.data, 7, SEED + n);
		out.head.checksum = 0;
		out.head.checksum = internet_sum(&out, sizeof out);
		if (sendto(s, &out, sizeof out, 0, (struct sockaddr *)&to, sizeof to) != sizeof out)
			fail("ping %u: %s", n, strerror(errno));
		do
			got = recv(s, in, sizeof in, 0);
		while (got == 20 + (ssize_t)sizeof out && in[20] != ICMP_ECHOREPLY);
		if (got != 20 + (ssize_t)sizeof out || memcmp(in + 28, out.data, sizeof out.data) != 0)
			fail("ping %u: the answer is another (%zd bytes)", n, got);
		phase_steps(1);
	}
	close(s);
}

static int connect_patiently(void)
{
	struct sockaddr_in to = station(1, PORT);

	for (int tries = 0; tries < PATIENCE; tries++) {
		int s = open_socket(AF_INET, SOCK_STREAM, 0);

		if (connect(s, (struct sockaddr *)&to, sizeof to) == 0)
			return s;
		close(s);
		usleep(100000);
	}
	fail("the other does not answer: %s", strerror(errno));
	return -1;
}

/* To all stations. */
static void say_to_all(unsigned port, const char *what)
{
	int s = open_socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	struct sockaddr_in to = station(254, port);

	setsockopt(s, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
	if (sendto(s, what, strlen(what), 0, (struct sockaddr *)&to, sizeof to) != (ssize_t)strlen(what))
		fail("%s cannot be said: %s", what, strerror(errno));
	close(s);
}

/* Until one that watches says that it does. */
static void wait_for_watcher(void)
{
	int s = open_socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(WATCH_PORT) };
	char said[8];

	if (bind(s, (struct sockaddr *)&at, sizeof at) != 0 || recv(s, said, sizeof said, 0) < 0)
		fail("nobody can be heard: %s", strerror(errno));
	close(s);
}

static uint64_t sender(uint64_t chunks)
{
	uint64_t *words = malloc(CHUNK), sum = 0, theirs;
	int s;

	if (parameter("vellum.watched") != NULL)
		wait_for_watcher();
	phase("connect");
	s = connect_patiently();
	phase("ping");
	ping();
	phase("stream");
	put_all(s, &chunks, sizeof chunks);
	for (uint64_t n = 1; n <= chunks; n++) {
		fill_words(words, WORDS, SEED + n);
		put_all(s, words, CHUNK);
		sum = fold(sum, sum_of_words(WORDS, SEED + n));
		phase_steps(1);
	}
	get_all(s, &theirs, sizeof theirs);
	phase("end");
	if (theirs != sum)
		fail("they have read another sum: %016llx", (unsigned long long)theirs);
	say_to_all(PORT, "end");
	close(s);
	free(words);
	return sum;
}

static uint64_t receiver(void)
{
	int listener = open_socket(AF_INET, SOCK_STREAM, 0), s;
	struct sockaddr_in at = station(1, PORT);
	uint64_t *words = malloc(CHUNK), sum = 0, chunks;

	if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1) != 0)
		fail("listen: %s", strerror(errno));
	s = accept(listener, NULL, NULL);
	if (s < 0)
		fail("accept: %s", strerror(errno));
	get_all(s, &chunks, sizeof chunks);
	phase("stream");
	for (uint64_t n = 1; n <= chunks; n++) {
		get_all(s, words, CHUNK);
		sum = fold(sum, check_words(words, WORDS, SEED + n, "what was sent"));
		phase_steps(1);
	}
	put_all(s, &sum, sizeof sum);
	phase("end");
	if (read(s, words, 1) != 0)
		fail("there is more than was to be sent");
	free(words);
	return sum;
}

/* One frame, from another; its length. Says that it watches, ten times a second, until one comes. */
static size_t next_frame(int s, unsigned char *frame, size_t room)
{
	for (;;) {
		struct sockaddr_ll from;
		socklen_t size = sizeof from;
		ssize_t n = recvfrom(s, frame, room, 0, (struct sockaddr *)&from, &size);

		if (n < 0 && errno == EAGAIN)
			say_to_all(WATCH_PORT, "watch");
		else if (n < ETH_HLEN)
			fail("%s: %s", card, strerror(errno));
		else if (from.sll_pkttype != PACKET_OUTGOING)
			return (size_t)n;
	}
}

/* Every frame that comes, until the end is said; none may be for another. */
static uint64_t watcher(uint64_t chunks)
{
	int s = open_socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(card) };
	struct timeval while_ = { .tv_usec = 100000 };
	/* As if it were the first one's, to the second. */
	unsigned char frame[2048] = { 0x52, 0x54, 0, 0, 1, 1, 0x52, 0x54, 0, 0, 0, 1, 0x88, 0xb5 };
	uint64_t sum = 0;
	size_t n;

	if (bind(s, (struct sockaddr *)&at, sizeof at) != 0 || send(s, frame, 60, 0) != 60 ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &while_, sizeof while_) != 0)
		fail("%s: %s", card, strerror(errno));
	do {
		n = next_frame(s, frame, sizeof frame);
		if (!(frame[0] & 1) && memcmp(frame, own, ETH_ALEN) != 0)
			fail("a frame for another has come: %02x:%02x:%02x:%02x:%02x:%02x", frame[0], frame[1],
			     frame[2], frame[3], frame[4], frame[5]);
	} while (!(frame[0] & 1) || n < 45 || memcmp(frame + 42, "end", 3) != 0);
	for (uint64_t k = 1; k <= chunks; k++)
		sum = fold(sum, sum_of_words(WORDS, SEED + k));
	return sum;
}

uint64_t net_workload(uint32_t size)
{
	uint64_t chunks = (uint64_t)size * PER_MB;
	unsigned number = bring_up();

	if (number == 0)
		return sender(chunks);
	return number == 1 ? receiver() : watcher(chunks);
}
