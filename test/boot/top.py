"""vellum top: the figures of guests that run, once, on a terminal, and as JSON."""

import json
import os
import pty
import re
import signal
import termios

from control import ask, ctl, stay, until
from runner import Test, require
from sessions import on_terminal, read_until, resize


def top_once(c):
    """Without a terminal: the figures of one second, which agree with each other."""
    with stay(c, '--mmu', 'shadow'):
        for args in (['top'], ['top', '--once']):
            status, text = c.finish(c.start(args), 90)
            require(status == 0, 'status %d: %s' % (status, text))
            found = re.search(r'^guest: running, shadow, CPU 0; guest ([0-9.]+)%, hypervisor ([0-9.]+)%, '
                              r'neither ([0-9.]+)%', text, re.M)
            require(found and 99 <= sum(map(float, found.groups())) <= 101 and float(found.group(1)) > 0,
                    'said: %s' % text)
            require(re.search(r'^  memory: \d+ MB resident, 0 of these merged, 0 swapped; dirtied: not watched', text,
                              re.M), 'said: %s' % text)
            reasons = re.findall(r'^  (\w+) +([0-9.]+) +[0-9.]+%$', text, re.M)
            total = float(re.search(r'([0-9,]+) exits/s', text).group(1).replace(',', ''))
            require(reasons and abs(sum(float(r[1]) for r in reasons) - total) < 1, 'said: %s' % text)
    require('nothing runs' in c.finish(c.start(['top']), 20)[1], 'without a run')
    require(c.finish(c.start(['top', '--what']), 20)[0] == 2, 'a bad option')


def untouched():
    """The attributes of a terminal that nobody has changed."""
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    os.close(master)
    os.close(slave)
    return attributes


def press(c, master):
    os.write(master, b'm')
    until('another mechanism', lambda: ask(c, 'list')['vms'][0]['mmu'] == 'shadow')
    os.write(master, b'p')
    until('a pause', lambda: ask(c, 'list')['vms'][0]['state'] == 'paused')
    os.write(master, b'p')
    until('it goes on', lambda: ask(c, 'list')['vms'][0]['state'] == 'running')


def on_screen(c, end):
    """vellum top on a terminal of 80x24, ended so: the terminal is as it was."""
    with on_terminal(c, 'top', size=(24, 80), env=dict(c.environment(), TERM='xterm')) as (p, master):
        seen = read_until(master, rb'(?s)run seen.*VM exits by reason', 60)
        require(termios.tcgetattr(master) != untouched(), 'the terminal is not in its own mode')
        if end == b'q':
            press(c, master)
            resize(master, 5, 20)
            p.send_signal(signal.SIGWINCH)
            os.write(master, end)
        else:
            p.send_signal(end)
        read_until(master, rb'(?s)\x1b\[\?1049l', 60, seen)
        require(p.wait(timeout=30) == (0 if end == b'q' else 143), 'status %s' % p.returncode)
        require(termios.tcgetattr(master) == untouched(), 'the terminal is not as it was')


def top_screen(c):
    """Keys do what they should, and so does a signal."""
    with stay(c, '--name', 'seen'):
        for end in (b'q', signal.SIGTERM):
            on_screen(c, end)


def in_json(c):
    """JSON wherever figures are told, whatever stands first."""
    with stay(c):
        runs = json.loads(ctl(c, 'runs', '--json'))
        require(len(runs) == 1 and ctl(c, 'runs').split() == runs, 'runs: %s' % runs)
        require(json.loads(ctl(c, 'list', '--json'))['vms'][0]['name'] == 'guest', 'list --json')
        p = c.start(['top', '--json'])
        status, text = c.finish(p, 60)
        vm = json.loads(text)['vms'][0]
        require(status == 0 and vm['vm'] == 'guest' and 0 < vm['guest_share'] <= 1, 'top --json: %s' % text)
        require(vm['resident_mb'] > 0 and vm['merged_mb'] == vm['swapped_mb'] == 0 and
                'dirtied_pages_per_second' not in vm, 'top --json: %s' % text)
        ask(c, 'dirty', 'guest', 'on')
        until('a watch', lambda: '"dirtied_pages_per_second"' in c.finish(c.start(['top', '--json']), 60)[1])
        require(re.search(r'\d,\d\d\d', ctl(c, 'stats')), 'stats: no separators')


def dumb_terminal(c):
    """A terminal that only writes lines gets lines, each second."""
    with stay(c):
        for kind in ('dumb', 'no-such-terminal'):
            with on_terminal(c, 'top', env=dict(c.environment(), TERM=kind)) as (p, master):
                seen = read_until(master, rb'(?s)run \d+, .*run \d+, ', 30)
                p.terminate()
                p.wait()
                require(b'\x1b' not in seen, 'it moves the cursor: %r' % seen[:200])


def tests():
    return [
        Test('top: once', top_once),
        Test('top: on a terminal', top_screen),
        Test('top: on a dumb terminal', dumb_terminal),
        Test('ctl: JSON everywhere', in_json),
    ]
