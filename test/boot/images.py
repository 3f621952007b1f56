"""Disks with an installed Debian: made, booted, written, booted again (tool/image)."""

import os

from network import Shell
from refusals import usage
from runner import Test, require

MB = 1 << 20


class Login(Shell):
    """A run of an installed system, of which root is logged in."""

    def begin(self):
        self.wait(rb'login: ', 1500)
        os.write(self.master, b'root\r')   # a name does not begin with a space
        self.prompt()

    def prompt(self):
        self.wait(rb'root@vellum:[^\r\n]*# ', 200)
        self.seen = b''

    def end(self, how='poweroff'):
        super().end(how)


def updates(s):
    """The lists of packages, from where this computer has its own."""
    s.say('apt-get update; echo =ended with $?')
    s.wait(rb'[\r\n]=ended with \d+', 1500)
    require(b'=ended with 0' in s.seen and b'E: ' not in s.seen, 'apt-get update: %s' % s.seen[-500:])
    s.prompt()


def installed(more, memory, ways, then=None):
    """It boots by a firmware, GRUB and its own kernel to a login; what is written there is there the next time. then:
    what else is done there the first time."""
    def run(c):
        disk = c.path('debian.img')
        c.run(['image', 'debian', disk] + more, expect=[r'debian\.img is made'], limit=600)
        require(os.stat(disk).st_blocks * 512 < os.stat(disk).st_size, 'the file is not sparse')
        for n, (bios, mechanism) in enumerate(ways):
            net = ['--net', 'user'] if then and n == 0 else []
            with Login(c, ['--bios', bios, '--disk', disk, '-m', memory, '--mmu', mechanism] + net) as s:
                if n == 0 and then:
                    then(s)
                if n > 0:
                    s.say('cat kept')
                    s.wait(rb'[\r\n]%d is kept' % n)
                    s.prompt()
                s.say('echo %d is kept > kept' % (n + 1))
                s.prompt()
                s.end()
    return run


def tests(everything):
    ways = (('seabios', 'ept'), ('ovmf', 'ept'), ('seabios', 'shadow'))
    small = [Test('image: a small Debian', installed(['--small', '--size', '512M'], '512M', ways)),
             Test('image: a Debian', installed([], '512M', ways, updates))]
    return (small if everything else []) + [
        usage('an image of what is not there', ['image', 'hurd', '@/x'], r'no system hurd'),
        usage('an image without a name', ['image', 'debian'], r'name of the disk'),
        usage('an image with a name too many', ['image', 'debian', '@/x', '@/y'], r'one name too many'),
        usage('an image that cannot be written', ['image', 'debian', '@/no/x'], r'cannot be written: No such file'),
        usage('an image of no size', ['image', 'debian', '@/x', '--size', '1M'], r'from 256M to 2048G'),
        usage('an image of an odd size', ['image', 'debian', '@/x', '--size', '1048577K'], r'whole megabytes'),
        usage('an image of a bad suite', ['image', 'debian', '@/x', '--suite', 'a b'], r'cannot be in it'),
        usage('an image with an option as a suite', ['image', 'debian', '@/x', '--suite', '--x'], r'needs a name'),
        usage('an image with a package that is none', ['image', 'debian', '@/x', '--include', 'a;b'],
              r'cannot be in it'),
        usage('an image with a command line of several', ['image', 'debian', '@/x', '--append', 'a}'],
              r'cannot be in it'),
        usage('an image from nowhere', ['image', 'debian', '@/x', '--mirror', '@/no'], r'no URL, and no file'),
        usage('an image with an option that is none', ['image', 'debian', '@/x', '--big'], r'no option --big'),
        usage('an image with half an option', ['image', 'debian', '@/x', '--size'], r'--size needs a value')]
