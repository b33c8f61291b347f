//! A file of a game's page, embedded in the game's program, and the media types of such files.

/// A file of a game's page. [`page!`](crate::page!) gives all files of a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageFile {
    /// The path in the URL, such as `/app.js`; `/` for the page itself.
    pub path: &'static str,
    /// The media type, for the `Content-Type` header.
    pub content_type: &'static str,
    /// The contents.
    pub bytes: &'static [u8],
}

impl PageFile {
    /// A file whose media type follows from its path. A path that ends with `/` is HTML.
    #[must_use]
    pub const fn new(path: &'static str, bytes: &'static [u8]) -> Self {
        Self {
            path,
            content_type: media_type(path),
            bytes,
        }
    }
}

/// The files of the page that the package's build script has embedded by `tickwire_rules_build::page`, as `&'static [PageFile]`.
#[macro_export]
macro_rules! page {
    () => {{
        use $crate::PageFile;
        const FILES: &[PageFile] = include!(env!(
            "TICKWIRE_PAGE_FILES",
            "no page is embedded: call tickwire_rules_build::page(\"FOLDER\") in build.rs"
        ));
        FILES
    }};
}

/// The media type of a file, by its extension. Browsers run no script and no module of another type, as they must not sniff.
pub(crate) const fn media_type(path: &str) -> &'static str {
    match extension(path.as_bytes()) {
        b"" | b"html" | b"htm" => "text/html; charset=utf-8",
        b"js" | b"mjs" => "text/javascript; charset=utf-8",
        b"css" => "text/css; charset=utf-8",
        b"wasm" => "application/wasm",
        b"json" | b"map" => "application/json",
        b"webmanifest" => "application/manifest+json",
        b"txt" | b"md" => "text/plain; charset=utf-8",
        b"xml" => "application/xml",
        b"svg" => "image/svg+xml",
        b"png" => "image/png",
        b"jpg" | b"jpeg" => "image/jpeg",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"avif" => "image/avif",
        b"ico" => "image/x-icon",
        b"woff" => "font/woff",
        b"woff2" => "font/woff2",
        b"ttf" => "font/ttf",
        b"otf" => "font/otf",
        b"mp3" => "audio/mpeg",
        b"ogg" | b"oga" => "audio/ogg",
        b"opus" => "audio/opus",
        b"wav" => "audio/wav",
        b"m4a" => "audio/mp4",
        b"mp4" => "video/mp4",
        b"webm" => "video/webm",
        b"glb" => "model/gltf-binary",
        b"gltf" => "model/gltf+json",
        _ => "application/octet-stream",
    }
}

/// What follows the last dot of the last segment; empty for a folder.
const fn extension(path: &[u8]) -> &[u8] {
    let mut at = path.len();
    while at > 0 {
        at -= 1;
        match path[at] {
            b'/' if at + 1 == path.len() => return b"",
            b'/' => return b"none",
            b'.' => return path.split_at(at + 1).1,
            _ => {}
        }
    }
    b"none"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_follow_from_the_extension() {
        for (path, media_type) in [
            ("/", "text/html; charset=utf-8"),
            ("/help/", "text/html; charset=utf-8"),
            ("/a.b/app.js", "text/javascript; charset=utf-8"),
            ("/app.js.map", "application/json"),
            ("/core.wasm", "application/wasm"),
            ("/a.css/LICENSE", "application/octet-stream"),
            ("/archive.zip", "application/octet-stream"),
        ] {
            assert_eq!(PageFile::new(path, b"").content_type, media_type, "{path}");
        }
    }
}
