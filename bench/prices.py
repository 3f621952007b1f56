#!/usr/bin/env python3
"""What pieces of the work of shadow paging take, in instructions: callgrind over runs of the lab, which calls mmu/ as
the hypervisor does.

    prices.py VELLUM        prints a table; some of the lab's defaults (hv.path_*, lab/config/config.h) are made from
    its last line

Inclusive costs of functions, less those of what is priced by itself; of frame allocation nothing is counted."""
import collections
import re
import subprocess
import sys
import tempfile

KINDS = ("prefetch", "remove", "sync", "change", "fault", "INVLPG")
NOTHING = 7  # a call that finds nothing to do
RUNS = ["fork:children=60", "mmap:ops=1500", "faults:size=16M", "boot:processes=8", "ring:pages=64,switches=4000"]


class Profile:
    """calls[caller, callee] and cost[caller, callee] (inclusive) of one run, and own[function]."""

    def __init__(self, path):
        self.calls, self.cost = collections.Counter(), collections.Counter()
        names, function, callee, calls = {}, None, None, None

        def name(text):
            number, _, rest = text.partition(" ")
            if rest:
                names[number] = rest.split("'")[0]
            return names[number]

        for line in open(path):
            if line.startswith("fn="):
                function = name(line[3:].strip())
            elif line.startswith("cfn="):
                callee = name(line[4:].strip())
            elif line.startswith("calls="):
                calls = int(line[6:].split()[0])
            elif calls is not None and re.match(r"[0-9+*-]", line):
                if callee != function:
                    self.calls[function, callee] += calls
                    self.cost[function, callee] += int(line.split()[1])
                calls = None

    def n(self, callee, caller=None):
        return sum(v for (f, c), v in self.calls.items() if c == callee and caller in (None, f))

    def c(self, callee, caller=None):
        return sum(v for (f, c), v in self.cost.items() if c == callee and caller in (None, f))


def profile(vellum, mmu, workload, directory):
    out = directory + "/callgrind.out"
    run = [vellum, "lab", "run", "--preset", "nehalem", "--mmu", mmu, "--pages", "4k", workload]
    subprocess.run(["valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + out] + run, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Profile(out)


def pieces(p):
    """(instructions, how often) of each piece."""
    below = sum(p.c(f) for f in ("below_alloc", "below_free"))
    made = p.n("hw_leaf", "leaf_prefetch")
    removed = p.n("rmap_remove", "entry_drop")
    sync_children = sum(p.c(f, "shadow_sync_page") for f in ("sync_entry", "leaf_prefetch", "entry_drop"))
    change_children = sum(p.c(f, "sync_entry") for f in ("leaf_prefetch", "entry_drop"))
    fault_children = (p.c("leaf_prefetch", "leaf_prefetch_around") + p.c("entry_drop", "leaf_set") + p.c("spage_get") +
                      p.c("spage_link"))
    return {
        "prefetch": (p.c("leaf_prefetch") - NOTHING * (p.n("leaf_prefetch") - made), made),
        "remove": (p.c("entry_drop") - NOTHING * (p.n("entry_drop") - removed), removed),
        "sync": (p.c("shadow_sync_page") - sync_children, p.n("shadow_sync_page")),
        "change": (p.c("sync_entry") - change_children, p.n("entry_drop", "sync_entry")),
        "fault": (p.c("mmu_fault_locked") - fault_children - below, p.n("mmu_fault_locked")),
        "INVLPG": (p.c("mmu_invlpg") - p.c("entry_drop", "spage_clear"), p.n("mmu_invlpg")),
    }


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: prices.py VELLUM")
    total = collections.defaultdict(lambda: [0, 0])
    with tempfile.TemporaryDirectory() as directory:
        print("%-28s" % "instructions (how often)" + "".join("%22s" % k for k in KINDS))
        for run in RUNS:
            row = pieces(profile(sys.argv[1], "shadow", run, directory))
            for k, (c, n) in row.items():
                total[k][0] += c
                total[k][1] += n
            print("%-28s" % run + "".join("%12.1f (%7d)" % (c / n if n else 0, n) for c, n in row.values()))
    print("%-28s" % "all" + "".join("%12.1f (%7d)" % (c / n if n else 0, n) for c, n in total.values()))


main()
