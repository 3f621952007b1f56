#!/usr/bin/env python3
"""Holds the tree against docs/architecture.md: rooms.py [BUILD].

* The table of rooms: which folders there are, and which a file in them may include headers of.
* The layers: a row names rooms of its own layer and of those below, but for the exceptions that are listed there.
* With BUILD: what their objects call when they are linked lies in the same rooms.
* A vendor's names (VMCS fields, VMX instructions) stand in its own room only, its functions in that of the neutral
  interface besides. Its words stand in no comment elsewhere, but in titles of the manual and where the list says so.
* The reading order: every file of the hypervisor is in it, or in the list for reference behind it.

In the table `mmu/addr.h` is one header, `bug()` a function that may be called wherever it is."""

import fnmatch
import glob
import os
import re
import subprocess
import sys

DOCUMENT = 'docs/architecture.md'
SOURCES = ('.c', '.h', '.S')
HYPERVISOR = ('lib', 'mmu', 'emulate', 'dev', 'host', 'hvm', 'vmx', 'vm')
# The virtualization extension of one vendor, and where it may be spoken of.
VENDOR_WORDS = ((re.compile(r'\b(VMCS_\w+|vmread|vmwrite|EXIT_REASON\w*|PIN_[A-Z]\w+|PROC2?_[A-Z]\w+|'
                            r'(?:EXIT|ENTRY)_(?:LOAD|SAVE|HOST|ACK|IA32E)\w*)\b'), ('vmx',)),
                (re.compile(r'\b(vmx_\w+)\b'), ('vmx', 'hvm')))
# What is said of the virtual CPU, by its vendor; and where a comment speaks of any vendor's.
SPOKEN = re.compile(r'\b(VMCS|VMX|[Qq]ualifications?)\b')
NEUTRAL = ('mmu', 'emulate', 'dev', 'host', 'hvm', 'vm')
COMMENT, TITLE = re.compile(r'/\*.*?\*/', re.S), re.compile(r'"[^"]*"')
# Folders with sources that are nobody's room: what runs in guests, and what tests and measures.
OTHERS = ('bench', 'build', 'guest', 'test')
# Where the objects of the hypervisor, the command and the lab lie under BUILD.
PROGRAMS = ('hyp', 'tool', 'lab')


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
    text = section(text, 'The layers, and who may call whom')
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


def wrong_includes(files, rooms):
    for path in files:
        mine = rooms[room_of(path, rooms)]
        with open(path, encoding='utf-8') as f:
            for number, line in enumerate(f, 1):
                found = re.match(r'\s*#\s*include *(["<])([^">]+)[">]', line)
                beside = os.path.dirname(path) + '/' + found.group(2) if found else ''
                # As the compiler looks: first beside the file. In brackets only what is not a system's is ours.
                name = os.path.normpath(beside) if os.path.exists(beside) else found.group(2) if found else ''
                if found and found.group(1) == '<' and not os.path.exists(name):
                    continue
                if found and os.path.dirname(name) not in mine and name not in mine:
                    yield '%s:%d includes "%s": %s may not use %s' % (
                        path, number, found.group(2), os.path.dirname(path), os.path.dirname(found.group(2)))


def has_sources(top):
    return any(name.endswith(SOURCES) for _, _, names in os.walk(top) for name in names)


def guests_includes():
    """What runs in a guest knows nothing of who runs it."""
    for folder, _, names in os.walk('guest'):
        for path in (os.path.join(folder, n) for n in names if n.endswith(SOURCES)):
            with open(path, encoding='utf-8') as f:
                for found in re.findall(r'^\s*#\s*include "(?:\.\./)*((?:%s)/[^"]+)"' % '|'.join(HYPERVISOR), f.read(),
                                        re.M):
                    if os.path.dirname(found) != 'lib':
                        yield '%s includes "%s": a guest knows nothing of the hypervisor' % (path, found)


def wrong_words(files):
    for path in files:
        room = path.split('/')[0]
        with open(path, encoding='utf-8') as f:
            for number, line in enumerate(f, 1):
                for words, rooms in VENDOR_WORDS:
                    for word in words.findall(line) if room in HYPERVISOR and room not in rooms else ():
                        yield '%s:%d says %s, which only %s may' % (path, number, word, ' and '.join(rooms))


def blank(found):
    """As many lines, without their text."""
    return '\n' * found.group(0).count('\n')


def wrong_speech(files, text):
    """Words of one vendor in the neutral rooms, but for the manual's titles, which comments have in quotes."""
    allowed = set(re.findall(r'^\* `([^`]+)` in `([^`]+)`', section(text, 'The layers, and who may call whom'), re.M))
    said = set()
    for path in (p for p in files if p.split('/')[0] in NEUTRAL):
        with open(path, encoding='utf-8') as f:
            code = COMMENT.sub(lambda comment: TITLE.sub(blank, comment.group(0)), f.read())
        for number, line in enumerate(code.split('\n'), 1):
            for word in SPOKEN.findall(line):
                said.add((word, path))
                if (word, path) not in allowed:
                    yield '%s:%d says %s, a word of one vendor' % (path, number, word)
    for word, path in sorted(allowed - said):
        yield '%s allows %s in %s, which does not say it' % (DOCUMENT, word, path)


def symbols(build, program, files):
    """{source: (names it defines, names it wants)} of the objects that the program is made of."""
    table = {}
    for path in files:
        for name in (path + '.o', os.path.splitext(path)[0] + '.o'):
            at = os.path.join(build, program, name)
            if path.endswith(('.c', '.S')) and os.path.exists(at):
                lines = subprocess.run(['nm', at], check=True, capture_output=True, text=True).stdout.splitlines()
                words = [line.split() for line in lines]
                table[path] = ({w[2] for w in words if len(w) == 3 and w[1] in 'TDBRVWC'},
                               {w[1] for w in words if len(w) == 2 and w[0] == 'U'})
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


def not_read(files, text):
    named = re.findall(r'`([\w/*.]+\.[chS])`', section(text, 'Reading order') + section(text, 'For reference'))
    for path in files:
        if path.split('/')[0] in HYPERVISOR and not any(fnmatch.fnmatch(path, name) for name in named):
            yield '%s is neither in the reading order nor in the list for reference' % path
    for name in named:
        if not glob.glob(name):
            yield 'the reading order has %s, which does not exist' % name


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
    faults += list(upwards(rooms, *read_layers(text))) + list(guests_includes())
    if not faults:
        faults = list(wrong_includes(files, rooms)) + list(wrong_words(files)) + list(not_read(files, text))
        faults += list(wrong_speech(files, text))
        if len(sys.argv) > 1:
            faults += wrong_calls(sys.argv[1], files, rooms)
    for fault in faults:
        print(fault)
    print('%d files in %d rooms, %d faults' % (len(files), len(rooms), len(faults)))
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
