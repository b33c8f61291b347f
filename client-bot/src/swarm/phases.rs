//! What happens in each phase of a plan.
//!
//! In: the plan, and bots that take commands. Out: bots that start, lose connections and leave, and a timeline whose slices begin and end
//! with the phases.

use super::{BotCommands, MAX_SLICES, Swarm};
use crate::bot::BotCommand;
use crate::plan::{PhaseAction, Plan, part_of};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

/// How long a phase of leaving waits for bots that do not end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

impl Swarm<'_> {
    /// Carries out one phase after the other.
    pub async fn carry_out(&mut self, plan: &Plan) {
        let slice_seconds = (plan.duration().as_secs_f64() / MAX_SLICES).ceil().max(1.0);
        for (index, phase) in plan.phases.iter().enumerate() {
            let begin = Instant::now();
            let begin_s = (begin - self.start).as_secs_f64();
            let bots = self.bots_in_rooms();
            self.shared.timeline.begin(begin_s, index, bots);
            self.phase_name.send_replace(phase.name.clone());
            let (timeline, totals) = (
                Arc::clone(&self.shared.timeline),
                Arc::clone(&self.shared.totals),
            );
            let slices = async {
                for count in 1_u32.. {
                    let after_s = f64::from(count) * slice_seconds;
                    sleep_until((begin + Duration::from_secs_f64(after_s)).into()).await;
                    let bots = totals.connected.load(Ordering::Relaxed);
                    timeline.go_on(begin_s + after_s, bots);
                }
            };
            tokio::select! {
                () = self.act(phase.action, begin) => {}
                () = slices => {}
            }
        }
    }

    async fn act(&mut self, action: PhaseAction, begin: Instant) {
        match action {
            PhaseAction::Ramp { bots, per_second } => {
                let pause = Duration::from_secs_f64(1.0 / f64::from(per_second));
                for count in 0..bots {
                    sleep_until((begin + pause * count).into()).await;
                    self.start_bot();
                }
            }
            PhaseAction::Hold { duration } => sleep_until((begin + duration).into()).await,
            PhaseAction::Storm {
                duration,
                per_second,
            } => self.storm(begin, begin + duration, per_second).await,
            PhaseAction::Cut { duration, share } => {
                let until = begin + duration;
                for bot in self.some_playing(share) {
                    self.tell(bot, BotCommand::CutLine { until });
                }
                sleep_until(until.into()).await;
            }
            PhaseAction::Leave { share, per_second } => self.leave(begin, share, per_second).await,
        }
    }

    async fn storm(&mut self, begin: Instant, end: Instant, per_second: f64) {
        let pause = Duration::from_secs_f64(1.0 / per_second);
        let mut due = begin;
        while due < end {
            sleep_until(due.into()).await;
            if let Some(bot) = self.next_playing() {
                self.tell(bot, BotCommand::DropConnection);
            }
            due += pause;
        }
        sleep_until(end.into()).await;
    }

    async fn leave(&mut self, begin: Instant, share: f64, per_second: Option<u32>) {
        let leaving = self.some_playing(share);
        let expected = self.measured.len() + self.ended.len() + leaving.len();
        let pause = per_second.map_or(Duration::ZERO, |per_second| {
            Duration::from_secs_f64(1.0 / f64::from(per_second))
        });
        for (count, bot) in (0_u32..).zip(leaving) {
            sleep_until((begin + pause * count).into()).await;
            self.tell(bot, BotCommand::Leave);
            self.commands[bot] = None;
        }
        let until = Instant::now() + LEAVE_TIMEOUT;
        while self.measured.len() < expected {
            match tokio::time::timeout_at(until.into(), self.ended.recv()).await {
                Ok(Some(bot)) => self.measured.push(bot),
                _ => break,
            }
        }
    }

    /// Numbers of the bots that have not ended, and were not told to.
    fn playing(&self) -> Vec<usize> {
        let bots = self.commands.iter().enumerate();
        let playing = bots.filter(|(_, commands)| {
            let listens = |commands: &BotCommands| !commands.is_closed();
            commands.as_ref().is_some_and(listens)
        });
        playing.map(|(index, _)| index).collect()
    }

    /// A share of the bots that play, spread evenly over their numbers, and so over rooms.
    fn some_playing(&self, share: f64) -> Vec<usize> {
        let playing = self.playing();
        let count = part_of(playing.len() as u32, share) as usize;
        (0..count)
            .map(|index| playing[index * playing.len() / count])
            .collect()
    }

    /// The next bot in turn.
    fn next_playing(&mut self) -> Option<usize> {
        let playing = self.playing();
        let next = playing.iter().find(|bot| **bot >= self.next_in_storm);
        let bot = *next.or(playing.first())?;
        self.next_in_storm = bot + 1;
        Some(bot)
    }

    fn tell(&self, bot: usize, command: BotCommand) {
        if let Some(commands) = &self.commands[bot] {
            // A bot that was refused has ended already.
            let _ = commands.send(command);
        }
    }
}
