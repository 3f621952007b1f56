"""Pages that hold the same, in one frame (docs/memory.md): guests that share them while they work end with the right
results, under each mechanism; and `vellum ctl merge`."""

import os

from control import MECHANISMS, Running, ask, ctl, until
from quick import WORDS
from runner import Test, require
from workloads import WORKLOADS

EAGERLY = 'merge on\nmerge-rate 10000000\nmerge-share 60\nclock host\n'
MERGING = 'merge on\nmerge-rate 1000000\nmerge-share 10\n'


def linux(c, name, mmu, workload):
    return ('vm %s\nkernel %s\ninitrd %s\nappend console=ttyS0 cryptomgr.notests=1 nopti quiet %s vellum.workload=%s\n'
            'mem 128M\nmmu %s\n%s' % (name, os.path.join(c.build, 'guest', 'bzImage'),
                                      os.path.join(c.build, 'guest', 'initramfs.cpio'), WORDS, workload, mmu,
                                      MERGING))


def twins(mmu):
    def run(c):
        """Two of the same kernel, each with the result that it has alone."""
        description = c.file('vms', linux(c, 'one', mmu, 'fork:12') + linux(c, 'two', mmu, 'fork:12'))
        o = c.run(['run', '--vm', description, '--host-mem', '512M', '--timeout', '900'], limit=900,
                  expect=[r'(?m)^VELLUM-RESULT ok checksum=%s' % WORKLOADS['fork:12'][1],
                          r'\[two\] VELLUM-RESULT ok checksum=%s' % WORKLOADS['fork:12'][1]],
                  forbid=['FAIL', 'free frames only', 'Oops', 'BUG:'])
        for vm in o.json['vms']:
            m = vm['merge']
            require(m['merged'] + m['offered'] > 300 and m['zero'] > 300 and m['parted'] > 0, '%s' % m)
    return run


MEMORY = r'memory: 65252 pages, sum 113cebec39b0b20a\n'


def in_less_than_they_need(mmu):
    def run(c):
        """Two that hold the same for a while, and use all of their RAM, on a machine with less than what both need:
        pages are merged, part, go to a disk, and come back."""
        description = c.file('vms', '\n'.join('vm %s\nkernel %s\nmem 256M\nmmu %s\n%s' %
                                              (name, c.guest('memory'), mmu, EAGERLY) for name in ('one', 'two')))
        o = c.run(['run', '--vm', description, '--host-mem', '320M', '--swap', '512M', '--timeout', '400'], limit=420,
                  expect=[r'(?m)^' + MEMORY, r'\[two\] ' + MEMORY], forbid=['FAIL', 'free frames only'])
        require(o.text.count('memory: ok') == 2, 'both end well')
        for vm in o.json['vms']:
            m = vm['merge']
            require(m['merged'] + m['offered'] > 500 and m['parted'] > 300, '%s' % m)
            require(vm['memory']['went'] > 10000 and vm['memory']['came'] > 10000, '%s' % vm['memory'])
    return run


def rounds_under(c, mmu):
    """Pages are given back; then merging ends."""
    ask(c, 'mmu', mmu)
    require(ask(c, 'merge', 'guest', 'on')['merging'] == 'on', 'on')
    rounds = ask(c, 'merge', 'guest', 'stats')['rounds']
    a = until('two rounds', lambda: [x for x in [ask(c, 'merge', 'guest', 'stats')] if x['rounds'] > rounds + 2])[0]
    require(a['zero'] > 100 and a['resident_pages'] < 32 << 8, '%s: %s' % (mmu, a))
    require(ask(c, 'audit')['audit'] == 'ok', 'audit')
    a = ask(c, 'merge', 'guest', 'off')
    require(a['merging'] == 'off' and a['shared_pages'] == 0 and a['machine_pages'] == 0, '%s: %s' % (mmu, a))


def two_cpus(c):
    """The same with two virtual CPUs, each on a CPU."""
    with Running(c, ['--kernel', c.guest('dirty'), '--append', 'pages=20', '--mem', '32M', '--merge', '--merge-rate',
                     '1000000', '--merge-share', '50', '--vcpus', '2', '--host-cpus', '2'], rb'dirty: ready'):
        for mmu in ('ept', 'shadow'):
            rounds_under(c, mmu)


def switched(c):
    """Asked for, begun, ended, begun again, while its mechanism changes."""
    with Running(c, ['--kernel', c.guest('dirty'), '--append', 'pages=20', '--mem', '32M', '--merge', '--merge-rate',
                     '1000000', '--merge-share', '50'], rb'dirty: ready'):
        for mmu in MECHANISMS + ('ept',):
            rounds_under(c, mmu)
        require('merging is off' in ctl(c, 'merge', 'stats'), 'as text')
        require('it is: merge' in ctl(c, 'merge', 'guest', 'x', status=1), 'another word')
        require('it is: merge' in ctl(c, 'merge', status=2), 'no word')
    with Running(c, ['--kernel', c.guest('dirty'), '--append', 'pages=20', '--mem', '32M'], rb'dirty: ready'):
        require('does not allow it' in ctl(c, 'merge', 'guest', 'on', status=1), 'not allowed')
        require('no virtual machine that runs allows it' in ctl(c, 'merge', 'on', status=1), 'none allows it')


def tests(everything):
    some = MECHANISMS if everything else ('ept',)
    return [Test('merging: two of one kernel, %s' % m, twins(m)) for m in some] + \
           [Test('merging: two in less than they need, %s' % m, in_less_than_they_need(m)) for m in some] + \
           [Test('ctl: merge', switched), Test('ctl: merge, two CPUs', two_cpus)]
