"""AMD-V: the same guests on a CPU model of AMD's (docs/svm.md)."""

import re

import report
from boots import check_boot
from conformance import conform, conforms
from firmware import nothing_to_boot
from quick import quick
from runner import Test, require
from switching import CHECKSUM, switches

RYZEN = ['--cpu', 'ryzen']
LIMIT = 300
KERNELS = ('hello', 'absent', 'paging32', 'paging64', 'msr-cpuid', 'emulated', 'memory', 'tables', 'legacy32',
           'realmode', 'sysret', 'nullss')


def linux(what, args, mechanism):
    def run(c):
        o = check_boot(c, 'ryzen', RYZEN + args, r'ok checksum=%s kernel=\S+' % CHECKSUM)
        require(o.json['mmu'] == mechanism, 'mmu is %r' % o.json['mmu'])
    return Test('ryzen: Linux, %s' % what, run)


def kernels(mechanism):
    """All of them side by side; but for the one that looks at clocks, which is alone."""
    def run(c):
        conforms(c, 'timer', '', RYZEN + ['--mmu', mechanism])
        o, _ = conform(c, [(kernel, '', 'mmu %s\n' % mechanism) for kernel in KERNELS], RYZEN)
        for vm in o.json['vms']:
            require(vm['mmu'] == mechanism, 'mmu is %r' % vm['mmu'])
    return Test('ryzen: test kernels under %s' % mechanism, run)


def switched(c):
    o = check_boot(c, 'ryzen', RYZEN + ['--switch-every', '60'], r'ok checksum=%s kernel=\S+' % CHECKSUM)
    switches(o, 100)


def switched_kernel(name):
    def run(c):
        o = c.run(['run', '--kernel', c.guest(name), '--mem', '64M', '--timeout', '180', '--switch-every', '32exits'] +
                  RYZEN, limit=200, expect=[r'^%s: ok' % name], forbid=['FAIL'])
        report.check(o.json)
        switches(o, 3)
    return Test('ryzen: changes of the mechanism under %s' % name, run)


def firmware(mechanism):
    """SeaBIOS to the end of its search for something to boot."""
    named = nothing_to_boot('ryzen, %s' % mechanism, ['--mmu', mechanism] + RYZEN)
    return Test('ryzen: SeaBIOS under %s' % mechanism, named.function)


def best(c):
    o = c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--timeout', '50'] + RYZEN, expect=[r'hello: ok'])
    require(re.search(r'mmu npt, the best there is', o.text) or re.search(r'mmu npt, because', o.text),
            'npt was not chosen: %s' % o.text[:300])


def refused(what, args, sentence):
    def run(c):
        c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--timeout', '50'] + args, status=(2, 67),
              expect=[sentence])
    return Test('ryzen: refuses ' + what, run)


def tests(everything):
    t = [linux('the default guest', [], 'npt')]
    t += [linux(m, ['--mmu', m] + quick(), m) for m in ('shadow', 'vtlb') + (('brute',) if everything else ())]
    some = [('686', 'npt'), ('686-pae', 'shadow')]
    t += [linux('%s, %s' % (g, m), ['--guest', g, '--mmu', m] + quick(), m)
          for g in ('686', '686-pae') for m in ('npt', 'shadow') if everything or (g, m) in some]
    t += [kernels(m) for m in ('npt', 'shadow', 'vtlb', 'brute')]
    t += [Test('ryzen: 100 changes of the mechanism in one boot', switched), switched_kernel('paging64'),
          switched_kernel('paging32'), firmware('npt'), firmware('shadow'),
          Test('ryzen: npt by itself', best),
          refused('EPT', RYZEN + ['--mmu', 'ept'], r'mmu ept cannot be used: the CPU has no EPT'),
          refused('NPT on a CPU of Intel\'s', ['--mmu', 'npt'], r'mmu npt cannot be used: .*NPT')]
    return t
