//! Builds the rules module, by which browsers predict, and embeds the page in the program.

fn main() {
    tickwire_rules_build::rules_module("Rules");
    tickwire_rules_build::page("page");
}
