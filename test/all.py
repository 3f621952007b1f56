"""`make test`: everything that the build has made is tested. `main.py BUILD UNIT_BINARY...`; see --help.

One pool runs the unit tests, the oracle's parts and the boots side by side. The last line is "N passed, N failed".
Every test counts once: a cmocka test in a program (built by clang; of all, by gcc again), a part of the oracle's run, a
boot test."""

import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'boot'))

import main as boot     # noqa: E402
import pool             # noqa: E402
import programs         # noqa: E402


def arguments():
    p = argparse.ArgumentParser(description='Runs all tests.')
    p.add_argument('build', help='the directory with what was built')
    p.add_argument('units', nargs='*', metavar='UNIT_BINARY', help='programs of unit tests')
    p.add_argument('--only', metavar='REGEX', help='only the tests whose name it matches')
    p.add_argument('--all', action='store_true', help='the whole matrix, which takes hours')
    p.add_argument('--jobs', type=int, default=pool.AT_ONCE, help='how many at a time (default: %d)' % pool.AT_ONCE)
    return p.parse_args()


def summary(jobs):
    print('%-34s %8s %8s %10s' % ('', 'passed', 'failed', 's of CPU'))
    for kind in dict.fromkeys(j.kind for j in jobs):
        own = [j for j in jobs if j.kind == kind]
        print('%-34s %8d %8d %10.0f' % (kind, *pool.count(own), sum(j.cpu for j in own)))
    for j in jobs:
        if j.outcome.failed:
            print('FAILED: %s' % j.name)


def main():
    a = arguments()
    jobs = [programs.unit(u) for u in a.units]
    jobs += programs.native(a.build) + programs.oracle(a.build, a.all) + programs.tree(a.build, a.all)
    jobs = [j for j in jobs if not a.only or re.search(a.only, j.name)]
    jobs += boot.jobs(a.build, boot.chosen(a.all, a.only))
    if not jobs:
        sys.exit('no test has such a name')
    pool.run(jobs, a.jobs)
    pool.write_times(os.path.join(a.build, 'test.times'), jobs)
    summary(jobs)
    # A name that is no test's any more leaves its test at the end of the row.
    stale = [] if a.only else sorted(set(pool.read_times()) - {j.name for j in jobs})
    for name in stale:
        print('test/times has "%s", which is no test' % name)
    passed, failed = pool.count(jobs)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or stale else 0


if __name__ == '__main__':
    sys.exit(main())
