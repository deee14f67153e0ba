"""What the public headers declare: for their check, and for the manual made of them."""

import re

from sources import code_only


def plain(text):
    """A header without comments and continued lines, at the same offsets."""
    return re.sub(r'\\\n', lambda _: '  ', code_only(text)[0])


def split_parameters(text):
    depth, start = 0, 0
    for i, c in enumerate(text):
        depth += (c in '([') - (c in ')]')
        if c == ',' and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    if text[start:].strip() not in ('', 'void'):
        yield text[start:].strip()


def parameter_name(parameter):
    pointer = re.search(r'\(\s*\*\s*(\w+)\s*\)', parameter)
    if pointer or parameter == '...':
        return pointer[1] if pointer else '...'
    return re.findall(r'\w+', parameter.split('[')[0])[-1]


class Declaration:
    def __init__(self, line, flat):
        shape = re.match(r'(.*?)\b(\w+)\s*\((.*)\)[^)]*$', flat)
        self.line = line
        self.head, self.name = shape[1], shape[2]
        self.parameters = list(split_parameters(shape[3]))
        self.result = re.sub(r'\b(GBX_\w+|extern)\b', '', self.head).strip()


def groups_of(text, code):
    """(comment or None, [Declaration]): a comment speaks for the lines right below it."""
    found = []
    for at in re.finditer(r'^[^#\n]*\bGBX_API\b[^;{]*;', code, re.MULTILINE):
        start = at.start() + len(at[0]) - len(at[0].lstrip())
        item = (code.count('\n', 0, start) + 1, ' '.join(at[0].rstrip(';').split()))
        between = text[found[-1][0]:start] if found else None
        if between is not None and between.strip() == '' and between.count('\n') == 1:
            found[-1] = (at.end(), found[-1][1], found[-1][2] + [item])
            continue
        before = text[:start].rstrip()
        comment = before[before.rfind('/*'):] if before.endswith('*/') else ''
        found.append((at.end(), comment if comment.startswith('/**') else None, [item]))
    return [(comment, [Declaration(*item) for item in items]) for _, comment, items in found]
