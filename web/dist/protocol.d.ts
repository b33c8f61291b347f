/** The types of a game. `tickwire types` writes one for each game; without it, everything is checked by the room's schema at run time. */
export interface GameTypes {
    /** What a player wants in one tick. */
    input: object;
    /** What a row of each kind of entity has, by the kind's name. */
    kinds: object;
    /** What each kind of event has, by its name. */
    events: object;
    commands: object;
    messages: object;
}
/** Path and type of each value of each kind. Kinds that the schema does not describe have the type `raw`. */
export type Types = Readonly<Record<string, string>>;
/** What of a schema a protocol depends on. */
export interface Shape {
    readonly input: Types;
    readonly kinds: Readonly<Record<string, Types>>;
    readonly events: Readonly<Record<string, Types>>;
    readonly commands: Readonly<Record<string, Types>>;
    readonly messages: Readonly<Record<string, Types>>;
}
/** A game's protocol: the first argument of `join`. */
export interface Protocol<G extends GameTypes> {
    /** The game's name. */
    readonly game: string;
    readonly shape: Shape;
    /** Only for the compiler; never there. */
    readonly types?: G;
}
/** The types of a game that the compiler does not know. */
export interface AnyGame {
    input: Record<string, any>;
    kinds: Record<string, Record<string, any>>;
    events: Record<string, Record<string, any>>;
    commands: Record<string, any>;
    messages: Record<string, Record<string, any>>;
}
