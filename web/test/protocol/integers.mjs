// The arithmetic of docs/PROTOCOL.md: lanes, cells, hashes.

// Lane arithmetic. Without a modulus both wrap at 32 bits.

const modulo = (value, modulus) => ((value % modulus) + modulus) % modulus;

export function difference({ modulus }, from, to) {
  if (modulus === 0) return (to - from) | 0;
  const forwards = modulo(to - from, modulus);
  return forwards > Math.floor((modulus - 1) / 2) ? forwards - modulus : forwards;
}

export function add({ modulus }, from, difference) {
  return modulus === 0 ? (from + difference) | 0 : modulo(from + difference, modulus);
}

/** The cell of a position on a layer. */
export function cellAt(grid, x, y, layer) {
  const along = (at, origin, count) => Math.min(Math.max(Math.floor((at - origin) / grid.cell_size), 0), count - 1);
  const [column, row] = [along(x, grid.origin_x, grid.columns), along(y, grid.origin_y, grid.rows)];
  return 1 + (layer * grid.rows + row) * grid.columns + column;
}

/** How many cells there are, the global one included. */
export function cellCount({ layers, rows, columns }) {
  return 1 + layers * rows * columns;
}

/** The part of a cell in which a slot's row is, of two to the power of `log2`. */
export function partOf(slot, log2) {
  return (slot >>> 4) % 2 ** log2;
}

// Hashes.

function mix(hash, word) {
  const mixed = BigInt.asUintN(64, ((hash ^ BigInt(word >>> 0)) + 1n) * 0x9e3779b97f4a7c15n);
  return mixed ^ (mixed >> 29n);
}

export function rowHash({ kind, slot, generation, lanes, texts }) {
  let hash = [kind, slot, generation, ...lanes].reduce(mix, 0n);
  for (const text of texts) {
    const bytes = new TextEncoder().encode(text);
    hash = [bytes.length, ...bytes].reduce(mix, hash);
  }
  return hash;
}

export function cellHash(cell, sum) {
  return [cell, Number(sum & 0xffffffffn), Number(sum >> 32n)].reduce(mix, 0n);
}
