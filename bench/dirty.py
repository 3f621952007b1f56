#!/usr/bin/env python3
"""What it costs to find out which pages a guest writes to, by each method: the test kernel dirty under `ctl dirty VM
on METHOD`. Instructions of the hypervisor's for each page found, with everything that it did meanwhile (timers, the
collection of the log ten times a second) but external interrupts, which are this program's requests, on Bochs.

    bench/dirty.py [BUILD]      BUILD is build by default

Status 1 when a limit is exceeded or a run fails: 1,200 by write protection, 60 by page-modification logging. For
dirty flags alone no limit was set."""

import json
import os
import subprocess
import sys
import time

PAGES, PERIODS = 3000, 20
LIMITS = {'wp': 1200, 'ad': None, 'pml': 60}


def ctl(vellum, name, *words):
    done = subprocess.run([vellum, 'ctl', '--run', name, '--json', *words], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def until(vellum, name, words, holds):
    """The first answer that holds; None where it takes too long."""
    for _ in range(1200):
        answer = ctl(vellum, name, *words)
        if answer is not None and holds(answer):
            return answer
        time.sleep(0.05)
    return None


def stats(vellum, name):
    """By one request, so that all counters are of one moment."""
    a = until(vellum, name, ('stats',), lambda answer: True)
    if a is None:
        sys.exit('bench: the test kernel dirty does not run')
    m, requests = a['mmu_counters'], a['exits']['by_reason']['external_interrupt']['ticks']
    return [m['log_dirtied'], a['instructions']['hypervisor'] - requests, m['log_faults'], m['log_full']]


def measure(vellum, name, method):
    """Seldom asked, for what an answer costs beside the interrupts that carry it is counted."""
    if ctl(vellum, name, 'dirty', 'on', method) is None:
        sys.exit('bench: %s cannot be had' % method)
    until(vellum, name, ('dirty', 'show'), lambda a: a['periods'] >= 2)
    before, after = stats(vellum, name), [0]
    while after[0] < before[0] + PERIODS * PAGES:
        time.sleep(2)
        after = stats(vellum, name)
    ctl(vellum, name, 'dirty', 'off')
    pages = after[0] - before[0]
    return [pages] + [(after[n] - before[n]) / pages for n in (1, 2, 3)]


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else 'build'
    vellum, name = os.path.join(build, 'vellum'), 'bench-dirty-%d' % os.getpid()
    kernel = os.path.join(build, 'guest', 'test', 'dirty.elf')
    run = subprocess.Popen([vellum, 'run', '--kernel', kernel, '--append', 'pages=%d' % PAGES, '--mem', '128M',
                            '--cpu', 'corei7_skylake_x', '--name', name, '--timeout', '1500'],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bad = 0
    try:
        if until(vellum, name, ('list',), lambda a: a['vms']) is None:
            sys.exit('bench: the test kernel dirty does not begin')
        print('%-8s%12s%14s%12s%12s' % ('method', 'pages', 'instructions', 'faults', 'full logs'))
        for method, limit in LIMITS.items():
            pages, each, faults, full = measure(vellum, name, method)
            over = limit is not None and each > limit
            print('%-8s%12d%14.1f%12.4f%12.4f%s' % (method, pages, each, faults, full,
                                                   '   more than %d' % limit if over else ''))
            bad |= over
    finally:
        run.terminate()
        run.wait()
    return int(bad)


if __name__ == '__main__':
    sys.exit(main())
