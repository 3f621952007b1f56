"""Virtual CPUs share CPUs, and move between them."""

import random
import re
import subprocess
import time

from boots import LIMIT, check_boot
from control import Running, ask, ctl, until
from runner import Test, require
from smp import switched


def flushes(o):
    """Each INVVPID and INVEPT is counted by its type and by its reason."""
    counters = o.json['mmu_counters']
    for name, types in (('invvpid', ('address', 'single', 'nonglobal', 'all')), ('invept', ('single', 'all'))):
        by_type = sum(counters['%s_%s' % (name, kind)] for kind in types)
        by_reason = sum(n for key, n in counters.items() if key.startswith(name + '_for_'))
        require(by_type == by_reason, '%s: %d by type, %d by reason' % (name, by_type, by_reason))


def boot(name, vcpus, host_cpus, args, check=lambda o: None):
    def run(c):
        o = check_boot(c, name, ['--vcpus', str(vcpus), '--host-cpus', str(host_cpus)] + args)
        require(o.json['vcpus'] == vcpus, 'it ran with %r' % o.json['vcpus'])
        flushes(o)
        check(o)
    return Test(name, run)


def storm(name, mmu, vcpus, args, least):
    """They go from CPU to CPU all the time; nobody notices but the account."""
    def check(o):
        moves = o.json['mmu_counters']['migrations']
        require(moves >= least, 'only %d entries on another CPU than the last' % moves)
        if o.json['vpid']:
            flushed = sum(o.json['mmu_counters'][n + '_for_migration'] for n in ('invvpid', 'invept'))
            require(flushed >= moves * 9 // 10 or '--switch-every' in args,
                    '%d flushes for %d migrations' % (flushed, moves))
        if '--switch-every' in args:
            switched(o)
    return boot('sched: storm, ' + name, vcpus, 2, ['--mmu', mmu, '--migrate-every', '1'] + args, check)


def few_vpids(o):
    counters = o.json['mmu_counters']
    require(counters['vpid_exhausted'] == 4, '%d run without a VPID' % counters['vpid_exhausted'])
    require(counters['invvpid_for_creation'] == 4, '%d are new' % counters['invvpid_for_creation'])


def spins(o):
    require(o.json['exits']['by_reason']['pause']['count'] > 100, 'nobody spins')


NEIGHBOUR = 'vm %s\nkernel %s\nappend mega=%d share=0 slices=1000000\nmem 8M\nclock host\n%s\n'


def shares(c, machines, host_cpus):
    """Runs neighbours, as (name, mega, more lines): name -> percent of a CPU that it had."""
    path = c.file('machines.txt', ''.join(NEIGHBOUR % (name, c.guest('neighbour'), mega, more)
                                          for name, mega, more in machines))
    said = c.run(['run', '--vm', path, '--host-cpus', str(host_cpus), '--timeout', '250'], limit=270).text
    had = {}
    for n, (name, _, _) in enumerate(machines):
        before = r'^\[%s\] ' % name if n else r'^'
        found = re.search(before + r'neighbour: share (\d+) percent', said, re.M)
        require(found, '%s did not say what it had' % name)
        had[name] = int(found.group(1))
    c.log.write('%r\n' % had)
    return had


def equal_shares(c):
    """Three that work all the time, on two CPUs."""
    had = shares(c, [(name, 300, '') for name in 'abc'], 2)
    require(max(had.values()) - min(had.values()) <= 3, 'the shares are %r' % had)
    require(min(had.values()) >= 63, 'the shares are %r, of 66 each' % had)


def shares_by_weight(c):
    """1:3; the lighter one looks while the heavier one works."""
    had = shares(c, [('heavy', 400, 'weight 300\n'), ('light', 250, '')], 1)
    require(23 <= had['light'] <= 27, 'weight 100 beside 300 had %d percent' % had['light'])


def shares_by_machine(c):
    """Two virtual CPUs of one machine have no more than the one of another, on one CPU; on two they have it all but
    what that one can use."""
    for host_cpus, least, most in ((1, 48, 53), (2, 95, 100)):
        pair = 'vm pair\nkernel %s\nappend busy=400\nmem 8M\nclock host\nvcpus 2\n\n' % c.guest('ipicost')
        path = c.file('machines.txt', NEIGHBOUR % ('one', c.guest('neighbour'), 250, '') + pair)
        said = c.run(['run', '--vm', path, '--host-cpus', str(host_cpus), '--timeout', '250'], limit=270).text
        share = int(re.search(r'^neighbour: share (\d+) percent', said, re.M).group(1))
        require(least <= share <= most, 'on %d CPUs it had %d percent' % (host_cpus, share))


def ticks_of(c, machines, host_cpus):
    """Runs machines whose virtual CPUs all work, as (virtual CPUs, weight): what each had, in ticks. Their TSCs begin
    as they are made, one after the other; by so much (some 3 Mticks) the last has its CPUs alone at the end."""
    path = c.file('machines.txt', ''.join('vm m%d\nkernel %s\nappend busy=150 processors=%d\nmem 8M\nclock host\n'
                                          'vcpus %d\nweight %d\n\n' % (n, c.guest('ipicost'), vcpus, vcpus, weight)
                                          for n, (vcpus, weight) in enumerate(machines)))
    o = c.run(['run', '--vm', path, '--host-cpus', str(host_cpus), '--timeout', '250'], limit=270)
    require(o.status == 0, 'status %d' % o.status)
    had = [sum(vm['instructions'].values()) for vm in o.json['vms']]
    c.log.write('%r on %d: %r\n' % (machines, host_cpus, had))
    return had


def shares_of_several(c):
    """Machines with several virtual CPUs, of one weight, on CPUs that they do not divide evenly: within 5 % of each
    other; of 1:3 within 10 %."""
    for machines, host_cpus in ([(2, 100), (2, 100)], 3), ([(1, 100), (3, 100)], 2):
        had = ticks_of(c, machines, host_cpus)
        require(max(had) <= min(had) * 1.05, '%r on %d had %r' % (machines, host_cpus, had))
    light, heavy = ticks_of(c, [(2, 100), (2, 300)], 2)
    require(2.7 <= heavy / light <= 3.3, 'of 1:3 they had %r' % [light, heavy])


def one_that_waits_is_taken(c):
    """Two wait for one CPU; then the other CPU has nothing to do any more."""
    had = shares(c, [('a', 300, ''), ('b', 10, ''), ('c', 300, '')], 2)
    require(had['a'] >= 90 and had['c'] >= 90, 'the shares are %r' % had)


def places(c):
    return ask(c, 'list')['vms'][0]


def pinned_and_moved(c):
    with Running(c, ['--kernel', c.guest('stay'), '--mem', '32M', '--host-cpus', '2']):
        require(places(c)['cpus'] == [0], 'it does not begin on the first CPU')
        for n in range(1, 21):
            require(ask(c, 'migrate', 'guest.0', str(n % 2))['cpu'] == n % 2, 'migrate')
            until('the move', lambda: places(c)['moves'][0] == n)
            require(places(c)['cpus'] == [n % 2], 'it is not where it was sent')
        require(ask(c, 'pin', '1')['cpu'] == 1, 'pin')
        until('the move', lambda: places(c)['cpus'] == [1])
        require(places(c)['pinned'] == [True], 'it is not pinned')
        require('is pinned to CPU 1' in ctl(c, 'migrate', 'guest.0', '0', status=1), 'one that is pinned moves')
        require('no CPU 2' in ctl(c, 'pin', 'guest.0', '2', status=1), 'a CPU that is not there')
        require('no virtual CPU 1' in ctl(c, 'dump', 'guest.1', status=1), 'one that is not there')
        require(ask(c, 'mmu', 'shadow')['mmu'] == 'shadow', 'another mechanism, elsewhere')
        require(ask(c, 'pin', 'any')['cpu'] is None, 'pin any')
        require(ask(c, 'migrate', 'guest.0', '0')['cpu'] == 0, 'migrate')
        until('the move', lambda: places(c)['cpus'] == [0])
        require(ask(c, 'dump', 'guest.0')['cpu'] == 0, 'dump')
        require(ask(c, 'weight', '50')['weight'] == 50 and places(c)['weight'] == 50, 'weight')
        require(ask(c, 'audit')['audit'] == 'ok', 'the audit fails')


def at_random(c):
    """Linux on four virtual CPUs that wander over three CPUs, while it is paused, pinned, moved, looked at, and changed
    in all ways there are."""
    dice = random.Random(14)
    requests = (lambda: ('mmu', 'next'), lambda: ('tpr', dice.choice(('trap', 'flexpriority'))), lambda: ('audit',),
                lambda: ('pin', 'guest.%d' % dice.randrange(4), str(dice.randrange(3))), lambda: ('pin', 'any'),
                lambda: ('migrate', 'guest.%d' % dice.randrange(4), str(dice.randrange(3))),
                lambda: ('dump', 'guest.%d' % dice.randrange(4)), lambda: ('pause',))
    p = c.start(['run', '--quiet', '--vcpus', '4', '--host-cpus', '3', '--migrate-every', '1', '--switch-every', '30',
                 '--timeout', str(LIMIT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    served = 0
    while p.poll() is None:
        for request in [dice.choice(requests)()] + [('resume',)]:
            status, said = c.finish(c.start(['ctl'] + list(request)), 60)
            # 1: pinned, not begun yet; 2: the run is over, or not there yet.
            require('break an invariant' not in said, said)
            served += status == 0
        time.sleep(0.1)
    require(p.returncode == 0, 'status %d' % p.returncode)
    require(served >= 50, 'only %d requests were served' % served)


def storms():
    """What takes long: for the whole matrix."""
    return [Test('sched: asked at random', at_random),
            storm('ept', 'ept', 4, [], 5000),
            storm('shadow, without VPID', 'shadow', 4, ['--no-vpid'], 5000),
            storm('vtlb', 'vtlb', 2, [], 2000),
            storm('brute', 'brute', 2, ['--workload', 'boot'], 2000)]


def tests():
    return [boot('sched: 8 on 2 CPUs, 4 VPIDs', 8, 2, ['--mmu', 'shadow', '--vpids', '4'], few_vpids),
            boot('sched: 4 on one CPU, that spin', 4, 1, ['--mmu', 'ept'], spins),
            storm('changing the mechanism', 'ept', 4, ['--switch-every', '50'], 2000),
            Test('sched: equal shares of two CPUs', equal_shares),
            Test('sched: shares of several CPUs each', shares_of_several),
            Test('sched: shares by weight', shares_by_weight),
            Test('sched: shares by machine', shares_by_machine),
            Test('sched: one that waits is taken', one_that_waits_is_taken),
            Test('sched: pinned, and moved', pinned_and_moved)]
