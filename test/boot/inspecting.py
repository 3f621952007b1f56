"""What a guest is doing, for who looks at it from outside: flags and code of a dump, page tables, a core file."""

import os
import re
import subprocess

from control import ask, ctl, stay
from runner import Test, require


def flags_and_code(c):
    with stay(c) as s:
        text = ctl(c, 'dump', '--symbols', c.guest('stay'))
        require(re.search(r'^  cr0 .*\bPE\b.*\bPG\b', text, re.M) and 'code of 64 bits' in text, 'flags: %s' % text)
        require(re.search(r'^test_main\+0x[0-9a-f]+:\n  [0-9a-f]{16}  ([0-9a-f]{2} )+', text, re.M), 'code: %s' % text)
        text = ctl(c, 'disassemble', 'test_main', '3', '--symbols', c.guest('stay'))
        require(text.startswith('test_main:') and text.count('\n') == 4, 'said: %s' % text)
        require('is no address' in ctl(c, 'disassemble', 'test_main', status=2), 'a name without symbols')
        require('is no ELF file' in ctl(c, 'dump', '--symbols', '/dev/null', status=2), 'no symbols')
        used = s.places()['used']
        found = [line for line in ctl(c, 'info', 'tlb').splitlines() if line.startswith('%016x: %016x ' % used)]
        require(len(found) == 1 and found[0].endswith(' 4K'), 'info tlb: %s' % found)
        ranges = [tuple(int(x, 16) for x in line.split()[0].split('-'))
                  for line in ctl(c, 'info', 'mem').splitlines()]
        require(any(a <= used[0] < b for a, b in ranges), 'info mem: %s' % ranges)
        require('info [VM[.VCPU]] mem' in ctl(c, 'info', 'all', status=2), 'info all')


def core(c):
    """GDB finds registers and memory by virtual addresses; the guest goes on as before."""
    with stay(c) as s:
        place = s.places()['used'][0]
        ctl(c, 'pause')
        want = ask(c, 'dump')
        word = ask(c, 'dump', 'gva', hex(place), '8')['bytes']
        ctl(c, 'dump-guest-memory', c.path('core'), 'paging')
        require(ask(c, 'list')['vms'][0]['state'] == 'paused', 'it goes on')
        ctl(c, 'resume')
        ctl(c, 'dump-guest-memory', c.path('other'))
        require(ask(c, 'list')['vms'][0]['state'] != 'paused', 'it does not go on')
    said = subprocess.run(['gdb', '-nx', '-batch', '-ex', 'p/x $rip', '-ex', 'p/x $rsp', '-ex',
                           'x/8xb %d' % place, '-c', c.path('core')], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=120).stdout.decode()
    require('= %s\n' % want['registers']['rip'] in said and '= %s\n' % want['registers']['rsp'] in said,
            'registers: %s' % said)
    got = ''.join(re.findall(r'0x([0-9a-f]{2})\b(?!:)', said.splitlines()[-1].split(':', 1)[1]))
    require(got == word, 'memory: %s, not %s' % (said, word))
    require(os.path.getsize(c.path('other')) > 32 << 20, 'the other is too short')


def tests():
    return [Test('inspecting: flags, code, tables', flags_and_code), Test('inspecting: a core file', core)]
