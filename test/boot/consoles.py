"""Consoles of several virtual machines: the run's own, and those that others attach to."""

import fcntl
import os
import re
import signal
import subprocess

from control import Running, ctl, until
from runner import PATIENCE, Test, require
from sessions import on_terminal, read_to_end, read_until


def description(c):
    return c.file('consoles.txt', ''.join(
        'vm %s\nkernel %s\nappend as=%d\nmem 16M\n%s\n' % (name, c.guest('typed'), number, more)
        for name, number, more in (('one', 1, ''), ('two', 2, ''), ('three', 3, 'hvc on\n'))))


def attach(c, vm, until):
    p = c.start(['ctl', 'console', vm], stdin=subprocess.PIPE)
    return p, read_until(p.stdout.fileno(), until, 60)


def type_at(p, text, until):
    p.stdin.write(text)
    p.stdin.flush()
    return read_until(p.stdout.fileno(), until, 60)


def at_once(c):
    """Three consoles are attached at once: each says what its own machine does, from what it said before on, and its
    own machine alone hears what is typed at it. The run shows the lines of all, whole."""
    with Running(c, ['--vm', description(c)], until=rb'(?s)(is ready.*){3}') as run:
        ends = {vm: attach(c, vm, rb'typed: %d is ready' % number)[0]
                for number, vm in ((1, 'one'), (2, 'two'), (3, 'three'))}
        for number, (vm, p) in enumerate(ends.items(), 1):
            word = b'word of %s' % vm.encode()
            seen = type_at(p, word + b'\n', rb'typed: %d heard %s\r?\n' % (number, word))
            require(len(re.findall(rb'heard', seen)) == 1, '%s heard %r' % (vm, seen))
        # More than a serial port takes at once.
        long = b'x' * 90
        seen = type_at(ends['two'], long + b'\n', rb'typed: 2 heard x+\r?\n')
        require(b'heard ' + long in seen, 'of a long line %r' % seen)
        # Who comes second sees what there was before.
        second, seen = attach(c, 'two', rb'heard x+\r?\n')
        require(b'word of two' in seen and b'is ready' in seen, 'who comes later saw %r' % seen)
        second.kill()
        # Its end is told, and ends who is attached.
        seen = type_at(ends['two'], b'end\n', rb'two is over: powered off')
        require(b'typed: ok' in seen and ends['two'].wait(30) == 0, 'at its end: %r' % seen)
        for vm in ('one', 'three'):
            require(ends[vm].poll() is None, 'the console of %s has ended' % vm)
            ends[vm].kill()
        seen = run.seen + read_until(run.p.stdout.fileno(), rb'\[two\] typed: ok', 60)
        require(re.search(rb'^typed: 1 heard word of one\r?$', seen, re.M) and
                re.search(rb'^\[three\] typed: 3 heard word of three\r?$', seen, re.M), 'the run showed %r' % seen)
        text = ctl(c, 'console', 'nobody', status=2)
        require('say which virtual machine: there are 3' in text, 'console of nobody: %r' % text)


def chosen(c):
    """The run's own terminal is for the machine that --console names; the first one's lines bear its name."""
    seen = b''
    with on_terminal(c, 'run', '-i', '--timeout', '100', '--vm', description(c), '--console', 'two') as (p, master):
        try:
            seen = read_until(master, rb'(?s)(is ready.*){3}', 90)
            os.write(master, b'hello\r')
            seen = read_until(master, rb'typed: 2 heard hello', 60, seen)
            other, _ = attach(c, 'one', rb'typed: 1 is ready')
            type_at(other, b'end\n', rb'one is over')
            other, _ = attach(c, 'three', rb'typed: 3 is ready')
            type_at(other, b'end\n', rb'three is over')
            os.write(master, b'end\r')
            seen += read_to_end(p, master, 60)
            require(p.poll() == 0, 'status %s' % p.poll())
            for line in (rb'^\[one\] typed: 1 is ready', rb'^typed: 2 is ready', rb'^\[three\] typed: ok'):
                require(re.search(line, seen, re.M), 'it did not show %r: %r' % (line, seen))
            require(b'typed: 1 heard hello' not in seen, 'another heard what was typed')
        finally:
            c.log.write(seen.decode(errors='replace'))


def refused(c):
    o = c.finish(c.start(['run', '--vm', description(c), '--console', 'four', '--check']), 10)
    require(o[0] == 2 and '--console four: there is no virtual machine of that name' in o[1], 'said: %s' % (o,))


def late(more):
    def run(c):
        """What is typed is all there when it is taken, however late: more than a serial port takes at once."""
        words = ['run', '-i', '--timeout', '100', '--kernel', c.guest('typed'), '--append', 'late=50000000'] + more
        with on_terminal(c, *words) as (p, master):
            seen = read_until(master, rb'is ready', 90)
            for letter in b'xy':
                os.write(master, bytes([letter]) * 90 + b'\r')
                seen = read_until(master, rb'typed: 0 heard %c+\r' % letter, 60, seen)
                require(b'heard ' + bytes([letter]) * 90 in seen, 'of a line of 90: %r' % seen[-300:])
            os.write(master, b'end\r')
            read_to_end(p, master, 60)
            require(p.poll() == 0, 'status %s' % p.poll())
    return run


def full_pipe(c, args):
    """A run whose output goes into a pipe that is nearly full, and the pipe's reading end, from which `filler` comes
    first."""
    reader, writer = os.pipe()
    room = 256                     # for what is said before there is a machine
    filler = b'-' * (fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) - room)
    os.write(writer, filler)
    p = c.start(['run'] + args, stdout=writer, stderr=writer)
    os.close(writer)
    return p, reader, filler


def unread(c):
    """Nobody reads what a run says. It answers vellum ctl as ever, and ends at once when it is told to."""
    p, reader, _ = full_pipe(c, ['--kernel', c.guest('stay'), '--mem', '32M'])
    until('an answer to ctl list', lambda: '"running"' in c.finish(c.start(['ctl', '--json', 'list']), 60)[1])
    require(p.poll() is None, 'it has ended: %s' % p.poll())
    p.send_signal(signal.SIGTERM)
    require(p.wait(60 * PATIENCE) == 128 + signal.SIGTERM, 'it ended with status %s' % p.returncode)
    os.close(reader)


def read_late(c):
    """What waited for its reader comes whole and in order, with the report, though the guest has long ended."""
    p, reader, filler = full_pipe(c, ['--kernel', c.guest('hello'), '--mem', '16M'])
    until('the end of its machine',
          lambda: '"running"' not in c.finish(c.start(['ctl', '--json', 'list']), 60)[1])
    require(p.poll() is None, 'it did not wait for its reader: status %s' % p.poll())
    with os.fdopen(reader, 'rb') as f:
        seen = f.read()[len(filler):].decode()
    require(p.wait(60) == 0, 'status %s' % p.returncode)
    places = [seen.find(word) for word in ('hello from ', 'VM exits by reason', 's of CPU')]
    require(-1 not in places and places == sorted(places), 'it came as: %s' % seen)


def tests():
    return [Test('consoles: three at once', at_once), Test('consoles: the one that is chosen', chosen),
            Test('consoles: typed before it is taken', late([])),
            Test('consoles: typed before it is taken, on the bare machine', late(['--native'])),
            Test('consoles: nobody reads', unread), Test('consoles: read late', read_late),
            Test('consoles: refused', refused)]
