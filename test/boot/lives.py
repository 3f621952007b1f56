"""Virtual machines that come and go: on request, after resets of their own, a thousand times over, a thousand at
once."""

import os
import re
import shutil
import signal
import time

from control import Running, ask, ctl, socket_of, until
from runner import PATIENCE, Failure, Test, require
from sessions import read_until

WORDS, MODULUS = 16384, 2 ** 32


def sum_of(n, work):
    """What guest/test/lives.c must tell."""
    first = sum(n * 2654435761 + i * 40503 for i in range(WORDS))
    power = pow(3, work, 2 * MODULUS)
    return (power * first + WORDS * ((power - 1) // 2)) % MODULUS


def vm(name, kernel, *lines):
    return 'vm %s\nkernel %s\n%s\n' % (name, kernel, '\n'.join(lines))


def vms_of(c):
    return {v['name']: v for v in ask(c, 'list')['vms']}


def on_request(c):
    """start, stop, reset, destroy: what each leaves, and what it is refused for."""
    description = c.file('vms', vm('one', c.guest('stay'), 'mem 32M') +
                         vm('two', c.guest('lives'), 'mem 4M', 'append how=stay n=7 work=1', 'start off'))
    with Running(c, ['--vm', description]) as run:
        require(vms_of(c)['two']['state'] == 'off', 'two has begun by itself')
        require('has not been started' in ctl(c, 'stats', 'two', status=1), 'stats of one that is not there')
        for start in range(1, 4):
            require(ask(c, 'start', 'two')['vm'] == 'two', 'start')
            until('two sleeps', lambda: vms_of(c)['two']['state'] == 'halted')
            require(vms_of(c)['two']['starts'] == start, 'two has begun %d times' % vms_of(c)['two']['starts'])
            require('two runs' in ctl(c, 'start', 'two', status=1), 'started twice')
            require(ask(c, 'stop', 'two')['state'] == 'ended', 'stop')
            require('two is over' in ctl(c, 'stop', 'two', status=1), 'stopped twice')
        require(ask(c, 'start', 'two')['state'] == 'running', 'start')
        until('two sleeps', lambda: vms_of(c)['two']['state'] == 'halted')
        require(ask(c, 'reset', 'two')['state'] == 'running', 'reset')
        until('two sleeps', lambda: vms_of(c)['two']['state'] == 'halted')
        require(vms_of(c)['two']['starts'] == 5, 'a reset is no new beginning')
        require(ask(c, 'destroy', 'two')['state'] == 'off', 'destroy')
        require('has not been started' in ctl(c, 'destroy', 'two', status=1), 'destroyed twice')
        require(ask(c, 'reset', 'one')['state'] == 'running', 'reset of the first')
        require(ask(c, 'audit', 'one')['audit'] == 'ok', 'audit')
    said = re.findall(r'\[two\] lives: n 7 sum 0x([0-9a-f]+)', c.said)
    require(len(said) == 5 and {int(s, 16) for s in said} == {sum_of(7, 1)}, 'two said %s' % said)
    require('somebody was here' not in c.said + run.seen.decode(), 'RAM was not empty')


def boots_again(how):
    def run(c):
        """A guest that resets itself without end; its neighbour goes on, and whoever stops it has it stopped."""
        description = c.file('vms', vm('one', c.guest('stay'), 'mem 32M') +
                             vm('two', c.guest('lives'), 'mem 2M', 'append how=%s n=9 work=2' % how, 'on-reset boot'))
        with Running(c, ['--vm', description]):
            until('the third beginning', lambda: vms_of(c)['two']['starts'] >= 3)
            require(ask(c, 'stop', 'two')['state'] == 'ended', 'stop')
            require(ask(c, 'audit', 'one')['audit'] == 'ok', 'audit')
        require('FAIL' not in c.said, 'a beginning failed')
        told = len(re.findall(r'^vellum: two: exit (?:triple_fault|shutdown) at rip 0x', c.said, re.M))
        require(2 <= told <= 8 if how == 'triple' else told == 0, 'told %d times of its registers' % told)
    return run


def stays(c):
    """--stay: nobody is left, and the machine goes on."""
    with Running(c, ['--stay', '--kernel', c.guest('hello')], until=rb'hello: ok'):
        until('the end', lambda: vms_of(c)['guest']['state'] == 'ended')
        for _ in range(2):
            require(ask(c, 'start')['vm'] == 'guest', 'start')
            until('the end', lambda: vms_of(c)['guest']['state'] == 'ended')


def answers(c):
    """Does the hypervisor answer already?"""
    try:
        return ask(c, 'list')['vms']
    except Failure as e:
        c.log.write(str(e) + '\n')
        return None


def many_lives(lives):
    def run(c):
        """Started and destroyed over and over: as many bytes are free at the end as after the first."""
        description = c.file('vms', vm('one', c.guest('stay'), 'mem 32M') +
                             vm('two', c.guest('lives'), 'mem 1M', 'append how=stay n=1 work=1', 'start off'))
        with Running(c, ['--vm', description, '--ips', '4000000', '--quiet'], until=None):
            until('the run', lambda: answers(c))
            s = socket_of(c)

            def do(request):
                s.sendall(request)
                data = b''
                while not re.search(rb'^done .*\n', data, re.M):
                    got = s.recv(65536)
                    require(got, 'closed after %r' % data[-100:])
                    data += got
                require(b'done ok\n' in data, 'said %r' % data[-200:])

            free = None
            for n in range(lives):
                do(b'start two\n')
                do(b'destroy two\n')
                if n in (0, lives - 1):
                    free = free or ask(c, 'list')['free_bytes']
            require(ask(c, 'list')['free_bytes'] == free, 'of %d bytes %d are free' %
                    (free, ask(c, 'list')['free_bytes']))
            require(vms_of(c)['two']['starts'] == lives, 'it began %d times' % vms_of(c)['two']['starts'])
            s.close()
    return run


def kernel_of(c, n, own):
    """Of machine n: the one of all, or a file of its own."""
    if not own:
        return c.guest('lives')
    return shutil.copy(c.guest('lives'), os.path.join(c.dir, 'lives%d.elf' % n))


def many_at_once(count, *args, limit=None, own=False):
    def run(c):
        """All there at once, each to its right result."""
        work = 10
        description = c.file('vms', ''.join(vm('v%d' % n, kernel_of(c, n, own), 'mem 1M',
                                               'append n=%d work=%d' % (n, work)) for n in range(count)))
        o = c.run(['run', '--vm', description, '--ips', '10000000', '--timeout', '3600'] + list(args),
                  limit=limit or count // 2)
        said = {int(n): int(s, 16) for n, s in re.findall(r'lives: n (\d+) sum 0x([0-9a-f]+)', o.text)}
        require(said == {n: sum_of(n, work) for n in range(count)}, '%d of %d told their result' % (len(said), count))
        ends = {v['guest']['end'] for v in o.json['vms']}
        require(ends == {'powered off'}, 'ended: %s' % ends)
        first = min(o.text.index('lives: n'), len(o.text))
        require(o.text[:first].count(': mmu ') == count, 'they were not all there before the first told its result')
    return run


RESULT = rb'lives: n (\d+) sum 0x([0-9a-f]+)\r?\n'


def many_there(count, *args, seconds):
    def run(c):
        """On several CPUs the first ends while others are being made; so each stays behind its result, and all are
        there when the last has told its own."""
        work = 10
        description = c.file('vms', ''.join(vm('v%d' % n, c.guest('lives'), 'mem 1M',
                                               'append n=%d work=%d how=stay' % (n, work)) for n in range(count)))
        p = c.start(['run', '--vm', description, '--ips', '10000000', '--timeout', '3600'] + list(args))
        text, end = b'', time.monotonic() + seconds * PATIENCE
        while len(re.findall(RESULT, text)) < count:
            require(time.monotonic() < end, '%d of %d told their result' % (len(re.findall(RESULT, text)), count))
            text += read_until(p.stdout.fileno(), rb'\n', seconds)
        said = {int(n): int(s, 16) for n, s in re.findall(RESULT, text)}
        require(said == {n: sum_of(n, work) for n in range(count)}, 'a result is not right')
        states = [v['state'] for v in ask(c, 'list')['vms']]
        require(len(states) == count and set(states) <= {'running', 'halted'}, 'states: %s' % set(states))
        p.send_signal(signal.SIGTERM)
        status, _ = c.finish(p, seconds)
        require(status == 128 + signal.SIGTERM, 'status %d' % status)
    return run


def many_stopped(count):
    def run(c):
        """Of so many that work for ever not each is asked for its counters when the run is stopped."""
        description = c.file('vms', ''.join(vm('v%d' % n, c.guest('lives'), 'mem 1M', 'append n=1 work=1000000000')
                                            for n in range(count)))
        p = c.start(['run', '--vm', description, '--host-mem', '512M', '--ips', '10000000'])
        read_until(p.stdout.fileno(), rb'v%d: mitigations' % (count - 1), 120)
        began = time.monotonic()
        p.send_signal(signal.SIGTERM)
        status, _ = c.finish(p, 120)
        took = time.monotonic() - began
        c.log.write('stopped in %.1f s\n' % took)
        require(status == 128 + signal.SIGTERM, 'status %d' % status)
        require(took < 15, 'it went on for %.1f s' % took)
    return run


def tests(everything=False):
    return [Test('lives: on request', on_request),
            Test('lives: boots again after a reset', boots_again('reset')),
            Test('lives: boots again after a triple fault', boots_again('triple')),
            Test('lives: the machine stays', stays),
            Test('lives: 300 one after the other', many_lives(300)),
            Test('lives: 200 at once', many_at_once(200, '--host-mem', '512M', own=True)),
            Test('lives: 200 stopped by a signal', many_stopped(200))] + \
        ([Test('lives: 1000 one after the other', many_lives(1000)),
          Test('lives: 1000 at once', many_at_once(1000, '--host-mem', '2G')),
          Test('lives: 1000 at once, on 4 CPUs', many_there(1000, '--host-mem', '2G', '--host-cpus', '4', seconds=500)),
          Test('lives: 128 at once, on 64 CPUs', many_at_once(128, '--host-mem', '1G', '--host-cpus', '64', limit=400))]
         if everything else [])
