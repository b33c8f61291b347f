// Rules modules: second WebAssembly instances beside the core, by number. The rules of a room come from its server (docs/PROTOCOL.md).
//
// In: the bytes of a module that the core has checked. Out: for each call of the core one call of the module, with the row copied into
// its exchange buffer and back. A module that traps is never called again. Nothing here knows rows or rooms.

import { reasonOf } from "./reason.js";

/** Version of the ABI, and the size of the exchange buffer: see the crate tickwire-rules-wasm. */
const ABI_VERSION = 1;
const BUFFER_BYTES = 16 * 1024;

interface Exports {
  memory: WebAssembly.Memory;
  tickwire_abi(): number;
  tickwire_rules_hash(): bigint;
  tickwire_buffer(): number;
  tickwire_map_buffer(bytes: number): number;
  tickwire_start(bytes: number): number;
  tickwire_kind(bytes: number): number;
  tickwire_reach(kind: number): number;
  tickwire_advance(kind: number, tick: number, lanes: number, privateLanes: number, nearbyWords: number, input: number, inputBytes: number): void;
}

interface Running {
  exports: Exports;
  /** Index of the exchange buffer in `words`. */
  buffer: number;
  words: Int32Array;
  failure: string;
}

/** What a module is started with. */
export interface RulesSettings {
  /** The hash that it must give for its rules. */
  hash: bigint;
  /** The names of the schema's kinds. */
  kinds: readonly string[];
  map: Uint8Array;
}

const modules = new Map<number, Running>();
let lastNumber = 0;
let core: WebAssembly.Memory | undefined;
let coreWords = new Int32Array();

/** The memory that `advance` finds its words in. */
export function useCoreMemory(memory: WebAssembly.Memory): void {
  core = memory;
}

/**
 * Compiles and starts a module, which the core must have checked before. Returns its number, and for each kind of the schema the
 * module's own number (-1: none) and its reach, as bytes. Rejects with an Error whose message is a sentence for people.
 */
export async function startModule(bytes: Uint8Array<ArrayBuffer>, { hash, kinds, map }: RulesSettings): Promise<{ module: number; kinds: Uint8Array }> {
  let exports: Exports;
  try {
    const module = await WebAssembly.compile(bytes);
    exports = (await WebAssembly.instantiate(module)).exports as unknown as Exports;
  } catch (error) {
    throw new Error(`the rules module is refused: ${reasonOf(error)}`);
  }
  try {
    const abi = exports.tickwire_abi();
    if (abi !== ABI_VERSION) throw new Refusal(`the rules module speaks version ${abi} of the ABI, this page version ${ABI_VERSION}`);
    const found = BigInt.asUintN(64, exports.tickwire_rules_hash());
    if (found !== hash) throw new Refusal("the rules module has other rules than the room");
    giveMap(exports, map);
    const buffer = exports.tickwire_buffer() >>> 0;
    if (buffer % 4 !== 0 || buffer + BUFFER_BYTES > exports.memory.buffer.byteLength) {
      throw new Refusal("the rules module's exchange buffer is not in its memory or not aligned");
    }
    const numbers = kinds.flatMap((name) => kindOf(exports, buffer, name));
    const running = { exports, buffer: buffer / 4, words: new Int32Array(exports.memory.buffer), failure: "" };
    modules.set(++lastNumber, running);
    return { module: lastNumber, kinds: new Uint8Array(Int32Array.from(numbers).buffer) };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Error(`the rules module does not start: ${reasonOf(error)}`);
  }
}

class Refusal extends Error {}

function giveMap(exports: Exports, map: Uint8Array): void {
  const address = exports.tickwire_map_buffer(map.length) >>> 0;
  if (address === 0 || address + map.length > exports.memory.buffer.byteLength) {
    throw new Refusal(`the map does not fit into the rules module`);
  }
  new Uint8Array(exports.memory.buffer, address, map.length).set(map);
  if (exports.tickwire_start(map.length) !== 1) throw new Refusal("the rules module cannot read the room's map");
}

function kindOf(exports: Exports, buffer: number, name: string): [number, number] {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length > BUFFER_BYTES) return [-1, 0];
  new Uint8Array(exports.memory.buffer, buffer, bytes.length).set(bytes);
  const kind = exports.tickwire_kind(bytes.length);
  if (kind < -1 || kind > 255) throw new Refusal(`the rules module gives kind ${name} an impossible number`);
  return kind === -1 ? [-1, 0] : [kind, exports.tickwire_reach(kind)];
}

/** Called by the core: moves the row in the words at `address` of its memory by one tick. False: the module has trapped. */
export function advance(
  number: number,
  address: number,
  wordCount: number,
  kind: number,
  tick: number,
  lanes: number,
  privateLanes: number,
  nearbyWords: number,
  input: number,
  inputBytes: number,
): boolean {
  const running = modules.get(number);
  if (!running || !core) return false;
  // Views are renewed only after a memory has grown, and no call makes garbage.
  if (coreWords.buffer !== core.buffer) coreWords = new Int32Array(core.buffer);
  const { exports, buffer } = running;
  if (running.words.buffer !== exports.memory.buffer) running.words = new Int32Array(exports.memory.buffer);
  const from = address >>> 2;
  let words = running.words;
  for (let at = 0; at < wordCount; at++) words[buffer + at] = coreWords[from + at] as number;
  try {
    exports.tickwire_advance(kind, tick, lanes, privateLanes, nearbyWords, input, inputBytes);
  } catch (error) {
    running.failure = `it trapped (${reasonOf(error)})`;
    return false;
  }
  if (words.buffer !== exports.memory.buffer) words = running.words = new Int32Array(exports.memory.buffer);
  for (let at = 0; at < lanes + privateLanes; at++) coreWords[from + at] = words[buffer + at] as number;
  return true;
}

/** Called by the core: writes why a module has trapped to an address of its memory. Returns how many bytes that took. */
export function writeFailure(number: number, address: number, room: number): number {
  if (!core) return 0;
  return new TextEncoder().encodeInto(modules.get(number)?.failure || "it is gone", new Uint8Array(core.buffer, address, room)).written;
}

/** Called by the core: forgets a module. */
export function dropModule(number: number): void {
  modules.delete(number);
}
