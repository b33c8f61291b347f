// The WebSockets of one session, by the core's link numbers. While a dead link is replaced there are two.
//
// In: the core's actions open, send and close. Out: what happened on which socket. Decides nothing. The debug overlay's emulated line
// puts itself between: before `open`, `send` and `close`, and before the listener.

export interface SocketListener {
  opened(link: number): void;
  received(link: number, message: Uint8Array): void;
  /** `code`: 0 if there was no closing handshake. */
  closed(link: number, code: number, reason: string): void;
}

const SUBPROTOCOL = "tickwire.v1";
/** Codes that a browser reports when there was no close frame, or one without a code. */
const ABNORMAL = 1006;
const NO_STATUS = 1005;
const OPEN = 1;
/** A browser tells a page neither that a server is down nor that it refuses the page. */
const REFUSED = "the server cannot be reached or refuses this page";
/** Shorter messages are sent from a view of their length that is made once: every tick has one. */
const MAX_KEPT_VIEW_BYTES = 128;

export class Sockets {
  readonly #sockets = new Map<number, WebSocket>();
  readonly #views: Uint8Array<ArrayBuffer>[] = [];
  readonly #url: string;
  /** Whom the sockets tell what happens; read anew each time. */
  listener: SocketListener;
  readonly #WebSocket: typeof WebSocket;

  constructor(url: string, listener: SocketListener, webSocket: typeof WebSocket = WebSocket) {
    this.#url = url;
    this.listener = listener;
    this.#WebSocket = webSocket;
  }

  open(link: number): void {
    const socket = new this.#WebSocket(this.#url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    this.#sockets.set(link, socket);
    let unopened = REFUSED;
    socket.onopen = () => {
      unopened = "";
      this.listener.opened(link);
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.listener.received(link, new Uint8Array(data));
    };
    socket.onclose = ({ code, reason }) => {
      this.#sockets.delete(link);
      this.listener.closed(link, code === ABNORMAL || code === NO_STATUS ? 0 : code, reason || unopened);
    };
    // A browser says nothing here; packages for Node throw an error that nobody listens to.
    socket.onerror = () => {};
  }

  send(link: number, message: Uint8Array<ArrayBuffer>): void {
    const socket = this.#sockets.get(link);
    // A closing socket would drop the message; its `onclose` follows.
    if (socket?.readyState === OPEN) socket.send(message);
  }

  /** Sends the bytes at `at`. A socket copies what it is given before it returns. */
  sendFrom(link: number, bytes: Uint8Array<ArrayBuffer>, at: number, length: number): void {
    if (length > MAX_KEPT_VIEW_BYTES) {
      this.send(link, bytes.slice(at, at + length));
      return;
    }
    const view = (this.#views[length] ??= new Uint8Array(length));
    for (let index = 0; index < length; index++) view[index] = bytes[at + index] as number;
    this.send(link, view);
  }

  close(link: number): void {
    const socket = this.#sockets.get(link);
    if (!socket) return;
    this.#sockets.delete(link);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }
}
