//! Embeds the page.

fn main() {
    tickwire_rules_build::page("page");
}
