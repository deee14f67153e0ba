"""glovebox heap query: its tables beside the snapshot's own JSON and the other questions; what SQL may not do;
databases that it writes."""

import json
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess

from test_command import rows, snapshot
from support import Place, finish, wait_for
import tap


def query(*words, a=None, **more):
    with Place(a=a or snapshot()) as place:
        return place.run('heap', 'query', 'a', *words, **more)


def answer(sql):
    """Rows as tuples: all of them."""
    return [tuple(row.values()) for row in query(sql, '--json', '--top', '0').is_like(0, err='').json]


def shown(text):
    return re.sub('[\ud800-\udfff]', '\ufffd', text).replace('\0', ' ')


def parsed(data):
    """Nodes as (id, type, raw name, self size, edge count) and edges as (from, to, type, name), by nothing but the format."""
    read = json.loads(data)
    meta, strings = read['snapshot']['meta'], [shown(text) for text in read['strings']]
    width, at = len(meta['node_fields']), meta['node_fields'].index
    types, edge_types = meta['node_types'][at('type')], meta['edge_types'][0]
    assert meta['edge_fields'] == ['type', 'name_or_index', 'to_node']
    nodes, edges, numbers = [], [], iter(read['edges'])
    for i in range(0, len(read['nodes']), width):
        row = read['nodes'][i:i + width]
        nodes.append((row[at('id')], types[row[at('type')]], strings[row[at('name')]], row[at('self_size')], row[at('edge_count')]))
        for _ in range(row[at('edge_count')]):
            kind, name, to = edge_types[next(numbers)], next(numbers), next(numbers)
            edges.append((i // width, to // width, kind, name if kind in ('element', 'hidden') else strings[name]))
    return nodes, edges


def test_nodes_and_edges_are_those_of_the_file():
    nodes, edges = parsed(snapshot())
    told = answer('SELECT node, id, type, edge_count, name, shallow FROM nodes')
    assert [row[0] for row in told] == list(range(len(nodes))) and len(nodes) > 5000
    assert [row[1:4] for row in told] == [(id, kind, count) for id, kind, _, _, count in nodes]
    assert sum(row[5] for row in told) == sum(node[3] for node in nodes) > 0
    plain = ('string', 'closure', 'code', 'synthetic', 'hidden')
    names = [(row[4], node[2]) for row, node in zip(told, nodes) if node[1] in plain]
    assert [is_ for is_, _ in names] == [wanted for _, wanted in names] and len(names) > 5000
    assert answer('SELECT from_node, to_node, type, name FROM edges') == edges and len(edges) > len(nodes)
    assert answer('SELECT edge, rowid = edge FROM edges LIMIT 3') == [(0, 1), (1, 1), (2, 1)]


def test_what_the_other_questions_tell():
    summary = [(row['class'], row['count'], row['shallow'], row['retained'], row['distance'], row['line']) for row in rows('summary', 'a')]
    told = answer('SELECT class, count, shallow, retained, distance, line FROM classes ORDER BY retained DESC')
    assert sorted((*row[:5], row[5] or 0) for row in told) == sorted(summary) and len(told) > 20
    lonely, = rows('node', 'a', 'Lonely')
    keys = ', '.join(lonely)
    assert answer(f'SELECT {keys} FROM nodes WHERE id = {lonely["id"]}') == [tuple(lonely.values())]
    assert answer('SELECT distance FROM nodes WHERE node = 0') == [(100000000,)]
    assert answer('SELECT count(*) FROM nodes WHERE distance < 0') == [(0,)]
    assert answer("SELECT count(*) FROM nodes WHERE class = 'Session' AND line > 0 AND script > 0 AND \"column\" > 0") == [(40,)]
    assert answer("SELECT DISTINCT line, script, \"column\" FROM nodes WHERE type = 'string'") == [(None, None, None)]


def test_classes_are_sums_of_nodes():
    sums = 'SELECT class_id, class, count(*), sum(shallow), min(coalesce(distance, -5)) FROM nodes WHERE shallow > 0 GROUP BY 1'
    classes = 'SELECT class_id, class, count, shallow, coalesce(distance, -5) FROM classes'
    assert answer(f'{sums} EXCEPT {classes}') == answer(f'{classes} EXCEPT {sums}') == []
    assert answer('SELECT count(*) FROM nodes n LEFT JOIN classes c USING (class_id) WHERE c.class_id IS NULL AND n.shallow > 0') == [(0,)]
    assert answer('SELECT count(*) FROM nodes n JOIN classes c USING (class_id) WHERE c.class != n.class') == [(0,)]


def test_joins_follow_the_graph():
    nodes, edges = parsed(snapshot())
    sessions = {row[0] for row in answer("SELECT node FROM nodes WHERE class = 'Session'")}
    assert len(sessions) == 40
    wanted = sorted((nodes[from_][0], nodes[to][0]) for from_, to, kind, _ in edges if to in sessions and kind == 'element')
    assert len(wanted) == 40
    told = answer("""SELECT f.id, t.id FROM nodes t JOIN edges e ON e.to_node = t.node JOIN nodes f ON f.node = e.from_node
        WHERE t.class = 'Session' AND e.type = 'element' ORDER BY 1, 2""")
    assert told == wanted
    users = answer("SELECT t.name FROM nodes f, edges e, nodes t WHERE f.class = 'Session' AND e.from_node = f.node AND e.name = 'user' AND t.node = e.to_node")
    assert users == [('{name}',)] * 40, users
    # These have as many pairs as nodes times edges: they end because each row finds its own.
    assert answer('SELECT count(*) FROM nodes n JOIN edges e ON e.from_node = n.node JOIN nodes m ON m.node = e.to_node') == [(len(edges),)]
    assert answer('SELECT count(*) FROM nodes n JOIN edges e ON e.to_node = n.node JOIN nodes m ON m.id = n.id') == [(len(edges),)]
    # The root is what its dominator tree is, and each node what it dominates and itself.
    tree = 'WITH RECURSIVE tree(node) AS (VALUES (0) UNION ALL SELECT n.node FROM tree JOIN nodes n ON n.dominator = tree.node)'
    assert answer(f'{tree} SELECT count(*), count(DISTINCT node) FROM tree') == [(len(nodes), len(nodes))]
    assert answer('SELECT count(*) FROM nodes n WHERE retained != shallow + (SELECT coalesce(sum(retained), 0) FROM nodes WHERE dominator = n.node)') == [(0,)]
    assert answer('SELECT count(*), min(node) FROM nodes WHERE dominator IS NULL') == [(1, 0)]


def test_each_key_finds_what_a_scan_finds():
    size = len(parsed(snapshot())[0])
    chance = random.Random(1)
    values = [0, 1, 2, size - 1, size, 9999999, 2**32, 2**32 + 1, 2**32 + 3, -1, 2**63 - 1, 4.0, 4.5, 1e300, "'5'", "'x'", "x'36'", 'NULL']
    for table, key in (('nodes', 'node'), ('nodes', 'rowid'), ('nodes', 'id'), ('nodes', 'dominator'), ('edges', 'edge'), ('edges', 'rowid'),
                       ('edges', 'from_node'), ('edges', 'to_node'), ('classes', 'class_id'), ('classes', 'rowid')):
        plan, = answer(f'EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {key} = 3')
        assert re.search(r'VIRTUAL TABLE INDEX [1-9]', plan[3]), (key, plan)
        listed = [*map(str, values + [chance.randrange(size) for _ in range(12)])]
        with_values = f'WITH v(value) AS (VALUES {", ".join(f"({value})" for value in listed)})'
        # BETWEEN compares as = does, but nothing is looked up by it.
        scan = answer(f'{with_values} SELECT t.rowid FROM v CROSS JOIN {table} t ON t.{key} BETWEEN v.value AND v.value ORDER BY 1')
        assert scan == answer(f'{with_values} SELECT t.rowid FROM v CROSS JOIN {table} t ON t.{key} = v.value ORDER BY 1'), key
        assert sorted(set(scan)) == answer(f'SELECT rowid FROM {table} WHERE {key} IN ({", ".join(listed)}) ORDER BY 1') and len(scan) > 3, key
        assert answer(f'SELECT count(*) FROM {table} WHERE {key} = 3 AND +{key} = 4') == [(0,)]


def test_what_v8_seldom_writes():
    """Names with all that there may be around them, an index, a node that nothing leads to, and one that is detached."""
    strings = ['', 'root', 'plain', 'two words', 'a\0b', '\ud800x', 'Alone', 'x' * 3000]
    kinds = [['hidden', 'array', 'string', 'object', 'code', 'closure', 'regexp', 'number', 'native', 'synthetic'], 'string', 'number', 'number', 'number', 'number']
    edge_kinds = ['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak']
    edges = [(0, 2), (1, 7), (2, 2), (2, 3), (3, 4), (4, 5), (5, 3), (6, 5), (2, 7), (2, 0)]
    meta = {'node_fields': ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'], 'node_types': kinds,
            'edge_fields': ['type', 'name_or_index', 'to_node'], 'edge_types': [edge_kinds, 'string_or_number', 'node']}
    made = {'snapshot': {'meta': meta, 'node_count': 4, 'edge_count': len(edges)},
            'nodes': [9, 1, 1, 0, len(edges), 0, 3, 2, 3, 16, 0, 0, 3, 6, 5, 16, 0, 0, 8, 7, 7, 16, 0, 2],
            'edges': [number for kind, name in edges for number in (kind, name, 6)], 'strings': strings}
    def told(sql):
        return [tuple(row.values()) for row in query(sql, '--json', '--top', '0', a=json.dumps(made)).is_like(0, err='').json]
    names = [shown(strings[name]) if edge_kinds[kind] not in ('element', 'hidden') else name for kind, name in edges]
    assert told('SELECT name FROM edges') == [(name,) for name in names], told('SELECT name FROM edges')
    assert told('SELECT typeof(name), count(*) FROM edges GROUP BY 1') == [('integer', 2), ('text', len(edges) - 2)]
    assert told('SELECT id, distance IS NULL, detached FROM nodes') == [(1, 0, 0), (3, 0, 0), (5, 1, 0), (7, 1, 2)]
    assert told('SELECT name FROM nodes WHERE id = 7') == [('Detached ' + 'x' * 3000,)]
    assert told("SELECT distance FROM classes WHERE class = 'Alone'") == [(None,)]


def test_a_table_for_people():
    text = query("SELECT 12345 AS number, 'a' AS text, NULL AS none, 'last' AS word UNION ALL SELECT 1, 'long' || char(10), 'x', x'00ff'").is_like(0, err='').out
    assert text == 'number  text    none  word\n 12345  a       null  last\n     1  long\\n  x     00ff\n', text
    lines = query('SELECT node FROM nodes').is_like(0, err='').out.splitlines()
    assert lines == ['node', *(f'{n:4}' for n in range(30)), '... more: --top 0 shows all'], lines
    assert query('SELECT node FROM nodes', '--top', '2').out == 'node\n   0\n   1\n... more: --top 0 shows all\n'
    assert query('SELECT node FROM nodes LIMIT 2', '--top', '2').out == 'node\n   0\n   1\n'
    many = query('SELECT node FROM nodes', '--top', '0').is_like(0, err='').out.splitlines()
    assert [int(line) for line in many[1:]] == list(range(len(parsed(snapshot())[0])))
    assert query('SELECT id, name FROM nodes WHERE 0').is_like(0, err='').out == 'id  name\n'
    # What a terminal would obey is not shown as it is.
    assert '\x1b' not in query("SELECT char(27) || '[31m', 1").is_like(0, err='').out
    cut = query("SELECT printf('%.*c', 500, 'x') AS a, 1 AS b UNION ALL SELECT 'y', 2").out.splitlines()[1:]
    assert cut == ['x' * 60 + '…  1', 'y' + 60 * ' ' + '  2'], cut


def test_json():
    told = query("SELECT 1 AS a, 'x\"' || char(0x1F600) AS b, NULL AS c, x'00ff' AS d, 1.5 AS e, 9e999 AS f, 2 AS a", '-j').is_like(0, err='').json
    assert told == [{'a': 1, 'b': 'x"\U0001F600', 'c': None, 'd': '00ff', 'e': 1.5, 'f': None, 'a:2': 2}], told
    assert query('SELECT * FROM nodes WHERE 0', '-j').is_like(0, '[\n]\n', '').json == []
    assert len(query('SELECT 1 FROM nodes', '-j').json) == 30
    assert query("SELECT CAST(x'61ff62c0' AS TEXT) AS t", '-j').is_like(0, err='').json == [{'t': 'a\ufffdb\ufffd'}]


def test_sql_from_standard_input():
    assert query('-', '-j', input='-- how many\nSELECT count(*) AS n FROM classes;; -- done\n').is_like(0, err='').json[0]['n'] > 20
    query('-', input='SELECT 1\0').is_like(3, '', '...NUL')
    with Place() as place:
        place.run('heap', 'query', '-', '-', input='SELECT 1').is_like(2, '', '...only one of file and SQL')
        assert place.run('heap', 'query', '-', 'SELECT count(*) AS n FROM nodes', '-j', input=snapshot()).is_like(0, err='').json[0]['n'] > 5000


def test_bad_sql_is_told_in_the_words_of_sqlite():
    for sql, reason in (('SELEC 1', 'near "SELEC": syntax error'), ('SELECT absent FROM nodes', 'no such column: absent'),
                        ('SELECT * FROM heap', 'no such table: heap'), ('SELECT (', 'incomplete input'), ('SELECT 1; SELECT 2', 'expected one statement of SQL'),
                        ('SELECT 1; SELEC', 'near "SELEC": syntax error'), ('', 'expected one statement of SQL'), ('  -- nothing', 'expected one statement of SQL'),
                        ('SELECT sum(9223372036854775807) FROM nodes', 'integer overflow')):
        query(sql).is_like(2, '', f'glovebox: heap query: {reason}\n')
    # A row that fails after others have been printed.
    query("SELECT CASE WHEN node < 5000 THEN node ELSE abs(-9223372036854775807 - 1) END FROM nodes", '-n0').is_like(2, None, '...integer overflow')


def test_a_statement_only_reads():
    for sql in ('CREATE TABLE t(a)', 'CREATE TEMP TABLE t(a)', 'CREATE VIEW v AS SELECT 1', 'CREATE VIRTUAL TABLE t USING nodes', 'PRAGMA user_version = 3',
                'PRAGMA journal_mode', "ATTACH 'b' AS b", "ATTACH ':memory:' AS b", "VACUUM INTO 'b'", 'DROP TABLE nodes', 'BEGIN', 'ANALYZE', 'VACUUM',
                "SELECT load_extension('b')", "SELECT * FROM pragma_database_list", 'DETACH main', 'SAVEPOINT s'):
        query(sql).is_like(2, '', '...authoriz')
    for sql in ('DELETE FROM nodes', 'UPDATE nodes SET id = 1', 'INSERT INTO edges(edge) VALUES (1)'):
        ended = query(sql).is_like(2, '')
        assert 'may not be modified' in ended.err or 'not authorized' in ended.err, ended


def test_interrupted_while_it_prints():
    with Place(a=snapshot()) as place:
        for more in ([], ['--json']):
            process = place.start('heap', 'query', 'a', '--top', '0', 'SELECT a.name FROM nodes a, nodes b, nodes c', *more)
            assert os.read(process.stdout.fileno(), 1)
            process.send_signal(signal.SIGINT)
            ended = finish(process)
            assert ended.code == 130 and ended.err == 'glovebox: ended by SIGINT\n', (ended.code, ended.err)


def test_interrupted_while_it_counts():
    first = 'SELECT node FROM nodes'
    with Place(a=snapshot()) as place:
        size = len(place.run('heap', 'query', 'a', '-j', '-n0', first).out)
        process = place.start('heap', 'query', 'a', '-j', '-n0', f'{first} UNION ALL SELECT count(*) FROM nodes a, nodes b, nodes c, nodes d')
        # What it holds back is less than this; then it counts, for years.
        seen = 0
        while seen < size - 70000:
            seen += len(os.read(process.stdout.fileno(), 65536))
        assert size > 140000 and seen > 0, size
        process.send_signal(signal.SIGTERM)
        ended = finish(process)
        assert ended.code == 143 and ended.err == 'glovebox: ended by SIGTERM\n', (ended.code, ended.err)


def test_a_reader_that_has_gone_ends_it():
    with Place(a=snapshot()) as place:
        process = place.start('heap', 'query', 'a', '-j', '-n0', 'SELECT a.node FROM nodes a, nodes b, nodes c')
        assert process.stdout.read(1) == b'['
        process.stdout.close()
        assert process.wait(timeout=120) == 4 and process.stderr.read() == b''
        process.stderr.close()


# --- databases ---


def test_a_database_with_the_same_rows():
    with Place(a=snapshot()) as place:
        place.run('heap', 'query', 'a', '-o', 'b.sqlite').is_like(0, '', '')
        place.makes('b.sqlite')
        db = sqlite3.connect(f'file:{place.path / "b.sqlite"}?mode=ro', uri=True)
        assert db.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
        for table, key in (('nodes', 'node'), ('edges', 'edge'), ('classes', 'class_id')):
            told = answer(f'SELECT * FROM {table} ORDER BY {key}')
            assert db.execute(f'SELECT * FROM {table} ORDER BY {key}').fetchall() == told and len(told) > 20, table
        for key in ('nodes WHERE id', 'nodes WHERE class_id', 'nodes WHERE dominator', 'nodes WHERE retained', 'edges WHERE from_node', 'edges WHERE to_node',
                    'nodes WHERE node', 'edges WHERE edge', 'classes WHERE class_id'):
            plan = db.execute(f'EXPLAIN QUERY PLAN SELECT * FROM {key} = 3').fetchall()[0][3]
            assert plan.startswith('SEARCH'), (key, plan)
        db.close()
        before = (place.path / 'b.sqlite').read_bytes()
        place.run('heap', 'query', 'a', '-o', 'b.sqlite').is_like(4, '', '...b.sqlite: File exists')
        assert (place.path / 'b.sqlite').read_bytes() == before


def test_a_database_is_whole_or_not_there():
    with Place(a=snapshot()) as place:
        place.run('heap', 'query', 'a', '-o', 'b', preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))).is_like(4, '', '...glovebox: b: ')
        place.run('heap', 'query', 'a', '-o', 'nowhere/b').is_like(4, '', '...nowhere/b: No such file')
        place.put('cut', snapshot()[:-100])
        place.run('heap', 'query', 'cut', '-o', 'b').is_like(3, '', '...strings: byte')
        place.makes('cut')


def test_a_database_that_is_interrupted_is_not_there():
    with Place(a=snapshot(30000)) as place:
        for _ in range(10):
            process = place.start('heap', 'query', 'a', '-o', 'b')
            wait_for(lambda: process.poll() is not None or [name for name in place.names() if name.startswith('b') and (place.path / name).stat().st_size > 0],
                     'nothing is written')
            process.send_signal(signal.SIGINT)
            ended = finish(process)
            if ended.code == 130:
                assert ended.out == '' and ended.err == 'glovebox: ended by SIGINT\n', ended
                return
            # It was faster.
            ended.is_like(0, '', '')
            (place.path / 'b').unlink()
        assert False, 'it was never interrupted'


def test_usage():
    for words in ([], ['SELECT 1', 'SELECT 2'], ['SELECT 1', '-o', 'b'], ['SELECT 1', '--sort', 'id'], ['SELECT 1', '--filter', 'x'], ['SELECT 1', '--top', 'x']):
        query(*words).is_like(2, '')
    with Place() as place:
        place.run('heap', 'query', 'nowhere', 'SELECT 1').is_like(3, '', '...cannot open nowhere')


if __name__ == '__main__':
    tap.run(globals())
