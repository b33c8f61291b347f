use tickwire::prelude::*;

#[derive(Entity)]
struct Bird {
    eggs: u8,
}

struct Weather;

#[derive(World)]
struct Pond {
    ducks: Entities<Bird>,
    weather: Weather,
}

fn main() {}
