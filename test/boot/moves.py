"""Moves to another container while a guest works: nothing of it is another than before, whatever the mechanism."""

import re

import screen
from boots import LIMIT
from control import MECHANISMS, Running, ask, ctl, until
from memory import vm
from runner import Test, require
from sessions import read_until
from waiting import waiting

RESULT = r'^VELLUM-RESULT ok checksum=%s '
MOVES = 24
# Long enough to be moved in their middle, with the quicker mechanisms and with the others, and what each comes to.
WORKLOADS = {
    'fork': ((600, 'dab7969955cbba7f'), (120, 'd4d5be6c747cdeaf')),
    'mmap': ((2000, '5ed21a63e04c3412'), (2000, '5ed21a63e04c3412')),
    'switch': ((4000, '517f97a1f5c4b08e'), (4000, '517f97a1f5c4b08e')),
    'fault': ((16, '0c01328347618779'), (16, '0c01328347618779')),
    'compute': ((16, '7437519e8a4d625e'), (16, '7437519e8a4d625e')),
    'compile': ((200, 'daf94a9d3d5fcdf6'), (60, 'a0231ea26ef2fd38')),
    'mix': ((500, '7d400366bd7a29b9'), (200, 'ffcd6534d28e6c8e')),
}
COMPILED = WORKLOADS['compile'][1][1]   # compile:60


def moved(c, *options):
    """What a move has come to."""
    j = ask(c, 'move', *options)
    require(j['move'] == 'over', 'it is said to be over before it is: %s' % j)
    return j


def begin(c, workload, mmu, *options):
    """Linux in the middle of a workload, from a snapshot in which it waits for one."""
    p = c.start(['run', '--from', waiting(c), '--workload', workload, '--mmu', mmu, '--timeout', str(LIMIT)] +
                list(options))
    until('it is there', lambda: 'vms' in c.finish(c.start(['ctl', '--json', 'list']), 90)[1])
    until('its first phase', lambda: ask(c, 'phases').get('phases'))
    return p


def comes_to(c, p, wanted):
    status, text = c.finish(p, LIMIT)
    require(status == 0 and re.search(RESULT % wanted, text.replace('\r', ''), re.M),
            'status %d: %s' % (status, text[-400:]))
    return text


def of_a_kernel(c):
    """Many in one run, from each mechanism to each, of a guest that looks at what it has written all the time: each
    second one with its memory following."""
    p = c.start(['run', '--kernel', c.guest('moved'), '--mem', '8M', '--timeout', str(LIMIT)])
    read_until(p.stdout.fileno(), rb'moved: ready', 60)
    for n in range(MOVES):
        mmu = MECHANISMS[(n + n // 4) % 4]
        j = moved(c, '--mmu', mmu, ('--precopy', '--postcopy')[n % 2])
        require(j['mmu'] == mmu, 'under another mechanism')
        require((j['faults'] + j['pushed'] > 0) == n % 2, 'by the other way: %s' % j)
        require(ask(c, 'audit')['audit'] == 'ok', 'its tables are not sound')
        require(ask(c, 'list')['vms'][0]['mmu'] == mmu, 'the list has another mechanism')
    ask(c, 'input', '0', '0d')
    status, text = c.finish(p, LIMIT)
    require(status == 0 and re.search(r'^moved: ok', text, re.M), 'status %d: %s' % (status, text[-400:]))
    require('free frames' not in text, 'frames are lost: %s' % text[-400:])


def of_linux(c):
    """In the middle of a workload: from a snapshot, so that there is no boot."""
    p = begin(c, 'compile:60', 'ept')
    j = moved(c, '--mmu', 'shadow')
    require(j['pages'] * 2 <= j['used'] * 3, 'pages were copied too often: %s' % j)
    require(j['stood'] * 50 <= j['ticks'], 'it stood for too long: %s' % j)
    k = moved(c, '--postcopy')
    require(k['faults'] and k['pushed'] and k['faults'] + k['pushed'] == k['pages'], 'nothing followed: %s' % k)
    require(k['stood'] < j['stood'], 'it stood as long as if it had been copied: %s' % k)
    text = comes_to(c, p, COMPILED)
    require('free frames' not in text, 'frames are lost: %s' % text[-400:])


def in_every_workload(mmu, name):
    """A snapshot in its middle, under this mechanism, which takes none of its time; then it is moved as often as there
    is some. It and who goes on with the snapshot, under another mechanism, come to the result of one of which nobody
    wants anything."""
    size, wanted = WORKLOADS[name][mmu in ('vtlb', 'brute')]
    workload, other = '%s:%d' % (name, size), MECHANISMS[MECHANISMS.index(mmu) ^ 1]

    def run(c):
        path, made = c.path('middle.snap'), 0
        p = begin(c, workload, mmu, '--exchange')
        ctl(c, 'pause')
        ctl(c, 'snapshot', path)
        for n in range(20):
            way = ('--precopy', '--postcopy')[n % 2]
            move = c.start(['ctl', 'move', way, '--mmu', MECHANISMS[(n + 1) % 4]])
            if n == 0:  # not before, as it might be over by then, on a host that does much else
                ctl(c, 'resume')
            status, _ = c.finish(move, LIMIT)
            if status:
                break
            made += 1
        comes_to(c, p, wanted)
        require(made, 'it was not moved')
        c.run(['run', '--restore', path, '--mmu', other, '--timeout', str(LIMIT)], limit=LIMIT,
              expect=[RESULT % wanted])
    return Test('moves: and a snapshot, in the middle of %s, --mmu %s' % (workload, mmu), run)


def beyond_the_machine(c):
    """Two of 256 MB on a machine of 320, in turn, with their memory following: frames and places change hands, as there
    is no room for two containers of either."""
    kernel = c.guest('memory')
    description = c.file('vms', vm('one', kernel, 'mem 256M', 'mmu ept') + vm('two', kernel, 'mem 256M', 'mmu shadow'))
    p = c.start(['run', '--vm', description, '--host-mem', '320M', '--swap', '512M', '--timeout', str(LIMIT)])
    until('they are there', lambda: 'vms' in c.finish(c.start(['ctl', '--json', 'list']), 90)[1])
    until('memory is short', lambda: any(v['swapped_bytes'] for v in ask(c, 'list')['vms']))
    made = 0
    for n in range(20):
        name = ('one', 'two')[n % 2]
        status, text = c.finish(c.start(['ctl', 'move', name, '--postcopy']), LIMIT)
        made += not status
        require(not status or 'is over' in text or 'run' in text or 'has ended' in text, 'move: %s' % text)
        _, text = c.finish(c.start(['ctl', 'audit', name]), LIMIT)
        require('holds' in text or 'is over' in text or 'run' in text, 'its tables are not sound: %s' % text)
        if 'run' in text:
            break
    status, text = c.finish(p, LIMIT)
    require(status == 0 and text.count('memory: ok') == 2, 'status %d: %s' % (status, text[-400:]))
    require(made >= 2 and 'free frames' not in text, 'moved %d times: %s' % (made, text[-400:]))


def of_a_screen(c):
    """With a firmware, in real mode: who looks at its screen sees what was there, and what comes; under every
    mechanism."""
    with open(c.guest('echo').replace('.elf', '.bin'), 'rb') as f:
        disk = c.file('echo.img', f.read().ljust(screen.MB, b'\0'))
    with Running(c, screen.screen(disk), until=rb'Booting from 0000:7c00'):
        until('its greeting', lambda: not screen.is_blank(screen.cell(screen.shot(c)[2], 2, 0)))
        planes = screen.picture_of(c, 'g', (640, 480))
        for mmu, way in (('shadow', '--precopy'), ('ept', '--postcopy')):
            moved(c, '--mmu', mmu, way)
            require(screen.shot(c) == (640, 480, planes), 'another picture than it had, under ' + mmu)
        require(screen.picture_of(c, 'm', (320, 200)) != planes, 'what is typed changes nothing')
        require(ask(c, 'audit')['audit'] == 'ok', 'its tables are not sound')


def refused(c):
    """One sentence, and the guest goes on as it was."""
    with Running(c, ['--kernel', c.guest('stay'), '--mem', '8M']):
        for words, status, why in ((('--mmu', 'none'), 1, 'no such mechanism'), (('nobody',), 2, 'move [VM]'),
                                   (('--precopy', '--postcopy'), 2, 'give one of them')):
            require(why in ctl(c, 'move', *words, status=status), '%s: not "%s"' % (words, why))
        require('--mmu' in ctl(c, 'list', '--mmu', 'ept', status=2), 'list --mmu')
        ctl(c, 'dirty', 'on')
        require('it is watched' in ctl(c, 'move', status=1), 'while it is watched')
        ctl(c, 'dirty', 'off')
        ctl(c, 'pause')
        moved(c, '--mmu', 'shadow')
        require(ask(c, 'list')['vms'][0]['state'] == 'paused', 'it was paused, and goes on')
        ctl(c, 'resume')
        before = ask(c, 'stats')['exits']['total']
        until('it goes on', lambda: ask(c, 'stats')['exits']['total'] > before)


def tests(everything):
    some = [('shadow', 'mix')]
    matrix = [in_every_workload(mmu, name) for mmu in MECHANISMS for name in WORKLOADS
              if everything or (mmu, name) in some]
    return [
        Test('moves: 24 of a kernel', of_a_kernel),
        Test('moves: of Linux', of_linux),
        Test('moves: refused', refused),
    ] + matrix + ([Test('moves: of a screen', of_a_screen), Test('moves: beyond the machine', beyond_the_machine)]
                  if everything else [])
