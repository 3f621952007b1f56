"""Guests with several virtual CPUs."""

import os
import re

from boots import check_boot
from control import ask
from quick import quick
from runner import Test, require
from sessions import on_terminal, read_until
import matrix
import workloads


SYSFS = b'/sys/devices/system/cpu/cpu1/online'


def boot(name, vcpus, host_cpus, args, check=lambda o: None, workload=None):
    def run(c):
        o = check_boot(c, name, ['--vcpus', str(vcpus), '--host-cpus', str(host_cpus)] + args +
                       (['--workload', workload] if workload else []))
        require(o.json['vcpus'] == vcpus, 'it ran with %r' % o.json['vcpus'])
        require(o.json['clock'] == 'host', 'the clock is %r' % o.json['clock'])
        said = int(re.search(r'smp: Brought up 1 node, (\d+) CPU', o.text).group(1))
        require(said == vcpus, 'the guest found %d CPUs' % said)
        check(o)
        if workload:    # it has a checksum of its own
            checksum = re.search(r'checksum=(\S+)', c.runner.facts['results'].pop(name)).group(1)
            c.runner.facts.setdefault('checksums', {}).setdefault(workload, {})[name] = checksum
    return Test(name, run)


def threads(mmu, host_cpus):
    """Threads that share an address space, on virtual CPUs that are as many as host CPUs, or more."""
    workload = 'threads:4'
    phases, checksum = workloads.WORKLOADS[workload]

    def run(c):
        o = c.run(['run', '--no-rdrand', '--mmu', mmu, '--vcpus', '4', '--host-cpus', str(host_cpus), '--workload',
                   workload, '--timeout', '900'] + quick(), limit=1000, forbid=[r'VELLUM-RESULT FAIL', r'Kernel panic'],
                  expect=[r'^VELLUM-RESULT ok checksum=%s kernel=\S+$' % checksum, r'reboot: Power down'])
        require(o.json['vcpus'] == 4 and o.json['mmu'] == mmu, 'it ran %r under %s' % (o.json['vcpus'], o.json['mmu']))
        require([p['name'] for p in o.json['phases'].values()] == list(phases), 'the phases are wrong')
        require(mmu == 'ept' or o.json['mmu_counters']['kicks'] > 0, 'nobody was kicked')
    return Test('vcpus: threads under %s, 4 on %d CPUs' % (mmu, host_cpus), run)


def switched(o):
    used = [name for name, account in o.json['mechanisms'].items() if account.get('exits', {}).get('total', 0) > 1000]
    require(len(used) >= 3, 'only %s have been used' % used)


def off_and_back(say):
    """The guest's second CPU: by its own sysfs."""
    return b''.join(say(b'echo %d >%s; echo now $((1 + $(cat %s)))' % (on, SYSFS, SYSFS), rb'now %d\s' % (1 + on))
                    for on in (0, 1))


def sayer(master):
    def say(command, answer):
        os.write(master, command + b'\r')
        return read_until(master, answer, 60)
    return say


def comes_back(guest, mmu, vcpus, cpus):
    """It goes off and comes back twice, and works then."""
    def run(c):
        seen = b''
        with on_terminal(c, 'run', '-i', '--guest', guest, '--mmu', mmu, '--vcpus', str(vcpus), '--host-cpus',
                         str(cpus), '--timeout', '400', *quick()) as (p, master):
            say = sayer(master)
            try:
                seen += read_until(master, rb'vellum:[^\r\n]*# ', 300)
                seen += off_and_back(say) + off_and_back(say)
                seen += say(b'taskset 2 sh -c "echo done $((6 * 7))"', rb'done 42\s')
                seen += say(b'poweroff -f', rb'of which [0-9.]+ s of CPU')
            finally:
                c.log.write(seen.decode(errors='replace'))
                p.wait(60)
    return Test('vcpus: one of %d goes off and comes back: %s under %s on %d CPUs' % (vcpus, guest, mmu, cpus), run)


def off_and_on(c):
    """A CPU of the guest goes offline and comes back, and the whole machine is paused, and goes over to other ways to
    virtualize its memory and its TPR."""
    seen = b''
    with on_terminal(c, 'run', '-i', '--vcpus', '2', '--host-cpus', '2', '--mmu', 'ept', '--timeout',
                     '200', *quick()) as (p, master):
        say = sayer(master)
        try:
            seen += read_until(master, rb'vellum:[^\r\n]*# ', 150)
            seen += off_and_back(say)
            require(ask(c, 'pause')['state'] == 'paused', 'it is not paused')
            require(ask(c, 'resume')['state'] != 'paused', 'it is paused')
            require(ask(c, 'tpr', 'trap')['tpr'] == 'trap', 'its TPR is not by trap')
            for mechanism in ('shadow', 'ept', 'vtlb'):
                require(ask(c, 'mmu', mechanism)['mmu'] == mechanism, 'it is not under ' + mechanism)
                seen += say(b'for i in 1 2 3 4; do (:) & done; wait; echo done $((6 * 7))', rb'done 42\s')
            require(ask(c, 'audit')['audit'] == 'ok', 'the audit fails')
            seen += say(b'poweroff -f', rb'of which [0-9.]+ s of CPU')
        finally:
            c.log.write(seen.decode(errors='replace'))
            p.wait(60)


def fresh(mmu, most):
    """4 CPUs touch memory side by side, and each finds what it wrote; most: percent of the hypervisor's ticks that they
    may wait for locks, or None."""
    def run(c):
        o = c.run(['run', '--kernel', c.guest('fresh'), '--append', 'processors=4 pages=2048', '--mem', '256M',
                   '--pages', '4k', '--clock', 'host', '--vcpus', '4', '--host-cpus', '4', '--mmu', mmu, '--timeout',
                   '100'], expect=[r'^BENCH fresh_4 2048 \d+'])
        share = 100.0 * o.json['locks']['ticks'] / o.json['instructions']['hypervisor']
        c.log.write('locks: %.2f %%\n' % share)
        require(most is None or share <= most, 'it waits for locks %.2f %% of the time' % share)
    return Test('vcpus: 4 touch fresh memory under %s' % mmu, run)


def side_by_side(mmu, cpus):
    """As many virtual CPUs as one can have, on as many CPUs and more, the last of which is beyond 8 bits where there
    are 256: all of them start, and none waits for another's."""
    def run(c):
        o = c.run(['run', '--kernel', c.guest('fresh'), '--append', 'processors=32 pages=64', '--mem', '256M',
                   '--pages', '4k', '--clock', 'host', '--vcpus', '32', '--host-cpus', str(cpus), '--mmu', mmu,
                   '--timeout', '400'], limit=400, expect=[r'^BENCH fresh_32 64 \d+'], forbid=[r'going on without it'])
        require(o.json['host']['cpus'] == cpus, 'the machine has %r CPUs' % o.json['host']['cpus'])
        require(o.json['mmu'] == mmu, 'it ran under ' + o.json['mmu'])
        require(mmu == 'ept' or o.json['mmu_counters']['kicks'] > 0, 'nobody was kicked')
    return Test('vcpus: 32 side by side on %d CPUs under %s' % (cpus, mmu), run)


def sent(vcpus, cpus, mmu, tpr):
    def run(c):
        """By the interrupt command register: each delivery mode to each kind of destination, in each APIC mode, to who
        runs, is deaf, or sleeps; all to all at once; INIT and start-up IPI to any of them."""
        c.run(['run', '--kernel', c.guest('icr'), '--mem', '64M', '--vcpus', str(vcpus), '--host-cpus', str(cpus),
               '--clock', 'host', '--append', 'cpus=%d' % vcpus, '--mmu', mmu, '--tpr', tpr],
              expect=[r'^icr: ok, \d+ checks$'], forbid=[r'FAIL'], limit=90)
    return Test('vcpus: interrupt commands, %d on %d CPUs under %s, %s' % (vcpus, cpus, mmu, tpr), run)


def tests(everything):
    chosen = [(mmu, cpus) for mmu in ('ept', 'shadow', 'vtlb', 'brute') for cpus in (2, 4)] if everything else \
        [('shadow', 2), ('ept', 4)]
    whole = [boot('vcpus: %s under %s, %d on %d CPUs' % (guest, mmu, vcpus, cpus), vcpus, cpus,
                  ['--guest', guest, '--mmu', mmu], workload=matrix.SHORT if mmu == 'brute' else None)
             for guest in matrix.GUESTS for mmu in matrix.MECHANISMS for vcpus in (2, 4) for cpus in (1, 2, 4)]
    whole += [comes_back(guest, mmu, vcpus, cpus) for guest in matrix.GUESTS for mmu in matrix.MECHANISMS
              for vcpus, cpus in ((2, 1), (4, 2))]
    whole += [side_by_side(*c) for c in (('ept', 32), ('ept', 64), ('shadow', 128), ('ept', 256), ('shadow', 256))]
    whole += [boot('vcpus: amd64 under %s, 32 on 32 CPUs' % mmu, 32, 32, ['--guest', 'amd64', '--mmu', mmu])
              for mmu in ('ept', 'shadow')]
    # With four, that move, too: `sched: storm, changing the mechanism`.
    whole += [boot('vcpus: 2 on 2 CPUs, changing the mechanism', 2, 2, ['--mmu', 'ept', '--switch-every', '50'],
                   switched)]
    whole += [sent(12, 4, 'ept', 'apicv'), sent(2, 1, 'brute', 'trap'), sent(4, 4, 'vtlb', 'flexpriority')]
    whole = whole if everything else []
    return [threads(*c) for c in chosen] + whole + [fresh('ept', 5), fresh('shadow', None), fresh('vtlb', None)] + [
            side_by_side('shadow', 32), sent(4, 2, 'ept', 'apicv'), sent(4, 4, 'shadow', 'trap'),
            sent(32, 4, 'ept', 'apicv'),
            boot('vcpus: 4 on 4 CPUs', 4, 4, []),
            boot('vcpus: 2 on 2 CPUs, started by the emulator', 2, 2,
                 ['--mmu', 'shadow', '--cpu', 'core2_penryn_t9600'] + quick()),
            boot('vcpus: 2 on one CPU, PAE', 2, 1, ['--guest', '686-pae'] + quick()),
            Test('vcpus: one goes off and comes back', off_and_on)]
