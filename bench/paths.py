#!/usr/bin/env python3
"""How long the hypervisor's paths under shadow paging are, from runs of it in Bochs, where a tick is an instruction.

    paths.py RUN.json...    each of `build/vellum run --mmu shadow --workload NAME --json RUN.json`

Given (docs/lab.md says where from): what an entry taken away, a sync, a load of CR3, INVLPG and an emulated access
take. Found by least squares over the runs and their phases, each weighted by its own size: what a page fault that the
mechanism fixes, one that is the guest's, an entry made in advance, and a shadow page take. Prints these, and by how
much each run is told wrong."""
import json
import sys

CR, INVLPG, TRACKED, DEVICE = 700, 800, 4520, 2700  # exit to entry, the run loop included
REMOVE, CHANGE, SYNC, COMPARE = 285, 110, 300, 4
UNKNOWN = ("outcome_fixed", "outcome_inject", "prefetched", "shadow_created")
ENOUGH = 3000  # exits


def equation(name, unit):
    n = lambda key: unit["mmu_counters"].get(key, 0)
    reason = lambda key: unit["exits"]["by_reason"].get(key, {"count": 0, "ticks": 0})
    reasons = [reason(key) for key in ("exception_or_nmi", "control_register_access", "invlpg")]
    tracked = min(n("tracked_writes"), n("outcome_emulate"))
    devices = n("outcome_emulate") - tracked
    given = (CR * reasons[1]["count"] + INVLPG * reasons[2]["count"] + TRACKED * tracked + DEVICE * devices +
             REMOVE * n("leaves_removed") + CHANGE * n("entries_synced") + SYNC * n("resynced") + COMPARE *
             n("entries_compared"))
    return name, [n(key) for key in UNKNOWN], given, sum(r["ticks"] for r in reasons)


def equations(path):
    run = json.load(open(path))
    yield equation(path, run)
    for number, phase in run["phases"].items():
        if phase["exits"]["mechanism"]["count"] > ENOUGH:
            yield equation("  phase " + phase.get("name", number), phase)


def solve(a, b):
    """Gauss and Jordan."""
    m = [row + [x] for row, x in zip(a, b)]
    for i in range(len(m)):
        p = max(range(i, len(m)), key=lambda r: abs(m[r][i]))
        m[i], m[p] = m[p], m[i]
        for r in range(len(m)):
            if r != i:
                f = m[r][i] / m[i][i]
                m[r] = [x - f * y for x, y in zip(m[r], m[i])]
    return [row[-1] / row[i] for i, row in enumerate(m)]


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: paths.py RUN.json...")
    rows = [e for path in sys.argv[1:] for e in equations(path)]
    size = range(len(UNKNOWN))
    a = [[sum(x[i] * x[k] / ticks**2 for _, x, _, ticks in rows) for k in size] for i in size]
    b = [sum(x[i] * (ticks - given) / ticks**2 for _, x, given, ticks in rows) for i in size]
    found = solve(a, b)
    for key, value in zip(UNKNOWN, found):
        print("%-16s %6.0f" % (key, value))
    for name, x, given, ticks in rows:
        told = given + sum(price * n for price, n in zip(found, x))
        print("%-40s measured %7.1f M, told %+5.1f %%" % (name, ticks / 1e6, 100 * (told / ticks - 1)))


main()
