"""Runs that someone takes part in: several machines, the keyboard, Ctrl-C, timeouts."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import report
from quick import quick
from runner import PATIENCE, Test, require


def read_until(fd, pattern, limit, seen=b''):
    """Reads from fd until pattern has come; all that was read. limit: seconds, of a machine that does nothing else."""
    limit *= PATIENCE
    end = time.monotonic() + limit
    while not re.search(pattern, seen):
        left = end - time.monotonic()
        require(left > 0, 'did not say %r within %d s; last: %r' % (pattern, limit, seen[-200:]))
        ready, _, _ = select.select([fd], [], [], left)
        if not ready:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:         # the other end of a pseudo-terminal is gone
            data = b''
        require(data, 'ended before it said %r; last: %r' % (pattern, seen[-200:]))
        seen += data
    return seen


def read_to_end(p, fd, limit):
    """What p says on fd until it has ended, for so many seconds at most."""
    seen = b''
    end = time.monotonic() + limit * PATIENCE
    while p.poll() is None and time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], 0.2)
        if ready:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                time.sleep(0.1)
    return seen


def resize(terminal, lines, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))


@contextlib.contextmanager
def on_terminal(c, *words, size=None, **options):
    """`vellum WORDS` on a terminal of its own, of so many lines and columns: the process, the terminal's other end."""
    master, slave = pty.openpty()
    if size:
        resize(slave, *size)
    p = c.start(list(words), stdin=slave, stdout=slave, stderr=slave, **options)
    os.close(slave)
    try:
        yield p, master
    finally:
        os.close(master)


def two_machines(c):
    path = c.file('machines.txt', 'vm first\nkernel %s\nappend a\nmem 32M\n\nvm second\nkernel %s\nappend value=5\n'
                  'mem 16M\npages 4k\n'
                  % (c.guest('hello'), c.guest('exit-code')))
    o = c.run(['run', '--vm', path, '--timeout', '50'], status=11, expect=[r'^hello: ok', r'^\[second\] exit-code: 5$'])
    report.check(o.json, vms=2)
    vms = o.json['vms']
    require([v['guest']['name'] for v in vms] == ['first', 'second'], 'names: %s' % [v['guest']['name'] for v in vms])
    require([v['guest']['status'] for v in vms] == [0, 11], 'statuses: %s' % [v['guest']['status'] for v in vms])
    report.check_pages(vms[1], '4k')


def two_busy_machines(c):
    """Both count time and memory while they share the CPU."""
    path = c.file('machines.txt', 'vm a\nkernel %s\nmem 64M\n\nvm b\nkernel %s\nmem 64M\n' %
                  (c.guest('memory'), c.guest('paging64')))
    o = c.run(['run', '--vm', path, '--timeout', '80'], limit=100, expect=[r'^memory: ok', r'^\[b\] paging64: ok'],
              forbid=['FAIL'])
    report.check(o.json, vms=2)


def one_of_two_dies(c):
    """A machine that is stopped does not take the other with it."""
    path = c.file('machines.txt', 'vm a\nkernel %s\nmem 16M\n\nvm b\nkernel %s\nmem 64M\n' %
                  (c.guest('triple-fault'), c.guest('memory')))
    o = c.run(['run', '--vm', path, '--timeout', '80'], status=65, limit=100,
              expect=[r'^triple-fault: now', r'^\[b\] memory: ok'])
    require([v['guest']['status'] for v in o.json['vms']] == [65, 0],
            'statuses: %s' % [v['guest']['status'] for v in o.json['vms']])


def one_bad_of_two(c):
    """A machine that the hypervisor cannot start is refused; the other runs."""
    path = c.file('machines.txt', 'vm a\nkernel %s\nmem 16M\nmitigations ibrs\n\nvm b\nkernel %s\nmem 16M\n'
                  % (c.guest('hello'), c.guest('hello')))
    o = c.run(['run', '--vm', path, '--timeout', '50'], status=67, expect=[r'ibrs cannot be had', r'^\[b\] hello: ok'])
    require([v['guest']['status'] for v in o.json['vms']] == [67, 0],
            'statuses: %s' % [v['guest']['status'] for v in o.json['vms']])


def stopped_by(number):
    """A signal in the middle of a boot ends everything that was started."""
    def run(c):
        p = c.start(['run', '--timeout', '100'])
        seen = read_until(p.stdout.fileno(), rb'Linux version', 60)
        require(any('bochs' in name for _, name in c.processes()), 'no emulator runs: %s' % c.processes())
        start = time.monotonic()
        os.kill(p.pid, number)
        status, text = c.finish(p, 20)
        require(status == 128 + number, 'status %d, not %d' % (status, 128 + number))
        require(time.monotonic() - start < 5, 'took %.1f s to end' % (time.monotonic() - start))
        require('What it cost' in text and 'so far, when the machine was stopped' in text,
                'said nothing about it: %r' % (seen + text.encode())[-200:])
    return run


def killed(c):
    """Even SIGKILL to the command leaves no emulator running. (Its temporary directory stays until the next command
    removes it.)"""
    p = c.start(['run', '--timeout', '100'])
    read_until(p.stdout.fileno(), rb'Linux version', 60)
    os.kill(p.pid, signal.SIGKILL)
    p.stdout.close()
    p.wait()
    end = time.monotonic() + 5
    while c.processes() and time.monotonic() < end:
        time.sleep(0.1)
    require(not c.processes(), 'left processes behind: %s' % c.processes())
    for name in os.listdir(c.path('tmp')):
        subprocess.run(['rm', '-rf', os.path.join(c.path('tmp'), name)], check=True)


def counted_until_stopped(j, ending):
    """The counters of a guest that did not end are those of the moment when it was stopped."""
    require(j['ending'] == ending and j['counters'] == 'stop', 'JSON: %r, counters %r' % (j['ending'], j['counters']))
    require(j['exits']['total'] > 0 and j['instructions']['guest'] > 1000000, 'no counters: %s' % j.get('exits'))
    require(j['exits']['total'] == sum(r['count'] for r in j['exits']['by_reason'].values()), 'the total is no sum')
    require(j['instructions']['hypervisor'] == sum(r['ticks'] for r in j['exits']['by_reason'].values()),
            'the hypervisor\'s instructions are not those of its exits')
    require(j['guest']['status'] is None and j['guest']['end'] is None, 'the guest has ended: %s' % j['guest'])


def phases_until_stopped(c):
    """Phases of the workload that are over, and the one that is not, are in the counters of a run that is stopped."""
    out = c.path('phases.json')
    p = c.start(['run', '--workload', 'switch:200000', '--timeout', '100', '--json', out] + quick())
    read_until(p.stdout.fileno(), rb'Run /init as init process', 60)
    end = time.monotonic() + 60 * PATIENCE
    while not json.loads(c.finish(c.start(['ctl', 'phases', '--json']), 20)[1])['phases']:
        require(time.monotonic() < end, 'no phase')
        time.sleep(0.05)
    p.send_signal(signal.SIGINT)
    status, _ = c.finish(p, 30)
    require(status == 130, 'status %d' % status)
    with open(out) as f:
        j = json.load(f)
    counted_until_stopped(j, 'interrupted')
    require(j['phases'] and 0 < j['workload']['exits']['total'] < j['exits']['total'], 'phases: %s' % j.get('phases'))
    require(j['workload']['instructions']['guest'] == sum(x['instructions']['guest'] for x in j['phases'].values()),
            'the workload is not its phases')


def silent_machine(c):
    """A machine that does not answer ends too, and ctl is told within a second."""
    out = c.path('silent.json')
    p = c.start(['run', '--kernel', c.guest('stay'), '--mem', '32M', '--timeout', '60', '--json', out])
    read_until(p.stdout.fileno(), rb'stay: ready', 60)
    emulator = [pid for pid, name in c.processes() if 'bochs' in name]
    os.kill(emulator[0], signal.SIGSTOP)
    start = time.monotonic()
    got, text = c.finish(c.start(['ctl', 'stats']), 20)
    require(got == 1 and 'does not answer' in text, 'ctl: status %d: %s' % (got, text))
    require(time.monotonic() - start < 1.5, 'ctl took %.1f s' % (time.monotonic() - start))
    start = time.monotonic()
    p.send_signal(signal.SIGINT)
    status, _ = c.finish(p, 20)
    require(status == 130, 'status %d' % status)
    require(time.monotonic() - start < 4, 'took %.1f s to end' % (time.monotonic() - start))
    with open(out) as f:
        j = json.load(f)
    require(j['ending'] == 'interrupted' and j['counters'] is None, 'JSON: %r, %r' % (j['ending'], j['counters']))


def killed_emulator(c):
    """What somebody was told before is what is known of a machine that is gone."""
    out = c.path('gone.json')
    p = c.start(['run', '--kernel', c.guest('stay'), '--mem', '32M', '--timeout', '60', '--json', out])
    read_until(p.stdout.fileno(), rb'stay: ready', 60)
    got, text = c.finish(c.start(['ctl', '--json', 'stats']), 20)
    require(got == 0, 'ctl: status %d: %s' % (got, text))
    emulator = [pid for pid, name in c.processes() if 'bochs' in name]
    os.kill(emulator[0], signal.SIGKILL)
    status, said = c.finish(p, 20)
    require(status == 70 and 'when somebody last asked' in said, 'status %d: %s' % (status, said[-300:]))
    with open(out) as f:
        j = json.load(f)
    require(j['ending'] == 'emulator' and j['counters'] == 'earlier', 'JSON: %r, %r' % (j['ending'], j['counters']))
    require(j['exits'] == json.loads(text)['exits'], 'the counters are not those that ctl was told')


def timeout(c):
    """Brute force needs several times as long as that, on any computer. On a busy one the hypervisor may not run by
    then."""
    for seconds in (8, 40, 200):
        start = time.monotonic()
        o = c.run(['run', '--mmu', 'brute', '--timeout=%d' % seconds], status=124, expect=[r'timeout'],
                  limit=seconds + 20)
        took = time.monotonic() - start
        if o.json['counters']:
            break
    require(seconds <= took, 'took %.1f s' % took)
    require(o.json['status'] == 124, 'JSON: status is %r' % o.json['status'])
    counted_until_stopped(o.json, 'timeout')
    require(o.json['error'].startswith('timeout: no end after %d seconds' % seconds),
            'JSON: error %r' % o.json['error'])


def output_gone(c):
    """Whoever reads the console goes away: the run ends."""
    p = c.start(['run', '--timeout', '60'])
    read_until(p.stdout.fileno(), rb'Linux version', 60)
    p.stdout.close()
    p.wait(timeout=30)
    require(p.returncode != 0, 'status 0')


def interactive(c, more=(), machine=r'x86_64'):
    """The keyboard goes to the guest's shell and the answer comes back; poweroff ends the run."""
    seen = b''
    with on_terminal(c, 'run', '-i', '--timeout', '200', *quick(), *more) as (p, master):
        try:
            seen = read_until(master, rb'vellum:[^\r\n]*# ', 150)
            os.write(master, b'echo six times seven is $((6*7))\r')
            seen = read_until(master, rb'is 42\s', 60, seen)
            os.write(master, b'uname -m\r')
            seen = read_until(master, machine.encode() + rb'\s', 60, seen)
            os.write(master, b'poweroff -f\r')
            seen = read_until(master, rb'Power down', 60, seen)
            seen += read_to_end(p, master, 30)
            require(p.poll() == 0, 'status %s' % p.poll())
        finally:
            c.log.write(seen.decode(errors='replace'))


def small_kernel(mechanism, *more):
    """What kernels that know QEMU alone take for given (guest/test/small32.c), with keys typed at a serial port whose
    OUT2 they have never set."""
    def run(c):
        seen = b''
        with on_terminal(c, 'run', '-i', '--timeout', '200', '--mem', '16M', '--mmu', mechanism, '--kernel',
                         c.guest('small32'), '--append', 'input', *more) as (p, master):
            try:
                seen = read_until(master, rb'small32: type', 100)
                os.write(master, b'abc')
                seen = read_until(master, rb'small32: [oF]', 60, seen)
                seen += read_to_end(p, master, 30)
                require(re.search(rb'small32: ok, \d\d+ checks', seen), 'it failed')
                require(p.poll() == 0, 'status %s' % p.poll())
            finally:
                c.log.write(seen.decode(errors='replace'))
    return Test(' '.join(('what small kernels rely on,', mechanism) + more), run)


def small_hypervisor(*more):
    """What microhypervisors and unikernels need before they run anything (guest/test/micro32.c); then the end that
    ACPI's tables tell of."""
    def run(c):
        two = [word for text in ('one', 'two') for word in ('--module', '%s %s' % (c.file(text, text * 2000), text))]
        for append, said in (('', 'ok, [1-9][0-9]* checks'), (' off', 'off by _S5')):
            o = c.run(['run', '--kernel', c.guest('micro32'), '--append', 'processors=2 modules=2' + append, '--vcpus',
                       '2', '--mem', '64M', '--timeout', '80', *two, *more], limit=100, forbid=['FAIL'],
                      expect=['^micro32: %s$' % said])
            require(o.json['guest']['end'] == 'powered off', 'the guest ended: %s' % o.json['guest']['end'])
    return Test(' '.join(('what small hypervisors rely on',) + more), run)


def quit_key(c):
    """Ctrl-] quits an interactive run."""
    out = c.path('quit.json')
    with on_terminal(c, 'run', '-i', '--timeout', '100', '--json', out) as (p, master):
        read_until(master, rb'Linux version', 60)
        os.write(master, b'\x1d')
        read_until(master, rb'quit, the machine was stopped', 20)
        read_to_end(p, master, 20)
        require(p.poll() == 0, 'status %s' % p.poll())
        with open(out) as f:
            counted_until_stopped(json.load(f), 'quit')


def image(c):
    """vellum iso makes an image; it names what it made."""
    out = c.path('x.iso')
    c.run(['iso', out, '--kernel', c.guest('hello')], expect=[r'x\.iso'], limit=60)
    with open(out, 'rb') as f:
        f.seek(0x8001)
        require(f.read(5) == b'CD001', 'it is no ISO 9660 image')


def quiet(c):
    o = c.run(['run', '--quiet', '--kernel', c.guest('triple-fault'), '--timeout', '50'], status=65)
    require(o.text.strip().startswith('vellum: guest: status 65, stopped: triple fault') and o.text.count('\n') == 1,
            'not one sentence: %s' % o.text)
    o = c.run(['run', '--quiet', '--kernel', c.guest('hello'), '--timeout', '50'])
    require(o.text == '', 'it said: %r' % o.text)


def elf64(c):
    """A Multiboot kernel in a 64-bit ELF file: loaded by its program headers, as GRUB does."""
    path = os.path.join(c.build, 'guest', 'test', 'memory.elf.64')
    o = c.run(['run', '--kernel', path, '-m', '64', '--timeout', '60'], expect=[r'^memory: ok'])
    require(o.json['guest']['kernel'] == path, 'JSON: kernel %r' % o.json['guest']['kernel'])


def tests():
    return [
        Test('a Multiboot kernel in a 64-bit ELF file', elf64),
        Test('the keyboard, interactively', interactive),
        Test('the keyboard, in a 32-bit guest', lambda c: interactive(c, ['--guest', '686'], 'i686')),
        small_kernel('ept'),
        small_kernel('shadow'),
        small_kernel('ept', '--cpu', 'corei5_lynnfield_750'),
        small_hypervisor('--mmu', 'ept'),
        small_hypervisor('--cpu', 'core2_penryn_t9600'),
        small_hypervisor('--cpu', 'ryzen', '--host-cpus', '2'),
        Test('two machines', two_machines),
        Test('two busy machines', two_busy_machines),
        Test('one of two machines dies', one_of_two_dies),
        Test('one of two machines is bad', one_bad_of_two),
        Test('Ctrl-C', stopped_by(signal.SIGINT)),
        Test('SIGTERM', stopped_by(signal.SIGTERM)),
        Test('SIGKILL', killed),
        Test('Ctrl-] quits', quit_key),
        Test('--timeout', timeout),
        Test('phases until the run is stopped', phases_until_stopped),
        Test('a machine that does not answer', silent_machine),
        Test('the emulator is killed', killed_emulator),
        Test('the reader of the output goes away', output_gone),
        Test('vellum iso', image),
        Test('--quiet', quiet),
    ]
