"""The tests that are programs of their own, as jobs (pool.py): the unit tests, the oracle, and what looks at the tree.
All are built by then."""

import os
import re
import subprocess

import pool

MECHANISMS = ('ept', 'shadow', 'vtlb', 'brute')
LAYOUTS = ('long64', 'flat32', 'small32', 'code16')
# Random instructions on the CPU and in the emulator, in all.
NATIVE_CASES = 4000000
# Checked accesses of each mechanism, at random; and of those where vCPUs come in the middle of each other's steps.
ORACLE_ACCESSES = int(os.environ.get('ORACLE_ACCESSES', 3000000))
INTERLEAVED_ACCESSES = int(os.environ.get('INTERLEAVED_ACCESSES', 2600000))
# Executions of each short sequence, when that is not the end of them: as a part of `make test`, and of `make test-all`.
EXECUTIONS, EXECUTIONS_ALL = 20, 5000
REPLAYS = 'test/oracle/replays'
ORACLE_SEED = os.environ.get('ORACLE_SEED', '1')

# Seconds that a unit test may take; and anything else.
UNIT_LIMIT, LIMIT = 600, 1800
# Lines of a failed one's output that are shown; characters of the last line of a good one's.
TAIL, REMARK = 30, 160


def finish(argv, log, limit, more):
    """(status, output)"""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, 'wb') as f:
        try:
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT, timeout=limit,
                                    env=dict(os.environ, **more)).returncode
        except subprocess.TimeoutExpired:
            status = 'none: did not end within %d s' % limit
        except OSError as e:
            status = 'none: %s' % e
    with open(log, errors='replace') as f:
        return status, f.read()


def cmocka(kind, name, argv, log, more, limit):
    """A program of cmocka tests: each counts."""
    def run(_):
        status, said = finish(argv, log, limit, more)
        good, skipped = (len(re.findall(r'^\[  %s \]' % what, said, re.M)) for what in ('     OK', 'SKIPPED'))
        bad = len(set(re.findall(r'^\[  FAILED  \] ([^0-9].*)', said, re.M)))
        if status != 0 or good + skipped == 0:
            return pool.Outcome(good, max(1, bad), 'status %s' % status, said.splitlines()[-TAIL:])
        return pool.Outcome(good, bad, '%d tests' % good + (', %d skipped' % skipped if skipped else ''))
    return pool.Job(kind, name, run)


def unit(path):
    return cmocka('unit tests', 'unit test: %s' % '/'.join(path.split('/')[-2:]), [path], path + '.log', {}, UNIT_LIMIT)


def program(build, kind, name, argv, more={}):
    """A program that succeeds or does not: one test."""
    log = os.path.join(build, 'test', re.sub(r'[^A-Za-z0-9_.-]+', '_', name) + '.log')

    def run(_):
        status, said = finish(argv, log, LIMIT, more)
        lines = said.splitlines()
        if status != 0:
            return pool.Outcome(0, 1, 'status %s' % status, lines[-TAIL:])
        return pool.Outcome(1, 0, re.sub(r' +', ' ', lines[-1])[:REMARK] if lines else '')
    return pool.Job(kind, name, run)


def native(build):
    """Ten million instructions, on this CPU and in the emulator: by kind of code."""
    def job(layout):
        return cmocka('the emulator beside this CPU', 'beside this CPU: ' + layout,
                      [os.path.join(build, 'emulate-native'), 'test_' + layout],
                      os.path.join(build, 'test', 'beside_%s.log' % layout), {'EMULATE_CASES': str(NATIVE_CASES)},
                      LIMIT)
    return [job(layout) for layout in LAYOUTS]


def interleaved(build, everything, job):
    """vCPUs that come in the middle of each other's steps: at random; short sequences in every order, the longest cut
    off at so many executions; and as real threads."""
    def most():
        return EXECUTIONS_ALL if everything else EXECUTIONS
    path, replays = 'interleave/oracle', 'test/oracle/interleaved'
    jobs = [job('%s interleaved' % m, path, ['--interleave', '--mechanism', m, '--seed', ORACLE_SEED, '--accesses',
                                             str(INTERLEAVED_ACCESSES)]) for m in MECHANISMS]
    jobs += [job('%s in every order' % m, 'explore/explore', ['--most', str(most()), '--mechanism', m])
             for m in MECHANISMS]
    jobs += [job('the search of every order', 'explore/explore', ['--itself'])]
    jobs += [job('again: ' + name, path, ['--replay', os.path.join(replays, name)])
             for name in sorted(os.listdir(replays))]
    return jobs + [job('interleaved, every invariant', 'interleave-asan/oracle',
                       ['--interleave', '--thorough', '--seed', '900001', '--runs', '4', '--rounds', '60'],
                       {'ASAN_OPTIONS': 'detect_leaks=0'}),
                   job('threads', 'threads/threads', []), job('lapic threads', 'threads/lapic_threads', [])]


def oracle(build, everything):
    """The mechanisms against the model: every combination of permission bits; random sequences; what once failed; and
    random sequences, shorter, with sanitizers and every invariant checked after every step."""
    def job(name, path, argv, more={}):
        return program(build, 'the mechanisms against the model', 'oracle: ' + name, [os.path.join(build, path)] + argv,
                       more)
    jobs = [job('all of %s' % m, 'oracle/exhaustive', ['--mechanism', m]) for m in MECHANISMS]
    jobs += [job('%s at random' % m, 'oracle/oracle', ['--mechanism', m, '--covered', '--seed', ORACLE_SEED,
                                                       '--accesses', str(ORACLE_ACCESSES)]) for m in MECHANISMS]
    jobs += [job('again: ' + name, 'oracle/oracle', ['--replay', os.path.join(REPLAYS, name)])
             for name in sorted(os.listdir(REPLAYS))]
    return jobs + interleaved(build, everything, job) + [
                   job('every invariant after every step', 'oracle-asan/oracle',
                       ['--thorough', '--seed', '900001', '--runs', '6', '--steps', '400'],
                       {'ASAN_OPTIONS': 'detect_leaks=0'})]


def tree(build, everything):
    """What looks at the tree as a whole."""
    check = ['script/docs-check.py', build, '--keep', os.path.join(build, 'docs-check')]
    more = (('figures of the documents, and what prints them', check),) if everything else ()
    return [program(build, 'the tree', *p) for p in more + (
        ('the figures of docs/mmu.md', ['script/figures-check.sh', build]),
        ('the rooms, who uses whom, and the reading order', ['script/rooms.py', build]),
        ('how long lines, functions and files are', ['script/sizes.py']),
        ('the numbers of the invariants', ['script/numbers.py']),
        ('adding a mechanism, a device and the like', ['script/adding.sh', build]),
        ('recording programs', ['test/lab/record.sh', build]),
        ("the lab's commands", ['test/lab/commands.sh', build]))]
