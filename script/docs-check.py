#!/usr/bin/env python3
"""The figures of README.md and docs/*.md that a command prints, held against that command.

    script/docs-check.py BUILD [--only REGEX] [--list] [--keep DIRECTORY]

A block of the documents that is a session has a comment before it, which a reader of the page does not see:

    <!-- docs-check 5%: run --no-rdrand; ctl list -->

What follows the colon are `vellum` commands, one after the other; `&` before one has it run beside those behind it, and
`$` before one says that it is another program, as bench/swap.py. BUILD stands for the build, WORK for a directory of
the command's own.
Each line of the block, in its order, must be a line of what they print: words as they are, spaces as they like, numbers
as near as the percentage says. "[...]" stands for lines, or for the rest of one; lines that begin with "$" are the
commands, and those that tell how long this computer took are not looked at; with "5% but addresses" nor are numbers
behind "0x", which any build moves, nor which release of its kernel Debian has now. Tables and sentences are in
script/docs_tables.py. REGEX is searched in "DOCUMENT COMMANDS" and "DOCUMENT TABLE", so that documents can be looked at
one by one. With --keep what a command has printed is kept, and a check that was interrupted goes on behind it, as long
as hypervisor and command are the same.
Status 1 where a figure has grown old, or nothing is found where one was."""

import argparse
import glob
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

from docs_tables import NUMBER, SENTENCES, TABLES, bench_tables, value

MARK = re.compile(r'<!-- docs-check (\d+)%( but addresses)?: (.*?) -->\n+```\n(.*?)```', re.S)
RELEASE = re.compile(r'\b\d+\.\d+\.\d+-\d+\b(?: \(\d{4}-\d\d-\d\d\))?')
OWN_TIME = re.compile(r'^Bochs [\d.]+: [\d.]+ s, of which')
TIMEOUT = 1200


class Runs:
    """Commands, each carried out once."""

    def __init__(self, build, keep):
        self.build = build
        self.vellum = os.path.join(build, 'vellum')
        self.keep = keep
        self.seen = {}
        self.this_build = hashlib.sha256()
        for name in ('vellum', 'vellum.elf'):
            with open(os.path.join(build, name), 'rb') as f:
                self.this_build.update(f.read())

    def once(self, command, carry_out):
        """What it has given: now, before, or in a check that was interrupted."""
        if command in self.seen:
            return self.seen[command]
        name = self.this_build.copy()
        name.update(command.encode())
        kept = self.keep and os.path.join(self.keep, name.hexdigest()[:32] + '.json')
        if kept and os.path.exists(kept):
            with open(kept, encoding='utf-8') as f:
                self.seen[command] = json.load(f)
            return self.seen[command]
        result = self.seen[command] = carry_out()
        if kept:
            os.makedirs(self.keep, exist_ok=True)
            with open(kept + '.new', 'w', encoding='utf-8') as f:
                json.dump(result, f)
            os.rename(kept + '.new', kept)
        return result

    def program(self, command):
        """What another program prints."""
        def carry_out():
            print('  ' + command, flush=True)
            words = [w.replace('BUILD', self.build) for w in shlex.split(command)]
            return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                  text=True, errors='replace', timeout=2 * TIMEOUT, check=False).stdout
        return self.once('$ ' + command, carry_out)

    def bench(self):
        """The tables of bench/exits.sh, as {(title, row, column): figure}."""
        return dict(bench_tables(self.program('bench/exits.sh BUILD')))

    def __call__(self, args):
        """(what it printed, its JSON or None)."""
        return self.once(args, lambda: self.run(args))

    def run(self, args):
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, 'run.json')
            more = ['--json', path] if args.startswith(('run ', 'compare ')) and '--json' not in args else []
            print('  vellum ' + args, flush=True)
            words = [re.sub(r'^WORK(?=$|/)', work, w).replace('BUILD', self.build) for w in args.split()]
            p = subprocess.run([self.vellum] + words + more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors='replace', timeout=TIMEOUT, check=False)
            data = None
            if os.path.exists(path):
                with open(path, encoding='utf-8') as f:
                    data = json.load(f)
            return p.stdout, data

    def session(self, commands):
        """Those of a mark, which may have one of them beside the others."""
        out, beside = '', []
        name = 'docs-check-%d' % os.getpid()
        try:
            for command in commands.split('; '):
                if command.startswith('& '):
                    print('  vellum ' + command, flush=True)
                    beside.append(subprocess.Popen([self.vellum] + command[2:].split() + ['--name', name, '--quiet'],
                                                   stdout=subprocess.DEVNULL))
                    self.wait_for(name)
                elif command.startswith('$ '):
                    out += self.program(command[2:])
                elif beside:
                    verb, rest = command.split(None, 1)
                    out += self.run('%s --run %s %s' % (verb, name, rest))[0]
                else:
                    out += self(command)[0]
        finally:
            for p in beside:
                p.terminate()
                p.wait()
        return out

    def wait_for(self, name):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            p = subprocess.run([self.vellum, 'ctl', '--run', name, 'list'], capture_output=True, text=True, check=False)
            if p.returncode == 0 and 'running' in p.stdout:
                time.sleep(8)
                return
            time.sleep(0.5)
        raise SystemExit('docs-check: the run beside it has not begun')


def near(told, found, percent):
    """The least figure of what is told may be rounded besides."""
    digits = told.replace(',', '')
    unit = 10.0 ** -len(digits.partition('.')[2])
    if '.' not in digits:
        unit = 10.0 ** (len(digits) - len(digits.rstrip('0'))) if digits.strip('0') else 1
    return abs(value(told) - found) <= max(found * percent / 100.0, unit)


def same(told, line, percent, addresses):
    """Is a line of a document the line of an output?"""
    told, rest = told.rstrip(), False
    told, line = (RELEASE.sub('RELEASE', t) for t in (told, line))
    if not addresses:
        told, line = (re.sub(r'\b0x[0-9a-f]+', '0x', t) for t in (told, line))
    if told.endswith('[...]'):
        told, rest = told[:-5].rstrip(), True
    words = [NUMBER.sub('#', t).split() for t in (told, line)]
    if rest:
        words[1] = words[1][:len(words[0])]
    if words[0] != words[1]:
        return False
    return all(near(a, value(b), percent) for a, b in zip(NUMBER.findall(told), NUMBER.findall(line)))


def stale_lines(block, out, percent, addresses):
    """The lines of the block that are not in out, behind those before them."""
    lines, at = out.splitlines(), 0
    for told in block.splitlines():
        if not told.strip() or told.strip() == '[...]' or told.startswith('$') or OWN_TIME.match(told):
            continue
        for n in range(at, len(lines)):
            if same(told, lines[n], percent, addresses):
                at = n + 1
                break
        else:
            yield told


def figures(runs, only):
    """(document, what, told, found, percent) of tables and sentences; told or found None: it is not there."""
    for path, table in TABLES:
        if re.search(only, '%s %s' % (path, table.__name__)):
            yield from ((path, *f) for f in table(runs, read(path)))
    for path, pattern, sentence in SENTENCES:
        if re.search(only, '%s %s' % (path, sentence.__name__)):
            found = re.search(pattern, read(path), re.S)
            if found:
                yield from ((path, *f) for f in sentence(runs, found.groups()))
            else:
                yield path, sentence.__name__, None, None, 0


def list_figures(only):
    for path, what in (*((p, t) for p, t in TABLES), *((p, s) for p, _, s in SENTENCES)):
        if re.search(only, '%s %s' % (path, what.__name__)):
            print('%s: %s' % (path, what.__name__))


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('--only', default='')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', default='')
    a = parser.parse_args()
    runs, looked, faults = Runs(a.build, a.keep), 0, 0
    for path in ['README.md'] + sorted(glob.glob('docs/*.md')):
        for percent, no_addresses, commands, block in MARK.findall(read(path)):
            if not re.search(a.only, '%s %s' % (path, commands)):
                continue
            looked += 1
            if a.list:
                print('%s: %s' % (path, commands))
                continue
            for line in stale_lines(block, runs.session(commands), float(percent), not no_addresses):
                faults += 1
                print('%s: "%s" is not what %s prints' % (path, line.strip(), commands))
    if a.list:
        list_figures(a.only)
    for path, what, told, found, percent in () if a.list else figures(runs, a.only):
        looked += 1
        if told is None or found is None or not near(told, found, percent):
            faults += 1
            print('%s: %s: told %s, found %s' % (path, what, told, 'nothing' if found is None else '%.6g' % found))
    if a.list:
        return 0
    print('%d sessions and figures of the documents looked at, %d of them old' % (looked, faults))
    return 1 if faults or not looked else 0


if __name__ == '__main__':
    sys.exit(main())
