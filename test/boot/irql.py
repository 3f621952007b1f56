"""The guests that raise and lower their priority as Windows XP does (guest/test/irql/irql.h): under each mechanism, by
each method of virtualizing the TPR, on CPUs of several generations, and on the bare machine, which must agree with
them."""

import itertools
import json
import re

import conformance
from runner import Test, require

# The methods that there are: `tpr METHOD` in a description, and --tpr METHOD.
METHODS = ('trap', 'patch', 'flexpriority', 'apicv')

HASWELL = 'corei7_haswell_4770'

# (model, mechanism). Penryn has a TPR shadow and no EPT; Lynnfield EPT, and no "unrestricted guest". Arrow Lake is the
# newest.
PENRYN, LYNNFIELD = 'core2_penryn_t9600', 'corei5_lynnfield_750'
SKYLAKE, NEWEST = 'corei7_skylake_x', 'arrow_lake'
MECHANISMS = ('ept', 'shadow', 'vtlb', 'brute')
PLACES = tuple((HASWELL, mmu) for mmu in MECHANISMS) + (
    (PENRYN, 'shadow'), (PENRYN, 'vtlb'), (LYNNFIELD, 'ept'), (SKYLAKE, 'ept'), ('tigerlake', 'ept'), (NEWEST, 'ept'),
)

# With --all: every method under every mechanism on each of these that has it.
MODELS = (PENRYN, LYNNFIELD, 'corei7_ivy_bridge_3770k', HASWELL, SKYLAKE, 'sapphire_rapids', NEWEST)

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


def pairs(model, mmu, method):
    """With two virtual CPUs each, on two CPUs: they interrupt each other."""
    def run(c):
        machines = [(kernel, ('rounds=2 second ' + append).strip(),
                     'mmu %s\ntestdev on\nclock host\nvcpus 2\ntpr %s\n' % (mmu, method)) for kernel, append in GUESTS]
        _, texts = conformance.conform(c, machines, ['--host-cpus', '2', '--cpu', model])
        for said in texts:
            found = re.search(r'the second CPU: (\d+) raises, (\d+) interrupts to it, (\d+) from it', said)
            require(found and all(int(n) > 20 for n in found.groups()), 'the CPUs have not played: %s' % said)
    return Test('task priority: two CPUs, %s, %s%s' % (method, mmu, '' if model == HASWELL else ', ' + model), run)


def beside_the_8259(method):
    """The interval timer comes through the 8259 and LINT0, which no TPR holds back: under two mechanisms."""
    def run(c):
        machines = [(kernel, ('rounds=4 extint ' + append).strip(),
                     'mmu %s\ntestdev on\nclock guest\ntpr %s\n' % (mmu, method))
                    for mmu in ('ept', 'shadow') for kernel, append in (GUESTS[1], GUESTS[3], GUESTS[5])]
        _, texts = conformance.conform(c, machines)
        for said in texts:
            found = re.search(r'(\d+) interrupts of the 8259', said)
            require(found and int(found.group(1)) > 20, 'the 8259 has not interrupted: %s' % said)
    return Test('task priority: with the 8259, by %s' % method, run)


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


def exits(method, kernel):
    """Of 1,000 accesses, none of which lets an interrupt in. Only 32-bit code is patched."""
    return 1000 if method == 'trap' or (method == 'patch' and kernel != 'irql32') else 0


def accesses(method):
    """The exits of accesses alone."""
    def run(c):
        games = (('irql32', ''), ('irql64', ''), ('irql64', 'access=cr8'), ('irql64', 'access=x2apic'))
        o, texts = conformance.conform(c, [(kernel, ('bench=1000 ' + append).strip(), 'clock guest\ntpr %s\n' % method)
                                           for kernel, append in games])
        for (kernel, append), vm, said in zip(games, o.json['vms'], texts):
            reasons = vm['phases']['1']['exits']['by_reason']
            count = sum(r['count'] for name, r in reasons.items() if name not in OTHERS)
            require(count == exits(method, kernel), '%s %s: %d exits, not %d: %s' % (
                kernel, append, count, exits(method, kernel), reasons))
            ticks = int(re.search(r'accesses, (\d+) ticks', said).group(1))
            require(method != 'patch' or kernel != 'irql32' or ticks < 15 * 1000, 'they take %d instructions' % ticks)
    return Test('task priority: exits by %s' % method, run)


def patched(model, mmu):
    """Code that looks at itself, changes itself, and runs where the stubs are not mapped (guest/test/tpr/patch32.c).
    Only where EPT has execute-only pages does it look as it is."""
    def run(c):
        o = conformance.conforms(c, 'patch32', 'patched' + (' shown' if mmu != 'ept' else ''),
                                 ['--cpu', model, '--mmu', mmu, '--tpr', 'patch'])
        account = o.json['lapic']
        require(account['patches_made'] > 50 and account['patches_undone'] > 50, 'patches: %s' % account)
        require(account['left_mapping'] and account['left_page'] and account['left_form'], 'left: %s' % account)
        looks = [int(n) for n in re.findall(r'^patch32: (\d+) bytes look changed', o.text, re.M)]
        require(len(looks) == 2 and all(bool(n) == (mmu != 'ept') for n in looks), 'bytes look changed: %s' % looks)
    return Test('task priority: patched code, %s, %s' % (mmu, model), run)


def swapped(mmu):
    """On a machine that has less than it uses: pages with patches, too, go to a disk and come back."""
    def run(c):
        o = conformance.conforms(c, 'patch32', 'patched' + (' shown' if mmu != 'ept' else ''),
                                 ['--mmu', mmu, '--tpr', 'patch', '--limit', '2M', '--swap', '64M'])
        m = o.json['memory']
        require(m['went'] > 3000 and m['came'] > 2000, '%s' % m)
        require(o.json['lapic']['patches_made'] > 100, 'patches: %s' % o.json['lapic'])
    return Test('task priority: patched code, swapped, %s' % mmu, run)


def several(c):
    """With several virtual CPUs nothing is patched, and the log says so."""
    o = conformance.conforms(c, 'irql32', 'rounds=2', ['--testdev', '--tpr', 'patch', '--vcpus', '2'])
    require('with several CPUs each access is left to the trap' in o.text, 'the log does not say so')
    account = o.json['lapic']
    require(account['left_cpus'] > 100 and not account['patches_made'], 'patches: %s' % account)


def changing(c):
    """The method changes while it plays: who was interrupted in a stub goes on rightly. How often it can change in one
    game depends on the machine: it plays until it has changed often enough."""
    until_changed(lambda: changing_game(c, 'irql32', 'rounds=30', ('trap', 'patch', 'flexpriority', 'patch'),
                                        ['--clock', 'guest', '--tpr', 'patch']))


def changing_pair(c):
    """The same under two virtual CPUs that interrupt each other, each on a CPU."""
    until_changed(lambda: changing_game(c, 'irql64', 'rounds=6 second', ('trap', 'apicv', 'flexpriority', 'patch'),
                                        ['--clock', 'host', '--vcpus', '2', '--host-cpus', '2']))


def gone_on_with(ways):
    """A snapshot of one that is patched, in the middle of its game: it goes on to a good end by each method, under
    another mechanism, and so does the one that was left."""
    return Test('task priority: a snapshot of a game that is patched, by %s' % ' and '.join(m for m, _ in ways),
                lambda c: goes_on(c, ways))


def goes_on(c, ways):
    path = c.path('game.snap')
    run = c.start(['run', '--kernel', c.guest('irql32'), '--append', 'rounds=30', '--testdev', '--mem', '64M',
                   '--clock', 'guest', '--tpr', 'patch', '--timeout', '200'])
    made = 0
    while not made:
        require(run.poll() is None, 'it ended before it was patched')
        status, said = c.finish(c.start(['ctl', '--json', 'stats']), 90)
        made = status == 0 and json.loads(said)['lapic']['patches_made']
    status, said = c.finish(c.start(['ctl', 'snapshot', path]), 90)
    require(status == 0, 'no snapshot: %s' % said)
    status, text = c.finish(run, 200)
    require(status == 0 and re.search(r'^irql32: ok, [1-9]', text, re.M), 'status %d: %s' % (status, text[-300:]))
    for method, mmu in ways:
        o = c.run(['run', '--restore', path, '--tpr', method, '--mmu', mmu, '--timeout', '200'], limit=220,
                  forbid=['FAIL'], expect=[r'^irql32: ok, [1-9]'])
        require(o.json['tpr'] == method and o.json['mmu'] == mmu, 'it is by %s' % o.json['tpr'])


def merged(c):
    """Two that are the same, in pages that both have: what is patched in one is patched in that one alone."""
    more = 'testdev on\nclock guest\nmerge on\nmerge-rate 10000000\nmerge-share 60\ntpr '
    o, _ = conformance.conform(c, [('irql32', 'rounds=4', more + method + '\n') for method in ('patch', 'trap')])
    for vm in o.json['vms']:
        m = vm['merge']
        require(m['merged'] + m['offered'] > 20, 'by %s: %s' % (vm['tpr'], m))
    require(o.json['vms'][0]['lapic']['patches_made'] > 20, 'it is not patched')


def until_changed(game):
    changes = games = 0
    while changes < 8:
        require(games < 20, 'the method changed %d times only in %d games' % (changes, games))
        changes += game()
        games += 1


def changing_game(c, kernel, append, methods, more):
    """One game. How often the method changed."""
    run = c.start(['run', '--kernel', c.guest(kernel), '--append', append, '--testdev', '--mem', '64M', '--timeout',
                   '100'] + more)
    changes = 0
    while run.poll() is None:
        for method in methods:
            status, _ = c.finish(c.start(['ctl', 'tpr', method]), 90)
            changes += status == 0
    status, text = c.finish(run, 100)
    require(status == 0 and re.search(r'^%s: ok, [1-9]' % kernel, text, re.M), 'status %d: %s' % (status, text[-300:]))
    return changes


def unpatched(c):
    """That guest is right by itself."""
    for method in ('trap', 'flexpriority'):
        conformance.conforms(c, 'patch32', '', ['--tpr', method])


def hidden(mmu, several):
    """A CPU without a TPR shadow is played by all of them, and has it by trap, with the reason in the log."""
    def run(c):
        more = ' second' if several else ''
        machines = [(kernel, ('rounds=2%s %s' % (more, append)).strip(),
                     'mmu %s\ntestdev on\nvcpus %u\n' % (mmu, 1 + several)) for kernel, append in GUESTS]
        o, _ = conformance.conform(c, machines, ['--hide', 'tpr-shadow', '--host-cpus', str(1 + several)])
        for vm in o.json['vms']:
            require(vm['tpr'] == 'trap', 'tpr is %r' % vm['tpr'])
        require('tpr trap, because the CPU has no TPR shadow' in o.text, 'the log does not say why')
    return Test('task priority: a CPU without a TPR shadow, %s%s' % (mmu, ', two CPUs' if several else ''), run)


def has(model, method, mmu):
    """The CPU can. apicv is from Haswell on."""
    return (mmu != 'ept' or model != PENRYN) and (method != 'apicv' or MODELS.index(model) >= MODELS.index(HASWELL))


def can(model, method):
    """What the trap has to do does not depend on the CPU; apicv there is from Haswell on."""
    return method == 'flexpriority' or model == HASWELL or (method == 'apicv' and model in (SKYLAKE, NEWEST))


def whole():
    """Beside what is always run."""
    t = []
    for seed, (model, mmu, method) in enumerate(itertools.product(MODELS, MECHANISMS, METHODS), 100):
        if not has(model, method, mmu):
            continue
        if (model, mmu) not in PLACES or not can(model, method):
            t.append(plays(model, mmu, method, seed))
        if model != HASWELL:
            t.append(pairs(model, mmu, method))
    t += [gone_on_with((('patch', 'brute'), ('apicv', 'vtlb')))]
    return t + [hidden(mmu, several) for mmu in ('vtlb', 'brute') for several in (False, True)]


def tests(everything):
    t = [plays(model, mmu, method, seed) for method in METHODS for seed, (model, mmu) in enumerate(PLACES, 1)
         if can(model, method)]
    # Every second of them: each method under two mechanisms, and each mechanism with two methods.
    t += [pairs(HASWELL, mmu, method) for i, method in enumerate(METHODS) for j, mmu in enumerate(MECHANISMS)
          if everything or (i + j) % 2 == 0]
    t += [accesses(method) for method in METHODS] + [beside_the_8259(method) for method in METHODS]
    t += [patched(model, mmu) for model, mmu in PLACES] + [swapped(mmu) for mmu in ('ept', 'shadow')]
    t += [hidden('ept', False), hidden('shadow', True)] + (whole() if everything else [])
    return t + [Test('task priority: the guest that is patched', unpatched),
                Test('task priority: several CPUs are not patched', several),
                Test('task priority: the method changes again and again', changing),
                Test('task priority: the method changes under two CPUs', changing_pair),
                gone_on_with((('trap', 'shadow'), ('flexpriority', 'ept'))),
                Test('task priority: patched in pages that two have', merged),
                Test('task priority: on the bare machine', native),
                Test('task priority: a seed is a run', deterministic)]
