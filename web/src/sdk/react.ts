// @tickwire/client/react: a room as a hook.
//
// React renders when the session changes, not with every frame: draw frames from `room.frame()` in a requestAnimationFrame of a canvas.

import { useEffect, useState } from "react";
import { join, type AnyGame, type GameTypes, type JoinOptions, type Phase, type Protocol, type Room } from "@tickwire/client";

export interface RoomState<G extends GameTypes> {
  /** The room; undefined until it is joined. */
  room: Room<G> | undefined;
  phase: Phase;
  /** Why there is no room, or no connection, as a sentence; empty if all is well. */
  trouble: string;
}

export type UseRoomOptions = Pick<JoinOptions, "url" | "room" | "name" | "ticket" | "spectate" | "resume">;

/** Joins a room while the component is there, and leaves it with the component. Other options join anew. `protocol`: as in `join`; null without one. */
export function useRoom<G extends GameTypes = AnyGame>(protocol: Protocol<G> | null, options: UseRoomOptions = {}): RoomState<G> {
  const [state, setState] = useState<RoomState<G>>({ room: undefined, phase: "connecting", trouble: "" });
  const { url, room: name, name: player, ticket, spectate, resume } = options;
  useEffect(() => {
    const giveUp = new AbortController();
    let joined: Room<G> | undefined;
    const all: JoinOptions = { url, room: name, name: player, ticket, spectate, resume, signal: giveUp.signal };
    all.onTrouble = (trouble) => setState({ room: undefined, phase: "connecting", trouble });
    setState({ room: undefined, phase: "connecting", trouble: "" });
    const joining = protocol ? join(protocol, all) : (join(all) as unknown as Promise<Room<G>>);
    joining.then(
      (room) => {
        if (giveUp.signal.aborted) return room.leave();
        joined = room;
        setState({ room, phase: room.phase, trouble: room.trouble });
        room.onPhase(({ phase, reason }) => setState({ room, phase, trouble: reason }));
      },
      (error: unknown) => {
        if (!giveUp.signal.aborted) setState({ room: undefined, phase: "closed", trouble: error instanceof Error ? error.message : String(error) });
      },
    );
    return () => {
      giveUp.abort();
      joined?.leave();
    };
  }, [protocol, String(url ?? ""), name, player, ticket, spectate, resume]);
  return state;
}
