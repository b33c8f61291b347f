export declare class SessionClock {
    #private;
    now(): number;
    /** The time, in a turn of the session's timer. */
    turn(): number;
}
