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


MEMORY = r'memory: 65252 pages, sum 113cebec39b0b20a\n'


def beyond_the_machine(mmu):
    def run(c):
        """Two of 256 MB that use all of it, twice, on a machine of 320: pages go to a disk and come back."""
        kernel = c.guest('memory')
        description = c.file('vms', vm('one', kernel, 'mem 256M', 'mmu ' + mmu) +
                             vm('two', kernel, 'mem 256M', 'mmu ' + mmu))
        o = c.run(['run', '--vm', description, '--host-mem', '320M', '--swap', '512M', '--timeout', '240'], limit=260,
                  expect=[r'(?m)^' + MEMORY, r'\[two\] ' + MEMORY], forbid=['FAIL', 'free frames only'])
        require(o.text.count('memory: ok') == 2, 'both end well')
    return run


def area_too_small(c):
    """The area is full: one ends, with a sentence, the other one has what it needs."""
    kernel = c.guest('memory')
    description = c.file('vms', vm('one', kernel, 'mem 256M') + vm('two', kernel, 'mem 256M'))
    o = c.run(['run', '--vm', description, '--host-mem', '320M', '--swap', '64M', '--timeout', '150'], limit=180,
              status=66, expect=[r'left for it: \d+ MB of its 256 MB of RAM are in use', MEMORY],
              forbid=['FAIL', 'free frames only'])
    require(o.text.count('memory: ok') == 1, 'one ends well')


def limited(c):
    """One alone that may have a quarter of its RAM in memory at once."""
    c.run(['run', '--kernel', c.guest('memory'), '--mem', '64M', '--limit', '16M', '--swap', '128M', '--timeout', '60'],
          limit=80, expect=[r'(?m)^memory: ok', r'"?memory.swapped_pages|memory: \d+ pages'], forbid=['FAIL'])


def compressed(c):
    """The same, where what goes is compressed: into memory that is enough for it, and into some that is not, from where
    the oldest go to the disk."""
    for zpool, enough in (('4M', True), ('1M', False)):
        o = c.run(['run', '--kernel', c.guest('memory'), '--mem', '40M', '--limit', '16M', '--swap', '128M', '--zpool',
                   zpool, '--timeout', '60'], limit=80, expect=[r'(?m)^memory: ok'], forbid=['FAIL'])
        m = o.json['memory']
        require(m['packed'] > 5000 and m['packed'] >= m['went'] * 0.95, str(m))
        require(m['came'] > 5000 and (m['unpacked'] > m['came'] * 0.95 if enough else
                                      m['unpacked'] < m['came'] * 0.5), str(m))


def together_again(c):
    """Two of 64 MB are short of memory until one ends. Then the other uses what it did not use so far, and had to give
    away for: what comes page by page, and is used, lies in blocks."""
    halves = c.guest('halves')
    description = c.file('vms', vm('short', halves, 'mem 64M', 'append rounds=8') +
                         vm('long', halves, 'mem 64M', 'append rounds=40 others=70 whole'))
    o = c.run(['run', '--vm', description, '--host-mem', '80M', '--swap', '128M', '--timeout', '60'], limit=80,
              forbid=['FAIL'])
    require(o.text.count('halves: ok') == 2, 'both end well')
    memory = o.json['vms'][1]['memory']
    require(memory['joined'] > 0 and memory['joined'] * 600000 > memory['join_ticks'], str(memory))


def at_once(c):
    """What is taken at once must be there; the same guest without that begins."""
    c.run(['run', '--kernel', c.guest('hello'), '--mem', '255M', '--host-mem', '256M', '--prealloc', '--timeout', '60'],
          limit=80, status=64, expect=[r'cannot give it 255 MB of RAM at once: the machine has \d+ MB left'])
    c.run(['run', '--kernel', c.guest('hello'), '--mem', '128M', '--prealloc', '--timeout', '60'], limit=80,
          expect=[r'(?m)^hello: ok'])


def tests(everything):
    two = ('ept', 'shadow', 'vtlb', 'brute') if everything else ('ept',)
    return [Test('memory: more than there is, %s' % m, more_than_there_is(m)) for m in ('ept', 'shadow')] + \
           [Test('memory: short of it, %s' % m, short_of_it(m)) for m in ('ept', 'shadow', 'vtlb', 'brute')] + \
           [Test('memory: two beyond the machine, %s' % m, beyond_the_machine(m)) for m in two] + \
           [Test('memory: the swap area is full', area_too_small), Test('memory: a limit', limited),
            Test('memory: compressed', compressed), Test('memory: put together again', together_again)] + \
           [Test('memory: at once', at_once)]
