//! Pages that reload when a file of the page's folder changes, for development (`--page-reload`).
//!
//! Each HTML page of the folder gets one more script. The script asks for the folder's version twice a second, and reloads the page
//! when the version is another one. A player goes on as the same player, as after any reload.

/// Where the script is.
pub(super) const SCRIPT_PATH: &str = "/sdk/reload.js";

/// Where the folder's version is: a number that is another one after each change of a file.
pub(super) const VERSION_PATH: &str = "/sdk/page-version";

/// What is added to each page.
pub(super) const ELEMENT: &[u8] = b"<script type=\"module\" src=\"/sdk/reload.js\"></script>\n";

/// The script. A server that restarts answers nothing for a while: the version that was seen before stands.
pub(super) const SCRIPT: &str = r#"let seen;
for (;;) {
  const answer = await fetch("/sdk/page-version").catch(() => undefined);
  if (answer?.ok) {
    const version = await answer.text();
    if (seen !== undefined && version !== seen) location.reload();
    seen = version;
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}
"#;
