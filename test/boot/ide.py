"""Drives at a virtual machine's IDE controller: Linux' own drivers by DMA, SeaBIOS and GRUB by the data port, from a
disk and from a CD, under each mechanism; a run that is killed; what is refused."""

import os
import re
import shutil
import signal
import subprocess

from disks import SUMS, bootable, content, costs_of, file_system, intact, one_after_the_other
from quick import WORDS, quick, quickly
from refusals import refused
from runner import Test, require
from sessions import read_until

MACHINES = {
    'ept': ['--mmu', 'ept'], 'shadow': ['--mmu', 'shadow'], 'without unrestricted guest': ['--no-unrestricted'],
    'Lynnfield': ['--cpu', 'corei5_lynnfield_750'], 'Penryn': ['--cpu', 'core2_penryn_t9600'],
    'vtlb': ['--mmu', 'vtlb'], 'brute': ['--mmu', 'brute'],
}
KINDS = (['--mmu', 'ept'], ['--mmu', 'shadow'])
ALL_KINDS = KINDS + (['--mmu', 'vtlb'], ['--mmu', 'brute'], ['--cpu', 'penryn'], ['--cpu', 'lynnfield'],
                     ['--vcpus', '2', '--host-cpus', '2'], ['--switch-every', '20'])

FROM_CD = """serial --unit=0
terminal_input serial
terminal_output serial
echo GRUB from the CD
%s
boot
"""
FROM_DISK = FROM_CD.replace('echo GRUB from the CD', 'set root=(hd0,msdos1)\necho GRUB from the disk')
LINUX = """linux /bzImage console=ttyS0 cryptomgr.notests=1 nopti """ + WORDS + """ vellum.workload=%s
initrd /initrd"""


def image(c, config, loader, files):
    """A CD image with GRUB, and these files by their names on it."""
    for directory in ('cd', 'cd/boot', 'cd/boot/grub'):
        os.mkdir(c.path(directory))
    for name, path in files.items():
        shutil.copy(path, c.path('cd/' + name))
    with open(c.path('cd/boot/grub/grub.cfg'), 'w', encoding='ascii') as f:
        f.write(FROM_CD % config)
    subprocess.run(['grub-mkrescue', '-d', '/usr/lib/grub/i386-pc', '-o', c.path('cd.iso'), c.path('cd'),
                    '--install-modules=normal iso9660 biosdisk serial terminal echo ' + loader, '--locales=',
                    '--fonts=', '--themes='], check=True, capture_output=True)
    return c.path('cd.iso')


def hello_cd(c):
    return image(c, 'multiboot /hello.elf', 'multiboot', {'hello.elf': c.guest('hello')})


def linux_files(c):
    return {'bzImage': os.path.join(c.build, 'guest/bzImage'), 'initrd': os.path.join(c.build, 'guest/ide.cpio')}


def work(c, path, megabytes=1, more=(), left=None):
    """A run of the workload by Linux' ata_piix; left: by which run there is something on the disk, None: by none."""
    return c.run(['run', '--workload', 'disk:%d' % megabytes, '--disk', path + ',if=ide', '--timeout', '240'] +
                 quickly(more),
                 limit=260, expect=[r'ata1\.00: ATA-6: VELLUM DISK', r'ata1.*bmdma 0xc', r'\[sda\] Attached SCSI disk',
                         r'^disk: written and flushed', r'checksum=%s ' % SUMS[megabytes]] +
                 ([r'^disk: run %d has left \d+ MB, all of it right' % left] if left else []),
                 forbid=[r'ata1.*(exception|failed|timeout|error)'])


def by_port(c):
    """Without DMA all goes by the data port: one run writes, the next finds it."""
    path = file_system(c)
    work(c, path, 1, quick('libata.dma=0'))
    work(c, path, 1, left=1)
    intact(path)


def killed(c):
    """What the guest has flushed is in the file, however the run ends then."""
    path = file_system(c)
    p = c.start(['run', '--workload', 'disk:1', '--disk', path + ',if=ide', '--timeout', '120'] + quick())
    read_until(p.stdout.fileno(), b'disk: written and flushed', 110)
    for pid, name in c.processes():
        if name.startswith('bochs'):
            os.kill(pid, signal.SIGKILL)
    c.finish(p, 30)
    work(c, path, left=1)
    intact(path)


def costs(c):
    """By DMA: each register of the drive's and the bus master's is an exit, 26 of them as Linux does it."""
    costs_of(c, work, 30)


def snapshot(c):
    path = file_system(c)
    before = content(path)
    work(c, path, 1, ['--snapshot'])
    require(content(path) == before, 'the file has changed')


def grub_disk(name):
    def run(c):
        c.run(['run', '--bios', 'seabios', '--disk', bootable(c) + ',ro,if=ide', '-m', '64M', '--timeout', '140'] +
              MACHINES[name], limit=150,
              expect=[r'ata0-0: VELLUM DISK ATA-6 Hard-Disk', r'GRUB from the disk', r'hello: ok'])
    return Test('ide: GRUB from a disk, ' + name, run)


def grub_cd(name):
    def run(c):
        c.run(['run', '--bios', 'seabios', '--cdrom', hello_cd(c), '-m', '64M', '--timeout', '140'] + MACHINES[name],
              limit=150, expect=[r'DVD/CD \[ata1-0: VELLUM CD-ROM ATAPI-', r'GRUB from the CD', r'hello: ok'])
    return Test('ide: GRUB from a CD, ' + name, run)


def order(c):
    """Of a disk and a CD that both boot, the one that is asked for first; by option and by description."""
    disk, cd = bootable(c), hello_cd(c)
    both = ['--disk', disk + ',ro,if=ide', '--cdrom', cd, '-m', '64M', '--timeout', '140']
    c.run(['run', '--bios', 'seabios'] + both, limit=150, expect=[r'GRUB from the disk', r'hello: ok'],
          forbid=[r'GRUB from the CD'])
    text = 'vm a\nbios seabios\nmem 64M\nboot dc\ndisk %s,ro,if=ide\ncdrom %s\n' % (disk, cd)
    c.run(['run', '--vm', c.file('machine', text), '--timeout', '140'], limit=150,
          expect=[r'GRUB from the CD', r'hello: ok'], forbid=[r'GRUB from the disk'])


def linux_from_cd(name):
    """All of it: SeaBIOS, El Torito, GRUB, Debian's kernel as it is packed, which finds CD drive and disk by itself."""
    def run(c):
        path = file_system(c)
        cd = image(c, LINUX % 'disk:1', 'linux', linux_files(c))
        c.run(['run', '--bios', 'seabios', '--cdrom', cd, '--disk', path + ',if=ide', '--boot', 'd', '--timeout',
               '500'] + MACHINES[name], limit=520,
              expect=[r'GRUB from the CD', r'DMI: Vellum Virtual PC', r'ata2\.00: ATAPI: VELLUM CD-ROM',
                      r'\[sr0\] scsi3-mmc', r'^disk: written and flushed', r'checksum=%s ' % SUMS[1]])
        intact(path)
    return Test('ide: Linux from a CD, ' + name, run)


def linux_from_disk(name):
    def run(c):
        path = bootable(c, FROM_DISK % (LINUX % 'boot'), ['linux'], linux_files(c), 24)
        c.run(['run', '--bios', 'seabios', '--disk', path + ',if=ide', '--timeout', '500'] + MACHINES[name], limit=520,
              expect=[r'GRUB from the disk', r'ata1\.00: ATA-6: VELLUM DISK', r'sda: sda1', r'VELLUM-RESULT ok'])
    return Test('ide: Linux from a disk, ' + name, run)


def memtest(name):
    """Debian's memtest86+ from a CD, by GRUB: to its tests, without an error; it does not end by itself."""
    def run(c):
        cd = image(c, 'linux /memtest console=ttyS0,115200', 'linux',
                   {'memtest': os.path.join(c.build, 'guest/foreign/memtest86+')})
        p = c.start(['run', '--bios', 'seabios', '--cdrom', cd, '-m', '32M', '--timeout', '300'] + MACHINES[name])
        seen = read_until(p.stdout.fileno(), b'Status: Testing', 280)
        p.send_signal(signal.SIGTERM)
        c.finish(p, 30)
        require(b'Memtest86+ v' in seen and b'GRUB from the CD' in seen, 'it did not say who it is')
        require(re.search(rb'Errors: [1-9]', seen) is None, 'it found errors')
    return Test('ide: memtest86+ from a CD, ' + name, run)


def refusals(c):
    disk = c.file('x.img', b'\0' * 4096)
    refused(c, ['run', '--cdrom', c.path('missing.iso')], 2, r'--cdrom \S+missing.iso: No such file')
    refused(c, ['run', '--cdrom', c.file('odd.iso', b'x' * 2560)], 2, r'--cdrom .* whole sectors of 2048 bytes')
    refused(c, ['run', '--cdrom', c.file('q.iso', b'QFI\xfb' + b'\0' * 2044)], 2, r'--cdrom .* qemu-img convert -O raw')
    refused(c, ['run', '--disk', disk + ',if=scsi'], 2, r'if=virtio, if=ide or if=pflash')
    refused(c, ['run', '--disk', disk + ',if=ide,ro,snapshot'], 2, r'ro or snapshot, not both')
    refused(c, ['run', '--cdrom', disk, '--boot', 'd'], 2, r'no bios that would look for what to boot')
    for wrong in ('a', 'dd', ''):
        refused(c, ['run', '--bios', 'seabios', '--boot', wrong], 2, r'boot is an order of c \(disks\), d')
    refused(c, ['run', '--bios', 'seabios', '--boot', 'c', '--boot', 'd'], 2, r'--boot is given twice')


def tests(everything):
    # Each reads its disk or its CD by the firmware in real mode: what one does on a machine, the other shows too. That
    # memtest86+ runs under ept, foreign.py shows.
    some = ['ept', 'shadow', 'Lynnfield', 'Penryn']
    names = list(MACHINES) if everything else some
    more = [linux_from_disk(n) for n in names] + [linux_from_cd(n) for n in names[1:]] if everything else []
    return [Test('ide: Linux under each mechanism, one after the other',
                 one_after_the_other(ALL_KINDS if everything else KINDS, work)),
            Test('ide: Linux by the data port', by_port), Test('ide: a run is killed', killed),
            Test('ide: snapshots', snapshot), Test('ide: boot order', order),
            Test('ide: what a request costs', costs),
            linux_from_cd('ept'), Test('ide: refused', refusals)] + \
        [grub_disk(n) for n in (names if everything else some[1:3])] + \
        [grub_cd(n) for n in (names if everything else some[::3])] + \
        [memtest(n) for n in (names[:2] if everything else some[1:2])] + more
