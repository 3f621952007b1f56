/* lib/mutants/live.h - mutants (lib/mutants/mutate.h) of moves to another container (vm/live/). */
#ifndef VELLUM_LIB_MUTANTS_LIVE_H
#define VELLUM_LIB_MUTANTS_LIVE_H

#define VM_MUTANTS_LIVE(M) \
	M(STAND_HOLDS, "that one that stands for a move is not let go on by others") \
	M(STAND_PAUSED, "that it is paused behind it, if it was, or is to be") \
	M(STATE_STANDS, "saying what it is beside that") \
	M(SECOND_NETLESS, "that a second container has no network") \
	M(NET_ITS_OWN, "that who is given back takes his own ports only") \
	M(MOVED_UNTOLD, "that who was left tells no account") \
	M(LIVE_FORGOTTEN, "ending a move of what is given back") \
	M(LIVE_ZERO, "that what is zero, or nothing, takes no memory in the new container") \
	M(LIVE_REQUESTS, "what was asked of a virtual CPU") \
	M(LIVE_ACCOUNTS, "that the account goes on") \
	M(LIVE_TRACE, "that the record of exits goes on") \
	M(LIVE_NETS, "that networks find the new container") \
	M(LIVE_REGISTERS_FREED, "giving back where registers were kept") \
	M(LIVE_STANDS, "that none of its virtual CPUs runs at the end") \
	M(LIVE_SWITCH, "that who runs makes way") \
	M(LIVE_OLD_STOPS, "that the old container's virtual CPUs have their last turns") \
	M(LIVE_UNASKED, "that no request is on its way to an old virtual CPU") \
	M(LIVE_GOES_ON, "that one that could not be moved goes on") \
	M(LIVE_DROPPED, "giving back what was made for it") \
	M(LIVE_OVER, "looking whether it has ended") \
	M(LIVE_DEBUGGED, "or has a debugger by now") \
	M(LIVE_STAYS, "refusing another mechanism, or TPR, meanwhile") \
	M(LIVE_SHARE, "that others have the CPU between two steps") \
	M(LIVE_ALONE, "refusing parts of a snapshot meanwhile") \
	M(LIVE_NO_SNAPSHOT, "refusing it while a snapshot is taken") \
	M(REQUEST_MOVE, "what a request to move says") \
	M(LIVE_PACKED, "that compressed pages are the new container's") \
	M(EXPECT_ALLOWED, "asking whether others have had their share, for words of what follows") \
	M(LIVE_EXPECTS_LATE, "expecting also what its guest has taken since") \
	M(LIVE_HELD, "waiting for who reclaims, before what follows is left") \
	M(LIVE_SETTLES, "and for what is under way to the area or from it") \
	M(LIVE_JOINS, "putting blocks together again when all has come") \
	M(LIVE_BEHIND, "keeping what follows until the new container is released") \
	M(LIVE_BEHIND_GIVES, "and not beyond it") \
	M(LIVE_SOURCE_FREED, "giving it back then") \
	M(RELEASE_SOURCE, "that it is there when the old container is over") \
	M(FETCH_ONCE, "looking again whether a page is elsewhere") \
	M(FETCH_COPIES, "copying it") \
	M(FETCH_FREES, "freeing the frame that it had") \
	M(FETCH_FREES_BLOCK, "freeing a block of which all has come") \
	M(FETCH_FREES_OPENED, "and what has come of a block that is told of page by page") \
	M(FETCH_KEPT, "that it keeps its frame where there is no other") \
	M(FETCH_TOGETHER, "that a shared frame stays one") \
	M(FETCH_SHARED, "counting it there") \
	M(FETCH_OUT_STILL, "looking again whether what is out is elsewhere") \
	M(FETCH_FORGETS, "that what its guest does without does not follow")

#endif
