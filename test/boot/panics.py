"""Guests that panic: by pvpanic, and by what Linux says on its console."""

import os
import signal
import time

from quick import WORDS, quick
from runner import PATIENCE, Test, require
from sessions import read_until


def cpio(files):
    """An initial RAM disk ("newc") of files: {name: (mode, bytes)}."""
    out = bytearray()
    for n, (name, (mode, data)) in enumerate(list(files.items()) + [('TRAILER!!!', (0, b''))]):
        fields = (n + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b'070701' + b''.join(b'%08x' % f for f in fields) + name.encode() + b'\0'
        out += b'\0' * (-len(out) % 4) + data
        out += b'\0' * (-len(out) % 4)
    return bytes(out)


def initrd(c, script):
    """Debian's busybox runs the script as the first process, with Debian's driver of pvpanic loaded."""
    files = {name: (0o40755, b'') for name in ('bin', 'proc', 'sys', 'dev')}
    for name, source in (('bin/busybox', 'busybox'), ('pvpanic.ko', 'pvpanic.ko'),
                         ('pvpanic-mmio.ko', 'pvpanic-mmio.ko')):
        with open(os.path.join(c.build, 'guest', source), 'rb') as f:
            files[name] = (0o100755, f.read())
    files['init'] = (0o100755, ('#!/bin/busybox sh\n'
                                'busybox mount -t proc proc /proc\n'
                                'busybox insmod /pvpanic.ko && busybox insmod /pvpanic-mmio.ko || echo FAIL\n'
                                + script).encode())
    return c.file('initrd', cpio(files))


CRASH = 'echo c > /proc/sysrq-trigger\n'


def by_device(c):
    """Linux' driver finds the device by ACPI, and what it says is the end: at once, with the account told."""
    o = c.run(['run', '--initrd', initrd(c, CRASH), '--timeout', '60'] + quick(), status=68, never=[r'FAIL'],
              expect=[r'sysrq: Trigger a crash', r'status 68, the guest panicked', r'^vellum: guest: status 68',
                      r'^vellum: guest: virtual CPU 0, rip 0x', r'^vellum: guest: cr0 0x'])
    require(o.json['counters'] == 'end' and o.json['ending'] == 'ended', 'JSON: %r, %r' %
            (o.json['counters'], o.json['ending']))
    require(o.json['guest']['end'] == 'the guest panicked', 'JSON: end %r' % o.json['guest']['end'])
    require(o.json['error'] == 'guest: status 68, the guest panicked', 'JSON: error %r' % o.json['error'])


def paused(c, more, until):
    """It stands still, to be looked at."""
    p = c.start(['run', '--on-panic', 'pause', '--timeout', '60'] + quick() + more)
    read_until(p.stdout.fileno(), until, 60)
    end = time.monotonic() + 20 * PATIENCE
    while 'paused' not in c.finish(c.start(['ctl', 'list']), 20)[1]:
        require(time.monotonic() < end, 'it was not paused')
        time.sleep(0.1)
    p.send_signal(signal.SIGTERM)
    status, _ = c.finish(p, 30)
    require(status == 128 + signal.SIGTERM, 'status %d' % status)


def goes_on(c):
    """Nobody cares: it reboots as it was told to, which ends it well."""
    o = c.run(['run', '--initrd', initrd(c, CRASH), *quick('panic=-1'), '--on-panic', 'none', '--timeout', '60'],
              never=[r'FAIL'], expect=[r'the guest panicked; it goes on', r'status 0, reset'])
    require(o.json['guest']['panic'].startswith('sysrq triggered crash'), 'JSON: panic %r' % o.json['guest']['panic'])


def by_console(c):
    """Without the driver, Linux' last words are enough."""
    o = c.run(['run', '--initrd', 'none', '--timeout', '60'] + quick(), status=68, never=[r'FAIL'],
              expect=[r'^vellum: guest panicked: VFS: Unable to mount root fs .*; the machine was stopped',
                      r'^vellum: guest: virtual CPU 0, rip 0xffffffff8', r'^vellum: guest: cr0 0x'])
    require(o.json['ending'] == 'guest-panic' and o.json['counters'] == 'stop', 'JSON: %r, %r' %
            (o.json['ending'], o.json['counters']))
    require(o.json['guest']['panic'].startswith('VFS: Unable to mount'), 'JSON: panic %r' % o.json['guest']['panic'])


def reboots(c):
    """A reset after a panic is no good end."""
    o = c.run(['run', '--quiet', '--initrd', 'none', '--timeout', '60'] + quick('panic=-1'), status=68, never=[],
              expect=[r'^vellum: guest panicked: VFS: Unable to mount root fs'])
    require(o.text.count('\n') == 1, 'not one sentence: %r' % o.text)
    require(o.json['guest']['status'] == 0 and o.json['error'].startswith('guest panicked: VFS'), 'JSON: %r' %
            o.json['error'])


def beside_another(c):
    """One that has panicked does not keep the machine up when the other has ended, and does not end it before."""
    path = c.file('machines.txt', 'vm a\nkernel %s\nappend console=ttyS0 %s\nclock guest\n\n'
                  'vm b\nkernel %s\nmem 64M\n' % (os.path.join(c.build, 'guest', 'vmlinux'), WORDS, c.guest('memory')))
    o = c.run(['run', '--vm', path, '--timeout', '100'], status=68, limit=110,
              never=[r'FAIL'], expect=[r'\[b\] memory: ok', r'^vellum: a panicked: VFS'])
    require([v['guest']['status'] for v in o.json['vms']] == [None, 0],
            'statuses: %s' % [v['guest']['status'] for v in o.json['vms']])


def tests():
    return [
        Test('panic: by the device', by_device),
        Test('panic: by the device, paused', lambda c: paused(c, ['--initrd', initrd(c, CRASH)],
                                                              rb'the guest panicked; it is paused')),
        Test('panic: by the console, paused', lambda c: paused(c, ['--initrd', 'none'], rb'end Kernel panic')),
        Test('panic: nobody cares', goes_on),
        Test('panic: by the console', by_console),
        Test('panic: and a reset', reboots),
        Test('panic: beside another guest', beside_another),
    ]
