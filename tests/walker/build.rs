//! Builds the rules module.

fn main() {
    tickwire_rules_build::rules_module("Walker");
}
