"""A good neighbour beside a bad one on one CPU: what is left for it, for each way to keep a hypervisor busy
(guest/test/flood/flood-kinds.c).

The neighbour (guest/test/paging/neighbour.c) runs by the host's clock and measures its share of the time and its
longest gap; a slice is 10 ms. As a program, `fairness.py BUILD`, this prints the table of all kinds (make
bench-fairness)."""

import os
import re
import select
import signal
import sys
import time

from runner import NEVER, PATIENCE, Context, Failure, Runner, Test, require

LEAST_SHARE = 45            # percent of the CPU that two share
MOST_GAP_US = 5 * 10000     # five slices

# Kinds whose work the mechanism does are tried under each; the others once.
TABLES = ('faults', 'cr3', 'edits', 'reverse-map', 'badstack', 'violations')
OTHERS = ('console', 'outs', 'outs-endless', 'ins-endless', 'cpuid', 'vmcall', 'mmio', 'mmio-rep', 'apic-timer', 'pit',
          'ipi', 'nmi', 'halt', 'spin',
          'debug', 'alignment', 'step')
MECHANISMS = ('ept', 'shadow', 'vtlb', 'brute')
CASES = tuple((kind, 'ept', False) for kind in OTHERS) + tuple((kind, mmu, False) for kind in TABLES
                                                               for mmu in MECHANISMS) + \
    (('console', 'ept', True), ('outs', 'ept', True), ('mmio-rep', 'shadow', False), ('nmi', 'shadow', False),
     ('debug', 'shadow', False),
     ('alignment', 'shadow', False))


def name_of(kind, mmu, first):
    return '%s, %s%s' % (kind, mmu, ', first on the ring' if first else '')


# Nothing ends these: each round of the flood is the cause of the next, and the timer's NMI has to wait, as on a bare
# machine.
ENDLESS = ('debug', 'alignment')
# Kinds that only a guest of 32 bits has; all others are flood's.
GUEST_OF = {'alignment': 'flood32'}


def until_heard(c, args, limit=250):
    """A run that is interrupted when the neighbour has said what it had; its output."""
    p = c.start(args)
    text, end = b'', time.monotonic() + limit * PATIENCE
    while not re.search(rb'neighbour: (ok|FAILED)', text):
        ready, _, _ = select.select([p.stdout], [], [], max(0, end - time.monotonic()))
        data = os.read(p.stdout.fileno(), 65536) if ready else b''
        require(data, 'the neighbour said nothing within %d s' % (limit * PATIENCE))
        text += data
    os.kill(p.pid, signal.SIGINT)
    _, rest = c.finish(p, 30)
    return text.decode(errors='replace').replace('\r', '') + rest


def measure(c, kind, mmu, first, mega=60, cpu=None):
    """One run. first: the bad neighbour has the first virtual machine's place, whose console is the machine's own.
    (share, gap in us)"""
    good = 'vm good\nkernel %s\nappend mega=%d share=0 slices=1000000\nmem 8M\nclock host\n\n' % (c.guest('neighbour'),
                                                                                                  mega)
    bad = 'vm bad\nkernel %s\nappend kind=%s mega=%d\nmem 32M\nmmu %s\nclock host\ntestdev on\n\n' % (
        c.guest(GUEST_OF.get(kind, 'flood')), kind, mega + 40, mmu)
    path = c.file('machines.txt', bad + good if first else good + bad)
    args = ['run', '--vm', path, '--timeout', '250'] + (['--cpu', cpu] if cpu else [])
    if kind in ENDLESS:
        said = until_heard(c, args)
    else:
        # Status 66: a bad one that was stopped with a sentence, as one may be whose event cannot be delivered.
        said = c.run(args, status=(0, 66) if kind == 'badstack' else 0, limit=270, never=NEVER + [r'FAIL']).text
    # The two write at the same time; the one's lines may come within the other's.
    text = re.sub(r'\[bad\] [^\n]*\n?', '', said)
    found = re.search(r'neighbour: share (\d+) percent of \d+ Mticks, longest gap (\d+) us', text)
    require(found, 'the neighbour did not say what it had')
    require('neighbour: ok' in text, 'the neighbour is not well')
    require(re.search(r'flood: %s' % kind, said) or kind in ('console', 'outs'), 'the flood did not begin')
    return int(found.group(1)), int(found.group(2))


def fair(kind, mmu, first):
    def run(c):
        share, gap = measure(c, kind, mmu, first)
        require(share >= LEAST_SHARE, 'the neighbour had %d percent of the CPU' % share)
        require(gap <= MOST_GAP_US, 'the neighbour waited %d us' % gap)
    return Test('fairness: ' + name_of(kind, mmu, first), run)


def tests():
    return [fair(*case) for case in CASES]


def table(build, only):
    runner = Runner(build, os.path.join(build, 'fairness'))
    failed = 0
    print('%-40s %6s %12s' % ('beside', 'share', 'longest gap'))
    for case in CASES:
        if only and not re.search(only, name_of(*case)):
            continue
        c = Context(runner, name_of(*case))
        try:
            share, gap = measure(c, *case, mega=200)
            bad = share < LEAST_SHARE or gap > MOST_GAP_US
            failed += bad
            print('%-40s %4d %% %9.1f ms%s' % (name_of(*case), share, gap / 1000, '  FAIL' if bad else ''), flush=True)
        except Failure as e:
            failed += 1
            print('%-40s FAIL: %s' % (name_of(*case), e), flush=True)
        finally:
            c.close()
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(table(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
