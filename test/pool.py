"""Runs tests side by side, each in a process of its own: the longest first, so that none stands alone at the end.

What a test takes is what it took (test/times); what is not in there begins last. Those that compare what the others
found come when all the others are over. A test that cannot run has failed."""

import os
import pickle
import signal
import sys
import tempfile
import time


class Outcome:
    """What came of a test: how many of its parts passed and failed; what is to be shown; what it leaves for those that
    compare."""

    def __init__(self, passed, failed, why='', lines=(), facts=None):
        self.passed = passed
        self.failed = failed
        self.why = why
        self.lines = list(lines)
        self.facts = facts or {}


class Job:
    """function(facts) gives the Outcome; kind is the group it is counted in."""

    def __init__(self, kind, name, function, last=False):
        self.kind = kind
        self.name = name
        self.function = function
        self.last = last
        self.outcome = None
        self.seconds = self.cpu = 0.0


class Running:
    """A job's process. Its outcome comes in a file without a name."""

    def __init__(self, job, facts):
        self.job = job
        self.answer = tempfile.TemporaryFile()
        self.start = time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self.work(facts)

    def work(self, facts):
        status = 1
        try:
            pickle.dump(self.job.function(facts), self.answer)
            self.answer.flush()
            status = 0
        except (KeyboardInterrupt, SystemExit):
            pass
        except BaseException as e:
            print('%s: %s: %s' % (self.job.name, type(e).__name__, e), file=sys.stderr)
        finally:
            os._exit(status)

    def ended(self, status, usage):
        """Its CPU time is that of all the processes that it waited for."""
        self.job.seconds = time.monotonic() - self.start
        self.job.cpu = usage.ru_utime + usage.ru_stime
        if status == 0:
            self.answer.seek(0)
            self.job.outcome = pickle.load(self.answer)
        else:
            self.job.outcome = Outcome(0, 1, 'the test itself ended with wait status %d' % status)
        self.answer.close()


def merge(into, new):
    for key, value in new.items():
        if isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def show(job):
    o = job.outcome
    print('%-4s %s (%.1f s, %.1f s of CPU)%s' %
          ('FAIL' if o.failed else 'ok', job.name, job.seconds, job.cpu, ': ' + o.why if o.why else ''))
    for line in o.lines:
        print('     | ' + line)
    sys.stdout.flush()


class Pool:
    def __init__(self, at_once, times):
        self.at_once = at_once
        self.times = times          # name -> seconds of CPU
        self.facts = {}
        self.running = {}

    def drain(self, waiting):
        while waiting or self.running:
            while waiting and len(self.running) < self.at_once:
                r = Running(waiting.pop(0), self.facts)
                self.running[r.pid] = r
            pid, status, usage = os.wait4(-1, 0)
            r = self.running.pop(pid, None)
            if r:
                r.ended(status, usage)
                merge(self.facts, r.job.outcome.facts)
                show(r.job)

    def stop(self):
        for pid in self.running:
            os.kill(pid, signal.SIGTERM)
        for pid in self.running:
            os.waitpid(pid, 0)
        self.running.clear()

    def run(self, jobs):
        """Runs them all; each has its outcome then."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self.drain(sorted((j for j in jobs if not j.last), key=lambda j: -self.times.get(j.name, 0)))
            self.drain([j for j in jobs if j.last])
        except KeyboardInterrupt:
            sys.exit(130)
        finally:
            self.stop()


# One more than CPUs, for some wait for a clock, or for each other.
AT_ONCE = 1 + len(os.sched_getaffinity(0))
TIMES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'times')
# A test that takes so many seconds of CPU belongs into it.
LONG = 3


def read_times():
    with open(TIMES) as f:
        rows = [line.split(None, 1) for line in f if line.strip() and not line.startswith('#')]
    return {name.strip(): float(seconds) for seconds, name in rows}


def write_times(path, jobs):
    """What the tests took, in the form of test/times."""
    with open(path, 'w') as f:
        f.write('# Seconds of CPU of the tests that take %d and more, the longest first: the order in which they\n'
                '# begin. `make test` writes what they took to build/test.times.\n' % LONG)
        for j in sorted(jobs, key=lambda j: (-round(j.cpu), j.name)):
            if round(j.cpu) >= LONG:
                f.write('%4.0f %s\n' % (j.cpu, j.name))


def run(jobs, at_once):
    Pool(at_once, read_times()).run(jobs)
    return jobs


def count(jobs):
    return sum(j.outcome.passed for j in jobs), sum(j.outcome.failed for j in jobs)
