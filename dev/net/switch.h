/* dev/net/switch.h - Ethernet between virtual machines: networks, their ports, and the switch that joins those of one.
 *
 * Which ports a network has is fixed before the first frame. Anybody may send at any time, on any CPU; of a port that
 * is not its own, it touches the backlog and no more.
 *
 *   NS1  A frame comes from a port, or from outside, with no source address but its own: a port's is the port's.
 *   NS2  A frame for one station goes to the port that has its address, and to no other; where none has, to the uplink,
 *        or nowhere. None goes back to where it came from.
 *   NS3  A backlog has NET_BACKLOG frames. One more is dropped and counted, and who sends it waits for nothing.
 *   NS4  Who puts a frame into a backlog notices its owner, unless that has been noticed since it last looked. */
#ifndef VELLUM_DEV_NET_SWITCH_H
#define VELLUM_DEV_NET_SWITCH_H

#include "lib/base.h"

/* IEEE 802.3, "MAC frame format", without preamble and FCS: two addresses and a type; with a VLAN tag. */
#define NET_ADDRESS 6
#define NET_SOURCE 6 /* offset */
#define NET_FRAME_MIN 14
#define NET_FRAME_MAX 1518
#define NET_GROUP 1u /* in the first byte of an address: of several stations */
#define NET_HEADROOM 16 /* before a frame, for its reader */
#define NET_BACKLOG 128
#define NET_PORTS_MAX 64

struct net_frame {
	uint32_t ready;
	uint32_t bytes;
	uint8_t whole[NET_HEADROOM + NET_FRAME_MAX];
};

static inline uint8_t *net_data(struct net_frame *f) { return f->whole + NET_HEADROOM; }

/* A(what) for each, as they stand in the account of a run; from the guest's point of view. */
#define NET_ACCOUNT(A) \
	A(sent) A(bytes_sent) A(received) A(bytes_received) A(dropped_full) A(dropped_source) A(dropped_unknown) \
	A(dropped_malformed)
struct net_account {
#define A(what) uint64_t what;
	NET_ACCOUNT(A)
#undef A
};

struct net_port {
	struct net *net;
	uint8_t address[NET_ADDRESS];
	/* From any CPU, with no lock but what the sender holds: there are frames (NS4); and half of the backlog is. */
	void (*notice)(void *ctx);
	void (*crowded)(void *ctx);
	void *ctx;
	struct net_account account; /* .dropped_full is changed atomically, the rest is the owner's */
	/* By atomic operations: */
	bool open;     /* somebody reads it */
	bool noticed;
	uint32_t head; /* frames that have been put there, and */
	uint32_t tail; /* taken */
	struct net_frame backlog[NET_BACKLOG];
};

struct net {
	struct net_port *port[NET_PORTS_MAX];
	unsigned ports;
	/* NULL, or: sends a frame outside. false: it was dropped. From any CPU. */
	bool (*uplink)(const uint8_t *frame, uint32_t bytes);
};

/* Puts a port with this address, of which all else is zero, on a network. false: that has NET_PORTS_MAX, or the address
 * is another's. */
bool net_join(struct net *net, struct net_port *port, const uint8_t *address);
/* The port's owner begins and ends to read; what is in the backlog is thrown away. */
void net_open(struct net_port *port);
void net_close(struct net_port *port);
/* The port's owner sends a frame. What does not fit is dropped, and counted. */
void net_send(struct net_port *port, const uint8_t *frame, uint32_t bytes);
/* A frame has come from outside. */
void net_from_outside(struct net *net, const uint8_t *frame, uint32_t bytes);

/* What follows is for the port's owner. What comes from now on is noticed, and: what comes need not be noticed. */
void net_look(struct net_port *port);
void net_hush(struct net_port *port);
/* The next frame, which stays where it is until it is taken; NULL: there is none. */
struct net_frame *net_first(struct net_port *port);
void net_take(struct net_port *port);
/* How many are there. */
uint32_t net_waiting(const struct net_port *port);
/* All that are there are dropped, and counted as those are for which there is no room. */
void net_discard(struct net_port *port);

#endif
