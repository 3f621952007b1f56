"""The workloads of the default guest: what each must give at a small size, its checksum and its phases, which are
counted apart."""

import re

import report
from quick import quick
from runner import Test, require

# Each workload at a small size: its phases, and its checksum, which depends on nothing else, so that it is the same on
# every kernel and CPU. The boots of the matrix run them (matrix.py): each in one of its cells.
WORKLOADS = {
    'boot': ((), 'c67e050eb0ed5891'),
    'fork:12': (('fork', 'exec'), 'e5a3b81bc7165c32'),
    'fork:40': (('fork', 'exec'), 'b902abcaecfc1179'),
    'mmap:150': (('churn',), 'e044a30227ea4ead'),
    'switch:300': (('pipes', 'futexes'), 'c9645470571fa1ef'),
    'fault:2': (('touch', 'give-up', 'copy-on-write'), '266089cd953298f9'),
    'compute:2': (('compute',), '47fbc6e98e14bff3'),
    'compile:12': (('build',), '3060241a55e92fdd'),
    'threads:2': (('unmap', 'protect', 'move', 'give-up', 'fork'), 'ba2744940d1d90dc'),
    'threads:4': (('unmap', 'protect', 'move', 'give-up', 'fork'), '31455f602f130a30'),
    'mix:8': (('edits-8', 'tables-8'), '139a0eb2917f2df1'),
}


def check_phases(json, wanted):
    phases = json.get('phases', {})
    names = [p['name'] for _, p in sorted(phases.items(), key=lambda x: int(x[0]))]
    require(names == list(wanted), 'the phases are %s' % names)
    for part in ('guest', 'hypervisor'):
        found = sum(p['instructions'].get(part, 0) for p in phases.values())
        require(not phases or 0 < found == json['workload']['instructions'][part] < json['instructions'][part],
                '%d instructions of the %s in phases of a run of %d' % (found, part, json['instructions'][part]))
    for reason, all_of_it in json['exits']['by_reason'].items():
        found = sum(p['exits']['by_reason'].get(reason, {'count': 0})['count'] for p in phases.values())
        require(found <= all_of_it['count'], 'more exits by %s in phases than in the run' % reason)
    for p in phases.values():
        own, exits = p['instructions'].get('guest', 0), p['exits']['total']
        # The guest reads its clock just after it has marked the beginning, and just before it marks the end; marks cost
        # a little. The clock does not count the way into the guest and out of it, which is in its instructions.
        require(0 <= own - p['ticks'] < 40000 + own / 50 + 80 * exits,
                'phase %s: %d instructions and %d exits, %d ticks by the guest' % (p['name'], own, exits, p['ticks']))


def native(c):
    """Without the hypervisor: the same result, by the kernel's own memory map, and no exits."""
    o = c.run(['run', '--native', '--workload', 'switch:300', '--timeout', '200'] + quick(), limit=240,
              expect=[r'^VELLUM-RESULT ok checksum=%s kernel=\S+$' % WORKLOADS['switch:300'][1], r'reboot: Power down'])
    require(o.json['mmu'] == 'native' and o.json['guest']['end'] == 'powered off',
            'JSON: %s, %s' % (o.json['mmu'], o.json['guest']['end']))
    require('exits' not in o.json, 'exits without a hypervisor')
    require([p['name'] for p in o.json['phases'].values()] == ['pipes', 'futexes'], 'the phases are wrong')
    require(0 < o.json['workload']['instructions']['guest'] < o.json['instructions']['guest'],
            'the instructions are wrong')


def native_ends(c):
    """A guest without the hypervisor ends as it would have ended in a virtual machine."""
    def run(args, status, end):
        o = c.run(['run', '--native', '--timeout', '60'] + args, status=status, never=[])
        require(o.json['guest']['end'] == end and o.seconds < 30, 'end %r after %.0f s' % (o.json['guest']['end'],
                                                                                        o.seconds))
        return o.json
    run(['--kernel', c.guest('hello'), '-m', '64'], 0, 'powered off')
    run(['--kernel', c.guest('triple-fault'), '-m', '64'], 65, 'stopped: triple fault')
    j = run(['--initrd', 'none'] + quick('panic=-1'), 68, 'reset')
    require(j['guest']['panic'].startswith('VFS: Unable to mount'), 'JSON: panic %r' % j['guest']['panic'])
    j = run(['--initrd', 'none'] + quick(), 68, None)
    require(j['ending'] == 'guest-panic' and j['counters'] is None, 'JSON: %r, %r' % (j['ending'], j['counters']))


def refused_by_the_guest(c):
    """A name and a size that the command did not look at."""
    o = c.run(['run', '--timeout', '200'] + quick('vellum.workload=fork vellum.size=0x10'), status=3, limit=240,
              expect=[r'^VELLUM-RESULT FAIL the size of the workload fork, in children by fork, '
                      r'must be a number from 1 to'])
    require(re.search('debug exit', o.json['guest']['end']), 'the guest ended: %s' % o.json['guest']['end'])


def tests():
    return [Test('workload: natively', native), Test('natively: how guests end', native_ends),
            Test('workload: a bad size', refused_by_the_guest)]
