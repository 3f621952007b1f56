"""The boot tests. `main.py BUILD` runs them; see --help."""

import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import balloon      # noqa: E402
import boots        # noqa: E402
import compare      # noqa: E402
import conformance  # noqa: E402
import consoles     # noqa: E402
import control      # noqa: E402
import disks        # noqa: E402
import debugger     # noqa: E402
import dirty        # noqa: E402
import fairness     # noqa: E402
import firmware     # noqa: E402
import foreign      # noqa: E402
import hostile      # noqa: E402
import hostmemory   # noqa: E402
import ide          # noqa: E402
import images       # noqa: E402
import inspecting   # noqa: E402
import irql         # noqa: E402
import lives        # noqa: E402
import matrix       # noqa: E402
import memory       # noqa: E402
import merging      # noqa: E402
import migrating    # noqa: E402
import moves        # noqa: E402
import network      # noqa: E402
import panics       # noqa: E402
import qemu         # noqa: E402
import refusals     # noqa: E402
import ryzen        # noqa: E402
import schedule     # noqa: E402
import screen       # noqa: E402
import sessions     # noqa: E402
import smp          # noqa: E402
import snapshot     # noqa: E402
import switching    # noqa: E402
import speculation  # noqa: E402
import top          # noqa: E402
import tracing      # noqa: E402
import workloads    # noqa: E402
from runner import Runner, pool  # noqa: E402

PARTS = (boots, schedule, workloads, switching, sessions, control, dirty, top, fairness, hostile, compare,
         speculation, conformance, refusals, panics,
         tracing, inspecting, consoles, migrating)


def chosen(everything, only):
    """The tests, as jobs; everything: with the whole matrix; only: an expression that their names must match."""
    tests = matrix.tests(everything) + (schedule.storms() if everything else []) + lives.tests(everything)
    tests += smp.tests(everything) + debugger.tests(everything) + disks.tests(everything)
    tests += foreign.tests(everything) + ide.tests(everything) + memory.tests(everything)
    tests += ryzen.tests(everything) + snapshot.tests(everything) + moves.tests(everything) + images.tests(everything)
    tests += irql.tests(everything) + screen.tests(everything) + merging.tests(everything) + balloon.tests(everything)
    tests += network.tests(everything)
    tests += firmware.tests(everything) + qemu.tests(everything) + hostmemory.tests(everything)
    tests += [t for part in PARTS for t in part.tests()]
    names = [t.name for t in tests]
    if len(set(names)) != len(names):
        sys.exit('two boot tests have the same name')
    return [t for t in tests if not only or re.search(only, t.name)]


def jobs(build, tests):
    return Runner(build, os.path.join(build, 'boot-test')).jobs(tests)


def arguments():
    p = argparse.ArgumentParser(description='Runs the boot tests.')
    p.add_argument('build', help='the directory with the vellum command')
    p.add_argument('--only', metavar='REGEX', help='only the tests whose name it matches')
    p.add_argument('--all', action='store_true',
                   help='the whole matrix of mechanisms, guests and CPU models, which takes hours')
    p.add_argument('--list', action='store_true', help='names them and runs none')
    p.add_argument('--jobs', type=int, default=pool.AT_ONCE, help='how many at a time (default: %d)' % pool.AT_ONCE)
    return p.parse_args()


def main():
    a = arguments()
    tests = chosen(a.all, a.only)
    if a.list:
        print('\n'.join(t.name for t in tests))
        return 0
    if not tests:
        sys.exit('no boot test has such a name')
    done = pool.run(jobs(a.build, tests), a.jobs)
    passed, failed = pool.count(done)
    if failed:
        print('what the tests said is in %s' % os.path.join(a.build, 'boot-test'))
    print('boot tests: %d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
