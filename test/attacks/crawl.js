/* crawl.js - walks everything that a guest can reach: properties of every kind, prototypes, getters, and
 * what they answer. An expression; runs in a cell and, for comparison, in a context of Node.js.
 *
 * crawl(roots) answers { lines, seen }: a line for each property, with its attributes, and the path by
 * which each object was found first.
 */
(function crawl(roots, known = new Map()) {
  const { getPrototypeOf, getOwnPropertyDescriptor, isExtensible, ownKeys, apply } = Reflect;
  const seen = new Map();
  const queue = [];
  const lines = [];

  function visit(value, path) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return;
    if (known.has(value) || seen.has(value)) return;
    seen.set(value, path);
    queue.push(value);
  }
  function attributes(p) {
    const kind = 'value' in p ? typeof p.value : `get:${typeof p.get} set:${typeof p.set}`;
    return `${p.writable ? 'w' : '-'}${p.enumerable ? 'e' : '-'}${p.configurable ? 'c' : '-'} ${kind}`;
  }
  for (const [name, value] of Object.entries(roots)) visit(value, name);
  while (queue.length > 0) {
    const object = queue.shift();
    const path = seen.get(object);
    lines.push(`${path} ${typeof object} ${isExtensible(object) ? 'open' : 'closed'}`);
    visit(getPrototypeOf(object), `${path}.__proto__`);
    for (const key of ownKeys(object)) {
      const name = `${path}.${String(key)}`;
      const property = getOwnPropertyDescriptor(object, key);
      lines.push(`${name} ${attributes(property)}`);
      visit(property.value, name);
      visit(property.get, `get ${name}`);
      visit(property.set, `set ${name}`);
      if (property.get === undefined) continue;
      try {
        visit(apply(property.get, object, []), `${name}()`);
      } catch (error) {
        visit(error, 'thrown');
      }
    }
    if (object instanceof Map) for (const [k, v] of object) visit(k, `${path}[]`), visit(v, `${path}[]`);
    if (object instanceof Set) for (const v of object) visit(v, `${path}[]`);
  }
  return { lines, seen };
})
