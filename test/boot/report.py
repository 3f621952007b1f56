"""Checks of the JSON that a run wrote: is it complete, and does it agree with itself? The names are those of
docs/json.md."""

import os

from runner import require


def number(value, name, low=0):
    require(isinstance(value, int) and not isinstance(value, bool) and value >= low, 'JSON: %s is %r' % (name, value))
    return value


def check_exits(vm):
    exits = vm['exits']
    reasons = exits['by_reason']
    require(reasons, 'JSON: no exit at all')
    for name, r in reasons.items():
        require(name.replace('_', '').isalnum() and name == name.lower(), 'JSON: a reason is called %r' % name)
        number(r['count'], name + '.count', 1)
        number(r['ticks'], name + '.ticks', 1)
    counted = sum(r['count'] for r in reasons.values())
    require(counted == exits['total'], 'JSON: the reasons have %d exits, the total is %d' % (counted, exits['total']))
    ticks = sum(r['ticks'] for r in reasons.values())
    hypervisor = number(vm['instructions']['hypervisor'], 'instructions.hypervisor', 1)
    require(ticks <= hypervisor <= ticks * 1.01 + 10000,
            'JSON: the exits took %d ticks, the hypervisor %d' % (ticks, hypervisor))


def check_mmu(vm):
    c = vm['mmu_counters']
    reasons = vm['exits']['by_reason']
    for name in ('faults', 'ept_violations', 'mapped_4k', 'mapped_2m', 'mapped_1g', 'table_pages_allocated',
                 'table_pages_freed'):
        number(c.get(name), 'mmu_counters.' + name)
    outcomes = sum(v for n, v in c.items() if n.startswith('outcome_'))
    require(outcomes == c['faults'], 'JSON: %d faults, %d outcomes' % (c['faults'], outcomes))
    for counter, names in (('ept_violations', ('ept_violation', 'nested_page_fault')),
                           ('ept_misconfigs', ('ept_misconfiguration', 'nested_reserved_bit'))):
        exits = sum(reasons.get(name, {}).get('count', 0) for name in names)
        require(c[counter] <= exits, 'JSON: %d %s, but %d exits for it' % (c[counter], counter, exits))
    pages = number(vm['tables']['pages'], 'tables.pages', 1)
    made = c['table_pages_allocated'] - c['table_pages_freed']
    require(made <= pages <= made + 1, 'JSON: %d pages of tables, %d allocated and not freed' % (pages, made))


def check_vm(vm, status=0):
    require(vm['guest']['status'] == status, 'JSON: guest.status is %r, not %d' % (vm['guest']['status'], status))
    require(isinstance(vm['guest']['end'], str) and vm['guest']['end'], 'JSON: guest.end is %r' % vm['guest']['end'])
    require(vm['mmu'] in ('ept', 'npt', 'shadow', 'vtlb', 'brute'), 'JSON: mmu is %r' % vm['mmu'])
    require(vm['vpid'] in (True, False), 'JSON: vpid is %r' % vm['vpid'])
    require(vm['pages'] in ('4k', '2m', '1g', 'auto'), 'JSON: pages is %r' % vm['pages'])
    number(vm['instructions']['guest'], 'instructions.guest', 1)
    check_exits(vm)
    check_mmu(vm)


def check(report, status=0, vms=1):
    """The whole report; status is that of the command and of the first virtual machine."""
    require(report is not None, 'no JSON was written')
    require(report['machine'] in ('bochs', 'qemu'), 'JSON: machine is %r' % report['machine'])
    require(isinstance(report['cpu'], str) and report['cpu'], 'JSON: cpu is %r' % report['cpu'])
    require(report['panic'] is None, 'JSON: panic is %r' % report['panic'])
    require(report['version'] and report['command'].startswith('vellum run '), 'JSON: %r made by %r' %
            (report['version'], report['command']))
    begins, kernel = '\nrestore ' not in report['description'], report['guest']['kernel']
    require(report['description'].startswith('vm ') and (os.path.exists(kernel) if begins else kernel == ''),
            'JSON: of %r, with the kernel %r' % (report['description'], kernel))
    require(report['ending'] == 'ended' and report['counters'] == 'end', 'JSON: ending %r, counters %r' %
            (report['ending'], report['counters']))
    number(report['host']['cpus'], 'host.cpus', 1)
    number(report['host']['mem_bytes'], 'host.mem_bytes', 1)
    if vms == 1:
        require(report['status'] == status, 'JSON: status is %r, not %d' % (report['status'], status))
        check_vm(report, status)
    else:
        require(len(report['vms']) == vms, 'JSON: %d virtual machines, not %d' % (len(report['vms']), vms))
        for vm in report['vms']:
            check_vm(vm, vm['guest']['status'])


def check_pages(vm, pages):
    """Only leaves that the choice allows."""
    c = vm['mmu_counters']
    require(vm['pages'] == pages, 'JSON: pages is %r, not %r' % (vm['pages'], pages))
    require(pages == '1g' or c['mapped_1g'] == 0, '%d leaves of 1G with --pages %s' % (c['mapped_1g'], pages))
    require(pages != '4k' or c['mapped_2m'] == 0, '%d leaves of 2M with --pages 4k' % c['mapped_2m'])
    require(c['mapped_' + pages] > 0, 'no leaf of %s with --pages %s' % (pages, pages))
