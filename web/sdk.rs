//! The built SDK, to embed in a server. `web/build.sh` builds it from `web/src`; the result is committed.

/// The files that a page loads, each with its path in the URL.
pub const FILES: &[(&str, &[u8])] = &[
    ("/sdk/index.js", include_bytes!("dist/index.js")),
    ("/sdk/debug.js", include_bytes!("dist/debug.js")),
    ("/sdk/keys.js", include_bytes!("dist/keys.js")),
    ("/sdk/lobby.js", include_bytes!("dist/lobby.js")),
    (
        "/sdk/tickwire_bg.wasm",
        include_bytes!("dist/tickwire_bg.wasm"),
    ),
];
