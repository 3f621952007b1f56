#!/usr/bin/env python3
"""Holds the numbers of the invariants against each other: each stands once at the head of a sentence in a comment of
the tree, as " * RL1  The timers ..." does, so that a test, an assertion or a mutant that names it means one rule."""

import os
import re
import sys

HEAD = re.compile(r'^ \* +([A-Z]{1,3}[0-9]+[a-z]?)(?:[: ] *)[A-Za-z]')
OTHERS = re.compile(r'(CR|DR|XCR|INT)[0-9]')  # what the manuals call so
TOO_FEW = 60  # the pattern finds none any more


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    where, faults = {}, 0
    for folder, folders, names in os.walk('.'):
        folders[:] = sorted(f for f in folders if f not in ('build', '.git'))
        for path in (os.path.normpath(os.path.join(folder, n)) for n in sorted(names) if n.endswith(('.c', '.h'))):
            with open(path, encoding='utf-8') as f:
                for number, line in enumerate(f, 1):
                    found = HEAD.match(line)
                    if found and not OTHERS.match(found.group(1)):
                        where.setdefault(found.group(1), []).append('%s:%d' % (path, number))
    for name, places in sorted(where.items()):
        if len(places) > 1:
            faults += 1
            print('%s stands in more than one place: %s' % (name, ', '.join(places)))
    print('%d numbered invariants, %d of them more than once' % (len(where), faults))
    sys.exit(1 if faults or len(where) < TOO_FEW else 0)


if __name__ == '__main__':
    main()
