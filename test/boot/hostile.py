"""The hostile guests (guest/test/hostile/hostile.h) under each mechanism beside a neighbour, and on the bare machine:
the same digests, no stop of the machine, no stop of the guest that the bare machine would not have made too, nothing
that the neighbour notices.

As a program, `hostile.py BUILD [INSTRUCTIONS [MECHANISM...]]`, this is `make hostile`: it goes on, with seed after
seed, until so many hostile instructions have been executed under each mechanism."""

import os
import re
import sys
import time

from runner import NEVER, Context, Failure, Runner, Test, require

HASWELL, LYNNFIELD, PENRYN = 'corei7_haswell_4770', 'corei5_lynnfield_750', 'core2_penryn_t9600'
MECHANISMS = ('ept', 'shadow', 'vtlb', 'brute')
BLOCK = 5
# Ways a guest ends itself on purpose: that is no stop.
OWN_END = r'powered off|reset|debug exit|panicked'
# Seconds after which a program is said to hang: one that went to real mode, or wrote to the interval timer, keeps the
# watchdog out. It counts as one that ended its machine. The campaign waits less, for it comes upon many.
PATIENCE = {'bare': 600, 'beside': 1500}
# What the neighbour has to have of the CPU while it is awake, in percent, and how long it may wait, in us: five slices.
LEAST_SHARE, MOST_GAP_US = 45, 50000


class Guest:
    """A hostile guest: its file, its kinds with a digest, its kinds that reach what the bare machine has otherwise,
    what else it is told, the CPUs that it runs on in turn, the mechanisms that can run it, and whether nothing protects
    its supervisor: then a triple fault is an end like others, for what it ran into is elsewhere on the bare machine."""

    def __init__(self, name, elf, alike, unlike, more='', cpus=(HASWELL, HASWELL, LYNNFIELD), mechanisms=MECHANISMS,
                 bare=False):
        self.name, self.elf, self.alike, self.unlike, self.more = name, elf, alike, unlike, more
        self.cpus, self.mechanisms = cpus, mechanisms
        self.own_end = OWN_END + '|triple fault' if bare else OWN_END

    def append(self, kind, seed, first, count):
        return 'kind=%s seed=%d from=%d count=%d block=%d%s' % (kind, seed, first, count, BLOCK, self.more)


G64 = Guest('64 bits', 'hostile', ('bytes', 'user', 'kernel', 'kernel16', 'segments', 'flags', 'events', 'system',
                                   'tables',
                                   'upper', 'absent'), ('maps', 'devices', 'msrs', 'ports'))
# Two-level tables and PAE; and no paging, where a program reaches what the bare machine has elsewhere: BIOS and video
# memory.
KINDS32 = ('bytes', 'user', 'v86', 'kernel', 'kernel16', 'segments', 'flags', 'events', 'tasks', 'system', 'tables',
           'absent')
G32 = Guest('32 bits', 'hostile32', KINDS32, ('maps', 'devices', 'msrs', 'ports'), ' paging=legacy')
GPAE = Guest('PAE', 'hostile32', KINDS32, ('maps', 'devices', 'msrs', 'ports'), ' paging=pae')
GFLAT = Guest('no paging', 'hostile32', (),
              tuple(k for k in KINDS32 if k not in ('system', 'tables')) + ('devices', 'msrs', 'ports'),
              ' paging=none', bare=True)
# Real mode: by the CPU with unrestricted guest, which only EPT offers on newer ones; else by the emulator.
GREAL = Guest('real mode', 'hostile32', (), ('real',), ' paging=none', (HASWELL, LYNNFIELD), MECHANISMS, True)
GUESTS = (G64, G32, GPAE, GFLAT, GREAL)


class Seen:
    """What one run of a hostile guest showed: blocks as {first experiment: (starts, instructions, digest or '')}; its
    end."""

    def __init__(self, text, end, ticks=0):
        self.blocks = {int(n): (int(s), int(i), d) for n, s, i, d in
                       re.findall(r'hostile: \S+ (\d+)\+\d+ starts (\d+) instructions (\d+)(?: digest ([0-9a-f]+))?$',
                                  text,
                                  re.M)}
        self.whole = 'hostile: ok' in text
        self.end = end
        self.ticks = ticks

    def next_block(self, first):
        """The block that it did not come through."""
        return max(self.blocks, default=first - BLOCK) + BLOCK


def native(c, g, append, cpu):
    """On the bare machine; any end is one."""
    args = ['run', '--native', '--kernel', c.guest(g.elf), '--append', append, '--mem', '16M', '--cpu', cpu,
            '--timeout', str(PATIENCE['bare'])]
    status, text = c.finish(c.start(args), PATIENCE['bare'] + 20)
    seen = Seen(text, 'native')
    require(status == 0 or not seen.whole, 'status %d, though the guest powered the machine off' % status)
    return seen


def beside(c, g, append, mmu, cpu, mega):
    """Under a mechanism, with a neighbour on the same CPU that must be well."""
    path = c.file('machines.txt', 'vm good\nkernel %s\nappend mega=%d duty=10 share=%d slices=1000000\nmem 4M\n'
                  'clock host\n\n'
                  'vm bad\nkernel %s\nappend %s\nmem 16M\nmmu %s\nclock guest\n' %
                  (c.guest('neighbour'), mega, LEAST_SHARE, c.guest(g.elf), append, mmu))
    o = c.run(['run', '--vm', path, '--timeout', str(PATIENCE['beside']), '--cpu', cpu], status=tuple(range(256)),
              limit=PATIENCE['beside'] + 20,
              never=NEVER + [r'neighbour: FAILED'])
    # The two write at the same time; the one's lines may come within the other's.
    good = re.sub(r'\[bad\] [^\n]*\n?', '', o.text)
    require('neighbour: ok' in good, 'the neighbour did not come to its end well')
    gap = int(re.search(r'longest gap (\d+) us', good).group(1))
    require(gap <= MOST_GAP_US, 'the neighbour waited %d us' % gap)
    # Long lines of the second machine's console come in pieces.
    text = re.sub(r'\n\[bad\] (?!hostile|neighbour)', '', o.text)
    bad = o.json['vms'][1] if 'vms' in o.json else {}
    if 'instructions' not in bad:  # nothing is told of a virtual machine that was stopped with its machine
        return Seen(text.replace('[bad] ', ''), 'no end')
    return Seen(text.replace('[bad] ', ''), bad['guest']['end'],
                bad['instructions']['guest'] + bad['instructions']['hypervisor'])


class Bare:
    """What the bare machine showed of a kind and a seed: all blocks that it came through, and those that ended it."""

    def __init__(self, c, g, kind, seed, count, cpu):
        self.blocks, self.ends, first = {}, set(), 0
        while first < count:
            seen = native(c, g, g.append(kind, seed, first, count - first), cpu)
            self.blocks.update(seen.blocks)
            if seen.whole:
                break
            first = seen.next_block(first)
            self.ends.add(first)
            first += BLOCK


class Tally:
    """What one mechanism did in all."""

    def __init__(self):
        self.starts = self.instructions = self.blocks = 0
        self.differing = []

    def add(self, blocks, bare, what):
        """A block counts by the bare machine's instructions where both saw the same, else by its starts."""
        for first, (starts, _, digest) in sorted(blocks.items()):
            self.starts += starts
            self.blocks += 1
            same = bare and first in bare.blocks and bare.blocks[first][2] == digest
            self.instructions += bare.blocks[first][1] if same else starts
            if bare and first in bare.blocks and not same:
                self.differing.append((first, what))


def one_kind(c, g, kind, seed, count, mmu, cpu, bare, tally, pace):
    """All experiments of a kind and a seed under a mechanism. Fails when the guest was stopped for nothing."""
    first = 0
    while first < count:
        append = g.append(kind, seed, first, count - first)
        mega = max(60, int(pace.get((g.name, kind, mmu), 0.4) * (count - first)))
        got = beside(c, g, append, mmu, cpu, mega)
        tally.add(got.blocks, bare, '--mmu %s --cpu %s --kernel %s' % (mmu, cpu, g.elf))
        if got.whole:
            pace[g.name, kind, mmu] = got.ticks / 1e6 / (count - first) * 0.9
            return
        first = got.next_block(first)
        if not re.search(g.own_end, got.end):
            ended = first in bare.ends if bare else not native(c, g, g.append(kind, seed, first, BLOCK), cpu).whole
            require(ended, '%s on %s, "%s": %s; the bare machine went on' %
                    (mmu, cpu, g.append(kind, seed, first, BLOCK), got.end))
        first += BLOCK


def short(g, cpu, kind, mechanisms, count, seed=1):
    """For make test: few experiments of one kind, of a seed whose digests are known to be alike; the bare machine runs
    them once, for all mechanisms."""
    def run(c):
        n = 2 * count if kind == 'system' else count  # one in ten ends the machine, and with it its block
        bare = Bare(c, g, kind, seed, n, cpu) if kind in g.alike else None
        for mmu in mechanisms:
            tally = Tally()
            one_kind(c, g, kind, seed, n, mmu, cpu, bare, tally, {})
            require(not tally.differing, '%s: the bare machine saw something else from experiment %s on' %
                    (mmu, tally.differing))
            require(tally.blocks or kind == 'real', '%s: no block of it came to its end' % mmu)
    return Test('hostile guest: %s, %s on %s, %s' % (g.name, kind, cpu, ' '.join(mechanisms)), run)


# What `make test` runs: which kinds of which guest, on which CPU, under which mechanism, and how many experiments of
# each.
SHORT = (
    (G64, HASWELL, 'ept', 'bytes user kernel kernel16 segments flags events system upper msrs ports', 20),
    (G64, HASWELL, 'shadow', 'bytes kernel events system upper ports', 20),
    (G64, HASWELL, 'vtlb', 'user kernel16 system', 20),
    (G64, HASWELL, 'brute', 'bytes kernel upper', 20),
    (G64, LYNNFIELD, 'ept', 'bytes user kernel system', 20),
    (G64, PENRYN, 'shadow', 'bytes kernel', 20),
    (G32, HASWELL, 'ept', 'bytes v86 kernel segments flags events tasks system msrs', 10),
    (GPAE, HASWELL, 'shadow', 'bytes user kernel events tasks system', 10),
    (G32, HASWELL, 'vtlb', 'user tasks system', 10),
    (GPAE, HASWELL, 'brute', 'v86 kernel16', 10),
    (GPAE, LYNNFIELD, 'ept', 'bytes kernel tasks', 10),
    (G32, PENRYN, 'shadow', 'bytes kernel events', 10),
    (GFLAT, HASWELL, 'ept', 'v86 tasks', 10),
    (GFLAT, PENRYN, 'shadow', 'kernel16 events', 10),
    (GREAL, HASWELL, 'ept', 'real', 5),
    (GREAL, HASWELL, 'shadow', 'real', 5),
    (GREAL, LYNNFIELD, 'ept', 'real', 5),
)


def short_runs():
    """SHORT, by guest, CPU and kind: the tests."""
    runs = {}
    for g, cpu, mmu, kinds, count in SHORT:
        for kind in kinds.split():
            runs.setdefault((g, cpu, kind, count), []).append(mmu)
    return [short(g, cpu, kind, mechanisms, count) for (g, cpu, kind, count), mechanisms in runs.items()]


def its_clock_goes_on(c):
    """An experiment that takes one page fault after the other and executes nothing between them: its watchdog comes,
    though the guest's clock stands still while the hypervisor works."""
    bare = native(c, G64, G64.append('system', 4, 378, 1), HASWELL)
    for mmu in ('shadow', 'vtlb', 'brute', 'ept'):
        o = c.run(['run', '--kernel', c.guest('hostile'), '--mem', '16M', '--mmu', mmu, '--clock', 'guest', '--timeout',
                   str(PATIENCE['bare']),
                   '--append', G64.append('system', 4, 378, 1)], limit=PATIENCE['bare'] + 20, never=NEVER)
        seen = Seen(o.text, o.json['guest']['end'])
        require(bare.blocks[378][2] == seen.blocks[378][2], '%s: the bare machine saw something else' % mmu)


def tests():
    return [Test('a guest that executes nothing has a clock', its_clock_goes_on)] + short_runs()


class Campaign:
    def __init__(self, build, wanted, mechanisms, count, seed):
        self.runner = Runner(build, os.path.join(build, 'hostile'))
        self.wanted, self.mechanisms, self.count, self.seed = wanted, mechanisms, count, seed
        self.tallies = {m: Tally() for m in mechanisms}
        self.failed, self.pace = 0, {}
        PATIENCE.update(bare=100, beside=200)

    def guarded(self, name, function):
        """function(context); None if it failed, which is told."""
        c = Context(self.runner, name)
        try:
            return function(c)
        except Failure as e:
            self.failed += 1
            print('FAIL %s: %s' % (name, e), flush=True)
            return None
        finally:
            c.close()

    def kind(self, g, kind, seed):
        cpu = g.cpus[seed % len(g.cpus)]
        # Nearly each experiment in real mode ends its machine.
        count = self.count // 20 + 1 if kind == 'real' else self.count
        name = '%s, %s, seed %d' % (g.name, kind, seed)
        bare = self.guarded(name, lambda c: Bare(c, g, kind, seed, count, cpu)) if kind in g.alike else None
        for mmu, t in self.tallies.items():
            if t.instructions >= self.wanted or mmu not in g.mechanisms:
                continue
            self.guarded('%s, %s' % (name, mmu),
                         lambda c: one_kind(c, g, kind, seed, count, mmu, cpu, bare, t, self.pace))
            while t.differing:
                first, what = t.differing.pop()
                print('another digest: %s --append "%s"' % (what, g.append(kind, seed, first, BLOCK)), flush=True)
        print('%s on %s: %s' % (name, cpu, ', '.join('%s %d' % (m, t.instructions) for m, t in self.tallies.items())),
              flush=True)

    def wants_more(self):
        return any(t.instructions < self.wanted for t in self.tallies.values())

    def run(self):
        seed, began = self.seed, time.monotonic()
        while self.wants_more():
            for g in GUESTS:
                for kind in g.alike + g.unlike:
                    if self.wants_more():
                        self.kind(g, kind, seed)
            seed += 1
        for m, t in self.tallies.items():
            print('%s: %d instructions counted in %d starts' % (m, t.instructions, t.starts))
        print('hostile: %d failed; %.0f s, of which %.0f s of CPU' %
              (self.failed, time.monotonic() - began, sum(os.times()[:4])))
        return 1 if self.failed else 0


if __name__ == '__main__':
    sys.exit(Campaign(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10000000, sys.argv[3:] or MECHANISMS,
                      int(os.environ.get('EXPERIMENTS', 400)), int(os.environ.get('SEED', 1))).run())
