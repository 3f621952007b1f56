"""Snapshots: taken of guests that run, and gone on with under every mechanism; files and options that do not fit."""

import re
import signal
import struct

import firmware
import ide
import screen
from boots import LIMIT
from control import MECHANISMS, Running, ask, ctl, until
from quick import quick
from runner import Test, require
from sessions import read_until
from waiting import waiting
from workloads import WORKLOADS

# With it Debian's kernel runs for twice as long as a snapshot takes; its checksum depends on nothing else.
WORKLOAD = 'mmap:1200'
HEADER = 48     # bytes, docs/snapshot.md


RESULT = r'^VELLUM-RESULT ok checksum=(\S+) kernel='


def taken(c, args, when):
    """A snapshot of a run that has said so, which then goes on to its end: its path, and what the run said."""
    path = c.path('guest.snap')
    p = c.start(['run', '--timeout', str(LIMIT)] + args)
    seen = read_until(p.stdout.fileno(), when, 120)
    said = ctl(c, 'snapshot', path)
    require('pages left it' in said, 'said of it: %r' % said)
    status, text = c.finish(p, LIMIT)
    require(status == 0, 'the run went on to status %d' % status)
    return path, seen.decode(errors='replace').replace('\r', '') + text


def of_linux(c):
    """Its memory leaves while it boots; it and each that goes on with it come to the same result."""
    path, text = taken(c, ['--exchange', '--workload', WORKLOAD] + quick(), rb'Linux version')
    said = re.search(RESULT, text, re.M)
    require(said, 'the run came to no result')
    for mmu in MECHANISMS[:3]:
        c.run(['run', '--restore', path, '--mmu', mmu, '--timeout', str(LIMIT)], limit=LIMIT,
              expect=[RESULT.replace(r'(\S+)', said.group(1))])
    c.run(['run', '--restore', path, '--cpu', 'penryn', '--timeout', '50'], status=67,
          expect=[r'its guest was shown a CPU with \S+, which this one has not'])


def of_one_that_waits(c):
    """One boot, then workloads without any: each comes to its result, and in a fraction of the time."""
    path = waiting(c)
    for mmu, workload in zip(MECHANISMS, ('fork:12', 'mmap:150', 'boot', 'fault:2')):
        o = c.run(['run', '--from', path, '--workload', workload, '--mmu', mmu, '--timeout', str(LIMIT)], limit=LIMIT,
                  expect=[r'^VELLUM-RESULT ok checksum=%s ' % WORKLOADS[workload][1]])
        require('Linux version' not in o.text, 'it was booted after all')
    said = c.run(['run', '--from', path], status=2).text
    require('--workload' in said, 'without a workload: %r' % said)
    c.run(['run', '--from', path, '--workload', 'none'], status=2, expect=['there is no workload none'])
    c.run(['run', '--restore', path, '--workload', 'fork'], status=2, expect=['begin something else'])


def stays(c, args):
    """One that was restored runs on, without a fault."""
    with Running(c, args, until=None):
        until('it is there', lambda: 'vms' in c.finish(c.start(['ctl', '--json', 'list']), 90)[1])
        before = ask(c, 'stats')['exits']['total']
        until('it goes on', lambda: ask(c, 'stats')['exits']['total'] > before)


def by_the_channel(c):
    """Without a disk of its own the machine tells all that it has by its serial port; the guest stands meanwhile."""
    path = c.path('stay.snap')
    with Running(c, ['--kernel', c.guest('stay'), '--mem', '8M']):
        require('0 rounds' in ctl(c, 'snapshot', path), 'it was told in rounds')
        require(ask(c, 'list')['vms'][0]['state'] != 'paused', 'it stands for good')
        ctl(c, 'pause')
        ctl(c, 'snapshot', c.path('again.snap'))
        require(ask(c, 'list')['vms'][0]['state'] == 'paused', 'it was paused, and goes on')
    for mmu in MECHANISMS:
        stays(c, ['--restore', path, '--mmu', mmu])
    return path


def refused_files(c):
    """One sentence, and no machine."""
    path = by_the_channel(c)
    with open(path, 'rb') as f:
        whole = f.read()
    newer = bytearray(whole)
    struct.pack_into('<I', newer, 16, 2)
    changed = bytearray(whole)
    changed[HEADER + 40] ^= 1
    for name, content, why in (('empty', b'', 'no snapshot'),
                               ('foreign', b'\x7fELF' + whole[4:], 'no snapshot'),
                               ('newer', bytes(newer), 'version'),
                               ('changed', bytes(changed), 'damaged'),
                               ('truncated', whole[:-9], ''),
                               ('longer', whole + bytes(8), '')):
        said = c.run(['run', '--restore', c.file(name, content)], status=2, expect=[why]).text
        require(said.count('\n') == 1, '%s: no sentence: %r' % (name, said))
    for options in (['--mem', '9M'], ['--ips', '49999999'], ['--kernel', path], ['--vcpus', '2'], ['--disk', path],
                    ['--guest', 'amd64'], ['--vm', path], ['--native']):
        said = c.run(['run', '--restore', path] + options, status=2).text
        require('--restore' in said, '%s: %r' % (options, said))
    # What the command cannot know: a description that does not fit what is behind it.
    c.run(['run', '--vm', c.file('other', 'vm other\nrestore %s\nmem 9M\n' % path), '--timeout', '50'],
          status=64, expect=[r'cannot be restored'])


# ---- machines that begin at a firmware ----

def in_real_mode(c):
    """A boot sector with its BIOS, that waits for a key: its picture, and those of what is typed behind."""
    with open(c.guest('echo').replace('.elf', '.bin'), 'rb') as f:
        disk = c.file('echo.img', f.read().ljust(screen.MB, b'\0'))
    path, machine = c.path('typed.snap'), screen.screen(disk)
    with Running(c, machine + ['--exchange'], until=rb'Booting from 0000:7c00'):
        until('its greeting', lambda: not screen.is_blank(screen.cell(screen.shot(c)[2], 2, 0)))
        planes = screen.picture_of(c, 'g', (640, 480))
        ctl(c, 'snapshot', path)
        colours = screen.picture_of(c, 'm', (320, 200))
    for options in (['--mmu', 'shadow'], ['--no-unrestricted']):
        with Running(c, ['--restore', path, '--disk', disk + ',ro'] + options, until=None):
            until('it is there', lambda: 'vms' in c.finish(c.start(['ctl', '--json', 'list']), 90)[1])
            require(screen.shot(c) == (640, 480, planes), 'another picture than it had')
            require(screen.picture_of(c, 'm', (320, 200)) == colours, 'another picture than the first has come to')
            require(ask(c, 'audit')['audit'] == 'ok', 'the tables are not sound')
    for options, why in ((['--kernel', path], 'began without --kernel'), (['--mem', '65M'], 'another machine')):
        c.run(['run', '--restore', path, '--disk', disk + ',ro'] + options, status=2, expect=[why])


def at_its_reset(c):
    """Before the first instruction of a firmware that will load a kernel: which must be given again, as it was."""
    path, kernel = c.path('reset.snap'), c.file('kernel', firmware.image())
    files = ['--kernel', kernel, '--initrd', c.file('initrd', b'x' * 5000)]
    with Running(c, ['--bios', 'seabios', '--append', 'words from the host', '--exchange', '--paused'] + files,
                 until=rb'guest: mitigations'):
        ctl(c, 'snapshot', path)
    c.run(['run', '--restore', path, '--mmu', 'shadow', '--timeout', '100'] + files, limit=100,
          expect=[r'SeaBIOS', r'words from the host'])
    c.run(['run', '--restore', path, '--timeout', '50', '--kernel', kernel, '--initrd', c.file('other', b'y' * 5000)],
          status=64, expect=[r'another kernel, or initrd: give --kernel and --initrd as it began with'])
    for options, why in (([], 'give --kernel'), (files[:2], 'give --initrd'), (files + ['--vga', 'std'], 'without')):
        c.run(['run', '--restore', path] + options, status=2, expect=[why])


def in_planes(c):
    """In the middle of accesses to planes, each of which is checked."""
    disk, path = screen.kernel_disk(c, 'planes', 'planes steps=60000'), c.path('planes.snap')
    p = c.start(['run', '--timeout', str(LIMIT), '--exchange'] + screen.screen(disk))
    read_until(p.stdout.fileno(), rb'Booting from 0000:7c00', 120)
    until('its mode', lambda: screen.shot(c)[:2] == (640, 480))
    ctl(c, 'pause')
    ctl(c, 'snapshot', path)
    ctl(c, 'resume')
    status, text = c.finish(p, LIMIT)
    require(status == 0, 'the run went on to status %d' % status)
    c.run(['run', '--restore', path, '--disk', disk + ',ro', '--mmu', 'shadow', '--timeout', str(LIMIT)], limit=LIMIT,
          expect=[r'^planes: checksum 0x%s' % screen.checksum(text)[2:], r'^planes: ok'], forbid=[r'FAIL'])


def in_a_loader(options):
    """GRUB reads itself from a CD, by the data port and packets."""
    def run(c):
        cd, path = ide.hello_cd(c), c.path('grub.snap')
        p = c.start(['run', '--bios', 'seabios', '--cdrom', cd, '-m', '64M', '--exchange', '--timeout', str(LIMIT)])
        read_until(p.stdout.fileno(), rb'firmware: Booting from DVD', 120)
        ctl(c, 'snapshot', path)
        p.send_signal(signal.SIGTERM)
        c.finish(p, 30)
        c.run(['run', '--restore', path, '--cdrom', cd, '--timeout', str(LIMIT)] + options, limit=LIMIT,
              expect=[r'GRUB from the CD', r'^hello: ok'], forbid=[r'SeaBIOS'])
    return Test('snapshot: in a boot loader, ' + ' '.join(options), run)


def refused_requests(c):
    """Nothing is written, and the guest goes on."""
    with Running(c, ['--kernel', c.guest('stay'), '--mem', '8M']):
        require('cannot be written' in ctl(c, 'snapshot', c.path('no/such'), status=2), 'a folder that is not there')
        require('FILE' in ctl(c, 'snapshot', status=2), 'without a file')
        require('begin' in ctl(c, 'save', 'guest', 'everything', status=1), 'what cannot be asked for')
        require('begun' in ctl(c, 'save', 'guest', 'memory', status=1), 'memory of none that was begun')
        stats = ask(c, 'stats')['exits']['total']
        until('it goes on', lambda: ask(c, 'stats')['exits']['total'] > stats)


def tests(everything):
    return [in_a_loader(['--mmu', mmu]) for mmu in (MECHANISMS if everything else ('shadow',))] + [
        Test('snapshot: in real mode', in_real_mode),
        Test('snapshot: in planes', in_planes),
        Test("snapshot: at a firmware's reset", at_its_reset),
        Test('snapshot: of Linux', of_linux),
        Test('snapshot: workloads without a boot', of_one_that_waits),
        Test('snapshot: by the channel, files that are none', refused_files),
        Test('snapshot: requests that cannot be met', refused_requests),
    ]
