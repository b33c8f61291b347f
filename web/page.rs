//! The built page of the arena, to embed in a server. `web/build.sh` builds it from `web/src`; the result is committed.

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub struct PageFile {
    /// The path in the URL, such as "/app.js".
    pub path: &'static str,
    /// The media type, for the `Content-Type` header.
    pub content_type: &'static str,
    /// The contents.
    pub bytes: &'static [u8],
}

/// All files of the page. The first one is the page itself.
pub const FILES: &[PageFile] = &[
    PageFile {
        path: "/",
        content_type: "text/html; charset=utf-8",
        bytes: include_bytes!("dist/index.html"),
    },
    PageFile {
        path: "/app.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("dist/app.js"),
    },
    PageFile {
        path: "/style.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("dist/style.css"),
    },
    PageFile {
        path: "/tickwire_bg.wasm",
        content_type: "application/wasm",
        bytes: include_bytes!("dist/tickwire_bg.wasm"),
    },
];
