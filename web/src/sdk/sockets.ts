// The WebSockets of one session, by the core's link numbers. While a dead link is replaced there are two.
//
// In: the core's actions open, send and close. Out: what happened on which socket. Decides nothing.

export interface SocketListener {
  opened(link: number): void;
  received(link: number, message: Uint8Array): void;
  /** `code`: undefined if there was no closing handshake. */
  closed(link: number, code: number | undefined, reason: string): void;
}

const SUBPROTOCOL = "tickwire.v1";
/** Codes that a browser reports when there was no close frame, or one without a code. */
const ABNORMAL = 1006;
const NO_STATUS = 1005;

export class Sockets {
  readonly #sockets = new Map<number, WebSocket>();

  constructor(
    private readonly url: string,
    private readonly listener: SocketListener,
  ) {}

  open(link: number): void {
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    this.#sockets.set(link, socket);
    socket.onopen = () => this.listener.opened(link);
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.listener.received(link, new Uint8Array(data));
    };
    socket.onclose = ({ code, reason }) => {
      this.#sockets.delete(link);
      this.listener.closed(link, code === ABNORMAL || code === NO_STATUS ? undefined : code, reason);
    };
  }

  send(link: number, message: Uint8Array<ArrayBuffer>): void {
    const socket = this.#sockets.get(link);
    // A closing socket would drop the message; its `onclose` follows.
    if (socket?.readyState === WebSocket.OPEN) socket.send(message);
  }

  close(link: number): void {
    const socket = this.#sockets.get(link);
    if (!socket) return;
    this.#sockets.delete(link);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }
}
