"""A guest that gives memory back: by its balloon, as `vellum ctl balloon` asks for it, and what is free by itself."""

import re

from control import ask, ctl, stay, until
from network import Shell
from quick import quick
from refusals import refused
from runner import Test, require

MB = 1 << 20


class Guest(Shell):
    """A shell that is asked for its memory, and has some of it filled."""

    asked = 0

    def run(self, line):
        """The output of a line."""
        self.asked += 1
        self.say('%s; echo done"-"%d' % (line, self.asked))
        return self.wait(rb'(?s)\A.*\ndone-%d\r*\n' % self.asked).group(0)

    def memory(self):
        """MemTotal and MemFree, in bytes."""
        text = self.run('cat /proc/meminfo')
        return [int(re.findall(rb'%s: +(\d+) kB' % name, text)[-1]) << 10 for name in (b'MemTotal', b'MemFree')]

    def fill(self):
        """A file of some megabytes; its checksum."""
        text = self.run('cat /bin/busybox /bin/busybox /bin/busybox > /filled; sha256sum /filled')
        return re.findall(rb'([0-9a-f]{64}) +/filled', text)[-1]


def resident(c):
    return ask(c, 'list')['vms'][0]['resident_bytes']


def shrinks_and_grows(*more):
    def run(c):
        """From 256 MB to 112 and back: the machine has what the guest has not, and what the guest has is right. To
        64 it cannot go: this Linux keeps some 90 for itself."""
        with Guest(c, ['--balloon', '--mem', '256M'] + list(more)) as s:
            total, _ = s.memory()
            kept = s.fill()
            # What it has touched and freed goes by itself, 2 MB at a time.
            s.run('dd if=/dev/zero of=/large bs=1M count=130')
            require(resident(c) > 150 * MB, 'touched: %d MB' % (resident(c) / MB))
            s.run('rm /large')
            until('what is free has gone', lambda: resident(c) < 110 * MB)
            require(ask(c, 'balloon')['reported'] > 100 << 8, 'reported')
            a = ask(c, 'balloon', '112M')
            require(a['balloon_bytes'] == 144 * MB and a['inflated'] >= 144 << 8, 'shrunk: %s' % a)
            require(resident(c) <= 113 * MB, 'resident: %d MB' % (resident(c) / MB))
            small, free = s.memory()
            require(total - small == 144 * MB and free < 40 * MB, 'MemTotal %d, MemFree %d' % (small, free))
            text = ctl(c, 'balloon')
            require(re.search(r'guest: has 112\.0 MB of its 256\.0 MB, \d+\.\d MB of them in memory\n'
                              r'  pages that became free: [\d,]+\n(.*\n)*  guest: total +\d+\.\d MB\n', text), text)
            a = ask(c, 'balloon')
            require(a['memory']['total_bytes'] == small, 'statistics: %s' % a)
            text = ctl(c, 'balloon', '64M', status=1)
            require(re.fullmatch(r'vellum: guest has got to \d+\.\d MB, and no nearer to 64\.0 MB for 3 s of its '
                                 r'clock; that stays what is wanted of its guest, until another SIZE is\n', text), text)
            a = ask(c, 'balloon', '256M')
            require(a['balloon_bytes'] == 0 and a['deflated'] >= 144 << 8, 'grown: %s' % a)
            require(s.memory()[0] == total, 'MemTotal afterwards')
            s.run('cp /filled /again; dd if=/dev/zero of=/large bs=1M count=120')
            same = re.findall(rb'([0-9a-f]{64}) +/again', s.run('sha256sum /again'))[-1] == kept
            require(same, 'the file has changed')
            require(ask(c, 'audit')['audit'] == 'ok', 'audit')
            s.end()
    return run


def refusals(c):
    refused(c, ['run', '--balloon=maybe'], 2, r'balloon must be on, off or oom, not "maybe"')
    refused(c, ['run', '--balloon', '--prealloc'], 2, r'has prealloc, so its RAM stays where it is: swap, limit and '
            r'balloon are for others')
    refused(c, ['run', '--balloon', '--native'], 2, r'mean nothing to it')
    with stay(c):
        require('it has no balloon: begin it with balloon on' in ctl(c, 'balloon', '16M', status=1), 'without one')
        require('it has no balloon' in ctl(c, 'balloon', status=1), 'without one, and no size')
    with stay(c, '--balloon'):
        require('its guest has no driver for its balloon' in ctl(c, 'balloon', '16M', status=1), 'without a driver')
        require('guest: has 32.0 MB of its 32.0 MB' in ctl(c, 'balloon'), 'what it has')
        require('must be a number of megabytes, or with K, M or G' in ctl(c, 'balloon', 'guest', 'much', status=2),
                'no size')


def tests(everything):
    """Each mechanism, AMD's among them, several CPUs, and drivers of before the specification."""
    more = [['--mmu', 'shadow'], ['--mmu', 'vtlb'], ['--mmu', 'brute'], ['--cpu', 'ryzen'],
            ['--vcpus', '2', '--host-cpus', '2'], quick('virtio_pci.force_legacy=1')]
    return [Test('balloon: 256 MB to 112 and back, %s' % ' '.join(m), shrinks_and_grows(*m))
            for m in [['--mmu', 'ept']] + (more if everything else [])] + \
           [Test('balloon: refused', refusals)]
