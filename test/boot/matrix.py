"""Every mechanism runs every guest, on every CPU generation: boots to the workload's result line, whose checksum must
be the same everywhere.

`make test` runs CELLS: each mechanism with each guest, and each CPU model, at least once. `make test-all` runs the
whole product; what a CPU cannot do is part of it, as a refusal."""

import re

import report
import workloads
from runner import Failure, Test, require

# The models of Bochs on which Vellum runs, from the oldest to the newest, with the mechanism that is the best on each.
MODELS = {
    'core2_penryn_t9600': 'shadow',
    'corei5_lynnfield_750': 'ept',
    'corei5_arrandale_m520': 'ept',
    'corei7_sandy_bridge_2600k': 'ept',
    'corei7_ivy_bridge_3770k': 'ept',
    'corei7_haswell_4770': 'ept',
    'broadwell_ult': 'ept',
    'corei7_skylake_x': 'ept',
    'corei3_cnl': 'ept',
    'corei7_icelake_u': 'ept',
    'tigerlake': 'ept',
    'sapphire_rapids': 'ept',
    'arrow_lake': 'ept',
}
MECHANISMS = ('ept', 'shadow', 'vtlb', 'brute')
GUESTS = ('amd64', '686-pae', '686')

LIMIT = 1500

# `brute` takes ten times as long for the default workload as for this one, which has the same page-table work in it.
SHORT = 'fork:12'

# What `make test` runs, and with which workload: the default, or one of workloads.py, each of which has a cell.
# boots.py has amd64 under ept on Haswell, Skylake, Ivy Bridge and Ice Lake, and under shadow on Haswell; switching.py
# has the default workload on the 32-bit kernels.
CELLS = (
    ('686-pae', 'brute', 'arrow_lake', SHORT),
    ('amd64', 'brute', 'corei5_arrandale_m520', SHORT),
    ('686', 'brute', 'sapphire_rapids', SHORT),
    ('amd64', 'vtlb', 'corei3_cnl', None),
    ('686-pae', 'vtlb', 'tigerlake', 'boot'),
    ('686', 'vtlb', 'broadwell_ult', 'compute:2'),
    ('686', 'shadow', 'corei5_arrandale_m520', 'threads:2'),
    ('686-pae', 'shadow', 'corei7_sandy_bridge_2600k', 'mmap:150'),
    ('amd64', 'shadow', 'core2_penryn_t9600', 'fork:40'),
    ('686', 'shadow', 'core2_penryn_t9600', 'fault:2'),
    ('686-pae', 'ept', 'corei5_lynnfield_750', 'switch:300'),
    ('686', 'ept', 'corei5_lynnfield_750', 'compile:12'),
    ('amd64', 'ept', 'corei7_sandy_bridge_2600k', 'mix:8'),
)


def possible(mmu, model):
    return mmu != 'ept' or MODELS[model] == 'ept'


def arguments(guest, mmu, model, workload):
    """The best mechanism of a CPU is not asked for: the hypervisor must find it by itself."""
    return (['run', '--guest', guest, '--cpu', model, '--mem', '128M', '--timeout', str(LIMIT - 100)] +
            (['--mmu', mmu] if mmu != MODELS[model] else []) + (['--workload', workload] if workload else []))


def cell(guest, mmu, model, workload=None):
    name = 'matrix: %s, %s, %s' % (guest, mmu, model) + (', %s' % workload if workload else '')
    why = 'as asked for' if mmu != MODELS[model] else 'because the CPU (has no EPT|can run it)'
    kernel = {'amd64': 'amd64', '686-pae': '686-pae', '686': r'[\d.-]+-686'}[guest]

    def run(c):
        o = c.run(arguments(guest, mmu, model, workload), limit=LIMIT, forbid=[r'VELLUM-RESULT FAIL', r'Kernel panic'],
                  expect=[r'^VELLUM-RESULT ok checksum=[0-9a-f]{16} kernel=\S*%s$' % kernel, r'reboot: Power down',
                          r'^vellum: guest: mmu %s, .*%s' % (mmu, why)])
        report.check(o.json)
        if workload:
            phases, checksum = workloads.WORKLOADS[workload]
            require('checksum=%s ' % checksum in o.result(), 'the result is %s' % o.result())
            workloads.check_phases(o.json, phases)
        require(o.json['mmu'] == mmu and o.json['cpu'] == model, 'it ran %s on %s' % (o.json['mmu'], o.json['cpu']))
        require(mmu == 'ept' or 'ept_violation' not in o.json['exits']['by_reason'], 'EPT violations without EPT')
        require(mmu == 'ept' or o.json['mmu_counters']['faults'] > 1000,
                'only %d faults' % o.json['mmu_counters']['faults'])
        checksum = re.search(r'checksum=(\S+)', o.result()).group(1)
        c.runner.facts.setdefault('checksums', {}).setdefault(workload, {})[name] = checksum
    return Test(name, run)


def refusal(guest, mmu, model):
    """A mechanism that the CPU has not: one sentence, which names one that it has."""
    def run(c):
        o = c.run(['run', '--guest', guest, '--cpu', model, '--mmu', mmu, '--timeout', '50'], status=67,
                  expect=[r'mmu ept cannot be used: the CPU has no EPT; use mmu shadow'])
        require(o.json['guest']['status'] == 67 and o.result() is None, 'it ran')
    return Test('matrix: %s, %s, %s is refused' % (guest, mmu, model), run)


def compare(c, workload, sums):
    for name, value in sums:
        if value != sums[0][1]:
            raise Failure('%s: %s; %s: %s' % (*sums[0], name, value))
    c.log.write('%s, %d boots: %s\n' % (workload, len(sums), sums[0][1] if sums else 'none'))


def same_checksum(c):
    """Also that of the boots of boots.py."""
    checksums = c.runner.facts.get('checksums', {})
    sums = checksums.setdefault(None, {})
    for name, result in c.runner.facts.get('results', {}).items():
        found = re.search(r'checksum=(\S+)', result or '')
        require(found, '%s has no checksum: %r' % (name, result))
        sums[name] = found.group(1)
    require(any(len(s) >= 2 for s in checksums.values()), 'no two boots came to a result line to compare')
    for workload, sums in checksums.items():
        compare(c, workload or 'memory', sorted(sums.items()))


def tests(everything):
    """With everything, the cells of `make test` that have the default workload in the product have it as well."""
    cells = list(CELLS)
    if everything:
        product = [(g, m, cpu, SHORT if m == 'brute' else None) for m in MECHANISMS for g in GUESTS for cpu in MODELS]
        cells += [c for c in product if c not in CELLS]
        cells += [(g, m, cpu, None) for g, m, cpu, _ in CELLS if m == 'brute']
    t = [cell(*c) if possible(c[1], c[2]) else refusal(*c[:3]) for c in cells]
    return t + [Test('matrix: the same checksum everywhere', same_checksum, last=True)]
