"""GDB itself on guests: vellum run --gdb, vellum gdb."""

import re
import shutil
import subprocess

from runner import Test, require
from sessions import read_until


def gdb(place, commands):
    """Carries the commands out in GDB; what it says."""
    words = ['gdb', '-nx', '-batch', '-ex', 'set pagination off', '-ex', 'set confirm off']
    for command in commands:
        words += ['-ex', command.replace('PLACE', place)]
    p = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       timeout=120, check=False)
    return p.stdout


def session(c, args, commands, expect, status=0, quiet=('--quiet',)):
    """A guest that waits for GDB; what GDB must say, in this order; and how the run ends. What else that said."""
    require(shutil.which('gdb'), 'gdb is not installed')
    place = c.path('gdb')
    p = c.start(['run', *quiet, '--paused', '--gdb', place, '--timeout', '120'] + args)
    read_until(p.stdout.fileno(), rb'gdb can connect', 90)
    text = gdb(place, commands)
    at = 0
    for pattern in expect:
        found = re.compile(pattern, re.M).search(text, at)
        require(found, 'gdb does not say %s: %s' % (pattern, text[-1500:]))
        at = found.end()
    got, rest = c.finish(p, 90)
    require(got == status, 'the run ended with status %d: %s' % (got, rest[-300:]))
    return rest


def kernel64(mmu):
    """Breakpoints, steps, watchpoints, registers and memory of a kernel with symbols; then it goes on to its result."""
    def run(c):
        kernel = c.guest('paging64')
        session(c, ['--mmu', mmu, '--gdb-arch', 'x86-64', '--kernel', kernel, '--mem', '64M'], [
            'set architecture i386:x86-64', 'file %s.64' % kernel, 'target remote PLACE',
            'hbreak test_main', 'break check_that', 'continue', 'info registers rip efer', 'stepi', 'continue',
            'backtrace 2', 'delete', 'watch *(unsigned *)&checks', 'continue', 'delete',
            'set var *(unsigned *)&failures = 7', 'print *(unsigned *)&failures',
            'set var *(unsigned *)&failures = 0', 'set var $rax = 0x1234', 'print $rax',
            'set var $ymm3.v4_int64[2] = 0x5a5a', 'set var $xmm3.v2_int64[0] = 0x11', 'print $ymm3.v4_int64',
            'tbreak finish', 'continue',
            'x/1i $pc', 'monitor list', 'detach'],
                [r'Breakpoint 1, .* in test_main', r'^rip .*<test_main>', r'^efer +0x500', r'in test_main',
                 r'Breakpoint 2, .* in check_that', r'#1 .*in test_main|#1 ', r'Old value = 0\nNew value = 1',
                 r'= 7$', r'= 4660$',
                 r'= \{17, 0, 23130, 0\}$', r'Temporary breakpoint .* in finish', r'=> 0x[0-9a-f]+ <finish', r'paused',
                 r'detached'])
    return Test('gdb: a 64-bit kernel under %s' % mmu, run)


def real_mode(mmu):
    """Code with a base, run by the CPU or by the emulator; the guest steps through its own code, too."""
    def run(c):
        session(c, ['--mmu', mmu, '--kernel', c.guest('realmode'), '--mem', '64M'], [
            'target remote PLACE', 'hbreak *0x8316', 'continue', 'info registers eip cs', 'stepi', 'stepi',
            'x/1i $pc', 'detach'],
                [r'Breakpoint 1, 0x0*8316 in', r'^eip +0x8316', r'^cs +0x800', r'0x0*8322 in', r'=> 0x8322:.*pushf'])
    return Test('gdb: real mode under %s' % mmu, run)


def linux(c):
    """Debian's kernel with two virtual CPUs, stopped at its 64-bit entry, and let go to its result."""
    session(c, ['--mmu', 'ept', '--vcpus', '2', '--host-cpus', '2', '--gdb-arch', 'x86-64', '--workload', 'boot'], [
        'set architecture i386:x86-64', 'target remote PLACE', 'info threads', 'stepi', 'stepi', 'thread 2',
        'info registers rip', 'detach'],
            [r'Thread 1 \(virtual CPU 0', r'Thread 2 \(virtual CPU 1', r'^rip +0xfff', r'detached'])


def triple_fault(cpu):
    """GDB's breakpoints and steps are not in the way of what a triple fault tells."""
    def run(c):
        kernel = c.guest('triple-fault')
        rest = session(c, ['--kernel', kernel, '--cpu', cpu],
                       ['file %s' % kernel, 'target remote PLACE', 'hbreak test_main', 'continue', 'stepi',
                        'watch *(int *)$esp', 'continue'],
                       [r'^Breakpoint 1, .*test_main'], status=65, quiet=())
        said = re.findall(r'^vellum: guest: exception (#..)', rest, re.M)
        require(said == ['#UD', '#GP', '#GP', '#GP'], 'exceptions %r: %s' % (said, rest[-2000:]))
    return Test('gdb: a triple fault on %s' % cpu, run)


def goes_away(c):
    """A debugger that is killed leaves the guest running, without its breakpoints."""
    session(c, ['--kernel', c.guest('hello'), '--mem', '32M'],
            ['target remote PLACE', 'break *0x100020', 'kill inferiors 99', 'shell kill -9 $PPID'], [])


def tests(everything):
    some = [kernel64('ept'), real_mode('shadow'), Test('gdb: it goes away', goes_away),
            *(triple_fault(cpu) for cpu in ('haswell', 'penryn'))]
    more = [kernel64('shadow'), real_mode('ept'), Test('gdb: Debian\'s kernel, 2 CPUs', linux)]
    return some + (more if everything else [])
