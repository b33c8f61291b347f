/** What a room was made for: names with values. */
export type Tags = Record<string, string | number | boolean>;
/** A public room. */
export interface ListedRoom {
    room: string;
    /** Players who are connected. */
    players: number;
    /** Seats. */
    max: number;
    /** What the room was made for. */
    tags: Record<string, string>;
    /** What the game tells of it. */
    metadata: Record<string, string>;
}
export interface RoomsOptions {
    /** Address of the server's WebSocket, as in `join`. Default: `ws` beside the page. */
    url?: string | URL | undefined;
    /** The tags that the rooms must have. */
    tags?: Tags | undefined;
    /** Rooms of a page, 1 to 100. Default: 50. */
    limit?: number | undefined;
    /** `next` of the page before. */
    after?: string | undefined;
    signal?: AbortSignal | undefined;
}
export interface MatchOptions {
    /** Address of the server's WebSocket, as in `join`. Default: `ws` beside the page. */
    url?: string | URL | undefined;
    /** Default: `joinOrCreate`. */
    mode?: "joinOrCreate" | "create" | "join" | undefined;
    /** The room has these at least; a new one has exactly these. */
    tags?: Tags | undefined;
    /** Seats of a new room. */
    max?: number | undefined;
    /** A new room is unlisted, and others need its `key`. With mode `create`. */
    private?: boolean | undefined;
    /** This room and no other. With mode `join`. */
    room?: string | undefined;
    /** The `key` of a private room. */
    key?: string | undefined;
    signal?: AbortSignal | undefined;
}
/** A seat in a room, held for ten seconds. Give it to `join`. */
export interface Seat {
    room: string;
    /** Address of the room's WebSocket. */
    url: string;
    reservation: string;
    /** When the seat is given away, in seconds since 1970. */
    expires: number;
    /** By it further players get seats in a new private room: `match({ mode: "join", room, key })`. */
    key?: string;
}
/** What `rooms` and `match` reject with where the server refuses. Its message is a sentence. */
export interface LobbyError extends Error {
    /** The HTTP status: 404 where there is no such room, or no list of rooms; 409 where the room is full. */
    status: number;
}
/** The server's public rooms. Rejects with status 404 where the server has no list (`--room-list`), as by default. */
export declare function rooms({ url, tags, limit, after, signal }?: RoomsOptions): Promise<{
    rooms: ListedRoom[];
    next: string | null;
}>;
/** A seat in a room with the tags: in one that there is, or in a new one. Rejects if there is none. */
export declare function match({ url, signal, ...wanted }?: MatchOptions): Promise<Seat>;
