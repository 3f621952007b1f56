"""Virtual disks: a file system that is written, flushed, read back and found again by the next run, under each
mechanism; snapshots, two machines on one file, the end of a run at any time; disks that are refused."""

import os
import re
import shutil
import signal
import struct
import subprocess
import time

from quick import WORDS, quick, quickly
from refusals import refused
from runner import Test, require
from sessions import read_until

MB = 1 << 20

# The workload's checksum for so many megabytes.
SUMS = {1: 'cb0c38de6878a28e', 8: '7ecaa5285097773c'}

# What the runs of one file have it written by, one after the other; and with the whole matrix.
KINDS = (['--mmu', 'ept'], ['--mmu', 'shadow'], ['--vcpus', '2', '--host-cpus', '2'])
ALL_KINDS = KINDS + (['--mmu', 'vtlb'], ['--mmu', 'brute'], ['--cpu', 'penryn'], ['--cpu', 'lynnfield'],
                     ['--cpu', 'corei7_ivy', '--tpr', 'trap'], ['--switch-every', '20'])


def file_system(c, name='disk.img', size=32 * MB, kind='ext4'):
    path = c.path(name)
    with open(path, 'wb') as f:
        f.truncate(size)
    subprocess.run(['mke2fs', '-q', '-F', '-t', kind, path], check=True, stdin=subprocess.DEVNULL)
    return path


def intact(path):
    """The file system is as whole as after a power cut at worst."""
    done = subprocess.run(['e2fsck', '-fp', path], capture_output=True, text=True, check=False)
    require(done.returncode in (0, 1), 'e2fsck: %s' % (done.stdout + done.stderr).strip())


def content(path):
    with open(path, 'rb') as f:
        return f.read()


def work(c, path, megabytes=1, more=(), left=None, model=r'ide\d\.\d: Generic 1234'):
    """A run of the workload; left: by which run there is something on the disk, None: by none."""
    size = os.path.getsize(path.split(',')[0]) // MB
    o = c.run(['run', '--workload', 'disk:%d' % megabytes, '--disk', path, '--timeout', '240'] + quickly(more),
              limit=260,
              expect=[r'disk %s, serial number \S+, %d MB' % (model, size),
                      r'^disk: written and flushed', r'checksum=%s ' % SUMS[megabytes]] +
              ([r'^disk: run %d has left \d+ MB, all of it right' % left] if left else []),
              forbid=[] if left else [r'^disk: run \d+ has left'])
    account = o.json['disks']['0']
    require(account['bytes_written'] >= megabytes * MB and account['flushes'] and not account['failures'],
            'the account of its disk: %s' % account)
    return o


def one_after_the_other(kinds, work=work):
    """Each kind of machine finds what the one before has left."""
    def run(c):
        path = file_system(c)
        for n, more in enumerate(kinds):
            work(c, path, 1, more, left=n)
        intact(path)
    return run


def costs_of(c, run, most):
    """Exits and instructions for a request of 64 KB, read one after the other: the difference of two sizes."""
    path = file_system(c, size=48 * MB)
    phases = []
    for megabytes in (1, 8):
        phase = [p for p in run(c, path, megabytes, left=len(phases) or None).json['phases'].values()
                 if p['name'] == 'read'][0]
        exits = {r: e['count'] for r, e in phase['exits']['by_reason'].items()}
        phases.append((exits, phase['instructions']['hypervisor']))
    requests = 7 * MB // 65536
    by = {r: (n - phases[0][0].get(r, 0)) / requests for r, n in phases[1][0].items()}
    # The guest's own timer, which has nothing to do with it, exits by these.
    ours = sum(n for r, n in by.items() if r not in ('wrmsr', 'preemption_timer_expired'))
    print('exits a request of 64 KB: %s' % ', '.join('%s %.2f' % x for x in sorted(by.items())))
    require(ours <= most, '%.2f exits for a request of 64 KB: %s' % (ours, by))
    each = (phases[1][1] - phases[0][1]) / (7 * MB)
    require(each <= 0.15, '%.3f instructions of the hypervisor a byte' % each)
    print('%.3f instructions of the hypervisor a byte' % each)


def costs(c):
    costs_of(c, work, 3)


def snapshot(c):
    """What is written stays in memory, and is there as long as the machine is."""
    path = file_system(c)
    before = content(path)
    for more in (['--snapshot'], []):
        work(c, path + ('' if more else ',snapshot'), 1, more)
        require(content(path) == before, 'the file has changed')


def no_memory(c):
    """A snapshot that outgrows the machine's memory: the guest is told, and so are we."""
    path = file_system(c, size=150 * MB)
    o = c.run(['run', '--workload', 'disk:120', '--snapshot', '--disk', path, '-m', '320M', '--prealloc',
               '--host-mem', '512M', '--timeout', '240'] + quick(),
              limit=260, status=3, never=[r'broken promise'],
              expect=[r'there is no memory for what it writes to disk ide\d\.\d; its writes fail',
                      r'VELLUM-RESULT FAIL'])
    require(o.json['guest']['status'] == 3, 'JSON: status %r' % o.json['guest']['status'])


def read_only(c):
    path = file_system(c)
    before = content(path)
    os.chmod(path, 0o444)
    c.run(['run', '--workload', 'disk:1', '--disk', path + ',ro', '--timeout', '120'] + quick(), limit=140,
          status=3,
          expect=[r'/dev/vda cannot be mounted|VELLUM-RESULT FAIL'])
    require(content(path) == before, 'the file has changed')


def killed(c):
    """What the guest has flushed is in the file, however the run ends then."""
    path = file_system(c)
    p = c.start(['run', '--workload', 'disk:1', '--disk', path, '--timeout', '120'] + quick())
    read_until(p.stdout.fileno(), b'disk: written and flushed', 110)
    for pid, name in c.processes():
        if name.startswith('bochs'):
            os.kill(pid, signal.SIGKILL)
    c.finish(p, 30)
    work(c, path, 1, left=1)
    intact(path)


def locked(c):
    """A file that a run writes is nobody else's."""
    path = file_system(c)
    p = c.start(['run', '-i', '--disk', path, '--timeout', '100'])
    time.sleep(1)
    for more, why in (('', 'another run has it (several may'), (',ro', 'another run has it and writes it')):
        status, text = c.finish(c.start(['run', '--disk', path + more]), 20)
        require(status == 2 and why in text, 'status %d: %s' % (status, text))
    p.send_signal(signal.SIGTERM)
    c.finish(p, 30)


def two_machines(c):
    """Two virtual machines with a snapshot of one file each, and one with a file of its own: side by side."""
    shared, own = file_system(c), file_system(c, 'own.img')
    before = content(shared)
    guest = 'kernel %(b)s/guest/vmlinux\ninitrd %(b)s/guest/disks.cpio\n' % {'b': os.path.abspath(c.build)}
    append = 'append console=ttyS0 cryptomgr.notests=1 nopti %s vellum.workload=disk:1\n' % WORDS
    text = ''.join('vm %s\n%s%smem 128M\ndisk %s\n' % (n, guest, append, d)
                   for n, d in (('a', shared + ',snapshot'), ('b', shared + ',snapshot'), ('c', own)))
    o = c.run(['run', '--vm', c.file('machines', text), '--timeout', '280', '--host-cpus', '2'], limit=300)
    require(len(re.findall(r'VELLUM-RESULT ok checksum=%s' % SUMS[1], o.text)) == 3, 'not all three have read it back')
    require(content(shared) == before, 'the file has changed')
    intact(own)


def sparse(c):
    """What nobody writes takes no room."""
    path = file_system(c, size=2048 * MB)
    work(c, path, 1)
    require(os.stat(path).st_blocks * 512 < 200 * MB, '%d bytes' % (os.stat(path).st_blocks * 512))


def refusals(c):
    missing = c.path('missing.img')
    refused(c, ['run', '--disk', missing], 2, r'missing.img: No such file')
    refused(c, ['run', '--disk', c.dir], 2, r'directory')
    refused(c, ['run', '--disk', c.file('odd.img', b'x' * 1000)], 2, r'whole sectors of 512 bytes')
    refused(c, ['run', '--disk', c.file('empty.img', b'')], 2, r'whole sectors of 512 bytes')
    refused(c, ['run', '--disk', c.file('q.img', b'QFI\xfb' + b'\0' * 1020)], 2, r'qemu-img convert -O raw \S+q.img ')
    paths = [c.file('%d.img' % n, b'\0' * 4096) for n in range(4)]
    refused(c, ['run'] + [a for p in paths for a in ('--disk', p)], 2, r'room for 3 disks')
    refused(c, ['run', '--disk', paths[0], '--disk', paths[0]], 2, r'is given twice')
    refused(c, ['run', '--disk', paths[0] + ',ro,snapshot'], 2, r'ro or snapshot, not both')
    refused(c, ['iso', '--disk', paths[0], c.path('x.iso')], 2, r'named by its place')


EARLY = """serial --unit=0
terminal_input serial
terminal_output serial
set root=(hd0,msdos1)
echo GRUB from the disk
multiboot /hello.elf
boot
"""


def bootable(c, config=EARLY, loaders=('multiboot',), files=None, megabytes=8):
    """A disk with a partition, GRUB in front of it, and in it a kernel, or these files by their names."""
    os.mkdir(c.path('root'))
    for name, path in (files or {'hello.elf': c.guest('hello')}).items():
        shutil.copy(path, c.path('root/' + name))
    part, core = c.path('part.img'), c.path('core.img')
    with open(part, 'wb') as f:
        f.truncate(megabytes * MB)
    subprocess.run(['mke2fs', '-q', '-F', '-t', 'ext2', '-d', c.path('root'), part], check=True,
                   stdin=subprocess.DEVNULL)
    subprocess.run(['grub-mkimage', '-O', 'i386-pc', '-c', c.file('early.cfg', config), '-p', '/boot/grub', '-o', core,
                    'biosdisk', 'part_msdos', 'ext2', 'serial', 'terminal', 'echo', *loaders], check=True)
    image = bytearray((megabytes + 1) * MB)
    image[:440] = content('/usr/lib/grub/i386-pc/boot.img')[:440]
    image[446:462] = struct.pack('<B3sB3sII', 0x80, b'\0\x21\0', 0x83, b'\xfe\xff\xff', 2048, megabytes * 2048)
    image[510:512] = b'\x55\xaa'
    image[512:512 + os.path.getsize(core)] = content(core)
    image[MB:] = content(part)
    return c.file('disk.img', bytes(image))


def grub(c):
    """SeaBIOS finds the disk, GRUB loads a kernel from it."""
    c.run(['run', '--bios', 'seabios', '--disk', bootable(c) + ',ro', '-m', '64M', '--timeout', '120'], limit=140,
          expect=[r'using modern \(1.0\) virtio mode', r'GRUB from the disk', r'hello: ok'])


def tests(everything):
    return [Test('disks: under each mechanism, one after the other',
                 one_after_the_other(ALL_KINDS if everything else KINDS)),
            Test('disks: what a request costs', costs),
            Test('disks: snapshots', snapshot), Test('disks: a snapshot without memory', no_memory),
            Test('disks: read-only', read_only), Test('disks: a run is killed', killed),
            Test('disks: locked', locked), Test('disks: three machines, two files', two_machines),
            Test('disks: GRUB from one', grub), Test('disks: sparse files', sparse), Test('disks: refused', refusals)]
