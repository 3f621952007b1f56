#!/usr/bin/env python3
"""Holds the tree's sources against their sizes: lines of at most 120 columns, functions of at most 40 lines, C and
Python's, their files of at most 400 lines of code (without empty lines and comments). Prints what is larger.

In Markdown a row of a table may be longer, for it cannot be wrapped, and so may what a program printed, between ```,
and a line without a blank to break it at. script/wrap.py wraps the rest."""

import ast
import os
import re
import sys

COLUMNS, FUNCTION, FILE = 120, 40, 400
LINES_OF = re.compile(r'\.(c|h|S|ld|py|sh|mk)$|(^|/)Makefile$')
CODE = re.compile(r'\.(c|h|S)$')
TEXT = re.compile(r'\.md$')


def functions(lines):
    """(its first line's number, lines between its braces) of each function, which begins and ends by a brace in the
    first column."""
    begin = None
    for number, line in enumerate(lines):
        if line == '{':
            begin = number
        elif line == '}' and begin is not None:
            yield begin, number - begin - 1
            begin = None


def python_functions(text):
    """The same of Python: from the first statement to the last."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.body[0].lineno - 1, node.end_lineno - node.body[0].lineno + 1


def may_be_wrapped(lines):
    """(number, line) of those of a Markdown file that are neither rows, nor printed, nor one word."""
    printed = False
    for number, line in enumerate(lines, 1):
        printed ^= line.lstrip().startswith('```')
        if not printed and not line.startswith('|') and ' ' in line.strip():
            yield number, line


def code_lines(text):
    text = re.sub(r'/\*.*?\*/', lambda comment: '\n' * comment.group(0).count('\n'), text, flags=re.S)
    return sum(1 for line in text.split('\n') if line.strip())


def too_large(path):
    with open(path, encoding='utf-8') as f:
        text = f.read()
    lines = text.split('\n')
    for number, line in may_be_wrapped(lines) if TEXT.search(path) else enumerate(lines, 1):
        if len(line.expandtabs(8)) > COLUMNS:
            yield '%s:%d: %d columns' % (path, number, len(line.expandtabs(8)))
    found = functions(lines) if CODE.search(path) else python_functions(text) if path.endswith('.py') else ()
    for number, length in found:
        if length > FUNCTION:
            yield '%s:%d: a function of %d lines' % (path, number, length)
    if CODE.search(path) or path.endswith('.py'):
        count = code_lines(text) if CODE.search(path) else sum(
            1 for line in lines if line.strip() and not line.lstrip().startswith('#'))
        if count > FILE:
            yield '%s: %d lines of code' % (path, count)


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    files = []
    for folder, folders, names in os.walk('.'):
        folders[:] = [f for f in folders if f not in ('build', '.git')]
        files += [os.path.normpath(os.path.join(folder, n)) for n in names if LINES_OF.search(n) or TEXT.search(n)]
    if not files:
        sys.exit('sizes.py: there are no sources here')
    found = [what for path in sorted(files) for what in too_large(path)]
    for what in found:
        print(what)
    print('%d files, %d things too large' % (len(files), len(found)))
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
