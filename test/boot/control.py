"""vellum ctl: every command on guests that run, in every mechanism, and what it says to those who ask wrongly."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from boots import LIMIT
from runner import PATIENCE, Failure, Test, require
from sessions import read_until

MECHANISMS = ('ept', 'shadow', 'vtlb', 'brute')


def ctl(c, *args, status=0):
    """One vellum ctl; its output."""
    p = c.start(['ctl'] + list(args))
    got, text = c.finish(p, 90)
    require(got == status, 'ctl %s: status %d, not %d: %s' % (' '.join(args), got, status, text.strip()))
    return text


def ask(c, *args):
    text = ctl(c, '--json', *args)
    try:
        return json.loads(text)
    except ValueError:
        raise Failure('ctl %s answered: %r' % (' '.join(args), text[:200])) from None


class Running:
    """A run that goes on until the block ends."""

    def __init__(self, c, args, until=rb'stay: ready'):
        self.c = c
        self.p = c.start(['run', '--timeout', str(LIMIT)] + args)
        self.seen = read_until(self.p.stdout.fileno(), until, 120) if until else b''

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
        status, text = self.c.finish(self.p, 30)
        if kind is None:
            require(status == 128 + signal.SIGTERM, 'the run ended with status %d' % status)
            require('FAIL' not in text and 'panic' not in text, 'the guest said: %s' % text[-300:])

    def places(self):
        """What the kernel `stay` said about its pages: name -> (gva, gpa)."""
        found = re.findall(r'^stay: (\w+) ([0-9a-f]+)(?: ([0-9a-f]+))?\r?$', self.seen.decode(), re.M)
        return {name: (int(gva, 16), int(gpa, 16) if gpa else None) for name, gva, gpa in found}


def stay(c, *args):
    return Running(c, ['--kernel', c.guest('stay'), '--mem', '32M'] + list(args))


def until(what, condition):
    end = time.monotonic() + 60 * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        require(time.monotonic() < end, 'did not come about: %s' % what)


def check_used(c, place, mmu):
    gva, gpa = place

    def mapped():
        t = ask(c, 'translate', hex(gva + 0x123))
        return t if t['tables'].get('end') == 'mapped' else None
    t = until('a mapped page under %s' % mmu, mapped)
    guest, tables = t['guest'], t['tables']
    require(t['mmu'] == mmu and guest['paging'] == '4-level', 'translate says: %s' % t)
    require([e['level'] for e in guest['levels']] == [4, 3, 2, 1], 'levels: %s' % guest)
    require('A' in guest['levels'][3]['flags'].split() and 'D' in guest['levels'][3]['flags'].split(),
            'flags: %s' % guest)
    require(guest['gpa'] == hex(gpa + 0x123) and guest['page'] == '4K', 'gpa: %s' % guest)
    require(tables['kind'] == ('ept' if mmu == 'ept' else 'shadow'), 'tables: %s' % tables)
    require(tables['hpa'] == t['memory']['hpa'] and int(tables['hpa'], 16) & 0xfff == 0x123,
            'hpa %s, memory %s' % (tables, t['memory']))
    require(tables['page'] == ('2M' if mmu == 'ept' else '4K') and tables['type'] == 'WB', 'tables: %s' % tables)
    require(tables['levels'][0]['level'] == 4 and len(tables['levels']) == (3 if mmu == 'ept' else 4),
            'tables: %s' % tables)


def check_rest(c, places, mmu):
    t = ask(c, 'translate', hex(places['absent'][0]))
    require(t['guest']['end'] == 'not present at level 1' and 'gpa' not in t['guest'] and 'memory' not in t,
            'absent: %s' % t)
    require(mmu == 'ept' or t['tables']['end'].startswith('not present'), 'absent: %s' % t)
    t = ask(c, 'translate', hex(places['untouched'][0]))
    require(t['guest']['levels'][3]['flags'] == 'P W' and t['guest']['gpa'] == hex(places['untouched'][1]),
            'untouched: %s' % t)
    require(mmu == 'ept' or t['tables']['end'].startswith('not present'), 'untouched: %s' % t)
    t = until('the device known', lambda: [x for x in [ask(c, 'translate', hex(places['device'][0]))]
                                           if x['tables']['end'].startswith('known')])[0]
    require(t['guest']['gpa'] == '0xfee00000' and t['memory']['kind'] == 'mmio' and 'hpa' not in t['tables'],
            'device: %s' % t)
    t = until('the large page', lambda: [x for x in [ask(c, 'translate', hex(places['large'][0] + 0x54321))]
                                         if x['tables']['end'] == 'mapped'])[0]
    require(t['guest']['gpa'] == hex(places['large'][1] + 0x54321) and t['guest']['page'] == '2M', 'large: %s' % t)
    require(t['tables']['hpa'] == t['memory']['hpa'], 'large: %s' % t)


def translations(c):
    """Known mappings, in every mechanism, under a guest that watches its accessed flags."""
    with stay(c, '--tpr', 'trap') as r:
        places = r.places()
        for mmu in MECHANISMS + ('ept',):
            require(ask(c, 'mmu', mmu)['mmu'] == mmu, 'mmu %s' % mmu)
            check_used(c, places['used'], mmu)
            check_rest(c, places, mmu)
            require(ask(c, 'audit')['audit'] == 'ok', 'audit')
        text = ctl(c, 'translate', hex(places['used'][0]))
        require(re.search(r'level 1 .* P W U A D', text) and re.search(r'behind it: ram at hpa 0x', text),
                'as text: %s' % text)
        require(ask(c, 'stats')['mmu_counters']['switches'] == 4, 'switches')


def priority(c):
    """The TPR's method changes while the guest runs, under every mechanism: its local APIC is a device's page or the
    CPU's."""
    def page(kind, end):
        t = until('the page is %s' % kind, lambda: [x for x in [ask(c, 'translate', hex(device))]
                                                    if x['tables']['end'].startswith(end)])[0]
        require(t['memory']['kind'] == kind and ('hpa' in t['tables']) == (kind == 'apic'), 'page: %s' % t)

    with stay(c) as r:
        device = r.places()['device'][0]
        for mmu in MECHANISMS + ('ept',):
            ask(c, 'mmu', mmu)
            require(ask(c, 'tpr', 'auto')['tpr'] == 'apicv', 'tpr auto')
            page('apic', 'mapped')
            require(ask(c, 'tpr', 'flexpriority')['tpr'] == 'flexpriority', 'tpr flexpriority')
            page('apic', 'mapped')
            require(ask(c, 'tpr', 'trap')['tpr'] == 'trap', 'tpr trap')
            page('mmio', 'known')
            require(ask(c, 'tpr', 'patch')['tpr'] == 'patch', 'tpr patch')
            page('mmio', 'known')
            require(ask(c, 'stats')['lapic']['patches_made'] == 0, 'its code of 64 bits is patched')
            require(ask(c, 'audit')['audit'] == 'ok', 'audit')
        require('has its TPR by trap' in ctl(c, 'tpr', 'guest', 'trap'), 'as text')
        require('stays with tpr trap; fast cannot be used' in ctl(c, 'tpr', 'fast', status=1), 'a method that is none')


def narrow(c):
    """32-bit guests: PDPTEs in registers, 4-byte entries, a page of 4M that is two of 2M."""
    for guest, paging, levels, page in (('686-pae', 'PAE', [3, 2], '2M'), ('686', '32-bit', [2], '4M')):
        with Running(c, ['--guest', guest], rb'Linux version'):
            for mmu in ('shadow', 'ept', 'vtlb', 'brute'):
                ask(c, 'mmu', mmu)
                t = until('the kernel mapped under %s' % mmu,
                          lambda: [x for x in [ask(c, 'translate', '0xc1234567')] if x['tables']['end'] == 'mapped'])[0]
                g = t['guest']
                require(g['paging'] == paging and [e['level'] for e in g['levels']] == levels and g['page'] == page,
                        '%s: %s' % (mmu, g))
                require(g['gpa'] == '0x1234567' and t['tables']['hpa'] == t['memory']['hpa'], '%s: %s' % (mmu, t))
                require((g['levels'][0]['gpa'] is None) == (paging == 'PAE'), '%s: %s' % (mmu, g))
                require(len(t['tables']['levels']) >= (3 if mmu == 'ept' else 2), '%s: %s' % (mmu, t['tables']))
            require(ask(c, 'audit')['audit'] == 'ok', 'audit')


def dumps(c):
    with stay(c) as r:
        gva, gpa = r.places()['used']
        by_gva = ask(c, 'dump', hex(gva + 8), '8')
        require(bytes.fromhex(by_gva['bytes']) == b'!!Vellum', 'dump: %s' % by_gva)
        require(ask(c, 'dump', 'guest', 'gpa', hex(gpa + 8), '8')['bytes'] == by_gva['bytes'], 'by gpa')
        require('!!Vellum' in ctl(c, 'dump', hex(gva)), 'as text')
        part = ask(c, 'dump', 'gpa', hex((32 << 20) - 16), '64')
        require(part['length'] == 16 and part['complete'] is False, 'beyond the end of RAM: %s' % part)
        require('no memory' in ctl(c, 'dump', 'gpa', '0xf0000000', status=1), 'absent memory')
        require('no memory' in ctl(c, 'dump', 'gpa', '0xfee00000', status=1), 'a device is not read')
        require('no memory' in ctl(c, 'dump', hex(r.places()['absent'][0]), status=1), 'absent page')
        d = ask(c, 'dump')
        require(d['control']['paging'] == '4-level' and int(d['control']['cr0'], 16) >> 31 and d['vmcs']['vpid'] == 1,
                'dump: %s' % d)
        require(int(d['registers']['rip'], 16) > 0x100000 and d['segments']['cs']['selector'] != '0x0', 'dump: %s' % d)
        require('registers' in ctl(c, 'dump'), 'as text')


def pauses(c, clock='guest'):
    with stay(c, '--clock', clock):
        before = ask(c, 'stats')
        require(ask(c, 'pause')['state'] == 'paused', 'pause')
        a, b = ask(c, 'stats'), ask(c, 'stats')
        require(a['instructions']['guest'] == b['instructions']['guest'] and a['ticks'] < b['ticks'],
                'it ran while paused')
        require(a['clock'] == b['clock'] > before['clock'],
                'its clock went on while paused: %r' % [s['clock'] for s in (before, a, b)])
        require(a['instructions']['guest'] > before['instructions']['guest'], 'it did not run before')
        require(a['exits']['total'] == sum(r['count'] for r in a['exits']['by_reason'].values()),
                'exits: %s' % a['exits'])
        require(ask(c, 'list')['vms'][0]['state'] == 'paused', 'list')
        require(ask(c, 'mmu', 'next')['mmu'] == 'shadow', 'a paused machine changes its mechanism too')
        require(ask(c, 'dump')['state'] == 'paused', 'dump')
        require(ask(c, 'resume')['state'] == 'running', 'resume')
        until('it goes on', lambda: ask(c, 'stats')['instructions']['guest'] > a['instructions']['guest'] + 10000)


def refusals(c):
    with stay(c, '--cpu', 'core2_penryn_t9600', '--name', 'r'):
        for args, sentence in ((('mmu', 'ept'), 'guest stays with shadow; ept cannot be used: the CPU has no EPT'),
                               (('mmu', 'npt'),
                                'guest stays with shadow; npt cannot be used: the CPU has no nested paging of AMD'),
                               (('mmu', 'magic'), 'there is no such mechanism'),
                               (('frobnicate',), 'there is no command frobnicate'),
                               (('stats', 'nobody'), 'there is no virtual machine nobody'),
                               (('pause', '7'), 'there is no virtual machine 7'),
                               (('translate', 'xyz'), 'xyz is not an address'),
                               (('dump', '0x1000', '4097'), 'from 1 to 4096'),
                               (('list', 'a', 'b', 'c', 'd', 'e', 'f', 'g'), 'it is: list')):
            text = ctl(c, *args, status=1)
            require(sentence in text and text.startswith('vellum: ') and text.count('\n') == 1,
                    '%s: %r' % (' '.join(args), text))
        require(ask(c, 'mmu', 'next')['mmu'] == 'vtlb', 'next of three')
        require('no run named x' in ctl(c, '--run', 'x', 'list', status=2), 'a name that is not there')
        require('guest' in ctl(c, '--run', 'r', 'list'), 'by its name')
        o = c.finish(c.start(['run', '--name', 'r', '--kernel', c.guest('hello')]), 60)
        require(o[0] == 2 and 'there is a run named r already' in o[1], 'the same name twice: %s' % (o,))
        c.finish(c.start(['ctl', 'list', 'two words']), 10)
        require('is no word' in ctl(c, 'stats', 'a b', status=2), 'a word with a blank')


def stays(c):
    """Started with switch off it has all features, and keeps the mechanism that supports them."""
    with stay(c, '--no-switch'):
        text = ctl(c, 'mmu', 'shadow', status=1)
        require('guest stays with ept' in text and 'switch off' in text, 'said: %s' % text)
        require(ask(c, 'list')['vms'][0]['switch'] is False, 'list')


def sessions_found(c):
    require('nothing runs' in ctl(c, 'list', status=2), 'without any run')
    require('vellum ctl' in ctl(c, 'help') and ctl(c, 'runs') == '', 'help, runs')
    require('say what to do' in ctl(c, status=2) and 'no option --x' in ctl(c, '--x', 'list', status=2),
            'without a command')
    with stay(c, '--name', 'one'), stay(c, '--name', 'two'):
        require(ctl(c, 'runs') == 'one\ntwo\n', 'runs')
        require('several runs: choose one with --run: one two' in ctl(c, 'list', status=2), 'two of them')
        ask(c, '--run', 'two', 'list')
    p = c.start(['run', '--kernel', c.guest('stay'), '--name', 'killed'])
    read_until(p.stdout.fileno(), rb'stay: ready', 100)
    os.kill(p.pid, signal.SIGKILL)
    p.stdout.close()
    p.wait()
    require('is over' in ctl(c, '--run', 'killed', 'list', status=2), 'a socket that nobody listens on')
    require('nothing runs' in ctl(c, 'list', status=2), 'afterwards')
    until('the emulator is gone', lambda: not c.processes())
    for name in os.listdir(c.path('tmp')):
        subprocess.run(['rm', '-rf', os.path.join(c.path('tmp'), name)], check=True)


def socket_of(c):
    for where, _, names in os.walk(c.path('tmp')):
        for name in names:
            if name.endswith('.sock'):
                s = socket.socket(socket.AF_UNIX)
                s.connect(os.path.join(where, name))
                s.settimeout(60)
                return s
    raise Failure('there is no socket')


def lines_of(s, count):
    data = b''
    while data.count(b'\n') < count:
        got = s.recv(65536)
        require(got, 'closed after %r' % data[-100:])
        data += got
    return data.decode().splitlines()


def garbage(c):
    """Whoever writes nonsense gets one sentence a line; whoever does not read is put out; the others are served."""
    with stay(c):
        s = socket_of(c)
        s.sendall(b'no\n\x00\xff\n' + b'x' * 500 + b'\nlist extra words here\n')
        said = [line for line in lines_of(s, 4)]
        require(all(line.startswith('done error ') for line in said), 'said: %s' % said)
        s.sendall(b'lis')               # half a line, and away
        s.close()
        s = socket_of(c)
        s.sendall(b'stats guest\n')     # away before the answer
        s.close()
        flood = socket_of(c)
        try:
            flood.sendall(b'stats guest\n' * 2000)
        except OSError:
            pass                        # put out already
        silent = socket_of(c)
        silent.sendall(b'dump guest\n' * 50)
        require(ask(c, 'list')['vms'][0]['state'] == 'running', 'list in between')
        crowd = [socket_of(c) for _ in range(12)]
        require(ask(c, 'list')['vms'][0]['state'] == 'running', 'list beside twelve others')
        crowd += [socket_of(c) for _ in range(60)]
        require(any(b'too many' in s.recv(100) for s in crowd[-3:]), 'too many')
        for s in crowd + [flood, silent]:
            s.close()
        until('room again', lambda: c.finish(c.start(['ctl', 'list']), 60)[0] == 0)
        require(ask(c, 'audit')['audit'] == 'ok', 'audit')


def shutdown(c):
    """The power button: one guest waits for it; a paused one when it goes on."""
    for paused in (False, True):
        p = c.start(['run', '--timeout', str(LIMIT), '--kernel', c.guest('stay'), '--mem', '32M'])
        read_until(p.stdout.fileno(), rb'stay: ready', 120)
        if paused:
            ask(c, 'pause')
        text = ctl(c, 'shutdown')
        require('has been pressed; it is %s' % ('paused' if paused else 'running') in text, text)
        if paused:
            require(ask(c, 'list')['vms'][0]['state'] == 'paused', 'still paused')
            ask(c, 'resume')
        status, text = c.finish(p, 60)
        require(status == 0 and 'stay: ok' in text, 'status %d: %s' % (status, text[-300:]))


def two_machines(c):
    """On two CPUs, and on one: the command goes to the CPU where the machine lives."""
    path = c.file('machines.txt', ''.join('vm %s\nkernel %s\nmem 32M\n\n' % (n, c.guest('stay'))
                                          for n in ('a', 'b', 'c')))
    with Running(c, ['--vm', path, '--host-cpus', '2'],
                 rb'(?s)\[b\] stay: ready.*\[c\] stay: ready|\[c\] stay: ready.*\[b\] stay: ready') as r:
        for name, cpu in (('a', 0), ('b', 1), ('c', 0)):
            require(ask(c, 'pin', name, str(cpu))['cpu'] == cpu, 'pin')
        until('their places', lambda: [(v['name'], v['cpu']) for v in ask(c, 'list')['vms']] ==
              [('a', 0), ('b', 1), ('c', 0)])
        for name, mmu in (('b', 'shadow'), ('c', 'brute'), ('a', 'vtlb')):
            require(ask(c, 'mmu', name, mmu)['vm'] == name, 'mmu %s' % name)
            require(ask(c, 'pause', name)['state'] == 'paused', 'pause %s' % name)
        counts = {n: ask(c, 'stats', n)['instructions']['guest'] for n in 'abc'}
        ask(c, 'resume', 'b')
        until('b goes on alone', lambda: ask(c, 'stats', 'b')['instructions']['guest'] > counts['b'] + 10000)
        require(ask(c, 'stats', 'a')['instructions']['guest'] == counts['a'], 'a goes on')
        ask(c, 'resume', '0')
        ask(c, 'resume', '2')
        until('c goes on', lambda: ask(c, 'stats', 'c')['instructions']['guest'] > counts['c'] + 10000)
        for name in 'abc':
            require(ask(c, 'audit', name)['audit'] == 'ok' and ask(c, 'dump', name)['vm'] == name, name)
        require('it is: pause VM' in ctl(c, 'pause', status=1), 'which of them?')
    require(r.seen, 'nothing')


def linux(c):
    """Debian's kernel is switched by hand, over and over, and paused, while it works."""
    p = c.start(['run', '--timeout', str(LIMIT)])
    seen = read_until(p.stdout.fileno(), rb'Linux version', 100)
    for n in range(24):
        if p.poll() is not None:
            break
        ask(c, 'mmu', MECHANISMS[(1, 0, 2, 0, 3, 0)[n % 6]])
        if n % 6 == 5:
            ask(c, 'pause')
            require(ask(c, 'dump')['control']['paging'] in ('4-level', '5-level'), 'dump')
            ask(c, 'resume')
            seen = read_until(p.stdout.fileno(), rb'(?s).', 60)
    ask(c, 'mmu', 'ept')
    status, text = c.finish(p, LIMIT)
    text = seen.decode(errors='replace') + text
    require(status == 0 and 'VELLUM-RESULT ok checksum=c92c6841d1fa6ca5' in text,
            'status %d: %s' % (status, text[-300:]))


def tests():
    return [
        Test('ctl: a running Linux', linux),
        Test('ctl: translate, in every mechanism', translations),
        Test('ctl: another method for the TPR', priority),
        Test('ctl: translate, 32-bit guests', narrow),
        Test('ctl: dump', dumps),
        Test('ctl: pause and resume', pauses),
        Test("ctl: pause and resume, by the host's clock", lambda c: pauses(c, 'host')),
        Test('ctl: shutdown', shutdown),
        Test('ctl: refusals', refusals),
        Test('ctl: switch off', stays),
        Test('ctl: no run, several, an old one', sessions_found),
        Test('ctl: garbage on the channel', garbage),
        Test('ctl: three machines on two CPUs', two_machines),
    ]
