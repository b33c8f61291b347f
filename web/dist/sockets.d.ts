export interface SocketListener {
    opened(link: number): void;
    received(link: number, message: Uint8Array): void;
    /** `code`: 0 if there was no closing handshake. */
    closed(link: number, code: number, reason: string): void;
}
export declare class Sockets {
    #private;
    /** Whom the sockets tell what happens; read anew each time. */
    listener: SocketListener;
    constructor(url: string, listener: SocketListener, webSocket?: typeof WebSocket);
    open(link: number): void;
    send(link: number, message: Uint8Array<ArrayBuffer>): void;
    /** Sends the bytes at `at`. A socket copies what it is given before it returns. */
    sendFrom(link: number, bytes: Uint8Array<ArrayBuffer>, at: number, length: number): void;
    close(link: number): void;
}
