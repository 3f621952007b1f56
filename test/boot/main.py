"""The boot tests. `main.py BUILD` runs them; see --help."""

import argparse
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import boots        # noqa: E402
import compare      # noqa: E402
import conformance  # noqa: E402
import control      # noqa: E402
import fairness     # noqa: E402
import hostile      # noqa: E402
import hostmemory   # noqa: E402
import matrix       # noqa: E402
import refusals     # noqa: E402
import sessions     # noqa: E402
import switching    # noqa: E402
import speculation  # noqa: E402
import workloads    # noqa: E402
from runner import Runner  # noqa: E402


def main():
    p = argparse.ArgumentParser(description='Runs the boot tests.')
    p.add_argument('build', help='the directory with the vellum command')
    p.add_argument('--only', metavar='REGEX', help='only the tests whose name it matches')
    p.add_argument('--all', action='store_true', help='the whole matrix of mechanisms, guests and CPU models, which takes hours')
    p.add_argument('--list', action='store_true', help='names them and runs none')
    p.add_argument('--jobs', type=int, default=max(2, len(os.sched_getaffinity(0))), help='how many at a time (default: one for each CPU here, at least 2)')
    p.add_argument('--counts', metavar='FILE', help='writes "PASSED FAILED" there')
    a = p.parse_args()
    # The long ones first, so that they do not stand alone at the end.
    tests = matrix.tests(a.all) + boots.tests() + workloads.tests() + switching.tests() + sessions.tests() + control.tests()
    tests += fairness.tests() + hostile.tests() + compare.tests() + hostmemory.tests() + speculation.tests() + conformance.tests() + refusals.tests()
    names = [t.name for t in tests]
    if len(set(names)) != len(names):
        sys.exit('two boot tests have the same name')
    if a.only:
        tests = [t for t in tests if re.search(a.only, t.name)]
    if a.list:
        print('\n'.join(t.name for t in tests))
        return 0
    if not tests:
        sys.exit('no boot test has such a name')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logs = os.path.join(a.build, 'boot-test')
    passed, failed = Runner(a.build, logs).all(tests, a.jobs)
    if failed:
        print('what the tests said is in %s' % logs)
    print('boot tests: %d passed, %d failed' % (passed, failed))
    if a.counts:
        with open(a.counts, 'w') as f:
            f.write('%d %d\n' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
