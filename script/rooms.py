#!/usr/bin/env python3
"""Holds the tree against docs/architecture.md: rooms.py [BUILD].

* The table of rooms: which folders there are, and which a file in them may include headers of.
* The layers: a row names rooms of its own layer and of those below, but for the exceptions that are listed there.
* With BUILD: what their objects call when they are linked lies in the same rooms, and tests link what they test.
* With BUILD: what a file shows to others is used by one, or its declaration says FOR_TESTS; never both.
* A vendor's names stand in its own room only: vendor.py; so do the numbers of exits: codes.py.
* mmu, emulate and dev know nothing of each other, whatever their rows say; a guest knows nothing but lib/.
* The reading order: every file of the hypervisor is in it, or in the list for reference behind it, by its name.
* Every source of the hypervisor, the command and the lab has its test: one of its name, or a line of a table that
  says which; and every unit test is named after what it tests, or spoken of there.
* The Makefile includes every file of mk/, and nothing else; no other files than sources lie in the rooms.

In the table `mmu/addr.h` is one header, `bug()` a function that may be called wherever it is."""

import fnmatch
import glob
import os
import re
import subprocess
import sys

import codes
import vendor

DOCUMENT = 'docs/architecture.md'
LAYERS = 'The layers, and who may call whom'
SOURCES = ('.c', '.h', '.S')
TESTED = ('tool', 'lab')  # beside the hypervisor
HYPERVISOR = ('lib', 'mmu', 'emulate', 'dev', 'host', 'hvm', 'vmx', 'svm', 'vm', 'start')
STRANGERS = ('mmu', 'emulate', 'dev')
OTHER_FILES = ('.ld',)
ASSEMBLER_READS = re.compile(r'"[^"\n]*\.(?:include|incbin)\b')
COMMENT_OR_STRING = re.compile(r'(/\*.*?\*/|//[^\n]*)|"(?:\\.|[^"\\\n])*"', re.S)
# Folders with sources that are nobody's room: what runs in guests, and what tests and measures.
OTHERS = ('bench', 'build', 'guest', 'test')
# Where the objects of the hypervisor, the command and the lab lie under BUILD.
PROGRAMS = ('hyp', 'tool', 'lab')
OUTSIDE = ('main', 'boot_entry', 'library_alloc', 'library_free')  # who calls these is no source of the tree


def section(text, title):
    """The text below a heading, up to the next one of the same level."""
    found = re.search(r'^## %s\n(.*?)(?=^## |\Z)' % re.escape(title), text, re.M | re.S)
    if not found:
        sys.exit('%s has no section "%s"' % (DOCUMENT, title))
    return found.group(1)


def read_rooms(text):
    """{room: names it may use}, from the rows of the table."""
    rooms = {}
    for line in section(text, 'Rooms, and who may use whom').splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        if line.startswith('| `') and len(cells) == 3:
            for room in re.findall(r'`([^`]+)`', cells[0]):
                rooms[room] = set(re.findall(r'`([^`]+)`', cells[2])) | {room}
    return rooms


def read_layers(text):
    """{folder: its layer, counted from the top}, and the exceptions {(name, room)}, from the section of layers."""
    text = section(text, LAYERS)
    layers = {}
    for number, line in enumerate(re.search(r'```\n(.*?)```', text, re.S).group(1).splitlines()):
        for folder in re.findall(r'(\w+(?:/\w+)*)/', line[:25]):
            layers[folder] = number
    return layers, set(re.findall(r'^\* `([^`]+)` of `([^`]+)`', text, re.M))


def layer_of(name, layers):
    """Of a room or a header; None for what has none, as a function."""
    parts = name.split('/')
    return next((layers['/'.join(parts[:n])] for n in (2, 1) if '/'.join(parts[:n]) in layers), None)


def upwards(rooms, layers, exceptions):
    """Rows that name what lies in a higher layer."""
    for room, names in sorted(rooms.items()):
        mine = layer_of(room, layers)
        if mine is None:
            yield 'the room %s is in no layer' % room
            continue
        for name in sorted(names):
            theirs = layer_of(name, layers)
            if theirs is not None and theirs < mine and (name, room) not in exceptions:
                yield 'the row of %s names %s, which lies above it' % (room, name)


def room_of(path, rooms):
    folder = os.path.dirname(path)
    return folder if folder in rooms else None


def includes(path):
    """(line, name, in brackets) of each #include, as the preprocessor sees it: lines joined, without comments. A name
    that is not written there, as that of a macro or what the assembler reads, is None."""
    with open(path, encoding='utf-8') as f:
        text = COMMENT_OR_STRING.sub(lambda found: ' ' + '\n' * found.group(0).count('\n') if found.group(1) else
                                     found.group(0), f.read().replace('\\\n', '\v'))
    number = 0
    for line in text.split('\n'):
        number += 1 + line.count('\v')
        line = line.replace('\v', '')
        found = re.match(r'\s*(?:#|%:|\?\?=|\.)\s*(?:include\w*|import|embed|incbin)\b\s*(.*)', line)
        if ASSEMBLER_READS.search(line):
            yield number, None, None
        if found:
            name = re.match(r'(["<])([^">]+)[">]', found.group(1))
            yield number, name and name.group(2), name and name.group(1) == '<'


def included(path):
    """(line, as written, its path from the top of the tree) of what is the tree's own; as the compiler looks: first
    beside the file. In brackets only what is not a system's is ours."""
    for number, name, system in includes(path):
        beside = os.path.normpath(os.path.join(os.path.dirname(path), name or ''))
        where = beside if name and os.path.exists(beside) else name
        if not system or os.path.exists(where):
            yield number, name, where


def wrong_includes(files, rooms):
    for path in files:
        mine = rooms[room_of(path, rooms)]
        for number, name, where in included(path):
            if not name:
                yield '%s:%d includes what is not written there' % (path, number)
            elif os.path.dirname(where) not in mine and where not in mine:
                yield '%s:%d includes "%s": %s may not use %s' % (
                    path, number, name, os.path.dirname(path), os.path.dirname(where))


def has_sources(top):
    return any(name.endswith(SOURCES) for _, _, names in os.walk(top) for name in names)


def guests_includes():
    """What runs in a guest knows nothing of who runs it, tests it and measures it."""
    for folder, _, names in os.walk('guest'):
        for path in (os.path.join(folder, n) for n in names if n.endswith(SOURCES)):
            for number, name, where in included(path):
                if not name or os.path.dirname(where) != 'lib' and not where.startswith('guest/'):
                    yield '%s:%d includes "%s": a guest knows nothing but lib/' % (path, number, name)


def strangers(rooms):
    """Rows of the three that get what they need from outside as tables of functions, and name one another."""
    for room, names in sorted(rooms.items()):
        for name in sorted(names):
            ours, theirs = room.split('/')[0], name.split('/')[0]
            if ours in STRANGERS and theirs in STRANGERS and ours != theirs:
                yield 'the row of %s names %s: they know nothing of each other' % (room, name)


def unread(tops):
    """Files in the rooms that the rules do not read, and that another could include."""
    for top in sorted(tops):
        for folder, _, names in os.walk(top):
            for path in (os.path.join(folder, n) for n in sorted(names) if not n.endswith(SOURCES + OTHER_FILES)):
                yield '%s is no source that these rules read' % path


def stray_makefiles():
    for path in ['Makefile'] + sorted(glob.glob('mk/*')):
        with open(path, encoding='utf-8') as f:
            for line in re.findall(r'^\s*[-s]?include\s+(.*)', f.read(), re.M):
                if 'patsubst %,mk/%.mk,' not in line and not re.search(r'\.d\b', line):
                    yield '%s includes %s, which is in no list' % (path, line)
    with open('Makefile', encoding='utf-8') as f:
        listed = re.search(r'^include \$\(patsubst %,mk/%\.mk,(.*?)\)$', f.read().replace('\\\n', ' '), re.M)
    listed = listed.group(1).split() if listed else []
    for path in sorted(glob.glob('mk/*')):
        if path not in ['mk/%s.mk' % name for name in listed]:
            yield '%s is in no list of the Makefile' % path


def symbols(build, program, files):
    """{source: (names it defines, names it wants)} of the objects that the program is made of."""
    sources = {}
    for path in files:
        for name in (path + '.o', os.path.splitext(path)[0] + '.o'):
            at = os.path.join(build, program, name)
            if path.endswith(('.c', '.S')) and os.path.exists(at):
                sources[at] = path
    table = {path: (set(), set()) for path in sources.values()}
    if not sources:
        return table
    # One for all of them: each line begins with its object's name.
    said = subprocess.run(['nm', '-A'] + list(sources), check=True, capture_output=True, text=True).stdout
    for line in said.splitlines():
        at, _, rest = line.partition(':')
        words = rest.split()
        if len(words) == 3 and words[1] in 'TDBRVWC':
            table[sources[at]][0].add(words[2])
        elif len(words) == 2 and words[0] == 'U':
            table[sources[at]][1].add(words[1])
    return table


def wrong_calls(build, files, rooms):
    for program in PROGRAMS:
        table = symbols(build, program, files)
        owner = {name: path for path, (defined, _) in table.items() for name in defined}
        for path, (_, wanted) in sorted(table.items()):
            mine = rooms[room_of(path, rooms)]
            for name in sorted(wanted):
                where = None if name.startswith('__') else owner.get(name)  # the compiler's own
                if where and os.path.dirname(where) not in mine and not any(fnmatch.fnmatch(name + '()', m)
                                                                            for m in mine):
                    yield '%s calls %s of %s: %s may not use %s' % (
                        path, name, where, os.path.dirname(path), os.path.dirname(where))


def without_comments(path):
    with open(path, encoding='utf-8') as f:
        return COMMENT_OR_STRING.sub(' ', f.read())


def for_tests(build, files):
    """Names that no other file of the programs uses, and whose declaration does not say FOR_TESTS; or the reverse.
    A header may use what it or another declares, without a call in any object."""
    tables = [symbols(build, program, files) for program in PROGRAMS + ('hyp-svm',)]
    wanted = {name for table in tables for _, names in table.values() for name in names}
    defined = {name: path for table in tables for path, (names, _) in table.items() for name in names}
    headers = ' '.join(without_comments(path) for path in files if path.endswith('.h'))
    said = set(re.findall(r'(?<!define )\bFOR_TESTS\b[^;{]*?\b(\w+)(?:\(|\[\];)', headers))
    used = wanted | set(OUTSIDE) | {n for n in set(defined) - wanted if len(re.findall(r'\b%s\b' % n, headers)) > 1}
    for name, path in sorted(defined.items()):
        if name not in used and name not in said:
            yield '%s of %s is used by no other file: make it static, or say FOR_TESTS' % (name, path)
    for name in sorted(said):
        if name in used or name not in defined:
            yield '%s says FOR_TESTS, and %s' % (name, 'others use it' if name in used else 'is nowhere')


def not_inlined(build):
    """Functions of hvm/hvm.h that are in the image by themselves: each is to be compiled into who asks."""
    said = subprocess.run(['nm', build + '/vellum.elf'], check=True, capture_output=True, text=True).stdout
    return ['%s of hvm/ is called, and not compiled into who asks' % name
            for name in sorted(set(re.findall(r' [tT] (hvm_\w+)', said)))]


def not_read(files, text):
    text = section(text, 'Reading order') + section(text, 'For reference')
    named = re.findall(r'`([\w/*.]+\.[chS])`', text)
    for path in files:
        if path.split('/')[0] in HYPERVISOR and path not in named:
            yield '%s is neither in the reading order nor in the list for reference' % path
    for name in named:
        if not os.path.exists(name):
            yield 'the reading order has %s, which does not exist' % name


def unnamed_tests(text):
    """Unit tests that are named after no source of their room, and that the section does not speak of."""
    for folder, _, names in os.walk('test/unit'):
        room = os.path.relpath(folder, 'test/unit')
        if not os.path.isdir(room):
            if any(n.startswith('test_') for n in names):
                yield '%s has tests of no room' % folder
            continue
        sources = {os.path.splitext(n)[0] for n in os.listdir(room) if n.endswith(SOURCES)}
        for name in (n for n in sorted(names) if re.fullmatch(r'test_.*\.c', n)):
            words = name[5:-2].split('_')
            stems = {'_'.join(words[:n]) for n in range(1, len(words) + 1)}
            if not stems & sources and '`%s/%s`' % (folder, name) not in text:
                yield '%s/%s has the name of no file of %s' % (folder, name, room)


def read_linked(build):
    """What each unit test links, as make has written it down: sets of files."""
    with open(build + '/unit-sources', encoding='utf-8') as f:
        return [set(line.split()) for line in f]


def untested(files, text, linked):
    """Sources without a test of their name, which links them, or a row; rows whose test or sources are not there."""
    rows = {}
    for test, sources in re.findall(r'^\| `(test/[^`]+)` \| (.*) \|$', section(text, "Where a file's test is"), re.M):
        if not os.path.exists(test):
            yield 'the table of tests has %s, which does not exist' % test
        rows.update({source: test for source in re.findall(r'`([^`]+)`', sources)})
    for path in (p for p in files if p.endswith(('.c', '.S')) and p.split('/')[0] in HYPERVISOR + TESTED):
        folder, name = os.path.split(os.path.splitext(path)[0])
        test = 'test/unit/%s/test_%s.c' % (folder, name)
        own = os.path.exists(test) and (not linked or any({test, path} <= sources for sources in linked))
        if own == (path in rows) and (linked or not own):  # what a test links only BUILD says
            yield '%s has %s' % (path, 'a test of its name and a row in the table' if own else 'no test')
    for source in sorted(set(rows) - set(files)):
        yield 'the table of tests has %s, which does not exist' % source
    yield from unnamed_tests(section(text, "Where a file's test is"))


def main():
    with open(DOCUMENT, encoding='utf-8') as f:
        text = f.read()
    rooms = read_rooms(text)
    tops = {r.split('/')[0] for r in rooms}
    files = sorted(os.path.join(folder, name) for top in tops for folder, _, names in os.walk(top) for name in names
                   if name.endswith(SOURCES))
    faults = ['%s: its folder is not in the table of rooms' % p for p in files if not room_of(p, rooms)]
    faults += ['%s/ has sources and is not in the table of rooms' % top for top in sorted(os.listdir('.'))
               if top not in tops and top not in OTHERS and has_sources(top)]
    faults += list(upwards(rooms, *read_layers(text))) + list(strangers(rooms)) + list(guests_includes())
    faults += list(stray_makefiles()) + list(unread(tops))
    if not faults:
        faults = list(wrong_includes(files, rooms)) + list(vendor.wrong_words(files, HYPERVISOR + TESTED))
        faults += list(vendor.wrong_speech(files, section(text, LAYERS), DOCUMENT)) + list(codes.wrong_codes(files))
        faults += list(not_read(files, text))
        faults += list(untested(files, text, read_linked(sys.argv[1]) if len(sys.argv) > 1 else None))
        if len(sys.argv) > 1:
            faults += list(wrong_calls(sys.argv[1], files, rooms)) + not_inlined(sys.argv[1])
            faults += list(for_tests(sys.argv[1], files))
    for fault in faults:
        print(fault)
    print('%d files in %d rooms, %d faults' % (len(files), len(rooms), len(faults)))
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
