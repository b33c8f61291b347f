//! Builds the rules module, which the server offers to browsers, and embeds the page.

fn main() {
    tickwire_rules_build::rules_module("Rules");
    tickwire_rules_build::page("page");
}
