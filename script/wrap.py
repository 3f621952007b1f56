#!/usr/bin/env python3
"""Wraps the paragraphs of Markdown files in which a line is longer than 120 columns: wrap.py FILE... Tables, headings
and what stands between ``` stay as they are."""

import re
import sys

COLUMNS = 120
ITEM = re.compile(r'(\s*)([-*+]|\d+\.)(\s+)')
# What at the beginning of a line would be more than a word.
SPECIAL = re.compile(r'([-+*#>|]+|\d+[.)]|[=~`]{3,}.*)$')


def is_text(line):
    return bool(line.strip()) and not re.match(r'\s*(\||#|<|```|\[[^]]+\]:)', line)


def words_of(text):
    """Split at blanks; a word that must not begin a line stays with the one before it."""
    words = []
    for word in text.split():
        if words and SPECIAL.match(word):
            words[-1] += ' ' + word
        else:
            words.append(word)
    return words


def wrapped(block):
    """A paragraph, or an item of a list, by its lines."""
    item = ITEM.match(block[0])
    first = item.group(0) if item else re.match(r'\s*', block[0]).group(0)
    rest = re.match(r'\s*', block[1]).group(0) if len(block) > 1 else ' ' * len(first)
    lines, line = [], first
    for word in words_of(' '.join([block[0][len(first):]] + block[1:])):
        if line.strip() and len(line) + 1 + len(word) > COLUMNS and line != first:
            lines.append(line)
            line = rest
        line += word if line in (first, rest) else ' ' + word
    return lines + [line]


def blocks(lines):
    """Lines as lists that belong together, and whether they may be wrapped."""
    fenced, block = False, []
    for line in lines:
        if line.lstrip().startswith('```'):
            fenced = not fenced
        text = not fenced and is_text(line)
        if block and (not text or ITEM.match(line) or block[-1].endswith('  ')):
            yield block, True
            block = []
        if text:
            block.append(line)
        else:
            yield [line], False
    if block:
        yield block, True


def main():
    for path in sys.argv[1:]:
        with open(path, encoding='utf-8') as f:
            lines = f.read().split('\n')
        out = []
        for block, text in blocks(lines):
            out += wrapped(block) if text and any(len(line) > COLUMNS for line in block) else block
        if out != lines:
            with open(path, 'w', encoding='utf-8') as f:
                f.write('\n'.join(out))


if __name__ == '__main__':
    main()
