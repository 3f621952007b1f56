"""The tables of exits.sh: exits.py CONSOLE-OF-EXITCOST JSON-OF-BOOT DIRECTORY-OF-MEASURES DIRECTORY-OF-TPR
CONSOLE-OF-IPICOST DIRECTORY-OF-IRQL DIRECTORY-OF-FORMS DIRECTORY-OF-FRESH
CONSOLE-OF-EXITCOST-TRACED DIRECTORY-OF-OTHERS CONSOLE-OF-IPICOST-MOVED DIRECTORY-OF-PLACES
CONSOLE-OF-IPICOST-BY-ONE DIRECTORY-OF-EXPIRED DIRECTORY-OF-SMP DIRECTORY-OF-CLOSED
DIRECTORY-OF-EVERY DIRECTORY-OF-EVERY-16. Status 1 when a limit is exceeded."""

import json
import os
import re
import sys

# Instructions; the same for KVM in the same Bochs, where it was measured.
EXITS = (
    ('cpuid', 'CPUID', 143, 1109),
    ('vmcall', 'VMCALL', 115, None),
    ('in_served', 'IN from port 0x61, served in the hypervisor', 205, 1543),
    ('wrmsr_tsc_deadline', 'WRMSR of the TSC deadline', 198, None),
    ('in_absent', 'IN from an absent port', None, None),
    ('rdmsr_efer', 'RDMSR of EFER', None, None),
    ('mmio_absent', 'read of absent memory', None, None),
    ('mov_to_cr4_pge', 'MOV to CR4 (PGE)', None, None),
    ('mov_to_cr3', 'MOV to CR3', None, None),
)
# Of the local APIC, with the limits by trap, by flexpriority and by apicv: no exit of flexpriority's TPR, none at all
# by apicv.
LAPIC = (
    ('mmio_tpr_read', 'read of the TPR', None, 10, 10),
    ('mmio_tpr_write', 'write to the TPR', 800, 10, 10),
    ('mmio_lapic_id', 'read of another register', None, 600, 10),
    ('mmio_ppr', 'read of the PPR', None, 600, 600),
    ('mmio_eoi', 'EOI, none in service', 800, 600, 10),
)
TRAPPED = 900           # an access to the TPR or to EOI that is trapped
OTHER = 600             # an exit for an access to another register, of whatever size, where the CPU serves the TPR
OWN = 46                # of the guest's, from a write to its TPR to the handler of what it lets in (all of it by apicv)
EXPIRES = ('initial_runs_mov_immediate', 'initial_sooner_mov_immediate')   # two exits, the CPU's timer is the second
REGISTERS = ('initial_runs', 'initial_sooner', 'current_runs', 'current_periodic', 'divide_runs', 'divide_sooner',
             'divide_periodic', 'lvt_timer_runs', 'lvt_timer_periodic', 'lvt_masked_runs', 'lvt_masked_periodic',
             'eoi', 'id', 'version', 'ppr', 'ldr', 'dfr', 'svr', 'isr', 'tmr', 'irr', 'esr', 'icr_high', 'icr_nobody',
             'icr_self', 'icr_news', 'lvt_timer', 'lvt_lint0', 'lvt_error', 'initial', 'current', 'divide', 'absent')
# Rare instructions of tprcost-every.c, of 4 bytes: those that write, with ESP as their register, or that push to the
# page or pop to it; and those of which an exit for another register is held to the limit: all but MOVS from a register
# to memory, and CMPS. The others are in docs/interrupts.md.
BY_ESP = ('store_sp', 'or_sp', 'adc_sp', 'xchg_sp', 'xadd_sp', 'cmpxchg_sp', 'bts_sp', 'movnti_sp', 'store_by_sp',
          'pop_by_sp')
RARE_WRITES = BY_ESP + ('stosl', 'rep_stosl', 'movsl_to', 'rep_movsl_to', 'movsl_both', 'movbe_store', 'shld_sp',
                        'push_to', 'push_imm_to', 'push_memory_to', 'push_segment_to', 'pushf_to', 'call_to', 'pop',
                        'pop_small')
RARE_SERVED = BY_ESP + ('stosl', 'rep_stosl', 'lodsl', 'rep_lodsl', 'scasl', 'repe_scasl', 'repne_scasl', 'movbe_store',
                        'movbe_load', 'popcnt', 'tzcnt', 'lzcnt', 'div', 'idiv', 'load_sp', 'cmp_sp', 'add_sp',
                        'test_sp', 'movzx_sp', 'cmov_sp', 'imul_sp', 'push_by_sp', 'push', 'pop', 'shld_sp', 'movsl_to',
                        'rep_movsl_to', 'movsl_both', 'push_to', 'push_imm_to', 'push_memory_to', 'pushf_to', 'call_to',
                        'pop_from', 'leave_from', 'push_small', 'pop_small', 'call_by', 'jump_by', 'crc32', 'andn',
                        'bextr', 'bzhi', 'blsr', 'rorx', 'shlx', 'mulx', 'pdep')
# Between CPUs, in ticks: with several CPUs, Bochs' time goes on by the mean of what they carry out in turn, and for one
# that is halted by 16: then about 1.5 ticks are an instruction. The sums count those of both CPUs.
BETWEEN = (
    ('ipi_send', 'fixed IPI: the write of the ICR'),
    ('ipi_receive', 'and the receiver, which runs'),
    ('ipi_latency', 'from the write to the handler'),
    ('ipi_send_to_halted', 'to one that is halted: the write of the ICR'),
    ('ipi_latency_to_halted', 'from the write to the handler'),
    ('move', 'a move to another CPU, with its timer interrupt'),
)
TRACE = 40              # what --trace adds to an exit
IPI = 600               # instructions of sender and receiver, outside the guests
IPI_HALTED = 1000       # the same, to one that is halted
MOVE = 1500
SHARE = 1.3             # percent: the hypervisor's instructions of the guest's
SMP_SHARE = 4.0         # the same with 4 virtual CPUs on 4 CPUs, under ept
SMP_SHADOW = 12.0       # percent: what such a boot takes more under shadow than under ept, guest and hypervisor
VIOLATIONS = 1500       # with 2M pages, 256 MB
KVM = {'exits': 132656, 'violations': 20084}
CPU_SECONDS = 20.0

exceeded = 0


def row(what, value, limit, peer='', form='{:,}'):
    global exceeded
    bad = limit is not None and value > limit
    exceeded += bad
    print('  %-46s %14s %12s %12s  %s' % (what, form.format(value), '' if limit is None else '<= ' + form.format(limit),
                                          peer,
                                        '' if limit is None else 'EXCEEDED' if bad else 'ok'))


def head(text):
    print('\n%-48s %14s %12s %12s' % (text, 'measured', 'limit', 'KVM'))


def read_costs(path):
    with open(path, errors='replace') as f:
        return {n: int(median) for n, median in re.findall(r'^BENCH (\S+) \d+ (\d+)\s*$', f.read(), re.M)}


def traced(cost, with_trace):
    """What recording an exit adds to it."""
    head('--trace: an exit, instructions more')
    for name, what, _, _ in EXITS:
        if cost.get(name, 0) > 10:      # else it does not exit
            row(what, with_trace[name] - cost[name], TRACE)


def halted_sum(ipis, by_one):
    """Instructions of an IPI to one that is halted. In each turn of the sender's until the receiver wakes up, time goes
    on by the quantum for the CPU that sleeps: 16 in the one run, 1 in the other; so their difference tells how many
    turns there were."""
    usual, least = (read_costs(path)['ipi_sum_to_halted'] for path in (ipis, by_one))
    return least - (usual - least) // 15


def between_cpus(ipis, moves, by_one):
    """What is between CPUs, as ticks; the sums, and a move whose steps one CPU does, as instructions. The
    sums have the receiver's EOI in them. What one takes is the first figure of the line "BENCH ipi_sum": ipicost reads
    the clock around a WRMSR to EOI on the sender's CPU. The limits are for the sums less that."""
    between = read_costs(ipis)
    head('between CPUs, ticks')
    for name, what in BETWEEN:
        row(what, between[name], None)
    with open(ipis, errors='replace') as f:
        eoi = int(re.search(r'^BENCH ipi_sum (\d+)', f.read(), re.M).group(1))
    move = read_costs(moves)
    head('between CPUs, instructions of both')
    row('fixed IPI to one that runs, with its EOI', between['ipi_sum'], None)
    row('the same without', between['ipi_sum'] - eoi, IPI)
    row('to one that is halted, without', halted_sum(ipis, by_one) - eoi, IPI_HALTED)
    row('a move, with the exit that asks for it', move['move'], None)
    row('such an exit that moves nobody', move['timer_exit'], None)
    row('so a move', move['move'] - move['timer_exit'], MOVE)


def measures(directory):
    """What each measure adds to a VMCALL, against the same CPU with --mitigations off."""
    global exceeded
    costs = {name: read_costs(os.path.join(directory, name))['vmcall'] for name in os.listdir(directory)}
    print('\n%-48s %14s %12s %12s' % ('mitigations: a VMCALL, instructions', 'off', 'on', 'adds'))
    for name in sorted(costs, key=lambda n: (n.split('.')[0], costs[n])):
        model, measure = name.split('.')
        if measure == 'off':
            continue
        off, on = costs[model + '.off'], costs[name]
        print('  %-46s %14d %12d %12d' % ('%s: %s' % (model, measure), off, on, on - off))
        exceeded += on <= off   # a measure that does nothing is none
    print('  ibpb adds nothing to an exit: it is one WRMSR when another virtual machine gets the CPU')


def local_apic(directory):
    """By method and mechanism."""
    global exceeded
    columns = ('trap.ept', 'flexpriority.ept', 'apicv.ept', 'trap.shadow', 'flexpriority.shadow', 'apicv.shadow')
    costs = {name: read_costs(os.path.join(directory, name)) for name in columns}
    print('\n%-34s' % 'the local APIC, instructions' + ''.join('%22s' % c.replace('.', ', ') for c in columns))
    for name, what, trap, flex, apicv in LAPIC:
        limits = dict(zip(columns, (trap, flex, apicv, trap, flex, apicv)))
        cells = []
        for c in columns:
            bad = limits[c] is not None and costs[c][name] > limits[c]
            exceeded += bad
            cells.append('%d%s' % (costs[c][name], '' if limits[c] is None else ' EXCEEDED' if bad else
                                   ' (<= %d)' % limits[c]))
        print('  %-32s' % what + ''.join('%22s' % c for c in cells))


def patched(folder):
    """1,000 accesses to the TPR: a patched one is at most 15 instructions, and no exit."""
    others = ('external_interrupt', 'interrupt_window', 'preemption_timer_expired', 'io_instruction')
    head('1,000 accesses of irql32 to its TPR: instructions')
    for name in sorted(os.listdir(folder)):
        if name.endswith('.json'):
            continue
        with open(os.path.join(folder, name), errors='replace') as f:
            ticks = int(re.search(r'accesses, (\d+) ticks', f.read()).group(1))
        with open(os.path.join(folder, name + '.json')) as f:
            reasons = json.load(f)['phases']['1']['exits']['by_reason']
        exits = sum(r['count'] for reason, r in reasons.items() if reason not in others)
        method = name.split('.')[0]
        row('%s: instructions' % name, ticks, 15000 if method == 'patch' else None)
        row('%s: exits' % name, exits, 1000 if method == 'trap' else 0)


def table(title, names, columns, costs, limit):
    """costs[column][name]: (instructions, of which form); the limit is limit(column, form), or None."""
    global exceeded
    print('\n%-24s' % title + ''.join('%18s' % c for c in columns))
    for name in names:
        cells = []
        for c in columns:
            value, what = costs[c].get(name, ('-', name))
            most = limit(c, what)
            bad = value != '-' and most is not None and value > most
            exceeded += bad
            cells.append('%s%s' % (value, ' EXCEEDED' if bad else ''))
        print('  %-22s' % name.replace('_', ' ') + ''.join('%18s' % c for c in cells))


def columns_of(directory, wanted=''):
    """METHOD.BITS.MECHANISM.CPU.VCPUS, as one says them."""
    found = {}
    for name in sorted(os.listdir(directory)):
        method, bits, mmu, cpu, vcpus = name.split('.')
        cpu = '' if cpu.startswith('corei7') else ' ' + cpu[:5]
        if name.startswith(wanted):
            found[name] = '%s %s%s%s' % (bits, mmu, cpu, ' 2 CPUs' if vcpus == '2' else '')
    return found


def forms(directory):
    """A trapped access to the TPR and to EOI by each form of instruction."""
    for method in ('trap', 'patch'):
        for register in ('tpr', 'eoi'):
            columns = columns_of(directory, method + '.')
            costs = {columns[n]: {form[len(register) + 1:]: (value, form) for form, value in
                                  read_costs(os.path.join(directory, n)).items() if form.startswith(register + '_')}
                     for n in columns}
            first = costs[columns[sorted(columns)[0]]]
            wide = costs[next(c for c in columns.values() if c.startswith('64'))]
            table('%s: %s' % (method, register.upper()),
                  sorted(first, key=lambda f: first[f][0]) + [f for f in wide if f not in first],
                  list(columns.values()), costs, lambda column, form: TRAPPED)
    print('  each at most %d, instructions' % TRAPPED)


def expired(directory):
    """A count that has passed when the exit is over, set again and again: the access, and the CPU's timer. The account
    has what is between the hypervisor's two readings of the clock; of a round, what it does not have is of both."""
    head('a count that expires at once: instructions')
    for name in sorted(n for n in os.listdir(directory) if n.endswith('.json')):
        with open(os.path.join(directory, name)) as f:
            reasons = json.load(f)['exits']['by_reason']
        ticks = [reasons[r]['ticks'] / reasons[r]['count'] for r in ('apic_access', 'external_interrupt')]
        around = (read_costs(os.path.join(directory, name[:-len('.json')]))['round'] - sum(ticks)) / 2
        for what, t in zip(('the access', 'the timer'), ticks):
            row('%s: %s' % (name[:-len('.json')], what), round(t + around), OTHER)


def others(directory):
    """An exit for another register, each by the dearest form of instruction; and each form at its dearest register."""
    def limit(_, form):
        return None if form.startswith(EXPIRES) else OTHER
    for method in ('flexpriority', 'apicv'):
        columns = columns_of(directory, method + '.')
        by_register, by_form = {}, {}
        for n, c in columns.items():
            all_costs = read_costs(os.path.join(directory, n))
            by_register[c], by_form[c] = {}, {}
            for name, value in all_costs.items():
                register = next((r for r in REGISTERS if name.startswith(r + '_')), None)
                if not register:
                    continue
                form = name[len(register) + 1:]
                by_form[c][form] = max(by_form[c].get(form, (0, '')), (value, name))
                by_register[c][register] = max(by_register[c].get(register, (0, '')), (value, name))
        names = sorted({r for c in by_register.values() for r in c})
        table('%s: dearest form' % method, names, list(columns.values()), by_register, limit)
        first = {f: c[f] for c in by_form.values() for f in c}
        table('%s: dearest register' % method, sorted(first, key=lambda f: first[f][0]), list(columns.values()),
              by_form, limit)
    print('  each at most %d, instructions; a count that expires at once (MOV of an immediate) is two exits' % OTHER)


def closed_set(directory):
    """The instructions that patching knows, by more kinds of operands and with prefixes, and rare ones: the dearest."""
    head('the closed set of patching, and rare forms: instructions')
    for method, registers, most in (('trap', ('tpr', 'eoi'), TRAPPED), ('flexpriority', ('eoi',), OTHER)):
        for n, column in columns_of(directory, method + '.').items():
            costs = read_costs(os.path.join(directory, n))
            for register in registers:
                cost, name = max((cost, name) for name, cost in costs.items()
                                 if name.startswith('closed_%s_' % register))
                row('%s, %s, %s: %s' % (method, column, register.upper(), ' '.join(name.split('_')[2:])), cost, most)


def rare(directory, of_16_bits):
    """All other instructions: the dearest of those that are held to a limit, and each of the others."""
    head('rare forms, the dearest: instructions')
    rest = {}
    for d, bits in ((directory, ''), (of_16_bits, ', 16-bit code')):
        for n in sorted(os.listdir(d)):
            method, size, mmu = n.split('.')[:3]
            served = method == 'flexpriority'
            held, most = (RARE_SERVED, OTHER) if served else (RARE_WRITES, TRAPPED)
            costs = {tuple(name.split('_', 2)[1:]): cost for name, cost in read_costs(os.path.join(d, n)).items()
                     if name.startswith('every_')}
            registers = ('eoi', 'version', 'ppr') if served else ('tpr', 'eoi')
            for register, form in costs:
                if register in registers and form not in held:
                    key = (form, method)
                    rest[key] = max(rest.get(key, 0), costs[register, form])
            cost, register, form = max((cost, register, form) for (register, form), cost in costs.items()
                                       if register in registers and form in held)
            row('%s, %s %s%s, %s: %s' % (method, size, mmu, bits, register.upper(), form), cost, most)
    print('\n%-30s %14s %14s' % ('and of others', 'trap', 'flexpriority'))
    for form in sorted({form for form, _ in rest}, key=lambda f: -rest.get((f, 'trap'), 0)):
        print('  %-28s %14s %14s' % (form.replace('_', ' '), rest.get((form, 'trap'), '-'),
                                     rest.get((form, 'flexpriority'), '-')))


def with_interrupts(trapped, served):
    """EOI of an interrupt in service, and a write to the TPR that lets one in, up to its handler."""
    for directory, method, most in ((trapped, 'trap', TRAPPED), (trapped, 'patch', TRAPPED),
                                    (served, 'flexpriority', OTHER), (served, 'apicv', OTHER)):
        columns = columns_of(directory, method + '.')
        costs = {c: {name[len('with_'):]: (value, name) for name, value in
                     read_costs(os.path.join(directory, n)).items() if name.startswith('with_')}
                 for n, c in columns.items()}
        # By patching it is no access that is trapped, but what is not the guest's own is held to that.
        table('%s: interrupts' % method, ('eoi_in_service', 'eoi_another_waits', 'tpr_lets_in'),
              list(columns.values()), costs, lambda column, form, method=method, most=most:
              most + OWN if (method, form) == ('patch', 'with_tpr_lets_in') else most)


def places(directory):
    """The TPR and EOI from 8 places on 8 pages, and EOI behind a write to the I/O APIC."""
    for method, limit in (('trap', TRAPPED), ('flexpriority', OTHER), ('apicv', OTHER)):
        columns = columns_of(directory, method + '.')
        costs = {c: {name: (value, name) for name, value in read_costs(os.path.join(directory, n)).items()}
                 for n, c in columns.items()}
        table('%s: from places' % method, sorted(costs[list(costs)[0]]), list(columns.values()), costs,
              lambda column, form, limit=limit: limit)
    print('  each at most %d trapped, else %d, instructions with a CALL, a RET and an RDTSC' % (TRAPPED, OTHER))


def fresh(folder):
    """Of 4 virtual CPUs on 4 CPUs that touch fresh memory, what their CPUs wait for locks."""
    head('4 CPUs that touch 4,096 fresh pages each')
    for mechanism, limit in (('ept', 5.0), ('shadow', None), ('vtlb', None)):
        with open(os.path.join(folder, mechanism + '.json')) as f:
            run = json.load(f)
        own, locks = run['instructions']['hypervisor'], run['locks']
        row('%s: faults' % mechanism, run['mmu_counters']['faults'], None)
        row('%s: the hypervisor, ticks' % mechanism, own, None)
        row('%s: of these, waiting for locks, %%' % mechanism, 100.0 * locks['ticks'] / own, limit, form='{:.2f}')


def smp(folder):
    """The default guest's boot with 4 virtual CPUs on 4 CPUs."""
    runs = {}
    for mechanism in ('ept', 'shadow'):
        with open(os.path.join(folder, mechanism + '.json')) as f:
            runs[mechanism] = json.load(f)['instructions']
    head('the default guest, 4 virtual CPUs on 4 CPUs')
    for mechanism, limit in (('ept', SMP_SHARE), ('shadow', None)):
        i = runs[mechanism]
        row('%s: guest, ticks' % mechanism, i['guest'], None)
        row('%s: hypervisor, ticks' % mechanism, i['hypervisor'], None)
        row('%s: hypervisor, %% of the guest' % mechanism, 100.0 * i['hypervisor'] / i['guest'], limit, form='{:.2f}')
    total = {mechanism: i['guest'] + i['hypervisor'] for mechanism, i in runs.items()}
    row('shadow: in all over ept, %', 100.0 * total['shadow'] / total['ept'] - 100.0, SMP_SHADOW, form='{:.2f}')


def main():
    cost = read_costs(sys.argv[1])
    with open(sys.argv[2]) as f:
        boot = json.load(f)
    print('%s %s, %s, ips %s, %s' % (boot['emulator']['name'], boot['emulator']['version'], boot['cpu'],
                                     boot['emulator']['ips'],
                                     boot['guest']['result']))
    head('one exit, instructions')
    for name, what, limit, kvm in EXITS:
        if name in cost:
            row(what, cost[name], limit, '' if kvm is None else '{:,}'.format(kvm))
        elif limit is not None:
            print('  %s was not measured' % what)
            globals()['exceeded'] += 1
    head('the default guest, %d MB, pages %s, VPID %s' %
         (boot['mem_bytes'] >> 20, boot['pages'], 'on' if boot['vpid'] else 'off'))
    i = boot['instructions']
    row('guest instructions', i['guest'], None)
    row('hypervisor instructions', i['hypervisor'], None)
    row('hypervisor, % of the guest', 100.0 * i['hypervisor'] / i['guest'], SHARE, form='{:.2f}')
    row('VM exits', boot['exits']['total'], None, '{:,}'.format(KVM['exits']))
    row('EPT violations', boot['mmu_counters']['ept_violations'], VIOLATIONS, '{:,}'.format(KVM['violations']))
    row('CPU seconds of the emulator', boot['emulator']['cpu_seconds'], CPU_SECONDS, form='{:.1f}')
    head('exits by reason: ticks each')
    for name, r in sorted(boot['exits']['by_reason'].items(), key=lambda x: -x[1]['ticks']):
        print('  %-46s %14s   %s exits' % (name, '{:,}'.format(r['ticks'] // r['count']), '{:,}'.format(r['count'])))
    traced(cost, read_costs(sys.argv[9]))
    measures(sys.argv[3])
    local_apic(sys.argv[4])
    between_cpus(sys.argv[5], sys.argv[11], sys.argv[13])
    patched(sys.argv[6])
    forms(sys.argv[7])
    fresh(sys.argv[8])
    smp(sys.argv[15])
    others(sys.argv[10])
    closed_set(sys.argv[16])
    rare(sys.argv[17], sys.argv[18])
    expired(sys.argv[14])
    with_interrupts(sys.argv[7], sys.argv[10])
    places(sys.argv[12])
    return 1 if exceeded else 0


sys.exit(main())
