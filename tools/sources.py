"""Which files of the tree are ours, for the checks; works in a clone and in a plain copy."""

import os
import pathlib

FOLDERS = ('include', 'src', 'test', 'examples', 'fuzz', 'bench', 'bindings')


def sources(root, suffixes=('.c', '.h', '.cc', '.def'), folders=FOLDERS):
    """Paths relative to root, sorted."""
    found = []
    for folder in folders:
        for at, inside, names in os.walk(pathlib.Path(root) / folder):
            inside[:] = [name for name in inside if name not in ('node_modules', '__pycache__')]
            found += [pathlib.Path(at, name).relative_to(root) for name in names
                      if pathlib.Path(name).suffix in suffixes]
    return sorted(found)


def code_only(text):
    """`text` with comments and the insides of string and character literals blanked, line by line.

    Returns it and the list of (line number, comment). A quoted file name after #include stays.
    """
    out, comments = [], []
    i, line, end = 0, 1, len(text)
    while i < end:
        two = text[i:i + 2]
        if two in ('/*', '//'):
            stop = text.find('*/' if two == '/*' else '\n', i + 2)
            stop = end if stop < 0 else stop + (2 if two == '/*' else 0)
            comment = text[i:stop]
            comments.append((line, comment))
            out.append(''.join('\n' if c == '\n' else ' ' for c in comment))
            line += comment.count('\n')
            i = stop
        elif text[i] in '"\'' and not (text[i] == "'" and i > 0 and text[i - 1].isalnum()):
            # An apostrophe after a digit separates digits in C++.
            quote, start = text[i], i
            i += 1
            while i < end and text[i] != quote and text[i] != '\n':
                i += 2 if text[i] == '\\' else 1
            i = min(i + 1, end)
            literal = text[start:i]
            include = ''.join(out[-40:]).rstrip().endswith('#include')
            out.append(literal if include else ''.join(
                c if c in '"\'\n' and k in (0, len(literal) - 1) else '\n' if c == '\n' else ' '
                for k, c in enumerate(literal)))
            line += literal.count('\n')
        else:
            out.append(text[i])
            line += text[i] == '\n'
            i += 1
    return ''.join(out), comments


def report(what, problems):
    """Prints them, one per line, and returns the exit status."""
    for problem in problems:
        print(problem)
    print(f'{what}: {len(problems)} problem(s)' if problems else f'{what}: ok')
    return 1 if problems else 0
