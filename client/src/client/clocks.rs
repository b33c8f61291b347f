//! The clocks of a session: the server's time, the tick to make inputs for, and the view tick that the screen shows.
//!
//! In: the time, and samples that `received` takes. Out: ticks, and when to ping. Never sends the pings itself.

use tickwire_sync::client::{InputClock, InterpolationClock, ServerClock};
use tickwire_sync::input_buffer::MAX_INPUT_LEAD_TICKS;
use tickwire_sync::{Micros, Tick, TickClock, ViewTick};

/// Clock pings: frequent after joining, then one a second.
pub(super) const PING_INTERVAL: Micros = Micros::from_millis(1_000);
const FIRST_PING_COUNT: u32 = 5;
const FIRST_PING_INTERVAL: Micros = Micros::from_millis(150);
/// A ping is sent together with the next input, but waits no longer than this for one. A server that reads once a tick knows
/// only the arrival time of the newest message that it reads: a ping that arrives alone before an input seems to have arrived
/// with that input, up to a tick later.
const MAX_PING_WAIT: Micros = Micros::from_millis(100);

/// All clocks of a session.
pub(super) struct Clocks {
    pub server: ServerClock,
    /// `None` before the first `Welcome`.
    pub input: Option<InputClock>,
    pub view: InterpolationClock,
    /// The moment that the screen shows.
    pub view_tick: ViewTick,
    pub pings: PingSchedule,
}

/// When to send the next clock ping.
pub(super) struct PingSchedule {
    /// Pings since joining.
    sent_count: u32,
    next_at: Micros,
}

impl Clocks {
    pub fn new(now: Micros) -> Self {
        Self {
            server: ServerClock::default(),
            input: None,
            view: InterpolationClock::new(60),
            view_tick: ViewTick::default(),
            pings: PingSchedule::new(now),
        }
    }

    /// Moves the view tick on to `now`.
    pub fn advance_view(&mut self, now: Micros) -> ViewTick {
        if let Some(view) = self.view.advance(now) {
            self.view_tick = view;
        }
        self.view_tick
    }

    /// Whether inputs are for ticks so far ahead that the server refuses them. Refused inputs have no margin to be corrected by.
    pub fn is_input_too_early(&self, ticks: TickClock, now: Micros) -> bool {
        let (Some(input), Some(server_us)) = (&self.input, self.server.server_us(now)) else {
            return false;
        };
        let round_trip = self.server.min_round_trip().unwrap_or_default();
        let arrival = ticks.ticks_at(server_us + round_trip.0 as f64);
        input.ticks() - arrival > f64::from(MAX_INPUT_LEAD_TICKS)
    }

    /// Restarts input and view clock over a path with this round trip. Returns the first tick to make an input for.
    pub fn restart(&mut self, ticks: TickClock, round_trip: Micros, now: Micros) -> Tick {
        let server_us = self.server.server_us(now).unwrap_or_default();
        let arrival = ticks.ticks_at(server_us + round_trip.0 as f64 / 2.0);
        let input = InputClock::new(ticks.tick_rate, now, arrival);
        let first = Tick(input.ticks().max(0.0) as u32).next();
        self.input = Some(input);
        self.view = InterpolationClock::new(ticks.tick_rate);
        first
    }
}

impl PingSchedule {
    /// A schedule whose first ping is due at `now`.
    pub fn new(now: Micros) -> Self {
        Self {
            sent_count: 0,
            next_at: now,
        }
    }

    pub fn is_due(&self, now: Micros) -> bool {
        now >= self.next_at
    }

    /// Whether the ping has waited long enough for an input, and goes alone.
    pub fn is_overdue(&self, now: Micros) -> bool {
        self.overdue_at() <= now
    }

    pub fn overdue_at(&self) -> Micros {
        self.next_at.plus(MAX_PING_WAIT)
    }

    /// Records a ping at `now`.
    pub fn record(&mut self, now: Micros) {
        self.sent_count += 1;
        let interval = if self.sent_count < FIRST_PING_COUNT {
            FIRST_PING_INTERVAL
        } else {
            PING_INTERVAL
        };
        self.next_at = now.plus(interval);
    }

    /// Puts the next ping off by a full interval: one was just sent out of turn.
    pub fn postpone(&mut self, now: Micros) {
        self.next_at = now.plus(PING_INTERVAL);
    }
}
