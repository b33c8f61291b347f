//! Builds the rules module, which the server offers to browsers.

fn main() {
    tickwire_rules_build::rules_module("Rules");
}
