//! Builds the rules module, which the server offers to every client.

fn main() {
    tickwire_rules_build::rules_module("Rules");
}
