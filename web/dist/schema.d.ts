/** One kind of entity. */
export interface Kind {
    readonly name: string;
    /** Index in {@link Schema.kinds}. */
    readonly number: number;
    /** Names of the public lanes: integers, in the game's own units. */
    readonly lanes: readonly string[];
    /** Names of the private lanes, which only an entity's owner gets. */
    readonly privateLanes: readonly string[];
    readonly texts: readonly string[];
    /** Whether the first two lanes are x and y. */
    readonly isPlaced: boolean;
}
export interface Schema {
    readonly kinds: readonly Kind[];
    /** Names of the kinds of event. */
    readonly events: readonly string[];
}
