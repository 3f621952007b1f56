"""Input that makes no sense: one clear sentence, a status that says whose fault it was, and nothing left behind."""

import os
import random
import re
import resource
import shutil
import struct
import subprocess

from runner import Test, require


def refused(c, args, status, pattern, limit=60):
    """The command must say a sentence that matches pattern, on one line, and give status."""
    o = c.run(args, status=status, expect=[pattern], limit=limit)
    lines = [line for line in o.text.splitlines() if re.search(pattern, line)]
    require(len(lines) >= 1 and all(len(line) < 1200 for line in lines), 'the sentence is %r' % lines)
    return o


def without_room_to_unpack(c):
    """Before there is a guest a file lies in RAM twice, packed at most to three quarters."""
    path = os.path.join(c.dir, 'zeroes')
    with open(path, 'wb') as f:
        f.truncate(100 << 20)
    args = ['run', '--check', '--kernel', c.guest('hello'), '--module', path, '--mem', '256M', '--host-mem']
    o = refused(c, args + ['174M'], 2, r'--host-mem: 174 MB are too few for virtual machines and files of 175 MB')
    at_once(o, '--host-mem')
    require(c.run(args + ['176M']).text == '', 'it said something')


def usage(name, args, pattern, status=2):
    def run(c):
        o = refused(c, [a.replace('@', c.dir) for a in args], status, pattern)
        require(len(o.text.strip().splitlines()) == 1, 'more than one sentence: %r' % o.text)
        require(o.json is None, 'a JSON was written for a run that did not begin')
    return Test('refused: ' + name, run)


def at_once(o, what):
    """Refused before a machine was started: one sentence on standard error, and no JSON."""
    require(o.seconds < 1, 'took %.1f s' % o.seconds)
    require(len(o.text.strip().splitlines()) == 1 and what in o.text, 'not one sentence about %s: %r' % (what, o.text))
    require(o.json is None, 'a JSON was written for a run that did not begin')


def with_kernel(name, make, pattern, more=()):
    """A guest whose kernel make(context) writes: refused with the file's name, also with --quiet."""
    def run(c):
        path = c.file('kernel', make(c))
        for quiet in ([], ['--quiet']):
            o = refused(c, ['run', '--kernel', path, '--timeout', '50'] + quiet + list(more), 2, pattern, 80)
            at_once(o, path)
    return Test('refused: ' + name, run)


def not_on(name, cpu, more, pattern):
    """What a CPU model cannot do."""
    return Test('refused: ' + name, lambda c: at_once(refused(
        c, ['run', '--kernel', c.guest('hello'), '--mem', '16M', '--cpu', cpu, '--timeout', '50'] + more, 2, pattern),
        cpu))


def models(c):
    """What the command says of CPU models is what the hypervisor finds in them."""
    said = subprocess.run([os.path.join(c.build, 'bochs'), '--help', 'cpu'], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False).stdout.decode()
    names = re.findall(r'^([a-z0-9_]+)$', said.split('Supported CPU models:')[1], re.M)
    require('corei7_haswell_4770' in names, 'no models: %r' % said)
    with open(os.path.join(os.path.dirname(__file__), '..', '..', 'tool', 'emulator', 'bochs_cpus.c')) as f:
        rows = re.findall(r'\{ "(\w+)", CPU_(\w+), (\w+), (\w+), (\w+), (\w+) \}', f.read())
    require(sorted(r[0] for r in rows) == sorted(names), 'the table has other models than Bochs: %s' % names)
    for name, vtx, ept, ept_1g, vpid, unrestricted in rows:
        if vtx != 'VTX':
            continue
        o = c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--cpu', name, '--timeout', '50'])
        host = o.json['host']
        found = [bool(host[k]) for k in ('ept', 'ept_1g', 'vpid', 'unrestricted_guest')]
        require(found == [w == 'true' for w in (ept, ept_1g, vpid, unrestricted)] and not host['ept_5level'] and
                host['ept_2m'] == host['ept'], '%s: %s' % (name, host))


def by_hypervisor(c):
    """What only the machine can tell is said as well on standard error, and in the JSON."""
    for quiet in ([], ['--quiet']):
        o = c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--mitigations', 'ibrs'] + quiet, status=67,
                  expect=[r'^vellum: guest: status 67, mitigations ibrs cannot be had'])
        require(o.json['error'].startswith('guest: status 67, mitigations ibrs'), 'JSON: error %r' % o.json['error'])


def read(c, *path):
    with open(os.path.join(c.build, *path), 'rb') as f:
        return f.read()


def cut_bzimage(c):
    return read(c, 'guest', 'bzImage')[:3000000]


def cut_vmlinux(c):
    return read(c, 'guest', 'vmlinux')[:20000000]


def cut_elf32(c):
    return read(c, 'guest', 'test', 'hello.elf')[:5000]


def old_bzimage(c):
    k = bytearray(read(c, 'guest', 'bzImage'))
    k[0x206:0x208] = struct.pack('<H', 0x0105)
    return bytes(k)


def described(name, text, pattern, status=2):
    def run(c):
        path = c.file('machines.txt', text.replace('@HELLO', c.guest('hello')))
        refused(c, ['run', '--vm', path, '--timeout', '30'], status, pattern)
    return Test('refused: description: ' + name, run)


def mutated_descriptions(c):
    rng = random.Random(1)
    good = ('vm a\nkernel %s\nmem 32M\nappend x\nvm b\nkernel %s\nmem 16M\npages 4k\nvpid off\n' %
            (c.guest('hello'), c.guest('hello'))).encode()
    for i in range(40):
        text = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            text[rng.randrange(len(text))] = rng.randrange(256)
        # --hypervisor names no hypervisor: what is accepted goes no further.
        path = c.file('machines.txt', bytes(text))
        o = c.run(['run', '--vm', path, '--hypervisor', c.path('none')], status=(1, 2))
        require(o.text.strip().replace('\t', ' ').isprintable(), 'description %d: %r' % (i, o.text))


def mutated_kernels(c):
    """Damaged kernels end in a status of the table, whatever they do."""
    rng = random.Random(2)
    elf = read(c, 'guest', 'test', 'hello.elf')
    for i in range(12):
        k = bytearray(elf)
        for _ in range(8):
            k[rng.randrange(0, 120) if rng.random() < 0.7 else rng.randrange(0x1000, 0x2000)] = rng.randrange(256)
        o = c.run(['run', '--kernel', c.file('kernel', bytes(k)), '--mem', '8M', '--timeout', '20'],
                  status=(0, 2, 3, 64, 65, 66, 124, 255), limit=60)
        require(o.status in (2, 124) or (o.json and o.json['guest']['status'] == o.status),
                'kernel %d: JSON and status differ' % i)


def without_guest(c):
    """A 32-bit guest where nobody has made one."""
    shutil.copy(c.vellum, c.path('vellum'))     # it looks for everything else beside itself
    for name in ('vellum.elf', 'bochs'):
        os.symlink(os.path.join(c.build, name), c.path(name))
    vellum, c.vellum = c.vellum, c.path('vellum')
    o = c.run(['run', '--guest', '686-pae', '--timeout', '20'], status=1,
              expect=[r'686-pae.* is missing: run make guests'])
    c.vellum = vellum
    require(len(o.text.strip().splitlines()) == 1, 'more than one sentence: %r' % o.text)


def full_disk(c):
    """What cannot be written is no success: a sentence, and a status that is not 0."""
    hello = ['--kernel', c.guest('hello'), '-m', '16']
    for args in (['help'], ['version'], ['help', 'ctl'], ['compare', '--help'], ['lab', 'presets'], ['run'] + hello,
                 ['run', '--quiet', '--json', '-'] + hello):
        with open('/dev/full', 'w') as full:
            p = c.start(args, stdout=full, stderr=subprocess.PIPE)
            said = p.communicate(timeout=60)[1].decode()
        require(p.returncode == 1 and 'cannot be written: No space left on device' in said,
                '%s: status %d: %s' % (args, p.returncode, said))


def closed_output(c):
    """Where the standard output is closed, nothing else is taken for it: neither the JSON nor a disk."""
    disk = c.file('disk', bytes(65536))
    p = c.start(['run', '--kernel', c.guest('hello'), '-m', '16', '--disk', disk, '--json', c.path('closed.json')],
                preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE)
    said = p.communicate(timeout=100)[1].decode()
    require(p.returncode == 1 and 'the standard output cannot be written: Bad file descriptor' in said,
            'status %d: %s' % (p.returncode, said))
    with open(disk, 'rb') as f:
        require(f.read() == bytes(65536), 'the disk was written to')


def few_files(c):
    """Who may open a few files only leaves nothing either."""
    c.start(['run', '--kernel', c.guest('hello'), '-m', '16'], preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (8, 8))).communicate(timeout=100)
    require(not os.listdir(c.path('tmp')), 'left in $TMPDIR: %s' % os.listdir(c.path('tmp')))


def helps(c):
    """Each command says what it can do, by two ways."""
    for name in ('run', 'iso', 'ctl', 'top', 'compare', 'lab'):
        one, other = (c.run(a, never=[]).text for a in ([name, '--help'], ['help', name]))
        require(one == other and one.startswith('usage: vellum '), 'help of %s: %r' % (name, one[:100]))
    everything = c.run(['ctl', '--help']).text
    for name in ('stats', 'resume', 'dump-guest-memory'):
        one = c.run(['ctl', name, '--help']).text
        require(one == c.run(['ctl', 'help', name]).text, 'ctl help %s is another' % name)
        require(re.search(r'^  (pause.*\| )?%s ' % name, one, re.M) and 'sendkey' not in one and
                all(line in everything for line in one.splitlines()), 'ctl %s --help: %r' % (name, one))
    c.run(['ctl', 'fly', '--help'], status=2, expect=[r'there is no command fly'])


def qemu(c):
    """--machine qemu says clearly where there is no QEMU."""
    p = c.start(['run', '--machine', 'qemu', '--kernel', c.guest('hello')], stderr=subprocess.PIPE,
                env=dict(c.environment(), PATH=c.path('nothing')))
    said = p.communicate(timeout=60)[1].decode()
    require(p.returncode == 1 and 'qemu-system-x86_64 is missing: run script/deps.sh qemu' in said,
            'status %d: %s' % (p.returncode, said))


def lab_options():
    """What a command line says of a workload of the lab."""
    return [
        *[usage('two workloads in the lab: ' + ' '.join(twice), ['lab', 'run'] + twice, r'the workload is given twice')
          for twice in (['gups:size=1M', 'gups:size=2M'], ['--workload', 'gups:size=1M', 'gups:size=2M'],
                        ['gups:size=1M', '--set', 'workload=gups:size=2M'],
                        ['--workload', 'gups:size=1M', '--workload', 'gups:size=2M'])],
        usage('a setting twice in the lab', ['lab', 'run', '--set', 'seed=1', '--seed', '2', 'gups:size=1M'],
              r'seed is given twice; once is what works'),
        usage('a value twice in a sweep', ['lab', 'sweep', '--vary', 'hv.pages=4k,2m,4k', 'gups:size=1M'],
              r'hv\.pages is to be 4k twice; once is what works'),
        usage('a parameter twice in the lab', ['lab', 'run', 'gups:size=1M,size=2M'],
              r'size of workload gups is set twice'),
    ]


def guest_options():
    """What a command line says of the guest."""
    return [
        usage('compressed pages without an area', ['run', '--zpool', '4M'], r'zpool is for pages on their '
              r'way to a swap area, and there is none: --swap SIZE makes one'),
        usage('half a page to swap to', ['run', '--swap', '6K'], r'--swap 6K: an area has whole pages of 4K'),
        usage('a swap area natively', ['run', '--native', '--swap', '64M'], r'--native runs the guest without the'),
        usage('output below nothing', ['run', '--check', '--keep', '@/none/more'],
              r'--keep \S+: cannot be made: No such'),
        usage('output in a file', ['run', '--check', '--keep', '/etc/passwd'], r'--keep /etc/passwd: is no directory'),
        usage('no command', [], r'say what to do'),
        usage('an unknown command', ['fly'], r'no command fly'),
        usage('an unknown option', ['run', '--frobnicate'], r'no option --frobnicate'),
        usage('an option without its value', ['run', '--mem'], r'--mem needs a value'),
        usage('an argument too many', ['run', 'vmlinux'], r'vmlinux'),
        usage('an unknown workload', ['run', '--workload', 'fly'], r'no workload fly; there are memory, boot, .*mix'),
        usage('a bad size of a workload', ['run', '--workload', 'fork:many'],
              r'workload fork, in children by fork, must be a number'),
        usage('a size of a workload without one', ['run', '--workload', 'boot:3'], r'the workload boot has no size'),
        usage('a workload without its initramfs', ['run', '--workload', 'fork', '--initrd', 'none'],
              r'needs that initramfs'),
        usage('a mechanism natively', ['run', '--native', '--mmu', 'ept'],
              r'--native runs the guest without the hypervisor'),
        usage('no RAM', ['run', '--mem', '0'], r'--mem.*0'),
        usage('0M of RAM', ['run', '--mem', '0M'], r'too little'),
        usage('too little RAM', ['run', '--mem', '512K'], r'too little'),
        usage('odd RAM', ['run', '--mem', '4097K'], r'multiple of 4K'),
        usage('negative RAM', ['run', '--mem=-5M'], r'must be a number'),
        usage('RAM without end', ['run', '--mem', '99999999999999999999G'], r'mem'),
        usage('more RAM than the machine can have', ['run', '--mem', '300G'], r'RAM'),
        usage('an unknown CPU model', ['run', '--cpu', 'z80'], r'--cpu z80: Bochs has no such model'),
        usage('an unknown mechanism', ['run', '--mmu', 'magic'], r'no mmu mechanism "magic"'),
        usage('an unknown guest', ['run', '--guest', '586'], r'--guest 586: must be amd64 or 686-pae or 686'),
        usage('--guest and --kernel', ['run', '--guest', '686', '--kernel', 'x'], r'one of them will do'),
        usage('--guest and --vm', ['run', '--guest', '686', '--vm', '/dev/null'], r'--vm takes everything'),
        Test('refused: the guest of another architecture without its files', without_guest),
    ]


def host_options():
    """What it says of the machine below, of the run, and of files."""
    return [
        usage('an unknown measure', ['run', '--mitigations', 'l1d,prayer'],
              r'mitigations must be auto, off, or some of .*not "l1d,prayer"'),
        usage('an odd provocation', ['run', '--provoke', 'A B'], r'--provoke A B'),
        usage('a firmware that is none', ['run', '--bios', '@'], r'is not a file'),
        usage('a missing firmware', ['run', '--bios', '@/missing'], r'the bios of guest: No such file'),
        usage('a firmware without RAM', ['run', '--bios', 'seabios', '--mem', '1M'], r'at least 2M'),
        usage('a display without a firmware', ['run', '--vga', 'std'], r'no bios that would set it up'),
        usage('an option ROM alone', ['run', '--option-rom', 'x'], r'no bios that would run it'),
        usage('an initrd for a firmware', ['run', '--bios', 'seabios', '--initrd', 'x'], r'no kernel for it'),
        usage('a workload for a firmware', ['run', '--bios', 'seabios', '--workload', 'fork'], r'--guest, too'),
        usage('a firmware natively', ['run', '--bios', 'seabios', '--native'],
              r'--bios, --vga, --net, --rng, --hvc, --balloon, .* and --testdev mean nothing'),
        usage('an unknown page size', ['run', '--pages', '3m'], r'pages must be'),
        usage('an unknown machine', ['run', '--machine', 'vax'], r'--machine vax: must be'),
        usage('no timeout', ['run', '--timeout', '0'], r'--timeout 0'),
        usage('a timeout that is none', ['run', '--timeout', 'soon'], r'--timeout soon'),
        usage('no host CPU', ['run', '--host-cpus', '0'], r'--host-cpus 0'),
        usage('too many host CPUs', ['run', '--host-cpus', '257'], r'--host-cpus 257.*from 1 to 256'),
        usage('too little host RAM', ['run', '--host-mem', '16M'], r'host-mem'),
        usage('--vm and --kernel', ['run', '--vm', '/dev/null', '--kernel', 'x'], r'--vm'),
        usage('an option twice', ['run', '--mem', '64M', '--mem', '65M'], r'twice'),
        usage('a missing kernel', ['run', '--kernel', '@/missing'], r'missing.*No such file'),
        usage('a missing initrd', ['run', '--initrd', '@/missing'], r'missing.*No such file'),
        usage('a missing description', ['run', '--vm', '@/missing'], r'missing.*No such file'),
        usage('a kernel that is a directory', ['run', '--kernel', '@'], r'not a file|[Dd]irectory'),
        usage('a kernel that is empty', ['run', '--kernel', '/dev/null'], r'/dev/null'),
        usage('a command line without end', ['run', '--append', 'x' * 5000], r'command line'),
        usage('a control character', ['run', '--append', 'a\x1b[2Jb'], r'control character'),
        usage('a missing hypervisor', ['run', '--hypervisor', '@/missing'], r'missing', status=1),
        usage('a hypervisor that is none', ['run', '--hypervisor', '/bin/true'], r'no Multiboot2 image'),
        usage('a JSON without a name', ['run', '--json', ''], r'--json : cannot be written', status=(1, 2)),
        usage('a report without a name', ['compare', '--csv', ''], r'cannot be written'),
        usage('charts in a file', ['compare', '--svg', '/dev/null'], r'/dev/null is not a directory', status=1),
        usage('a module that is a directory', ['run', '--kernel', 'build/guest/test/hello.elf', '--module', '@'],
              r'is not a file'),
        usage('an ISO without a name', ['iso', ''], r'cannot be written'),
        usage('a JSON that cannot be written', ['run', '--json', '@/no/such/dir/x.json'], r'x\.json', status=(1, 2)),
    ]


def kernels():
    """Kernels and initrds that cannot be loaded."""
    return [
        with_kernel('a bzImage cut short', cut_bzimage, r'the kernel image is cut short: it has 3000000 bytes'),
        with_kernel('a vmlinux cut short', cut_vmlinux, r'cut short'),
        with_kernel('a Multiboot kernel cut short', cut_elf32, r'cut short: it has 5000 bytes'),
        with_kernel('a bzImage of long ago', old_bzimage, r'boot protocol is 1\.05, at least 2\.00 is needed'),
        with_kernel('random bytes', lambda c: random.Random(3).randbytes(300000),
                    r'neither a Linux .* nor a Multiboot'),
        with_kernel('text', lambda c: b'#!/bin/sh\necho hello\n' * 50, r'neither a Linux .* nor a Multiboot'),
        with_kernel('a program of Linux', lambda c: read(c, 'guest', 'busybox'),
                    r'not a (Linux kernel|64-bit executable)'),
        with_kernel('a kernel too big for its RAM', lambda c: read(c, 'guest', 'bzImage'),
                    r'the kernel with its initrd needs about \d+ MB of RAM, and guest has 32 MB',
                    more=['--mem', '32M']),
        Test('refused: an initrd too big for its RAM', lambda c: at_once(refused(
            c, ['run', '--mem', '80M', '--initrd', c.file('initrd', b'\0' * (40 << 20)), '--timeout', '50'], 2,
            r'needs about \d+ MB of RAM, and guest has 80 MB', 80), 'vmlinux')),
    ]


def cpus():
    """CPUs that cannot do what is asked."""
    return [
        not_on('EPT on a CPU without it', 'core2_penryn_t9600', ['--mmu', 'ept'], r'mmu ept cannot be used: .*EPT'),
        not_on('a CPU without 64-bit mode', 'core_duo_t2400_yonah', [], r'no 64-bit mode'),
        not_on('a CPU without VT-x', 'p4_prescott_celeron_336', [], r'VT-x'),
        not_on('1G pages on a CPU without them', 'corei7_ivy_bridge_3770k', ['--pages', '1g'],
               r'pages 1g cannot be had'),
        usage('a clock of two CPUs', ['run', '--vcpus', '2', '--clock', 'guest'], r'use clock host'),
        Test('what CPU models have', models),
        Test('refused: by the hypervisor, quietly', by_hypervisor),
        usage('a bad kernel, only checked', ['run', '--check', '--kernel', '@'], r'not a file|[Dd]irectory'),
        Test('--check starts nothing', lambda c: require(
            c.run(['run', '--check', '--kernel', c.guest('hello'), '--mem', '16M']).text == '', 'it said something')),
        Test('refused: host RAM for a file, and not for it packed as well', without_room_to_unpack),
        usage('the CPU twice', ['run', '--cpu', 'haswell', '--cpu', 'penryn'], r'--cpu is given twice'),
        usage('the workload twice', ['run', '--workload', 'fork', '--workload', 'boot'], r'--workload is given twice'),
        usage('the workload by two names', ['run', '--workload', 'fork', '--append', 'vellum.workload=boot'],
              r'one of them will do'),
        usage('RAM by two names', ['run', '-m', '64', '--mem', '64M'], r'mem is given twice'),
        usage('help of no command', ['help', 'fly'], r'no command fly'),
        usage('compare: a workload by two names', ['compare', '--workload', 'fork,fork:700'],
              r'fork:700 is there twice'),
        usage('compare: a setting twice', ['compare', '--config', 'mmu=ept,mmu=shadow'], r'has mmu twice'),
        usage('compare: odd RAM', ['compare', '--mem', '4097K'], r'multiple of 4K'),
        usage('compare: one file for two outputs', ['compare', '--html', '@/x', '--json', '@/x'],
              r'x would be written twice'),
        usage('compare: charts where none can be', ['compare', '--svg', '/proc/none'], r'/proc/none', status=1),
    ]


def descriptions():
    """Descriptions of machines, what is damaged at random, and the other machine."""
    return [
        described('empty', '', r'no machine in it|is empty'),
        described('no machine', 'kernel x\n', r'line 1: "kernel" stands before'),
        described('an unknown key', 'vm a\nkernel @HELLO\ncolour red\n', r'line 3: unknown key "colour"'),
        described('a key twice', 'vm a\nkernel @HELLO\nmem 64M\nmem 64M\n', r'line 4: mem is given twice'),
        described('33 CPUs', 'vm a\nkernel @HELLO\nvcpus 33\n', r'line 3: vcpus must be a number from 1 to 32'),
        described('two of one name', 'vm a\nkernel @HELLO\nvm a\nkernel @HELLO\n',
                  r'line 3: there are two machines named a'),
        described('no kernel', 'vm a\nmem 64M\n', r'machine a has no kernel'),
        described('a missing file', 'vm a\nkernel /no/such/file\n', r'/no/such/file.*No such file'),
        described('binary', 'vm a\nkernel @HELLO\n\0\0\0\0', r'line 3: .*control character'),
        Test('hostile descriptions', mutated_descriptions),
        Test('damaged kernels', mutated_kernels),
        Test('help of each command', helps),
        Test('outputs that cannot be written', full_disk),
        Test('outputs that are closed', closed_output), Test('few files can be opened', few_files),
        Test('--machine qemu', qemu),
    ]


def tests():
    return guest_options() + lab_options() + host_options() + kernels() + cpus() + descriptions()
