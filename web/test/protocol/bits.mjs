// The bits and the codes of packed blocks. `reached` collects what was read, so that a test can demand all of it.

/** Throws if a snapshot cannot be applied: the client then sends `Resync`. */
export function check(condition, what) {
  if (!condition) throw new Error(what);
}

const unzigzag = (zigzag) => (zigzag >>> 1) ^ -(zigzag & 1);

/** Reads bits, from the lowest of each byte up. */
export class Bits {
  #bytes;
  #at = 0;
  reached;

  constructor(bytes, reached) {
    this.#bytes = bytes;
    this.reached = reached;
  }

  take(count) {
    let value = 0;
    for (let bit = 0; bit < count; bit++, this.#at++) {
      const byte = this.#bytes[this.#at >> 3];
      check(byte !== undefined, "the block ends too early");
      if ((byte >> (this.#at & 7)) & 1) value += 2 ** bit;
    }
    return value;
  }

  number() {
    let value = 0;
    for (let group = 0; group < 8; group++) {
      value += this.take(4) * 16 ** group;
      if (this.take(1) === 0) {
        this.reached.add(`a number of ${group + 1} groups`);
        return value;
      }
    }
    throw new Error("a number has no end");
  }

  signed() {
    return unzigzag(this.number());
  }

  bytes() {
    return Uint8Array.from({ length: this.number() }, () => this.take(8));
  }

  /** Goes on to a whole byte. */
  align() {
    this.#at = (this.#at + 7) & ~7;
  }

  get isAtEnd() {
    return this.#at === this.#bytes.length * 8;
  }
}

const SYMBOLS = 44;
const CODE_BYTES = SYMBOLS / 2;

/** A canonical Huffman code over the symbols of residuals. */
class Code {
  /** Symbols by length and code, as "length/code". */
  #symbols = new Map();
  #isTuned;

  constructor(bytes, isTuned) {
    this.#isTuned = isTuned;
    const lengths = Array.from({ length: SYMBOLS }, (_, symbol) => (bytes[symbol >> 1] >> (4 * (symbol & 1))) & 15);
    let next = 0;
    for (let length = 1; length <= 11; length++) {
      next *= 2;
      lengths.forEach((of, symbol) => {
        if (of === length) this.#symbols.set(`${length}/${next++}`, symbol);
      });
    }
  }

  /** The next residual. */
  read(bits, isPredicted) {
    const symbol = this.#readSymbol(bits);
    bits.reached.add(`symbol ${symbol} ${isPredicted ? "predicted" : "not predicted"} ${this.#isTuned ? "tuned" : "initial"}`);
    const bitsBelow = symbol - 16 + 4;
    return unzigzag(symbol < 16 ? symbol : 2 ** bitsBelow + bits.take(bitsBelow));
  }

  #readSymbol(bits) {
    let code = 0;
    for (let length = 1; length <= 11; length++) {
      code = code * 2 + bits.take(1);
      const symbol = this.#symbols.get(`${length}/${code}`);
      if (symbol !== undefined) return symbol;
    }
    throw new Error("no such code");
  }
}

/** For each kind the usual lanes, and for each of its public lanes the code without and the code with prediction. */
export class Codebooks {
  usualLanes = [];
  codes;

  constructor(schema, message) {
    this.codes = schema.kinds.map(({ lanes }) => lanes.map(() => [undefined, undefined]));
    this.#replace(message, false);
  }

  update(message) {
    this.#replace(message, true);
  }

  #replace({ code_lengths, usual_lanes, changed }, isTuned) {
    this.usualLanes = usual_lanes;
    const places = this.codes.flatMap((lanes) => lanes.flatMap((pair) => [{ pair, at: 0 }, { pair, at: 1 }]));
    const count = code_lengths.length / CODE_BYTES;
    let place = -1;
    for (let code = 0; code < count; code++) {
      place += 1 + (changed.length > 0 ? changed[code] : 0);
      const { pair, at } = places[place];
      pair[at] = new Code(code_lengths.subarray(code * CODE_BYTES, (code + 1) * CODE_BYTES), isTuned);
    }
  }
}
