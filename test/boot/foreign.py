"""Guests that are neither Linux alone nor ours: Xen with a Debian dom0, which it gets as modules, GNU Mach, memtest86+
and iPXE."""

import os
import re
import signal

import report
from otherend import OtherEnd
from quick import WORDS
from runner import NEVER, Test, require
from sessions import read_until

LIMIT = 600


def file(c, name):
    return os.path.join(c.build, 'guest', name)


def xen(mechanism):
    def run(c):
        o = c.run(['run', '--timeout', str(LIMIT - 20), '--mmu', mechanism, '--kernel', file(c, 'foreign/xen'),
                   '--append', 'console=com1 com1=115200,8n1 dom0_mem=300M loglvl=warning noreboot',
                   '--module', file(c, 'bzImage') + ' console=hvc0 cryptomgr.notests=1 vellum.workload=mix '
                   'vellum.size=1 ' + WORDS,
                   '--module', file(c, 'initramfs.cpio'), '--mem', '448M'], limit=LIMIT,
                  forbid=[r'VELLUM-RESULT FAIL', r'Kernel panic', r'Panic on CPU'],
                  expect=[r'Xen version 4', r'Hypervisor detected: Xen PV',
                          r'VELLUM-RESULT ok checksum=[0-9a-f]{16}', r'reboot: Power down'])
        report.check(o.json)
        require(o.json['mmu'] == mechanism, 'mmu is %r' % o.json['mmu'])
        require(o.json['guest']['end'] == 'powered off', 'the guest ended: %s' % o.json['guest']['end'])
    return Test('foreign: Xen and its dom0, %s' % mechanism, run)


def until_said(c, name, args, last, expect, forbid=NEVER):
    """One that does not end: it is stopped when it has said the last, whenever a busy machine lets it."""
    p = c.start(['run', '--timeout', '200', '--kernel', file(c, name), '--initrd', 'none', *args])
    seen = read_until(p.stdout.fileno(), last, 60)
    p.send_signal(signal.SIGTERM)
    status, rest = c.finish(p, 30)
    require(status == 128 + signal.SIGTERM, 'status %d' % status)
    text = seen.decode(errors='replace').replace('\r', '') + rest
    for pattern in expect:
        require(re.search(pattern, text, re.M), 'did not say: %s' % pattern)
    for pattern in forbid:
        require(not re.search(pattern, text, re.M), 'said: %s' % pattern)


def memtest(c):
    """It has found its memory, and, by its first tests, nothing wrong with it."""
    until_said(c, 'foreign/memtest86+', ['--mem', '16M', '--append', 'console=ttyS0,115200'], rb'#4  \[Moving',
               [r'Memtest86\+ v\d', r'#0  \[Address test', r'Status: Testing', r'Errors: 0'],
               NEVER + [r'Errors: +[1-9]'])


def mach(c):
    """It gets no server to start, and says so; that is behind its memory, its clock and its console."""
    until_said(c, 'foreign/gnumach', ['--mem', '64M', '--append', 'console=com0'],
               rb'bootstrap_create: No bootstrap code loaded with the kernel',
               [r'^GNU Mach \d', r'biosmem: 0+100000:0+4000000, available', r'RTC time is 20\d\d-'],
               [p for p in NEVER if p != 'panic'])


def ipxe(c):
    """Twice it waits two seconds for a key. Then it gives back to the firmware, which finds nothing to boot."""
    c.run(['run', '--timeout=%d' % (LIMIT - 20), '--mem', '64M', '--bios', 'seabios', '--kernel',
           file(c, 'foreign/ipxe.lkrn'), '--initrd', 'none'], limit=LIMIT,
          expect=[r'iPXE initialising devices\.\.\.ok', r'Open Source Network Boot Firmware',
                  r'Press Ctrl-B for the iPXE command line', r'No bootable device'])


def over_http(c, kernel, initrds, expect):
    """iPXE gets an address by virtio-net, then a kernel from this host, and starts it."""
    files = {}
    for name in [kernel] + initrds:
        with open(file(c, name), 'rb') as f:
            files['/' + os.path.basename(name)] = f.read()
    host = OtherEnd(b'', files)
    where = 'http://10.0.2.2:%d' % host.server.server_port
    words = ['dhcp', 'kernel %s/%s console=ttyS0' % (where, os.path.basename(kernel))]
    words += ['initrd %s/%s' % (where, i) for i in initrds] + ['boot']
    c.run(['run', '--timeout=%d' % (LIMIT - 20), '--mem', '256M', '--bios', 'seabios', '--kernel',
           file(c, 'foreign/ipxe.lkrn'), '--initrd', 'none', '--net', 'user', '--append', ' && '.join(words)],
          limit=LIMIT, expect=[expect])
    host.end()


def ipxe_boots(c):
    over_http(c, 'test/hello.elf', [], r'(?m)^hello: ok')


def ipxe_boots_linux(c):
    over_http(c, 'bzImage', ['initramfs.cpio'], r'VELLUM-RESULT ok')


def tests(everything):
    return [xen(m) for m in (('ept', 'shadow', 'vtlb') if everything else ('ept',))] + [
        Test('foreign: GNU Mach', mach),
        Test('foreign: iPXE boots over HTTP', ipxe_boots),
        Test('foreign: memtest86+', memtest)] + (
        [Test('foreign: iPXE', ipxe),
         Test('foreign: iPXE boots Linux over HTTP', ipxe_boots_linux)] if everything else [])
