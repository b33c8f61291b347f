//! Embeds the arena's page.

fn main() {
    tickwire_rules_build::page("../page/dist");
}
