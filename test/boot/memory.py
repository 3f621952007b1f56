"""A guest's RAM, taken when it is touched (docs/memory.md): more than the machine has, as long as it is not all
touched; who is short, and whom that concerns."""

import re

from runner import Test, require


def vm(name, kernel, *lines):
    return 'vm %s\nkernel %s\n%s\n' % (name, kernel, '\n'.join(lines))


def more_than_there_is(mmu):
    def run(c):
        """2 GB on a machine with 256 MB."""
        c.run(['run', '--kernel', c.guest('hello'), '--mem', '2G', '--host-mem', '256M', '--mmu', mmu, '--timeout',
               '60'], limit=80, expect=[r'(?m)^hello: ok'], forbid=['FAIL'])
    return run


def short_of_it(mmu):
    def run(c):
        """One of two wants all of its 512 MB of 256, and ends with a sentence; the other has what it needs."""
        description = c.file('vms', vm('large', c.guest('memory'), 'mem 512M', 'mmu ' + mmu) +
                             vm('small', c.guest('lives'), 'mem 4M', 'append how=off n=7 work=40', 'mmu ' + mmu))
        o = c.run(['run', '--vm', description, '--host-mem', '256M', '--timeout', '150'], limit=180, status=66,
                  expect=[r'the machine has no memory left for it: \d+ MB of its 512 MB of RAM are in use',
                          r'\[small\] lives: n 7 sum 0x'],
                  forbid=['FAIL', 'free frames only'])
        used = int(re.search(r'left for it: (\d+) MB', o.text).group(1))
        require(150 < used < 256, '%d MB were in use' % used)
    return run


def at_once(c):
    """What is taken at once must be there; the same guest without that begins."""
    c.run(['run', '--kernel', c.guest('hello'), '--mem', '255M', '--host-mem', '256M', '--prealloc', '--timeout', '60'],
          limit=80, status=64, expect=[r'cannot give it 255 MB of RAM at once: the machine has \d+ MB left'])
    c.run(['run', '--kernel', c.guest('hello'), '--mem', '128M', '--prealloc', '--timeout', '60'], limit=80,
          expect=[r'(?m)^hello: ok'])


def tests():
    return [Test('memory: more than there is, %s' % m, more_than_there_is(m)) for m in ('ept', 'shadow')] + \
           [Test('memory: short of it, %s' % m, short_of_it(m)) for m in ('ept', 'shadow', 'vtlb', 'brute')] + \
           [Test('memory: at once', at_once)]
