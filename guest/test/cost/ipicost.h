/* guest/test/cost/ipicost.h - where the other processor of ipicost finds what, in memory that the loader leaves
 * alone. */
#define AP_AT 0x8000
#define AP_STACK 0xb000
#define AP_IDT 0xb000
#define AP_SHARE 0xc000

#define SHARE_READY 0
#define SHARE_LAST 4   /* TSC: of its last round */
#define SHARE_SLEEP 8  /* is it to sleep? */
#define SHARE_GOT 12   /* TSC: of the handler's first instruction */
#define SHARE_COUNT 16 /* interrupts that it has had */
#define SHARE_BEFORE 20 /* SHARE_LAST, when it got the last of them */
#define SHARE_ROUNDS 24 /* rounds of ROUND instructions */
#define ROUND 5
#define HANDLER 17      /* instructions of its handler */
#define HANDLED 12      /* of those, up to the one that says that it came */
