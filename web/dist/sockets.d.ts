export interface SocketListener {
    opened(link: number): void;
    received(link: number, message: Uint8Array): void;
    /** `code`: undefined if there was no closing handshake. */
    closed(link: number, code: number | undefined, reason: string): void;
}
export declare class Sockets {
    #private;
    private readonly url;
    private readonly listener;
    constructor(url: string, listener: SocketListener);
    open(link: number): void;
    send(link: number, message: Uint8Array<ArrayBuffer>): void;
    close(link: number): void;
}
