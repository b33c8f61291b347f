// A Colyseus server with one room: the entities of paths.mjs, every one of them in the state of every client.
//
// Prints `colyseus ready ws://...` when it listens. The types on the wire have the precision of crowd.rs: positions in steps of 1/16 unit
// (two bytes), headings in steps of 1/256 turn (one byte).

import { Room, Server } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { ENTITIES, STEPS, TICK_RATE, move } from "../paths.mjs";

const position = () => t.quantized({ min: 0, max: (2 ** 16 - 1) / STEPS, bits: 16 });
const Walker = schema({ x: position(), y: position(), heading: t.angle({ bits: 8 }) }, "Walker");
const Crowd = schema({ walkers: t.map(Walker) }, "Crowd");
const Wish = schema({ dx: t.int8(), dy: t.int8() }, "Wish");

class CrowdRoom extends Room {
  state = new Crowd();
  patchRate = 1000 / TICK_RATE;
  inputs = this.defineInput(Wish);
  wished = 0;

  onCreate() {
    for (let n = 0; n < ENTITIES; n++) {
      const walker = new Walker();
      move(walker, n, 0);
      this.state.walkers.set(String(n), walker);
    }
    const walkers = [...this.state.walkers.values()];
    this.setFixedTimestep(({ tick }) => {
      for (const { sessionId } of this.clients) {
        for (const { dx, dy } of this.inputs.get(sessionId)) this.wished += dx + dy;
      }
      for (let n = 0; n < ENTITIES; n++) move(walkers[n], n, tick);
    }, TICK_RATE);
  }
}

const transport = new WebSocketTransport();
const server = new Server({ transport, greet: false });
server.define("crowd", CrowdRoom);
await server.listen(0, "127.0.0.1");
console.log(`colyseus ready ws://127.0.0.1:${transport.server.address().port}`);
