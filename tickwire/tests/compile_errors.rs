//! A mistake of an author is a compile error at the place of the mistake, and says what to do instead.
//!
//! `TRYBUILD=overwrite cargo test --all-features -p tickwire --test compile_errors -- --ignored` writes the expected messages anew.

#[test]
#[ignore = "checks the whole server once more, for the mistakes' crate: ./test.sh --long"]
fn each_mistake_is_an_error_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/compile_errors/*.rs");
}
