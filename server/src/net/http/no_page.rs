//! The page of a game that has none: it says which game this is, and how to give it one.

/// The page as HTML.
pub(super) fn html(game: &str) -> String {
    let game = escaped(game);
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{game}</title>
<style>
  body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; color-scheme: light dark }}
  pre {{ padding: 1rem; border: 1px solid; border-radius: .5rem; overflow: auto }}
</style>
<h1>{game}</h1>
<p>This Tickwire server plays <b>{game}</b>. The game has no page of its own yet: bots and native clients can join it.</p>
<p>To give it one, put an <code>index.html</code> with a script into a folder. The script gets the SDK from this server:</p>
<pre>import * as tickwire from "/sdk/index.js";</pre>
<p>While you work on it, start the server with the folder; it reads the files anew with each request:</p>
<pre>--page page</pre>
<p>To put it into the program, embed the folder in <code>build.rs</code>, and name it in <code>main</code>:</p>
<pre>tickwire_rules_build::page("page");</pre>
<pre>tickwire::Program::&lt;Game&gt;::new().page(tickwire::page!()).run()</pre>
"#
    )
}

/// The text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_games_name_is_no_markup() {
        assert!(html("<script>&").contains("<h1>&lt;script>&amp;</h1>"));
    }
}
