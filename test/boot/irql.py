"""The guests that raise and lower their priority as Windows XP does (guest/test/irql.h): under each mechanism, by each
method of virtualizing the TPR, on CPUs of several generations, and on the bare machine, which must agree with them."""

import re

import conformance
from runner import Test, require

# The methods that there are: `tpr METHOD` in a description, and --tpr METHOD.
METHODS = ('trap', 'flexpriority', 'apicv')

# Exits that a method takes for 1,000 accesses, none of which lets an interrupt in.
EXITS = {'trap': 1000, 'flexpriority': 0, 'apicv': 0}

HASWELL = 'corei7_haswell_4770'

# (model, mechanism). Penryn has a TPR shadow and no EPT; Lynnfield EPT, and no "unrestricted guest".
PLACES = (
    (HASWELL, 'ept'), (HASWELL, 'shadow'), (HASWELL, 'vtlb'), (HASWELL, 'brute'),
    ('core2_penryn_t9600', 'shadow'), ('core2_penryn_t9600', 'vtlb'),
    ('corei5_lynnfield_750', 'ept'),
    ('corei7_skylake_x', 'ept'),
)

GUESTS = (
    ('irql32', 'paging=off'), ('irql32', ''), ('irql32pae', ''),
    ('irql64', ''), ('irql64', 'access=cr8'), ('irql64', 'access=x2apic'),
)

# What keeps on exiting, whatever the guest does.
OTHERS = ('external_interrupt', 'interrupt_window', 'preemption_timer_expired', 'io_instruction')


def interrupts(said):
    """How many rounds, raises and interrupts there were, from what a guest said."""
    found = re.search(r'(\d+) rounds, (\d+) raises, (\d+) interrupts, at most (\d+) in service', said)
    require(found, 'no account of its interrupts')
    return tuple(map(int, found.groups()))


def plays(model, mmu, method, seed):
    """All of them side by side; each has the clock of its own work, so that its timers are as frequent as alone."""
    def run(c):
        machines = [(kernel, ('seed=%d rounds=4 ' % seed + append).strip(),
                     'mmu %s\ntestdev on\nclock guest\ntpr %s\n' % (mmu, method)) for kernel, append in GUESTS]
        o, texts = conformance.conform(c, machines, ['--cpu', model])
        for vm, said in zip(o.json['vms'], texts):
            require(vm['mmu'] == mmu, 'mmu is %r' % vm['mmu'])
            _, raises, count, deepest = interrupts(said)
            require(raises > 100 and count > 300 and deepest > 1,
                    '%d raises, %d interrupts, at most %d in service' % (raises, count, deepest))
    return Test('task priority: %s, %s, %s' % (method, mmu, model), run)


def pairs(mmu, method):
    """With two virtual CPUs each, on two CPUs: they interrupt each other."""
    def run(c):
        machines = [(kernel, ('rounds=2 second ' + append).strip(),
                     'mmu %s\ntestdev on\nclock host\nvcpus 2\ntpr %s\n' % (mmu, method)) for kernel, append in GUESTS]
        _, texts = conformance.conform(c, machines, ['--host-cpus', '2'])
        for said in texts:
            found = re.search(r'the second CPU: (\d+) raises, (\d+) interrupts to it, (\d+) from it', said)
            require(found and all(int(n) > 20 for n in found.groups()), 'the CPUs have not played: %s' % said)
    return Test('task priority: two CPUs, %s, %s' % (method, mmu), run)


def native(c):
    """What the guests expect is what the emulated CPU does."""
    for kernel, append in GUESTS:
        o = c.run(['run', '--native', '--kernel', c.guest(kernel), '--append', 'rounds=50 ' + append, '--mem', '64M',
                   '--timeout', '80'], limit=100, forbid=['FAIL'], expect=[r'^%s: ok, [1-9][0-9]* checks$' % kernel])
        require(interrupts(o.text)[1] > 1000, 'the guest raised its level too rarely')


def deterministic(c):
    """The same seed is the same run, another is another."""
    seen = []
    for seed in (5, 5, 6):
        o = conformance.conforms(c, 'irql64', 'seed=%d rounds=4' % seed, ['--testdev'])
        seen.append((interrupts(o.text), o.json['exits']))
    require(seen[0] == seen[1], 'two runs of a seed differ: %s %s' % (seen[0][0], seen[1][0]))
    require(seen[0][0] != seen[2][0], 'two seeds do not differ: %s' % (seen[0][0],))


def accesses(method):
    """The exits of accesses alone."""
    def run(c):
        for kernel, append in (('irql32', ''), ('irql64', ''), ('irql64', 'access=cr8'), ('irql64', 'access=x2apic')):
            o = conformance.conforms(c, kernel, ('bench=1000 ' + append).strip(), ['--tpr', method])
            reasons = o.json['phases']['1']['exits']['by_reason']
            count = sum(r['count'] for name, r in reasons.items() if name not in OTHERS)
            require(count == EXITS[method], '%s %s: %d exits, not %d: %s' % (kernel, append, count, EXITS[method],
                                                                             reasons))
    return Test('task priority: exits by %s' % method, run)


def hidden(c):
    """A CPU without a TPR shadow is played, and has it by trap, with the reason in the log."""
    o = conformance.conforms(c, 'irql64', 'rounds=2', ['--testdev', '--hide', 'tpr-shadow'])
    require(o.json['tpr'] == 'trap', 'tpr is %r' % o.json['tpr'])
    require('tpr trap, because the CPU has no TPR shadow' in o.text, 'the log does not say why')


def can(model, method):
    """What the trap has to do does not depend on the CPU; apicv there is from Haswell on."""
    return method == 'flexpriority' or model == HASWELL or (method == 'apicv' and 'skylake' in model)


def tests():
    t = [plays(model, mmu, method, seed) for method in METHODS for seed, (model, mmu) in enumerate(PLACES, 1)
         if can(model, method)]
    t += [pairs(mmu, method) for method in METHODS for model, mmu in PLACES if model == HASWELL]
    t += [accesses(method) for method in METHODS]
    return t + [Test('task priority: on the bare machine', native),
                Test('task priority: a CPU without a TPR shadow', hidden),
                Test('task priority: a seed is a run', deterministic)]
