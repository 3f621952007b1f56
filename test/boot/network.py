"""Virtio's network cards and random numbers: virtual machines that talk to each other, one that watches, what a packet
costs, and what is refused."""

import hashlib
import os
import re
import time

from control import ctl
from otherend import OtherEnd
from quick import WORDS, quickly
from refusals import refused
from runner import Failure, Test, require
from sessions import on_terminal, read_to_end, read_until

# The workload's checksum for one megabyte.
SUM = '7abb0f329ed80770'


def machines(c, count, more=''):
    guest = ('kernel %(b)s/guest/vmlinux\ninitrd %(b)s/guest/devices.cpio\nmem 96M\nnet lan\n'
             'append console=ttyS0 cryptomgr.notests=1 nopti %(q)s vellum.workload=net:1%(w)s\n' %
             {'b': os.path.abspath(c.build), 'q': WORDS, 'w': ' vellum.watched' if count > 2 else ''})
    return c.file('machines', ''.join('vm %s\n%s%s\n' % (name, guest, more) for name in 'abc'[:count]))


def talk(c, count=2, description='', more=()):
    o = c.run(['run', '--vm', machines(c, count, description), '--timeout', '280'] + list(more), limit=300)
    require(len(re.findall(r'VELLUM-RESULT ok checksum=%s ' % SUM, o.text)) == count, 'not all of them have ended well')
    return [vm['nets']['0'] for vm in o.json['vms']], o


def phase(vm, name):
    return [p for p in vm['phases'].values() if p['name'] == name][0]


def two(mmu, more=()):
    """Pings and a stream arrive whole, and a packet of the stream makes at most two exits, in both together."""
    def run(c):
        (first, second), o = talk(c, 2, 'mmu %s\n' % mmu, more)
        # The last acknowledgement may come to one whose guest has reset its card, or has ended.
        require(first['sent'] == second['received'] + second['dropped_full'] + second['waiting'] +
                first['dropped_unknown'], 'not all has arrived: %s, %s' % (first, second))
        require(first['bytes_sent'] > 1 << 20 and second['sent'] > 50, 'too little: %s, %s' % (first, second))
        exits = sum(phase(vm, 'stream')['exits']['total'] for vm in o.json['vms'])
        # But for what belongs to pings and the beginning, all of them are the stream's.
        packets = first['sent'] + second['sent'] - 2 * 50 - 20
        print('%d exits for some %d packets of a stream: %.2f each' % (exits, packets, exits / packets))
        require(exits <= 2 * packets, '%d exits for %d packets' % (exits, packets))
    return run


def watched(c):
    """A third one sees no frame of the two, and cannot speak as one of them."""
    (first, second, third), _ = talk(c, 3, more=['--host-cpus', '2'])
    require(third['dropped_source'] == 1, 'the frame with the wrong source address: %s' % third)
    require(third['bytes_received'] < 20000 < first['bytes_sent'], 'it has received too much: %s' % third)
    require(first['dropped_source'] == second['dropped_source'] == 0, 'frames of the others: %s, %s' % (first, second))


class Shell:
    """A run with a shell that is typed at."""

    def __init__(self, c, more):
        self.c, self.seen = c, b''
        self.terminal = on_terminal(c, 'run', '-i', '--timeout', '900', *quickly(more))

    def wait(self, pattern, limit=60):
        """limit: seconds, where nothing else runs. A guest that says nothing may stand: what is in it is told then."""
        try:
            self.seen = read_until(self.master, pattern, limit, self.seen)
        except Failure:
            if self.process.poll() is None:
                for words in (['list', '--json'], ['dump']):
                    ctl(self.c, *words)
                    self.c.log.write(self.c.said)
            raise
        return re.search(pattern, self.seen)

    def say(self, line):
        # The shell asks the terminal where its cursor is, and may take the next character for the answer.
        os.write(self.master, b' ' + line.encode() + b'\r')

    def end(self, how='poweroff -f'):
        """Powers off, and waits for the run's end."""
        self.say(how)
        self.seen += read_to_end(self.process, self.master, 60)
        require(self.process.poll() == 0, 'status %s' % self.process.poll())

    def begin(self):
        """Until it can be typed at."""
        self.wait(rb'vellum:[^\r\n]*# ')

    def __enter__(self):
        self.process, self.master = self.terminal.__enter__()
        self.begin()
        return self

    def __exit__(self, *why):
        self.c.log.write(self.seen.decode(errors='replace'))
        self.terminal.__exit__(*why)


def random_numbers(c):
    """Linux finds the source, and reads numbers that differ."""
    with Shell(c, ['--rng']) as s:
        s.say('cat /sys/class/misc/hw_random/rng_current')
        s.wait(rb'virtio_rng\.0')
        s.say('for n in 1 2; do head -c 32 /dev/hwrng | sha256sum | cut -c1-16 | sed s/^/=/; done; echo is it')
        s.wait(rb'\nis it')
        found = re.findall(rb'\n=([0-9a-f]{16})', s.seen)
        require(len(set(found)) == 2, 'numbers: %s' % found)
        s.end()


def way_out(more):
    def run(c):
        """An address by DHCP, a file from this host by HTTP, and the same bytes back to it."""
        host = OtherEnd(os.urandom(2 << 20))
        sum = hashlib.md5(host.bytes).hexdigest()
        with Shell(c, ['--net', 'user'] + more) as s:
            s.say('ip link set eth0 up; udhcpc -i eth0 -n -q; echo =has address')
            s.wait(rb'lease of 10\.0\.2\.\d+ obtained from 10\.0\.2\.2,')
            s.wait(rb'\n=has address')
            s.say('wget -q -O /tmp/f http://10.0.2.2:%d/f; md5sum /tmp/f | sed s/^/=/; echo =has file' %
                  host.server.server_port)
            s.wait(rb'\n=has file')
            require(b'=%s' % sum.encode() in s.seen, 'the file that came is another')
            s.say('echo =date $(date +%s)')
            date = int(s.wait(rb'\n=date (\d+)[\r\n]').group(1))
            require(abs(date - time.time()) < 86400, 'the date there is %s' % time.ctime(date))
            s.say('nc -w 5 10.0.2.2 %d </tmp/f; echo =has sent' % host.listener.getsockname()[1])
            s.wait(rb'\n=has sent')
            s.end()
            require(host.heard == sum, 'what went out is not what came: %s' % host.heard)
            require(b'came back' not in s.seen, 'frames were lost')
            told = re.search(rb'sent \S+ \((\S+) bytes\), received \S+ \((\S+) bytes', s.seen).groups()
            least = min(int(n.replace(b',', b'')) for n in told)
            require(least > len(host.bytes), 'it was counted: %d bytes' % least)
        host.end()
    return run


def refusals(c):
    refused(c, ['run', '--net', 'a b'], 2, r'needs the name of a network')
    refused(c, ['run', '--net', 'lan,mac=01:00:00:00:00:01'], 2, r'the address of one station')
    refused(c, ['run', '--native', '--net', 'lan'], 2, r'mean nothing to it')
    o = c.run(['run', '--rng', '--cpu', 'penryn', '--timeout', '60'], status=67, limit=60)
    require('they come from RDRAND' in o.text, 'it said: %s' % o.text)
    more = 'net lan,mac=52:54:00:00:00:09\n'
    o = c.run(['run', '--vm', machines(c, 2, more + more), '--timeout', '60'], status=67, limit=60)
    require('another card with the same address' in o.text, 'it said: %s' % o.text)


def tests(everything):
    more = [Test('network: two machines under shadow, on two CPUs', two('shadow', ['--host-cpus', '2']))]
    return (more if everything else []) + [
            Test('network: two machines under ept', two('ept')),
            Test('network: a way out, ept', way_out([])),
            Test('network: a way out, shadow, on two CPUs', way_out(['--mmu', 'shadow', '--host-cpus', '2'])),
            Test('network: a third watches', watched), Test('network: random numbers', random_numbers),
            Test('network: refused', refusals)]
