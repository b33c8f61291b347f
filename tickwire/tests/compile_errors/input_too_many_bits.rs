use tickwire::prelude::*;

#[derive(Input, Clone)]
struct Wish {
    number_0: i32,
    number_1: i32,
    number_2: i32,
    number_3: i32,
    number_4: i32,
    number_5: i32,
    number_6: i32,
    number_7: i32,
    number_8: i32,
    number_9: i32,
    number_10: i32,
    number_11: i32,
    number_12: i32,
    number_13: i32,
    number_14: i32,
    number_15: i32,
    number_16: i32,
}

fn main() {}
