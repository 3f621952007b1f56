"""Guests that start at a firmware: SeaBIOS finds its machine and nothing to boot, or loads a kernel; OVMF starts what
is on a disk."""

import os
import shutil
import signal
import struct
import subprocess

from disks import MB, content
from quick import WORDS
from runner import Test, require
from sessions import read_until

LIMIT = 150


def nothing_to_boot(name, more):
    """To the end of SeaBIOS' search; what it says of the machine on its way is in the log, which comes later than what
    it writes to the console."""
    def run(c):
        p = c.start(['run', '--bios', 'seabios', '--timeout', str(LIMIT)] + more)
        seen = read_until(p.stdout.fileno(), rb'firmware: No bootable device', LIMIT)
        p.send_signal(signal.SIGTERM)
        status, _ = c.finish(p, 30)
        require(status == 128 + signal.SIGTERM, 'status %d' % status)
        for said in (rb'Running on QEMU (i440fx)', rb'QEMU fw_cfg DMA interface supported', rb'SeaBIOS (version',
                     rb'PS2 keyboard initialized', rb'Using pmtimer, ioport 0x608', rb'sercon: using ioport 0x3f8'):
            require(said in seen, 'it did not say %r' % said)
    return Test('firmware: nothing to boot, ' + name, run)


def image():
    """A bzImage whose setup code, in real mode, writes its command line and powers the machine off."""
    setup = bytearray(5 * 512)
    setup[0x1f1] = 4
    setup[0x1f4:0x1f8] = (256).to_bytes(4, 'little')
    setup[0x1fe:0x200] = b'\x55\xaa'
    setup[0x200:0x202] = b'\xeb\x6a'
    setup[0x202:0x206] = b'HdrS'
    setup[0x206:0x208] = b'\x0f\x02'
    setup[0x211] = 1
    setup[0x22c:0x230] = (0x37ffffff).to_bytes(4, 'little')
    setup[0x236] = 1
    setup[0x238:0x23c] = (2047).to_bytes(4, 'little')
    setup[0x258:0x260] = (0x1000000).to_bytes(8, 'little')
    setup[0x260:0x264] = (0x100000).to_bytes(4, 'little')
    code = (b'\xb8\x00\x20\x8e\xd8'            # mov $0x2000,%ax; mov %ax,%ds: the command line
            b'\x31\xf6\xba\xf8\x03'            # xor %si,%si; mov $0x3f8,%dx
            b'\xac\x84\xc0\x74\x03\xee\xeb\xf8'  # lodsb; test %al,%al; jz; out %al,%dx; jmp
            b'\x8c\xc8\x8e\xd8')               # mov %cs,%ax; mov %ax,%ds
    text = 0x6c + len(code) + 3 + 3 + 8 + 3
    code += b'\xbe' + text.to_bytes(2, 'little')  # mov $text,%si
    code += b'\xba\x00\x89'                      # mov $0x8900,%dx
    code += b'\xac\x84\xc0\x74\x03\xee\xeb\xf8' + b'\xf4\xeb\xfd' + b'Shutdown\0'
    setup[0x26c:0x26c + len(code)] = code
    return bytes(setup) + b'\xcc' * 4096


def kernel(name, more):
    def run(c):
        path = c.file('kernel', image())
        o = c.run(['run', '--bios', 'seabios', '--kernel', path, '--initrd', c.file('initrd', b'x' * 5000),
                   '--append', 'words from the host', '--timeout', str(LIMIT)] + more, limit=LIMIT,
                  expect=[r'Booting from ROM\.\.', r'words from the host'])
        require(o.json['guest']['end'] == 'powered off', 'the guest ended: %s' % o.json['guest']['end'])
    return Test('firmware: a kernel, ' + name, run)


EARLY = """search.file /grub.cfg root
configfile ($root)/grub.cfg
"""
UEFI = """echo GRUB by UEFI
%s
boot
"""


def esp(c, config, loader, files, megabytes=40):
    """A disk with an EFI system partition, and in it GRUB and these files by their names."""
    part, core = c.path('esp.img'), c.path('BOOTX64.EFI')
    subprocess.run(['grub-mkimage', '-O', 'x86_64-efi', '-c', c.file('early.cfg', EARLY), '-p', '/', '-o', core,
                    'part_msdos', 'fat', 'search', 'search_fs_file', 'configfile', 'normal', 'echo', 'test', loader],
                   check=True)
    with open(part, 'wb') as f:
        f.truncate(megabytes * MB)
    for command in (['mformat', '-i', part, '-F', '-h', '64', '-s', '32', '-T', str(megabytes * 2048), '::'],
                    ['mmd', '-i', part, '::/EFI', '::/EFI/BOOT'],
                    ['mcopy', '-i', part, core, '::/EFI/BOOT/BOOTX64.EFI'],
                    ['mcopy', '-i', part, c.file('grub.cfg', UEFI % config), '::/grub.cfg']):
        subprocess.run(command, check=True)
    for name, path in files.items():
        subprocess.run(['mcopy', '-i', part, path, '::/' + name], check=True)
    image = bytearray((megabytes + 1) * MB)
    image[446:462] = struct.pack('<B3sB3sII', 0, b'\xfe\xff\xff', 0xef, b'\xfe\xff\xff', 2048, megabytes * 2048)
    image[510:512] = b'\x55\xaa'
    image[MB:] = content(part)
    return c.file('disk.img', bytes(image))


def uefi(name, more, disk=''):
    """OVMF finds a disk with an EFI system partition, starts GRUB on it, and that a test kernel."""
    def run(c):
        image = esp(c, 'multiboot /hello.elf', 'multiboot', {'hello.elf': c.guest('hello')})
        c.run(['run', '--bios', 'ovmf', '--disk', image + ',ro' + disk, '-m', '128M', '--timeout', str(LIMIT)] + more,
              limit=LIMIT, expect=[r'BdsDxe: starting Boot', r'GRUB by UEFI', r'hello: ok'])
    return Test('firmware: UEFI, ' + name, run)


VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd'
OF_ITSELF = bytes.fromhex('4eac0881119f594d850ee21a522c59b2')  # what OVMF marks boot options with that it has made


def uefi_flash(c):
    """OVMF keeps in flash memory what it boots; an option that somebody else has put there is the next run's."""
    image, flash = esp(c, 'multiboot /hello.elf', 'multiboot', {'hello.elf': c.guest('hello')}), c.path('vars.fd')
    run = ['run', '--bios', 'ovmf', '--disk', flash + ',if=pflash', '--disk', image + ',ro', '-m', '128M', '--mmu',
           'ept', '--timeout', str(LIMIT)]
    shutil.copy(VARIABLES, flash)
    c.run(run, limit=LIMIT, expect=[r'starting Boot\d+ "UEFI Misc Device"', r'GRUB by UEFI', r'hello: ok'])
    kept = content(flash)
    require(OF_ITSELF in kept and 'BootOrder'.encode('utf-16le') in kept, 'it has kept no boot option')
    other = kept.replace(OF_ITSELF, b'x' * 16).replace('UEFI Misc'.encode('utf-16le'), 'Somebodys'.encode('utf-16le'))
    c.file('vars.fd', other)
    c.run(run, limit=LIMIT, expect=[r'starting Boot\d+ "Somebodys Device"', r'hello: ok'])


def uefi_linux(name, more):
    """The same with Debian's kernel, which finds OVMF's tables and powers the machine off by ACPI."""
    def run(c):
        directory = os.path.join(c.build, 'guest')
        image = esp(c, 'linux /bzImage console=ttyS0 cryptomgr.notests=1 nopti %s vellum.workload=boot\n'
                    'initrd /initrd' % WORDS, 'linux', {'bzImage': os.path.join(directory, 'bzImage'),
                                                'initrd': os.path.join(directory, 'initramfs.cpio')})
        o = c.run(['run', '--bios', 'ovmf', '--disk', image + ',ro', '-m', '512M', '--timeout', '900'] + more,
                  limit=920, expect=[r'efi: EFI v2\.\d+ by', r'DMI: Vellum Virtual PC', r'ACPI: FACP 0x',
                                     r'VELLUM-RESULT ok'])
        require(o.json['guest']['end'] == 'powered off', 'the guest ended: %s' % o.json['guest']['end'])
    return Test('firmware: Linux by UEFI, ' + name, run)


def tests(everything):
    more = [uefi_linux('ept', ['--mmu', 'ept']), uefi_linux('shadow', ['--mmu', 'shadow'])] if everything else []
    return [nothing_to_boot('ept', ['--mmu', 'ept']), nothing_to_boot('shadow', ['--mmu', 'shadow']),
            nothing_to_boot('two virtual CPUs', ['--mmu', 'ept', '--vcpus', '2']),
            nothing_to_boot('Lynnfield', ['--cpu', 'corei5_lynnfield_750']),
            kernel('ept', ['--mmu', 'ept']), kernel('without unrestricted guest', ['--no-unrestricted']),
            Test('firmware: UEFI and its variables', uefi_flash), uefi('shadow', ['--mmu', 'shadow'], ',if=ide')] + more
