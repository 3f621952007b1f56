"""Virtual machines that go to another run: one of both has them in the end, whatever ends meanwhile."""

import glob
import os
import re
import shutil
import signal

from boots import LIMIT
from control import ask, ctl, until
from runner import Test, require
from sessions import read_until

WAITS = rb'waits for a virtual machine: vellum migrate'


def waits(c, *options):
    """A run that waits for one."""
    p = c.start(['run', '--incoming', '--name', 'there', '--timeout', str(LIMIT)] + list(options))
    read_until(p.stdout.fileno(), WAITS, 60)
    return p


def here(c, kernel, until_it_says, *options):
    p = c.start(['run', '--name', 'here', '--kernel', c.guest(kernel), '--mem', '8M', '--timeout', str(LIMIT)] +
                list(options))
    read_until(p.stdout.fileno(), until_it_says, 60)
    return p


def goes_on(c):
    def exits():
        return ask(c, '--run', 'here', 'stats')['exits']['total']

    require(ask(c, '--run', 'here', 'list')['vms'][0]['state'] != 'paused', 'it stands where it was')
    before = exits()
    until('it goes on', lambda: exits() > before)


def of_a_kernel(c):
    """It has all that it has written, under another mechanism; where it was it is over."""
    b = waits(c, '--mmu', 'shadow')
    require('waits for a virtual machine' in ctl(c, '--run', 'there', 'list', status=1), 'asked for something else')
    a = here(c, 'moved', rb'moved: ready')
    status, text = c.finish(c.start(['migrate', 'here', 'there']), LIMIT)
    require(status == 0 and 'is in the run there' in text, 'status %d: %s' % (status, text))
    _, text = c.finish(a, LIMIT)
    require('moved:' not in text, 'it goes on where it was: %s' % text[-300:])
    require(ask(c, '--run', 'there', 'audit')['audit'] == 'ok', 'its tables are not sound')
    ask(c, '--run', 'there', 'input', '0', '0d')
    status, text = c.finish(b, LIMIT)
    require(status == 0 and re.search(r'^moved: ok', text, re.M), 'status %d: %s' % (status, text[-400:]))


def of_disks(c):
    """Both runs have the same files: one that nobody writes goes, and one that is written stays with its run."""
    disk = c.file('disk', bytes(1 << 20))
    b = waits(c, '--disk', disk)
    a = here(c, 'moved', rb'moved: ready', '--disk', disk)
    status, text = c.finish(c.start(['migrate', 'here', 'there']), LIMIT)
    require(status == 1 and 'it goes on as it was' in text, 'status %d: %s' % (status, text))
    status, text = c.finish(b, LIMIT)
    require(status == 2 and 'another run has it' in text, 'the other run ended with %d: %s' % (status, text[-300:]))
    goes_on(c)
    a.send_signal(signal.SIGTERM)
    c.finish(a, 30)
    b = waits(c, '--disk', disk + ',ro')
    a = here(c, 'moved', rb'moved: ready', '--disk', disk + ',ro')
    status, text = c.finish(c.start(['migrate', 'here', 'there']), LIMIT)
    require(status == 0, 'status %d: %s' % (status, text))
    c.finish(a, LIMIT)
    ask(c, '--run', 'there', 'input', '0', '0d')
    status, text = c.finish(b, LIMIT)
    require(status == 0 and re.search(r'^moved: ok', text, re.M), 'status %d: %s' % (status, text[-400:]))


def child_of(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as f:
        return int(f.read().split()[0])


def taker_of(run):
    """What a run that waits has started to take it over; it is no other's child."""
    with open('/proc/%d/task/%d/children' % (run.pid, run.pid), encoding='ascii') as f:
        for pid in f.read().split():
            with open('/proc/%s/cmdline' % pid, 'rb') as words:
                if b'--takes' in words.read():
                    return int(pid)
    return None


def taker_is_killed(m, b):
    os.kill(until('what takes it over', lambda: taker_of(b)), signal.SIGKILL)


def ended(c, how, why):
    """Something ends while the other run's machine begins."""
    had = set(os.listdir(c.path('tmp')))
    b = waits(c)
    m = c.start(['migrate', 'here', 'guest', 'there'])
    read_until(b.stdout.fileno(), rb'Bochs', 60)
    how(m, b)
    status, text = c.finish(m, LIMIT)
    require(status == 1 and why in text and 'it goes on as it was' in text, 'status %d: %s' % (status, text))
    goes_on(c)
    status, text = c.finish(b, LIMIT)
    require(status != 0 and 'FAIL' not in text, 'the other run ended with %d: %s' % (status, text[-300:]))
    for name in set(os.listdir(c.path('tmp'))) - had:   # of one that was killed
        shutil.rmtree(c.path(os.path.join('tmp', name)))


def fails(c):
    """It goes on where it was, with a sentence."""
    a = here(c, 'stay', rb'stay: ready')
    for words, status, why in ((('here', 'here'), 2, 'is one run'), (('here', 'nowhere'), 2, 'no run named nowhere'),
                               (('here',), 2, 'it is: vellum migrate')):
        got, text = c.finish(c.start(['migrate'] + list(words)), 90)
        require(got == status and why in text, '%s: status %d: %s' % (words, got, text))
    b = waits(c, '--ips', '5000000')
    got, text = c.finish(c.start(['migrate', 'here', 'nobody', 'there']), 90)
    require(got == 2 and 'has no virtual machine nobody' in text, 'status %d: %s' % (got, text))
    got, text = c.finish(c.start(['migrate', 'here', 'there']), LIMIT)
    require(got == 1 and 'the other run has ended' in text, 'status %d: %s' % (got, text))
    got, text = c.finish(b, LIMIT)
    require(got == 2 and 'its clock runs at' in text, 'the other run ended with %d: %s' % (got, text))
    goes_on(c)
    ended(c, lambda m, b: os.kill(b.pid, signal.SIGKILL), 'the other run has ended')
    ended(c, lambda m, b: m.send_signal(signal.SIGINT), 'interrupted')
    ended(c, lambda m, b: os.kill(child_of(m.pid), signal.SIGKILL), 'was killed')
    ended(c, taker_is_killed, 'the other run has ended')
    ended(c, lambda m, b: ctl(c, '--run', 'here', 'resume'), 'it was let go on since it stood for that')
    a.send_signal(signal.SIGTERM)
    c.finish(a, 30)


def killed_behind_go(c):
    """What takes it over is killed as soon as it is to: one of both goes on, and has all that it has written."""
    b = waits(c)
    a = here(c, 'moved', rb'moved: ready')
    m = c.start(['migrate', 'here', 'there'])
    read_until(b.stdout.fileno(), rb'Bochs', 60)
    said = os.path.join(c.path('tmp'), '*', 'incoming.go')
    until('it is to take it', lambda: glob.glob(said) or m.poll() is not None)
    os.kill(taker_of(b), signal.SIGKILL)
    c.finish(m, LIMIT)
    until('one of both is over', lambda: a.poll() is not None or b.poll() is not None)
    name, other, goes = ('here', b, a) if a.poll() is None else ('there', a, b)
    _, text = c.finish(other, LIMIT)
    require('moved: ok' not in text, 'both go on: %s' % text[-300:])
    ask(c, '--run', name, 'input', '0', '0d')
    status, text = c.finish(goes, LIMIT)
    require(status == 0 and re.search(r'^moved: ok', text, re.M), 'status %d: %s' % (status, text[-400:]))


def tests():
    return [Test('migrate: a kernel', of_a_kernel), Test('migrate: with disks', of_disks),
            Test('migrate: what fails', fails),
            Test('migrate: killed when it is to take it', killed_behind_go)]
