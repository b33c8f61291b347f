import { type AnyGame, type GameTypes, type JoinOptions, type Phase, type Protocol, type Room } from "@tickwire/client";
export interface RoomState<G extends GameTypes> {
    /** The room; undefined until it is joined. */
    room: Room<G> | undefined;
    phase: Phase;
    /** Why there is no room, or no connection, as a sentence; empty if all is well. */
    trouble: string;
}
export type UseRoomOptions = Pick<JoinOptions, "url" | "room" | "name" | "ticket" | "spectate" | "resume">;
/** Joins a room while the component is there, and leaves it with the component. Other options join anew. `protocol`: as in `join`; null without one. */
export declare function useRoom<G extends GameTypes = AnyGame>(protocol: Protocol<G> | null, options?: UseRoomOptions): RoomState<G>;
