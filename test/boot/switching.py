"""A guest goes from mechanism to mechanism while it runs, and notices nothing."""

import report
from boots import LIMIT, check_boot
from runner import Test, require

# What the default guest's workload computes, under whatever mechanism.
CHECKSUM = 'c92c6841d1fa6ca5'

# Every change there is from one of the four to another, once.
ALL_CHANGES = 'ept,shadow,ept,vtlb,ept,brute,shadow,vtlb,shadow,brute,vtlb,brute'


def by_mechanism(j):
    """The run is the sum of what each mechanism has cost."""
    parts = j['mechanisms']
    require(len(parts) > 1 and set(parts) <= {'ept', 'npt', 'shadow', 'vtlb', 'brute'}, 'mechanisms: %s' % list(parts))
    require(sum(p['exits']['total'] for p in parts.values()) == j['exits']['total'], 'exits by mechanism')
    for who in ('guest', 'hypervisor'):
        require(sum(p['instructions'][who] for p in parts.values()) == j['instructions'][who],
                'instructions of the %s by mechanism' % who)
    made = sum(p['mmu_counters'].get('switches', 0) for p in parts.values())
    require(made == j['mmu_counters']['switches'], '%d changes by mechanism' % made)
    require('ept_violation' not in parts.get('shadow', {'exits': {'by_reason': {}}})['exits']['by_reason'],
            'EPT violations under shadow')


def switches(o, least):
    by_mechanism(o.json)
    made = o.json['mmu_counters']['switches']
    require(made >= least, '%d changes, not %d' % (made, least))


def linux(name, least, args):
    def run(c):
        o = check_boot(c, name, args, r'ok checksum=%s kernel=\S+' % CHECKSUM)
        switches(o, least)
        # All four did work: faults of each kind, in numbers that no single change explains.
        require(o.json['mmu_counters']['ept_violations'] > least, 'EPT was hardly used')
        require(o.json['exits']['by_reason']['exception_or_nmi']['count'] > 20 * least, 'the others were hardly used')
    return Test(name, run)


def kernel(name, least, args, append=''):
    """A test kernel under changes that come as fast as they can."""
    def run(c):
        o = c.run(['run', '--kernel', c.guest(name), '--append', append, '--mem', '64M', '--timeout', str(LIMIT - 20)] +
                  args, limit=LIMIT,
                  expect=[r'^%s: ok' % name], forbid=['FAIL', 'still here'])
        report.check(o.json)
        switches(o, least)
    return Test('switching: %s %s' % (name, ' '.join(args).replace(ALL_CHANGES, 'all')), run)


def refused(what, args, status, sentence):
    def run(c):
        o = c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--timeout', '50'] + args, status=status,
                  expect=[sentence])
        if status == 67:
            require(o.json['guest']['end'].count('\n') == 0, 'more than a sentence')
    return Test('switching: refuses ' + what, run)


def tests():
    t = [linux('switching: 200 changes in one boot', 200, ['--switch-every', '60']),
         linux('switching: every change there is, in one boot', 150,
               ['--switch-every', '75', '--switch-among', ALL_CHANGES,
                                                                     '--cpu', 'corei5_lynnfield_750']),
         linux('switching: a guest with PAE', 120, ['--guest', '686-pae', '--switch-every', '75']),
         linux('switching: a guest with two-level tables', 100, ['--guest', '686', '--switch-every', '75'])]
    for cpu in ('corei7_haswell_4770', 'corei5_lynnfield_750'):
        for name in ('paging64', 'paging32'):
            for mmu in ('ept', 'brute'):
                t.append(kernel(name, 3, ['--cpu', cpu, '--mmu', mmu, '--switch-every', '32exits', '--switch-among',
                                          ALL_CHANGES]))
    t += [kernel('paging64', 3, ['--cpu', 'core2_penryn_t9600', '--switch-every', '32exits']),
          kernel('paging32', 3, ['--cpu', 'core2_penryn_t9600', '--switch-every', '32exits']),
          kernel('paging64', 3, ['--cpu', 'corei7_icelake_u', '--no-vpid', '--switch-every', '32exits']),
          # The clocks that it watches go on during a change: a fast machine, on which one takes little of their time.
          kernel('timer', 100, ['--switch-every', '100us', '--ips', '500000000']),
          kernel('timer', 100, ['--switch-every', '50exits', '--host-cpus', '2', '--ips', '500000000']),
          kernel('msr-cpuid', 5, ['--switch-every', '32exits']),
          kernel('absent', 3, ['--switch-every', '32exits']),
          kernel('chaos', 300, ['--switch-every', '100exits'], 'seed=3'),
          refused('a mechanism that the CPU lacks',
                  ['--cpu', 'core2_penryn_t9600', '--switch-every', '5', '--switch-among', 'shadow,ept'],
                  67, r'switch-among names ept, which cannot be used: the CPU has no EPT'),
          refused('what excludes itself', ['--no-switch', '--switch-every', '5'], 2, r'switch off, which forbids it'),
          refused('a list without a period', ['--switch-among', 'ept,shadow'], 2, r'no switch-every'),
          refused('a name that does not exist', ['--switch-every', '5', '--switch-among', 'ept,magic'], 2,
                  r'switch-among must be'),
          refused('a period too short', ['--switch-every', '99us'], 2, r'switch-every must be from 100us')]
    return t
