export declare function reasonOf(error: unknown): string;
