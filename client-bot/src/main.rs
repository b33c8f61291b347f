//! The binary: reads the flags, runs a swarm, writes the reports, and says by its exit code whether all was well.

use anyhow::Context as _;
use std::process::ExitCode;
use tickwire_bot::{Options, Report};

/// Exit code for flags that cannot be.
const BAD_FLAGS: u8 = 2;

fn main() -> ExitCode {
    let options = match Options::load(std::env::args_os()) {
        Ok(options) => options,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            if let Some(asked) = error
                .downcast_ref::<clap::Error>()
                .filter(|error| !error.use_stderr())
            {
                asked.exit();
            }
            eprintln!("tickwire-bot: {}", tickwire_bot::one_line(&error));
            return ExitCode::from(BAD_FLAGS);
        }
    };
    match run(&options) {
        Ok(report) if report.is_good() => ExitCode::SUCCESS,
        Ok(report) => {
            let (connected, bots) = (report.connected, report.bots);
            eprintln!(
                "tickwire-bot: {connected} of {bots} connected, {} mismatches, {} protocol errors",
                report.view_mismatches, report.protocol_errors
            );
            let refused =
                |bot: &tickwire_bot::BotReport| Some((bot.name.clone(), bot.refusal.clone()?));
            if let Some((name, refusal)) = report.per_bot.iter().find_map(refused) {
                eprintln!("tickwire-bot: {name}: {refusal}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tickwire-bot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    let report = runtime.block_on(tickwire_bot::run(options))?;
    if let Some(path) = &options.report {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("--report {}", path.display()))?;
    }
    if let Some(path) = &options.report_html {
        std::fs::write(path, tickwire_bot::page(&report))
            .with_context(|| format!("--report-html {}", path.display()))?;
    }
    summary(&report);
    Ok(report)
}

fn summary(report: &Report) {
    let (rate, gap, age) = (
        report.snapshots_per_second,
        report.snapshot_gap_ms,
        report.snapshot_age_ms,
    );
    println!(
        "connected            {} of {}",
        report.connected, report.bots
    );
    println!(
        "snapshots/s          min {:.2}  p50 {:.2}  max {:.2}  (a bare timer: {:.2})",
        rate.min, rate.p50, rate.max, report.timer_control.per_second
    );
    println!(
        "snapshot gap ms      p50 {:.2}  p99 {:.2}  max {:.2}",
        gap.p50, gap.p99, gap.max
    );
    println!(
        "snapshot age ms      p50 {:.2}  p99 {:.2}  max {:.2}",
        age.p50, age.p99, age.max
    );
    println!(
        "bytes                {:.0} per second and bot, {:.2} per row update",
        report.bytes_per_second_per_bot, report.bytes_per_row_update
    );
    println!(
        "input to ack ms      p50 {:.2}  p99 {:.2}",
        report.input_to_ack_ms.p50, report.input_to_ack_ms.p99
    );
    println!(
        "interpolation ms     p50 {:.2}  p99 {:.2}",
        report.interpolation_delay_ms.p50, report.interpolation_delay_ms.p99
    );
    println!(
        "view checks          {} with {} mismatches, {} protocol errors",
        report.view_checks, report.view_mismatches, report.protocol_errors
    );
    let shots = report.shots;
    println!(
        "shots                {} fired, {} hit on screen, {} confirmed, {} false hits, {} never reached the game",
        shots.fired, shots.hit_on_screen, shots.confirmed, shots.false_hits, shots.unmatched
    );
    let prediction = report.prediction;
    println!(
        "prediction           {} inputs, {} corrections, {} starved",
        prediction.inputs, prediction.corrections, report.starved_inputs
    );
    println!(
        "CPU                  {:.2} s of bots in {:.1} s",
        report.cpu_seconds, report.seconds
    );
}
