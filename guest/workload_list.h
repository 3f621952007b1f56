/* The workloads by name: read by the guest that runs them, and by the `vellum` command that refuses wrong names
 * early. */
#ifndef VELLUM_GUEST_WORKLOAD_LIST_H
#define VELLUM_GUEST_WORKLOAD_LIST_H

/* W(name, what its size counts or null, the default size, the largest size) */
#define WORKLOADS(W) \
	W(memory, "rounds", 1, 1000) \
	W(boot, NULL, 0, 0) \
	W(fork, "children by fork", 700, 1000000) \
	W(mmap, "mappings", 2400, 10000000) \
	W(switch, "laps", 9000, 10000000) \
	W(fault, "rounds", 20, 1000000) \
	W(compute, "million steps", 40, 1000000) \
	W(compile, "source files", 180, 100000) \
	W(threads, "rounds of each kind and process", 60, 100000) \
	W(disk, "megabytes", 8, 65536) \
	W(net, "megabytes", 1, 65536) \
	W(mix, "page-table edits per context switch", 0, 4096)

#endif
