"""Runs boot tests: each is one run of the `vellum` command (or a function that makes several), with what must come out
of it.

A test fails also when it leaves a process or a temporary file behind, or takes too long; one that cannot run fails."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import pool     # noqa: E402

MARK = 'VELLUM_BOOT_TEST'

# Limits of a run are of CPU time, since a busy machine must not decide; of the wall's it may take so many times more,
# and the command's own --timeout N, which is the wall's, is put off as far. --timeout=N is what a test is about.
PATIENCE = 10

# Lines of a failed run's output that are shown.
TAIL = 15

# What no run may say, whatever it is about.
NEVER = [r'panic', r'broken promise', r'\bBUG\b', r'Call Trace', r'WARNING: CPU', r'\bOops\b', r'AddressSanitizer',
         r'[Ss]egmentation fault',
         r'free frames only']


class Failure(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Failure(message)


def telling(text):
    """The line of an output that says most about what went wrong."""
    lines = text.strip().splitlines() or ['nothing']
    for pattern in (r'FAIL: ', r'the hypervisor stopped', r'; status [1-9]'):
        for line in lines:
            if re.search(pattern, line):
                return line
    return lines[-1]


def patient(args):
    """The command's arguments, for any machine."""
    after = [''] + list(args[:-1])
    return [str(int(a) * PATIENCE) if before == '--timeout' and a.isdigit() else a
            for before, a in zip(after, args)]


def cpu_seconds(session):
    """The CPU time of the processes of a session, and of those that they have waited for."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid) as f:
                # Behind the name, which may hold anything: the state, the parent, the group, the session, ...
                fields = f.read().rpartition(')')[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf('SC_CLK_TCK')


class Outcome:
    """What one run of the command did."""

    def __init__(self, status, text, report, seconds):
        self.status = status
        self.text = text            # standard output and error
        self.json = report          # the parsed --json file, or None
        self.seconds = seconds      # of CPU time

    def result(self):
        found = re.search(r'^VELLUM-RESULT (.*)$', self.text, re.M)
        return found.group(1).strip() if found else None


class Context:
    """What a test may use: a directory of its own, and runs of the command in it."""

    def __init__(self, runner, name):
        self.runner = runner
        self.vellum = runner.vellum
        self.build = runner.build
        self.dir = tempfile.mkdtemp(prefix='vellum-boot-test-')
        self.mark = uuid.uuid4().hex
        self.said = ''              # by the last run
        self.log = open(os.path.join(runner.logs, re.sub(r'[^A-Za-z0-9_.-]+', '_', name) + '.log'), 'w',
                        errors='replace')
        os.mkdir(os.path.join(self.dir, 'tmp'))

    def guest(self, name):
        return os.path.join(self.build, 'guest', 'test', name + '.elf')

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, name, content):
        path = self.path(name)
        with open(path, 'wb') as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def environment(self):
        """In a time zone that the date of a run has nothing to do with."""
        return dict(os.environ, TMPDIR=self.path('tmp'), XDG_RUNTIME_DIR='', TZ='XYZ7', **{MARK: self.mark})

    def start(self, args, **options):
        """Starts the command as the leader of a session of its own."""
        self.log.write('$ vellum %s\n' % ' '.join("'%s'" % a if re.search(r'[^\w./=,-]', a) else a for a in args))
        self.log.flush()
        usual = dict(env=self.environment(), start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT)
        return subprocess.Popen([self.vellum] + patient(args), **dict(usual, **options))

    def finish(self, process, limit):
        """Waits for the command, limit seconds of its CPU time; (status, text)."""
        end = time.monotonic() + limit * PATIENCE
        output = late = None
        while output is None:
            try:
                output = process.communicate(timeout=1)[0] or b''
            except subprocess.TimeoutExpired:
                if time.monotonic() > end or cpu_seconds(process.pid) > limit:
                    late = 'did not end within %d s of CPU time, or %d s' % (limit, limit * PATIENCE)
                    self.kill_rest()
        text = output.decode(errors='replace').replace('\r', '')
        self.said = text
        self.log.write(text)
        self.log.write('-> status %d\n' % process.returncode)
        require(not late, late)
        return process.returncode, text

    def run(self, args, status=0, expect=(), forbid=(), limit=60, never=NEVER):
        """One run to its end. status: a number, or several that are all right."""
        out = self.path('out.json')
        if os.path.exists(out):
            os.unlink(out)
        before = os.times()
        if args[:1] == ['run'] and '--json' not in args:
            args = ['run', '--json', out] + args[1:]
        got, text = self.finish(self.start(args), limit)
        after = os.times()
        seconds = (after.children_user + after.children_system) - (before.children_user + before.children_system)
        wanted = status if isinstance(status, (tuple, list)) else (status,)
        require(got in wanted, 'status %d, not %s; it said: %s' % (got, ' or '.join(map(str, wanted)), telling(text)))
        for pattern in expect:
            require(re.search(pattern, text, re.M), 'did not say: %s' % pattern)
        for pattern in list(forbid) + list(never):
            found = re.search(pattern, text, re.M)
            require(not found, 'said: %s' % (found.group(0) if found else ''))
        self.check_left()
        parsed = None
        if os.path.exists(out):
            with open(out) as f:
                try:
                    parsed = json.load(f)
                except ValueError as e:
                    raise Failure('the JSON is not well formed: %s' % e) from None
        return Outcome(got, text, parsed, seconds)

    # What the runs of this test left behind.

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open('/proc/%s/environ' % pid, 'rb') as f:
                    if ('%s=%s' % (MARK, self.mark)).encode() in f.read().split(b'\0'):
                        with open('/proc/%s/comm' % pid) as c:
                            found.append((int(pid), c.read().strip()))
            except OSError:
                continue
        return found

    def check_left(self):
        # A killed child may take a moment to go.
        end = time.monotonic() + 3
        while time.monotonic() < end and self.processes():
            time.sleep(0.05)
        left = self.processes()
        require(not left, 'left processes behind: %s' % ', '.join('%s (%d)' % (n, p) for p, n in left))
        files = os.listdir(self.path('tmp'))
        require(not files, 'left files behind in TMPDIR: %s' % ' '.join(files))

    def kill_rest(self):
        for pid, _ in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def close(self):
        self.kill_rest()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Runner:
    def __init__(self, build, logs):
        self.build = os.path.abspath(build)
        self.vellum = os.path.join(self.build, 'vellum')
        self.logs = os.path.abspath(logs)
        self.facts = {}             # what tests leave for the tests that compare them
        shutil.rmtree(self.logs, ignore_errors=True)
        os.makedirs(self.logs)

    def one(self, name, function, facts):
        """Runs a test, in a process of its own (test/pool.py)."""
        why = ''
        self.facts = facts
        context = Context(self, name)
        try:
            function(context)
            context.check_left()
        except Failure as e:
            why = str(e)
        except Exception as e:      # a test that cannot run has failed
            why = 'cannot be run: %s: %s' % (type(e).__name__, e)
        finally:
            if why:
                context.log.write('FAILED: %s\n' % why)
            context.close()
        if len(why) > 400:
            why = why[:400] + ' ...'
        said = context.said.splitlines()[-TAIL:] if why else ()
        return pool.Outcome(int(not why), int(bool(why)), why, said, self.facts)

    def jobs(self, tests):
        def job(t):
            return pool.Job('boots', t.name, lambda facts: self.one(t.name, t.function, facts), t.last)
        return [job(t) for t in tests]


class Test:
    def __init__(self, name, function, last=False):
        self.name = name
        self.function = function
        self.last = last
