"""QEMU's own CPU, which has AMD-V without NRIPS (docs/svm.md), and its disks and network card."""

import disks
import report
from boots import check_boot
from conformance import conform
from firmware import nothing_to_boot
from runner import Test, require
from switching import CHECKSUM

QEMU = ['--machine', 'qemu']
# The others ask for what QEMU's CPU does not do: RF in the flags of a fault, limits of real mode, timers to the tick.
KERNELS = ('hello', 'absent', 'memory', 'sysret')


def linux(mechanism):
    def run(c):
        o = check_boot(c, 'qemu, %s' % mechanism, QEMU + ['--mmu', mechanism],
                       r'ok checksum=%s kernel=\S+' % CHECKSUM)
        require(o.json['mmu'] == mechanism and o.json['machine'] == 'qemu', 'it ran otherwise: %s' % o.text[:300])
    return Test('qemu: Linux, %s' % mechanism, run)


def kernels(mechanism):
    def run(c):
        o, _ = conform(c, [(kernel, '', 'mmu %s\n' % mechanism) for kernel in KERNELS], QEMU)
        for vm in o.json['vms']:
            require(vm['mmu'] == mechanism, 'mmu is %r' % vm['mmu'])
    return Test('qemu: test kernels under %s' % mechanism, run)


def firmware(mechanism):
    named = nothing_to_boot('qemu, %s' % mechanism, ['--mmu', mechanism] + QEMU)
    return Test('qemu: SeaBIOS under %s' % mechanism, named.function)


def work(c, path, megabytes=1, more=(), left=None):
    return disks.work(c, path, megabytes, QEMU + list(more), left, model='sata0: QEMU HARDDISK')


def tests(everything):
    kinds = (['--mmu', 'npt'], ['--mmu', 'shadow'], ['--mmu', 'npt'])
    disk = Test('qemu: a disk, written by one machine after the other',
                disks.one_after_the_other(kinds if everything else kinds[:2], work))
    return [disk, linux('npt'), linux('shadow')] + [kernels(m) for m in ('npt', 'shadow')] + [firmware('npt')]
