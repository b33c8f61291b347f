/** The address in the form that every browser accepts. An invalid one is refused here: the core would retry it forever. */
export declare function checkedAddress(given: string): string;
/** `ws` beside the page, over TLS if the page is. */
export declare function addressBesidePage(room: string): string;
