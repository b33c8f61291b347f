export declare class SessionClock {
    #private;
    now(): number;
}
