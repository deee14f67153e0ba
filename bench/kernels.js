// Ten compute kernels, run the same way in a cell and in plain node. Each entry is a function of
// no arguments that takes some 100 ms; `runKernels` answers [name, best milliseconds, checksum].
const kernels = {
  fibonacci() {
    const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);
    return fib(32);
  },
  sieve() {
    let count = 0;
    const composite = new Uint8Array(6e6);
    for (let i = 2; i < composite.length; i++) {
      if (composite[i]) continue;
      count++;
      for (let j = 2 * i; j < composite.length; j += i) composite[j] = 1;
    }
    return count;
  },
  matrix() {
    const n = 260, a = new Float64Array(n * n), b = new Float64Array(n * n), c = new Float64Array(n * n);
    for (let i = 0; i < n * n; i++) { a[i] = i % 7; b[i] = i % 11; }
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
        c[i * n + j] = sum;
      }
    return c[n + 1];
  },
  strings() {
    let text = '';
    for (let i = 0; i < 300000; i++) text += String.fromCharCode(97 + i % 26);
    let sum = 0;
    for (const part of text.split('m')) sum = (sum * 31 + part.length) | 0;
    return sum + text.replace(/[aeiou]/g, '').length;
  },
  maps() {
    const map = new Map();
    for (let i = 0; i < 300000; i++) map.set('key' + i % 50000, i);
    let sum = 0;
    for (const [k, v] of map) sum += k.length + v;
    return sum;
  },
  sort() {
    let seed = 1;
    const numbers = Array.from({ length: 300000 }, () => seed = (seed * 16807) % 2147483647);
    numbers.sort((a, b) => a - b);
    return numbers[1000];
  },
  json() {
    const rows = Array.from({ length: 20000 }, (_, i) => ({ id: i, name: 'row ' + i, tags: ['a', 'b', i % 10] }));
    let size = 0;
    for (let i = 0; i < 5; i++) size += JSON.stringify(JSON.parse(JSON.stringify(rows))).length;
    return size;
  },
  objects() {
    let list = null;
    for (let i = 0; i < 2000000; i++) list = { value: i, next: i % 100 ? list : null };
    let sum = 0;
    for (; list; list = list.next) sum += list.value;
    return sum;
  },
  bigint() {
    let a = 1n;
    for (let i = 1n; i < 3000n; i++) a *= i;
    return Number(a % 1000003n);
  },
  regexp() {
    let count = 0;
    const line = 'GET /path/to/file.html?query=1 HTTP/1.1 host=example agent=test';
    const pattern = /(\w+)=(\w+)/g;
    for (let i = 0; i < 150000; i++) count += line.match(pattern).length;
    return count;
  },
};

function runKernels() {
  const out = [];
  for (const [name, kernel] of Object.entries(kernels)) {
    let best = Infinity, sum = 0;
    for (let i = 0; i < 7; i++) {
      const start = Date.now();
      for (let j = 0; j < 3; j++) sum = kernel();
      best = Math.min(best, (Date.now() - start) / 3);
    }
    out.push([name, best, sum]);
  }
  return out;
}
