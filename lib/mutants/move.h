/* lib/mutants/move.h - mutants (lib/mutants/mutate.h) of virtual CPUs that share CPUs and move between them. */
#ifndef VELLUM_LIB_MUTANTS_MOVE_H
#define VELLUM_LIB_MUTANTS_MOVE_H

#define VM_MUTANTS_MOVE(M) \
	M(MOVE_TO_ITSELF, "the flush of who comes back to the CPU that it has left") \
	M(MOVE_LEAVES, "taking all that a CPU has of a virtual CPU from it, before another gets it (CQ3)") \
	M(MOVE_HAS_LEFT, "that who has left its CPU need not leave the new one at once") \
	M(MOVE_KICK, "telling the new CPU (CQ1)") \
	M(MOVE_ASKS, "asking who runs, and is to move, to leave") \
	M(MOVES_ON, "that who is sent on before it has arrived goes on") \
	M(MOVE_DEPARTS, "that it then goes") \
	M(REQUEST_WAKES, "that a request wakes who sleeps (HA2)") \
	M(SLEEP_SAID, "saying that one sleeps (HA2)") \
	M(SLEEP_LOOKS, "looking for requests behind that (HA2)") \
	M(SLEEP_ALARM, "and for an earlier alarm (HA3)") \
	M(WOKEN_ONCE, "that one of several who wake it puts it among the arrivals (HA2)") \
	M(WOKEN_ARMED, "the end of the slice of who is alone, when it has woken another") \
	M(HALTED_RESTS, "taking who has halted off the ring (HA1)") \
	M(ARRIVES_ASLEEP, "and who is halted when it arrives") \
	M(MOVE_ASLEEP, "moving one that sleeps") \
	M(SLEEPERS_DUE, "looking at the alarms of those that sleep (HA4)") \
	M(SLEEPERS_ARMED, "the CPU's timer for them, while one runs alone (SC2)") \
	M(DEVICE_TIMERS, "looking at the alarms of the devices of a machine with several virtual CPUs") \
	M(DIRTY_ALARM, "saying that an alarm was armed for one that may sleep (HA3)") \
	M(COMES_BEHIND, "that who comes is not so far behind the others that they would wait for long") \
	M(COMES_BEFORE, "nor so far before them that it would") \
	M(COMES_TO_NOW, "comparing it with what who runs there has had by now") \
	M(APART_OF_ALL, "that it keeps what it had less, where a slice of one of them counts for much") \
	M(ARRIVAL_ARMED, "the end of the slice of who was alone, when another comes") \
	M(IDLE_TAKEN, "that a CPU which sleeps is given one virtual CPU, not two") \
	M(SLEEP_ASKS, "asking a CPU where somebody waits, before going to sleep (BA1)") \
	M(GOES_PINNED, "that who is pinned stays (BA4)") \
	M(GOES_IDLE, "giving who waits to a CPU that sleeps (BA1)") \
	M(PICK_GIVES, "the same as soon as another has been chosen") \
	M(EXIT_BALANCE, "and at an exit for an interrupt") \
	M(HOST_BALANCE, "and once a slice") \
	M(TURN_BALANCES, "and that also where no slice ends") \
	M(GOES_EVENLY, "giving who waits to a CPU that is before this one (BA2)") \
	M(GOES_BEHIND, "only where it is so by two slices (BA2)") \
	M(GOES_ON, "that who has come has a turn before it is given on (BA2)") \
	M(GOES_SLEPT, "that who slept is not given away for what it did not use (BA2)") \
	M(ALONE_TOLD, "telling how far one has come that runs alone") \
	M(NOT_SAVED, "that a share which cannot be used is not saved up (BA3)") \
	M(SAVED_WHERE_WAITING, "but only while none waits there that can go to another CPU (BA3)") \
	M(WEIGHS_AWAKE, "that the share of a machine is that of all of its virtual CPUs (SC4)") \
	M(WEIGHS, "the weights of machines (SC4)") \
	M(FAVOURED, "running who another waits for (SC5)") \
	M(YIELD_FAVOURS, "saying who that may be (SC5)") \
	M(YIELD_LEAVES, "giving the CPU to it (SC5)") \
	M(YIELD_ELSEWHERE, "giving the CPU to others while that one waits for another CPU (SC5)") \
	M(YIELD_BEHIND, "that these go before who spins (SC5)") \
	M(PAUSE_YIELDS, "looking for it when a guest spins") \
	M(PAUSE_LOOP, "asking the CPU for an exit when it does") \
	M(WANDER_PINNED, "that who is pinned does not wander") \
	M(FOLLOWED, "that a request goes after who has moved (CT1)") \
	M(AUDIT_STOPS, "that no virtual CPU runs while the tables are checked") \
	M(VCPU_EXISTS, "refusing a request about a virtual CPU that is not there") \
	M(MIGRATE_PINNED, "refusing to move who is pinned") \
	M(WEIGHT_RANGE, "refusing a weight that is none") \
	M(REQUEST_OF_ONE, "that only some requests are about one virtual CPU") \
	M(REQUEST_WHICH, "that the request to move one says which") \
	M(CONFIG_MERGE_RANGE, "the range of the pages that are looked at in a second") \
	M(CONFIG_WEIGHT_RANGE, "the range of a weight in a description") \
	M(CONFIG_MIGRATE_RANGE, "the range of the period of moves")

#endif
