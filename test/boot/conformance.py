"""The test kernels of guest/test: each checks a part of the virtual machine from the inside and says "NAME: ok"."""

import re

import report
from runner import Test, require

# From the oldest CPU that can run them to the newest; they differ in what the hypervisor has to do itself.
MODELS = ('corei7_haswell_4770', 'corei7_skylake_x', 'corei7_ivy_bridge_3770k', 'corei7_sandy_bridge_2600k',
          'corei5_arrandale_m520',
          'broadwell_ult', 'corei7_icelake_u')
KERNELS = (('hello', ''), ('garbage', 'idt'), ('absent', ''), ('paging32', ''), ('paging64', ''), ('msr-cpuid', ''),
           ('emulated', ''), ('memory', ''), ('tables', ''), ('legacy32', ''),
           ('realmode', ''))
PAGING_KERNELS = ('paging32', 'paging64', 'legacy32', 'memory', 'tables', 'msr-cpuid')

# What of the CPU's paging features a guest is offered that stays with its mechanism (--no-switch); by default, what all
# mechanisms support.
OFFERED = (
    ('core2_penryn_t9600', 'shadow', ''),
    ('corei5_lynnfield_750', 'ept', ''),
    ('corei7_sandy_bridge_2600k', 'ept', 'PCID'),
    ('corei7_ivy_bridge_3770k', 'ept', 'PCID SMEP'),
    ('corei7_haswell_4770', 'ept', 'PCID INVPCID SMEP'),
    ('corei7_haswell_4770', 'shadow', 'SMEP'),
    ('corei7_skylake_x', 'ept', 'PCID INVPCID SMEP SMAP'),
    ('corei7_skylake_x', 'shadow', 'SMEP SMAP'),
    ('corei7_skylake_x', 'vtlb', 'SMEP SMAP'),
    ('corei7_skylake_x', 'brute', 'SMEP SMAP'),
    ('corei7_icelake_u', 'ept', 'PCID INVPCID SMEP SMAP PKU'),
    ('corei7_icelake_u', 'shadow', 'SMEP SMAP'),
    ('arrow_lake', 'ept', 'PCID INVPCID SMEP SMAP PKU'),
)


def conforms(c, kernel, append='', more=(), status=0, limit=100):
    o = c.run(['run', '--kernel', c.guest(kernel), '--append', append, '--mem', '64M', '--timeout', str(limit - 20)] +
              list(more),
              status=status, limit=limit, forbid=[r'FAIL'], expect=[r'^%s: ok, [1-9][0-9]* checks$' % kernel])
    report.check(o.json, status)
    return o


def conform(c, machines, more=()):
    """Several at once, a virtual machine each: (kernel, append, more lines of its description). The outcome, and what
    each said."""
    names = ['%d-%s' % (i, kernel) for i, (kernel, _, _) in enumerate(machines)]
    text = ''.join('vm %s\nkernel %s\nmem 64M\n%s%s\n' %
                   (name, c.guest(kernel), 'append %s\n' % append if append else '', lines)
                   for name, (kernel, append, lines) in zip(names, machines))
    o = c.run(['run', '--vm', c.file('machines.txt', text), '--timeout', '180'] + list(more), status=tuple(range(256)),
              limit=200)
    # The first one's console is the machine's own.
    own = [r'^(?!\[)(.*)$'] + [r'^\[%s\] (.*)$' % name for name in names[1:]]
    texts = ['\n'.join(re.findall(pattern, o.text, re.M)) for pattern in own]
    failed = []
    for name, (kernel, _, _), said in zip(names, machines, texts):
        if not re.search(r'^%s: ok, [1-9][0-9]* checks$' % kernel, said, re.M) or 'FAIL' in said:
            wrong = re.findall(r'.*FAIL.*', said) or said.splitlines()[-1:] or ['nothing']
            failed.append('%s: %s' % (name, wrong[0]))
    require(not failed, '; '.join(failed))
    require(o.status == 0, 'status %d' % o.status)
    report.check(o.json, vms=len(machines))
    return o, texts


def on_model(model):
    """All of them on one model, side by side; but for the one that looks at clocks, which is alone."""
    def run(c):
        conforms(c, 'timer', '', ['--cpu', model])
        conform(c, [(kernel, append, '') for kernel, append in KERNELS], ['--cpu', model])
    return Test('test kernels: %s' % model, run)


def on_mechanism(mmu, model, vpid):
    """Paging in every mode, and all of the memory, on the tables of one mechanism."""
    def run(c):
        lines = 'mmu %s\n' % mmu + ('' if vpid else 'vpid off\n')
        o, _ = conform(c, [(kernel, '', lines) for kernel in PAGING_KERNELS], ['--cpu', model])
        for vm in o.json['vms']:
            require(vm['mmu'] == mmu, 'mmu is %r' % vm['mmu'])
            require(vm['mmu_counters']['ept_violations'] == 0, 'EPT violations without EPT')
    return Test('test kernels: %s on %s%s' % (mmu, model, '' if vpid else ', no VPID'), run)


def changed_below(c):
    """The host takes pages, or the right to write to them, from a guest that uses them."""
    mechanisms = ('ept', 'shadow', 'vtlb', 'brute')
    o, _ = conform(c, [('memory', 'host', 'mmu %s\ntestdev on\n' % mmu) for mmu in mechanisms])
    for vm, mmu in zip(o.json['vms'], mechanisms):
        require(vm['mmu'] == mmu, 'mmu is %r' % vm['mmu'])
    # A large leaf that loses a page is cut up; each page that was protected or dropped has faulted again.
    require(o.json['vms'][0]['mmu_counters']['ept_violations'] > 10000, 'the host has changed nothing below ept')


def offered(c):
    """CPUID, CR4, and the instructions themselves agree, on each kind of CPU, and by mechanism."""
    for model in dict.fromkeys(m for m, _, _ in OFFERED):
        wanted = []
        for mmu, features in ((mmu, f) for m, mmu, f in OFFERED if m == model):
            wanted.append(('mmu %s\nswitch off\n' % mmu, features))
            if 'PCID INVPCID' in features:
                wanted.append(('mmu %s\n' % mmu, ' '.join(f for f in features.split() if f in ('SMEP', 'SMAP'))))
        _, texts = conform(c, [('msr-cpuid', '', lines) for lines, _ in wanted], ['--cpu', model])
        for (lines, features), said in zip(wanted, texts):
            got = re.search(r'^msr-cpuid: paging:(.*)$', said, re.M).group(1).strip()
            require(got == features, '%s, %s: offered %r, not %r' % (model, lines.split(), got, features))


def protection_keys(c):
    """Where a guest is offered them, emulated accesses look at them as well."""
    o = conforms(c, 'emulated', '', ['--cpu', 'corei7_icelake_u', '--mmu', 'ept', '--no-switch'])
    require('emulated: with protection keys' in o.text, 'the guest was offered no protection keys')


def best_mechanism(c):
    """A CPU without EPT: the next best is chosen, without being asked for."""
    o = conforms(c, 'paging64', '', ['--cpu', 'core2_penryn_t9600'])
    require(o.json['mmu'] == 'shadow' and o.json['vpid'] is False,
            'mmu is %r, vpid %r' % (o.json['mmu'], o.json['vpid']))


def single(kernel, append, more):
    def run(c):
        conforms(c, kernel, append, more)
    return Test('test kernel: %s %s %s' % (kernel, append, ' '.join(more)), run)


def ends(name, kernel, append, status, end, text, forbid=(), more=()):
    """A guest that does not end well."""
    def run(c):
        o = c.run(['run', '--kernel', c.guest(kernel), '--append', append, '--mem', '64M', '--timeout', '50'] +
                  list(more), status=status,
                  expect=[text], forbid=['still here'] + list(forbid))
        report.check(o.json, status)
        require(re.search(end, o.json['guest']['end']), 'the guest ended: %s' % o.json['guest']['end'])
    return Test(name, run)


def beyond(what, append, more):
    """An instruction that is not emulated, on what cannot be given up: the VM stops, and its end says which."""
    return ends('an instruction beyond emulation, on ' + what, 'tables', append, 66,
                r'does not emulate at rip 0x[0-9a-f]+: 62 f1 7c 48 11',
                r'tables: now', more=['--cpu', 'corei7_skylake_x'] + more)


def lost(c):
    """CR3 where no memory is, or a device: all ones, or what there is to read, are no tables. The end is the bare
    machine's, a triple fault. All in one run, a virtual machine each."""
    cases = [(mmu, page) for mmu in ('ept', 'shadow', 'vtlb', 'brute') for page in (0x80000, 0xfee00, 0xfffff)]
    text = ''.join('vm %s-%x\nkernel %s\nappend cr3=%d\nmem 16M\nmmu %s\n\n' % (mmu, page, c.guest('lost'), page, mmu)
                   for mmu, page in cases)
    o = c.run(['run', '--vm', c.file('machines.txt', text), '--timeout', '100'], status=65, limit=120)
    require(len(re.findall(r'lost: now', o.text)) == len(cases), 'not all of them came to it')
    for vm in o.json['vms']:
        require('triple fault' in vm['guest']['end'], '%s ended with: %s' % (vm['guest']['name'], vm['guest']['end']))
    ran = [(vm['guest']['name'], vm['mmu']) for vm in o.json['vms']]
    require(ran == [('%s-%x' % case, case[0]) for case in cases], 'the machines are others: %s' % ran)


def exceptions_of_a_triple_fault(c, cpu, mmus, name, trap):
    """Without an IDT: #UD, whose delivery is #GP, whose delivery is #GP, so #DF, whose delivery is #GP; or the guest's
    own trap in its place. The same under each mechanism, with the registers before the instruction, and the last exits,
    of which that is one."""
    text = ''.join('vm %s\nkernel %s\nmem 16M\nmmu %s\n%s\n' % (mmu, c.guest('triple-fault'), mmu,
                                                               'append tf\n' if trap else '') for mmu in mmus)
    first, error = ('#DB', '0xb') if trap else ('#UD', '0x33')
    o = c.run(['run', '--vm', c.file('machines.txt', text), '--cpu', cpu, '--timeout', '100'], status=65,
              limit=120)
    for mmu in mmus:
        said = re.findall(r'^vellum: %s: exception (.*)$' % mmu, o.text, re.M)
        require(said == [first, '#GP, error %s, in the delivery of %s' % (error, first),
                         '#GP, error 0x6b, in the delivery of #GP', '#GP, error 0x43, in the delivery of #DF'],
                '%s: exceptions %r' % (mmu, said))
        require(re.search(r'^vellum: %s: virtual CPU 0, rip 0x[0-9a-f]+, rsp 0x' % mmu, o.text, re.M), 'no registers')
        last = re.findall(r'^vellum: %s: exit (\S+) at rip 0x[0-9a-f]+(?:, (\d+) times)?$' % mmu, o.text, re.M)
        require(40 < sum(int(times or 1) for _, times in last) <= 64 and last[-1][0] == name and
                [n for n, _ in last].count(name) == 1, '%s: last exits %r' % (mmu, last))
    for vm in o.json['vms']:
        reasons = vm['exits']['by_reason']
        require(reasons[name]['count'] == 1 and reasons.get('monitor_trap_flag') is None, 'exits: %r' % reasons)


def exceptions_of_triple_faults():
    for cpu, mmus, name in (('haswell', ('ept', 'shadow', 'vtlb', 'brute'), 'triple_fault'),
                            ('penryn', ('shadow', 'vtlb', 'brute'), 'triple_fault'),
                            ('ryzen', ('npt', 'shadow', 'vtlb', 'brute'), 'shutdown')):
        for trap in (False, True):
            yield Test('the exceptions of a triple fault%s: %s' % (' by its own trap' if trap else '', cpu),
                       lambda c, cpu=cpu, mmus=mmus, name=name, trap=trap:
                       exceptions_of_a_triple_fault(c, cpu, mmus, name, trap))


def exit_codes(c):
    for value in (0, 1, 21, 127, 128, 255, 256):
        o = c.run(['run', '--kernel', c.guest('exit-code'), '--append', 'value=%d' % value, '--mem', '16M', '--timeout',
                   '50'],
                  status=(value << 1 | 1) & 255, expect=[r'^exit-code: %d$' % value])
        require(o.json['guest']['status'] == o.status, 'guest.status is %r' % o.json['guest']['status'])


def module(c):
    text = 'KEY=VALUE of the module\nsecond line\n'
    o = conforms(c, 'hello', 'one two', ['--initrd', c.file('module', text)])
    require('module of %d bytes: KEY=VALUE of the module' % len(text) in o.text, 'the module did not arrive')
    require(re.search(r'command line "\S+ one two"', o.text), 'the command line did not arrive')


def big_pages(c):
    """One leaf of 1G holds a whole guest. Its RAM must be backed by an aligned GByte of the host, hence the host's
    3, and taken at once."""
    o = c.run(['run', '--kernel', c.guest('memory'), '--mem', '1G', '--host-mem', '3072M', '--prealloc', '--pages',
               '1g', '--timeout', '180'], limit=200,
              expect=[r'^memory: ok'], forbid=['FAIL'])
    report.check(o.json)
    report.check_pages(o.json, '1g')
    require(o.json['mmu_counters']['mapped_1g'] == 1, '%d leaves of 1G' % o.json['mmu_counters']['mapped_1g'])


def page_sizes(c):
    """The same guest by each size: the same sum, more violations the smaller they are."""
    sums, violations = set(), []
    for pages in ('4k', '2m', 'auto'):
        o = c.run(['run', '--kernel', c.guest('memory'), '--mem', '128M', '--pages', pages, '--timeout', '80'],
                  limit=100,
                  expect=[r'^memory: ok'], forbid=['FAIL'])
        report.check(o.json)
        sums.add(re.search(r'sum ([0-9a-f]+)', o.text).group(1))
        violations.append(o.json['mmu_counters']['ept_violations'])
        if pages != 'auto':
            report.check_pages(o.json, pages)
    require(len(sums) == 1, 'sums differ: %s' % sums)
    require(violations[0] > 100 * violations[1] and violations[1] >= violations[2], 'EPT violations: %s' % violations)


def own_clock(c):
    """RDTSC around an exit: with the host's clock the guest sees what the hypervisor does for it, with its own only
    what it did."""
    seen = {}
    for clock in ('guest', 'host'):
        o = conforms(c, 'exitcost', more=['--clock', clock, '--tpr', 'trap'])
        require(o.json['clock'] == clock, 'the clock is %r' % o.json['clock'])
        seen[clock] = {n: int(least) for n, least in re.findall(r'^BENCH (\S+) (\d+) \d+$', o.text, re.M)}
    for name in ('cpuid', 'vmcall', 'in_served', 'mmio_lapic_id', 'mov_to_cr3'):
        own, whole = seen['guest'][name], seen['host'][name]
        require(own <= 10 and (whole >= 60 or name == 'mov_to_cr3'),
                '%s: %d ticks of its own, %d in all' % (name, own, whole))


def costs(c):
    """The costs of exits are measured and printed; bench/exits.sh holds them against the limits."""
    o = conforms(c, 'exitcost', more=['--clock', 'host'])
    names = re.findall(r'^BENCH (\S+) (\d+) (\d+)$', o.text, re.M)
    require(len(names) >= 8 and {'cpuid', 'vmcall', 'in_served', 'wrmsr_tsc_deadline'} <= {n[0] for n in names},
            'lines: %s' % names)


def deterministic(c):
    """On the emulated machine the same run is the same run, to the instruction."""
    seen = []
    for _ in range(2):
        o = conforms(c, 'timer')
        seen.append((o.json['instructions'], o.json['exits'], o.json['mmu_counters']))
    require(seen[0] == seen[1], 'two runs differ: %s %s' % (seen[0][0], seen[1][0]))


# Beside what the CPU runs itself.
REAL_MODE = (['--no-unrestricted'], ['--cpu', 'corei5_lynnfield_750'], ['--mmu', 'vtlb'], ['--mmu', 'brute'],
             ['--mmu', 'shadow', '--switch-every', '3'])


def bare(c, kernel, more=()):
    c.run(['run', '--native', '--kernel', c.guest(kernel), '--mem', '64M', '--timeout', '80'] + list(more), limit=100,
          forbid=[r'FAIL'], expect=[r'^%s: ok, [1-9][0-9]* checks$' % kernel])


def debug_exit(c):
    """It ends the run as it ends a virtual machine."""
    o = c.run(['run', '--native', '--kernel', c.guest('exit-code'), '--append', 'value=200', '--timeout', '50'],
              status=145, expect=[r'^exit-code: 200$'], forbid=['still here'])
    require(o.json['guest']['end'] == 'debug exit with value 200', 'the guest ended: %s' % o.json['guest']['end'])


def mended(c):
    """What Bochs' VT-x and local APIC are mended of (docs/bochs.md)."""
    for cpu in ('corei7_haswell_4770', 'corei7_skylake_x'):
        bare(c, 'vtx', ['--cpu', cpu])


def on_the_bare_machine():
    return [Test('a debug exit on the bare machine', debug_exit),
            Test('real mode on the bare machine', lambda c: bare(c, 'realmode')), Test('the emulator, mended', mended)]


def tests():
    t = [on_model(m) for m in MODELS]
    t += [on_mechanism(m, 'corei7_haswell_4770', vpid) for m in ('shadow', 'vtlb', 'brute') for vpid in (True, False)]
    # With SMAP; and without EPT, VPID or SMEP.
    t += [on_mechanism(m, 'corei7_skylake_x', True) for m in ('shadow', 'vtlb', 'brute')]
    t += [on_mechanism('shadow', 'core2_penryn_t9600', False), Test('a CPU without EPT', best_mechanism),
          Test('protection keys, in what is emulated', protection_keys),
          Test('paging features, as CPU and mechanism have them', offered)]
    t += [single('realmode', '', options) for options in REAL_MODE]
    t += [
        Test('1G pages', big_pages),
        Test('the same memory by every page size', page_sizes),
        Test('the host takes mappings away', changed_below),
        Test('test kernels: paging, 4k, no VPID', lambda c: conform(
            c, [(kernel, '', 'pages 4k\nvpid off\n') for kernel in ('paging32', 'paging64')])),
        single('timer', '', ['--host-cpus', '2']),
        single('timer', '', ['--host-cpus', '4']),
        single('timer', '', ['--ips', '50000000']),
        single('timer', '', ['--clock', 'host']),
        Test('a clock that stands still while the hypervisor works', own_clock),
        ends('a triple fault', 'triple-fault', '', 65, 'triple fault', r'^triple-fault: now$'),
        *exceptions_of_triple_faults(),
        ends('garbage without an IDT', 'garbage', '', 65, 'triple fault', r'^garbage: now$'),
        *on_the_bare_machine(),
        Test('test kernels: returns by SYSRET, null selectors in SS', lambda c: conform(
            c, [('sysret', '', ''), ('sysret', '', 'mmu vtlb\n'), ('nullss', '', ''), ('nullss', '', 'mmu shadow\n')])),
        Test('CR3 that leads nowhere', lost),
        single('absent', 'exec', []),
        beyond('a root', 'root', ['--mmu', 'shadow']),
        beyond('its own table', 'self', ['--mmu', 'shadow']),
        beyond('a device', 'device', []),
        Test('the debug-exit port', exit_codes),
        Test('a Multiboot module', module),
        single('chaos', '', []),
        single('chaos', 'seed=1', ['--cpu', 'corei7_skylake_x', '--no-vpid']),
        single('chaos', 'seed=2', ['--cpu', 'corei5_arrandale_m520', '--testdev']),
        Test('what exits cost', costs),
        Test('two runs are the same', deterministic),
    ]
    return t
