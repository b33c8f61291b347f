export interface SocketListener {
    opened(link: number): void;
    received(link: number, message: Uint8Array): void;
    /** `code`: undefined if there was no closing handshake. */
    closed(link: number, code: number | undefined, reason: string): void;
}
export declare class Sockets {
    #private;
    constructor(url: string, listener: SocketListener, webSocket?: typeof WebSocket);
    open(link: number): void;
    send(link: number, message: Uint8Array<ArrayBuffer>): void;
    /** Sends the bytes at `at`. A socket copies what it is given before it returns. */
    sendFrom(link: number, bytes: Uint8Array<ArrayBuffer>, at: number, length: number): void;
    close(link: number): void;
}
