/* given.js - what the host has handed in leads nowhere but into the guest's own world: nothing new but
 * plain data, whose prototypes are the guest's, and the host's functions, which have nothing to them.
 *
 * An expression; `given` are the values, `known` what a walk from the intrinsics has seen. Answers
 * "held", or what it found.
 */
(function led(crawl, intrinsics, given, functions) {
  const known = crawl(intrinsics).seen;
  const { seen } = crawl({ given }, known);
  const home = Function.prototype;
  const wrong = [];
  for (const [object, path] of seen) {
    if (typeof object === 'function') {
      wrong.push(`${path}: a function that is not the guest's`);
      continue;
    }
    const prototype = Object.getPrototypeOf(object);
    if (prototype !== null && !known.has(prototype) && !seen.has(prototype)) wrong.push(`${path}: prototype`);
    for (let at = object; at !== null; at = Object.getPrototypeOf(at))
      if (Object.hasOwn(at, 'constructor') && typeof at.constructor === 'function' && !known.has(at.constructor)) wrong.push(`${path}: constructor`);
    const maker = (Object.getPrototypeOf(object) ?? Object.prototype).constructor;
    const made = maker.constructor('return [this, typeof process, typeof require]')();
    if (made[0] !== globalThis || made[1] !== 'undefined' || made[2] !== 'undefined') wrong.push(`${path}: realm`);
  }
  for (const f of functions) {
    const keys = Reflect.ownKeys(f).join();
    if (Object.getPrototypeOf(f) !== home) wrong.push(`${f.name}: prototype`);
    if (keys !== 'length,name') wrong.push(`${f.name}: has ${keys}`);
    for (const name of ['caller', 'arguments'])
      try {
        if (f[name] != null) wrong.push(`${f.name}: ${name}`);
      } catch (e) {
        if (!(e instanceof TypeError)) wrong.push(`${f.name}: ${e}`);
      }
    try {
      Reflect.construct(Object, [], f);
      wrong.push(`${f.name}: constructs`);
    } catch (e) {
      if (!(e instanceof TypeError)) wrong.push(`${f.name}: ${e}`);
    }
    if (!/\[native code\]/.test(home.toString.call(f))) wrong.push(`${f.name}: source`);
  }
  return wrong.length === 0 ? 'held' : wrong.join('; ');
})
