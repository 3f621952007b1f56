"""The hostile guest (guest/test/hostile.h) under each mechanism beside a neighbour, and on the bare machine: the same digests, no stop of the
machine, no stop of the guest that the bare machine would not have made too, and nothing that the neighbour notices.

As a program, `hostile.py BUILD [STARTS [MECHANISM...]]`, this is `make hostile`: it goes on, with seed after seed, until the guests have
been started that often under each mechanism. A start is one random instruction at least."""

import os
import re
import sys

from runner import NEVER, Context, Failure, Runner, Test, require

HASWELL, LYNNFIELD = 'corei7_haswell_4770', 'corei5_lynnfield_750'
# Kinds that have a digest; and those that reach what the bare machine has otherwise.
ALIKE = ('bytes', 'user', 'kernel', 'kernel16', 'segments', 'flags', 'events', 'tables', 'absent')
UNLIKE = ('devices', 'msrs', 'ports')
MECHANISMS = ('ept', 'shadow', 'vtlb', 'brute')
BLOCK = 20
# Ways a guest ends itself on purpose: that is no stop.
OWN_END = r'powered off|reset|debug exit'


class Seen:
    """What one run of the hostile guest showed: digests by block, starts, and how it ended."""

    def __init__(self, text, end):
        self.digests = dict(re.findall(r'hostile: \S+ (\d+)\+\d+(?: digest ([0-9a-f]+))?$', text, re.M))
        found = re.search(r'hostile: (\d+) starts;', text)
        self.starts = int(found.group(1)) if found else 0
        self.whole = 'hostile: ok' in text
        self.end = end

    def next_block(self, first):
        """The block that it did not come through."""
        return max([int(n) for n in self.digests], default=first - BLOCK) + BLOCK


def append_for(kind, seed, first, count):
    return 'kind=%s seed=%d from=%d count=%d block=%d' % (kind, seed, first, count, BLOCK)


def native(c, append, cpu):
    """On the bare machine; any end is one."""
    _, text = c.finish(c.start(['run', '--native', '--kernel', c.guest('hostile'), '--append', append, '--mem', '16M', '--cpu', cpu, '--timeout', '600']),
                       620)
    return Seen(text, 'native')


def beside(c, append, mmu, cpu, mega):
    """Under a mechanism, with a neighbour on the same CPU that must be well."""
    path = c.file('machines.txt', 'vm good\nkernel %s\nappend mega=%d share=0 slices=1000000\nmem 4M\nclock host\n\n'
                  'vm bad\nkernel %s\nappend %s\nmem 16M\nmmu %s\nclock guest\n' % (c.guest('neighbour'), mega, c.guest('hostile'), append, mmu))
    o = c.run(['run', '--vm', path, '--timeout', '1500', '--cpu', cpu], status=tuple(range(256)), limit=1520, never=NEVER + [r'neighbour: FAILED'])
    # The two write at the same time; the one's lines may come within the other's.
    good = re.sub(r'\[bad\] [^\n]*\n?', '', o.text)
    require('neighbour: ok' in good, 'the neighbour did not come to its end well')
    gap = int(re.search(r'longest gap (\d+) us', good).group(1))
    require(gap <= 50000, 'the neighbour waited %d us' % gap)
    # Long lines of the second machine's console come in pieces.
    text = re.sub(r'\n\[bad\] (?!hostile|neighbour)', '', o.text)
    return Seen(text.replace('[bad] ', ''), o.json['vms'][1]['guest']['end'])


def differing(a, b):
    """The blocks that both have come through, with another digest."""
    return sorted(int(n) for n in a.digests if n in b.digests and a.digests[n] != b.digests[n])


def one_run(c, kind, seed, first, count, mmu, cpu, mega):
    """(starts, blocks that differ, the experiment to go on with). Fails when the guest was stopped for nothing."""
    append = append_for(kind, seed, first, count)
    got = beside(c, append, mmu, cpu, mega)
    if got.whole and kind in UNLIKE:
        return got.starts, [], first + count
    bare = native(c, append, cpu) if kind in ALIKE or not re.search(OWN_END, got.end) else None
    if not got.whole and not re.search(OWN_END, got.end):
        require(not bare.whole and bare.next_block(first) <= got.next_block(first),
                '%s on %s, "%s": %s; the bare machine went on' % (mmu, cpu, append, got.end))
    differ = differing(bare, got) if kind in ALIKE else []
    return got.starts, differ, first + count if got.whole else got.next_block(first) + BLOCK


def short(mmu, cpu, kinds, count):
    """For make test: few experiments, of a seed whose digests are known to be alike."""
    def run(c):
        for kind in kinds:
            _, differ, _ = one_run(c, kind, 1, 0, count, mmu, cpu, 20)
            require(not differ, '%s: the bare machine saw something else from experiment %s on' % (kind, differ))
    return Test('hostile guest: %s on %s' % (mmu, cpu), run)


def tests():
    return [short('ept', HASWELL, ('bytes', 'user', 'kernel', 'kernel16', 'segments', 'flags', 'events', 'msrs', 'ports'), 60),
            short('shadow', HASWELL, ('bytes', 'kernel', 'events', 'ports'), 60),
            short('vtlb', HASWELL, ('user', 'kernel16'), 40), short('brute', HASWELL, ('bytes', 'kernel'), 40),
            short('ept', LYNNFIELD, ('bytes', 'user', 'kernel'), 60), short('shadow', 'core2_penryn_t9600', ('bytes', 'kernel'), 60)]


def long_run(build, wanted, mechanisms):
    runner = Runner(build, os.path.join(build, 'hostile'))
    failed = 0
    for mmu in mechanisms:
        starts, seed, differ = 0, 1, 0
        while starts < wanted:
            for kind in ALIKE + UNLIKE:
                cpu = LYNNFIELD if seed % 3 == 2 else HASWELL
                first, count = 0, 1000
                while first < count:
                    c = Context(runner, '%s-%s-%d-%d' % (mmu, kind, seed, first))
                    try:
                        more, blocks, first = one_run(c, kind, seed, first, count - first, mmu, cpu, 200)
                        starts += more
                        differ += len(blocks)
                        for b in blocks:
                            print('another digest: --mmu %s --cpu %s --append "%s"' % (mmu, cpu, append_for(kind, seed, b, BLOCK)), flush=True)
                    except Failure as e:
                        failed += 1
                        print('FAIL %s, %s, seed %d: %s' % (mmu, kind, seed, e), flush=True)
                        break
                    finally:
                        c.close()
                print('%s on %s, seed %d, %s: %d starts so far' % (mmu, cpu, seed, kind, starts), flush=True)
                if starts >= wanted:
                    break
            seed += 1
        print('%s: %d starts, %d blocks of %d experiments with another digest than the bare machine' % (mmu, starts, differ, BLOCK), flush=True)
    print('hostile: %d failed' % failed)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(long_run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10000000, sys.argv[3:] or MECHANISMS))
