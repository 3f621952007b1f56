#!/usr/bin/env python3
"""What overcommit costs where the working set fits, and which pages go: two guests whose RAM together is 1.5 times the
machine's use one half of it, the hot one, again and again, and write to the other one once, piece by piece meanwhile
(the test kernel halves).
Prints, on Bochs, how many instructions guests and hypervisor take for the work, beside a machine with room for both:
of ROUNDS rounds more, when the cold pages have gone; and what it took for these to go, for each. And how many of the
pages that left the memory were cold ones. Of the hot ones, each that left came back, for it is used in every round, and
nothing asks for a cold one: so what came is an upper bound of them.

    bench/swap.py [BUILD [MECHANISM [ROUNDS [ZPOOL]]]] [-- OPTION...]

BUILD is build by default, MECHANISM ept, ROUNDS 48. Options are vellum run's: with -- --cpu corei7_sandy_bridge_2600k
it is a CPU without accessed flags for EPT, on which pages are aged by unmapping them.

With ZPOOL, as 32M, pages that go are compressed into so much memory first; and what that takes for one that goes, and
one that comes, by a guest of 48 MBytes that is given 16 (the test kernel memory, a word in each page).

Status 1 when a limit is missed or a run fails: 5 % more instructions, 95 % cold ones."""

import json
import os
import subprocess
import sys
import tempfile

MACHINE, GUESTS, EACH = 256, 2, 192
MORE_MOST, COLD_LEAST = 0.05, 0.95
AT = sys.argv.index('--') if '--' in sys.argv else len(sys.argv)
ARGS, OPTIONS = sys.argv[1:AT], sys.argv[AT + 1:]


def run(build, mmu, rounds, host_mem, *more, zpool=()):
    with tempfile.TemporaryDirectory() as place:
        vms, out = os.path.join(place, 'vms'), os.path.join(place, 'json')
        with open(vms, 'w', encoding='utf-8') as f:
            for n in range(GUESTS):
                f.write('vm guest%d\nkernel %s/guest/test/halves.elf\nappend rounds=%d\nmem %dM\nmmu %s\n%s\n' %
                        (n, os.path.abspath(build), rounds, EACH, mmu, ''.join('zpool %s\n' % z for z in zpool)))
        done = subprocess.run([os.path.join(build, 'vellum'), 'run', '--vm', vms, '--host-mem', '%dM' % host_mem,
                               '--timeout', '3000', '--json', out, *more, *OPTIONS], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode or done.stdout.count('halves: ok') != GUESTS:
            sys.exit('bench: the run with %d MB ended with status %d: %s' %
                     (host_mem, done.returncode, done.stdout[-500:] + done.stderr[-500:]))
        with open(out, encoding='utf-8') as f:
            return json.load(f)['vms']


def packing(build, mmu, zpool):
    """What it takes to compress a page, and back."""
    with tempfile.TemporaryDirectory() as place:
        out = os.path.join(place, 'json')
        done = subprocess.run([os.path.join(build, 'vellum'), 'run', '--kernel', build + '/guest/test/memory.elf',
                               '--mem', '48M', '--limit', '16M', '--mmu', mmu, '--swap', '64M', '--zpool', zpool,
                               '--timeout', '3000', '--json', out], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode or 'memory: ok' not in done.stdout:
            sys.exit('bench: the run with a limit ended with status %d: %s' %
                     (done.returncode, done.stdout[-500:] + done.stderr[-500:]))
        with open(out, encoding='utf-8') as f:
            m = json.load(f)['memory']
    print('%d pages were compressed, %d instructions each; %d came back from there, %d instructions each' %
          (m['packed'], m['pack_ticks'] / max(m['packed'], 1), m['unpacked'],
           m['unpack_ticks'] / max(m['unpacked'], 1)))
    return m['packed'] and m['unpacked']


def instructions(vms):
    return sum(vm['instructions']['guest'] + vm['instructions']['hypervisor'] for vm in vms)


def main():
    build, mmu, rounds = (ARGS + ['build', 'ept', '48'][len(ARGS):])[:3]
    rounds, zpool = int(rounds), ARGS[3:4]
    room, swap = GUESTS * EACH + MACHINE, ('--swap', '%dM' % (GUESTS * EACH))
    once = (instructions(run(build, mmu, rounds, room)),
            instructions(run(build, mmu, rounds, MACHINE, *swap, zpool=zpool)))
    vms = run(build, mmu, 2 * rounds, MACHINE, *swap, zpool=zpool)
    roomy, tight = instructions(run(build, mmu, 2 * rounds, room)) - once[0], instructions(vms) - once[1]
    went, zeroes, came = (sum(vm['memory'][key] for vm in vms) for key in ('went', 'zeroes', 'came'))
    more, cold = tight / roomy - 1, 1 - came / max(went, 1)
    print('%d guests of %d MB in %d MB, %s: %d rounds more take %d instructions, %.2f %% more than with room (%d)' %
          (GUESTS, EACH, MACHINE, mmu, rounds, tight, 100 * more, roomy))
    print('%d instructions more until then, %d for each page that went' %
          (once[1] - once[0], (once[1] - once[0]) / max(went, 1)))
    print('%d pages went to the area, %d of zeroes to nowhere, %d came back: %.1f %% cold ones at least' %
          (went, zeroes, came, 100 * cold))
    packed = packing(build, mmu, zpool[0]) if zpool else True
    return int(more > MORE_MOST or cold < COLD_LEAST or not went or not packed)


if __name__ == '__main__':
    sys.exit(main())
