//! What browsers load from the game port: the game's page at `/`, and the SDK at `/sdk/`.
//!
//! In: a GET for a path. Out: the file, with the headers that protect the page. The SDK is the one that this server was built
//! with, so that a page without a bundler can `import` it from its own origin. Never knows a game but by its name.

use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY,
};
use hyper::{Request, StatusCode};
use std::hash::{DefaultHasher, Hasher};

use super::live_reload;
use super::no_page;
use super::page_folder::PageFolder;
use super::percent::percent_decoded;
use crate::config::Config;
use crate::http_answers::{self, Answer};
use crate::net::asset::Asset;
use crate::page_file::{PageFile, media_type};
use crate::tls::TlsSource;

/// The page may load its own files, run WebAssembly, and open WebSockets to the server that it comes from.
const SECURITY_POLICY: &str = "default-src 'self'; \
    script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What every answer of the site says.
const HEADERS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-cache"),
    (CONTENT_SECURITY_POLICY, SECURITY_POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// What the answers of a site with a certificate of its own say too: browsers ask for it by TLS alone, for a week. Not for subdomains,
/// and not for a development certificate, which no browser trusts.
const TLS_ONLY: (HeaderName, &str) = (STRICT_TRANSPORT_SECURITY, "max-age=604800");

/// The page and the SDK.
#[derive(Debug)]
pub struct Site {
    /// Each with the URL's path.
    embedded: Vec<(&'static str, Asset)>,
    /// The folder of `--page`, instead of the embedded page.
    folder: Option<PageFolder>,
    /// Whether pages of the folder reload when it changes.
    is_reloading: bool,
    headers: Vec<(HeaderName, &'static str)>,
}

impl Site {
    /// The site of a game: its page from the folder of `--page`, else from the embedded files, else one that says how to make one.
    #[must_use]
    pub fn new(game: &str, page: &'static [PageFile], config: &Config) -> Self {
        let folder = config.page.clone();
        let sdk = tickwire_sdk::FILES.iter().map(|(path, bytes)| {
            let asset = asset(media_type(path), *bytes);
            (*path, asset)
        });
        let page = page.iter().filter(|_| folder.is_none());
        let page = page.map(|file| (file.path, asset(file.content_type, file.bytes)));
        let mut embedded: Vec<_> = sdk.chain(page).collect();
        if folder.is_none() && !embedded.iter().any(|(path, _)| *path == "/") {
            embedded.push(("/", asset(media_type("/"), no_page::html(game))));
        }
        let is_reloading = config.page_reload && folder.is_some();
        if is_reloading {
            let script = asset(media_type(live_reload::SCRIPT_PATH), live_reload::SCRIPT);
            embedded.push((live_reload::SCRIPT_PATH, script));
        }
        let mut headers = HEADERS.to_vec();
        if matches!(config.tls, Some(TlsSource::Files { .. })) {
            headers.push(TLS_ONLY);
        }
        Self {
            embedded,
            folder: folder.map(PageFolder::new),
            is_reloading,
            headers,
        }
    }

    /// Answers a request for a file of the site; 404 if there is no such file.
    ///
    /// # Errors
    /// The answer that refuses the method.
    pub(super) async fn serve(&self, request: &Request<Incoming>) -> Result<Answer, Box<Answer>> {
        let path = percent_decoded(request.uri().path());
        let path = match path.strip_suffix("index.html") {
            Some(folder) if folder.ends_with('/') => folder,
            _ => &path,
        };
        if let Some((_, asset)) = self.embedded.iter().find(|(of, _)| *of == path) {
            http_answers::check_method(request.method(), "GET, HEAD")?;
            return Ok(asset.answer(request.headers(), &self.headers));
        }
        let Some(folder) = &self.folder else {
            return Ok(http_answers::not_found());
        };
        http_answers::check_method(request.method(), "GET, HEAD")?;
        let (media_type, bytes) = if self.is_reloading && path == live_reload::VERSION_PATH {
            (
                "text/plain",
                folder.version().await.to_string().into_bytes(),
            )
        } else {
            let Some(mut bytes) = folder.read(path).await else {
                return Ok(http_answers::not_found());
            };
            let media_type = media_type(path);
            if self.is_reloading && media_type.starts_with("text/html") {
                bytes.extend_from_slice(live_reload::ELEMENT);
            }
            (media_type, bytes)
        };
        let mut answer = http_answers::answer(StatusCode::OK, media_type, bytes);
        for (name, value) in &self.headers {
            (answer.headers_mut()).insert(name, HeaderValue::from_static(value));
        }
        Ok(answer)
    }
}

fn asset(content_type: &'static str, bytes: impl Into<bytes::Bytes>) -> Asset {
    let bytes = bytes.into();
    // The hasher has fixed keys, so all servers of one build agree.
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    let tag = format!("{:016x}", hasher.finish());
    Asset::new(content_type, bytes, &tag)
}
