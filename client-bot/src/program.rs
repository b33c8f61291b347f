//! The whole program: parses the flags, runs a swarm or merges reports, writes the report, and exits with 0 if nothing was wrong.

mod merge;

use crate::about::Asked;
use crate::behaviour::Playbook;
use crate::options::{Options, one_line_error};
use crate::report::{BotReport, PercentilesMs, Report};
use anyhow::Context as _;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Exit code for invalid flags, scenarios and reports.
const BAD_FLAGS: u8 = 2;
/// Exit code for a threshold that failed.
const THRESHOLD_FAILED: u8 = 3;
/// The first argument of the command that merges reports.
const MERGE: &str = "merge";

/// The whole program of a swarm of bots. They play the playbook's game by its behaviours, and any other game by its schema.
#[must_use]
pub fn main(playbook: Option<Arc<dyn Playbook>>) -> ExitCode {
    main_with(std::env::args_os(), playbook)
}

/// As [`main`], with these arguments instead of the process's own. The first one is the program's name.
#[must_use]
pub fn main_with(
    arguments: impl IntoIterator<Item = OsString>,
    playbook: Option<Arc<dyn Playbook>>,
) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == MERGE) {
        return match merge::merge(&arguments) {
            Ok(report) => exit_code(&report),
            Err(error) => refuse(&error),
        };
    }
    let options = match Options::load(arguments) {
        Ok(options) => options,
        Err(error) => return refuse(&error),
    };
    match run(&options, playbook) {
        Ok(report) => exit_code(&report),
        Err(error) => {
            complain(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with the arguments, or shows the help that they ask for.
fn refuse(error: &anyhow::Error) -> ExitCode {
    // Help and version are not errors, and go to standard output.
    if let Some(help) = error
        .downcast_ref::<clap::Error>()
        .filter(|error| !error.use_stderr())
    {
        help.exit();
    }
    if let Some(asked) = error.downcast_ref::<Asked>() {
        return match asked.print(crate::options::command()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(error);
                ExitCode::FAILURE
            }
        };
    }
    complain(one_line_error(error));
    ExitCode::from(BAD_FLAGS)
}

/// What was wrong, a line each. A run that says nothing about the game goes before its figures.
fn exit_code(report: &Report) -> ExitCode {
    for verdict in report.failed_thresholds() {
        complain(verdict);
    }
    if !report.is_good() {
        let (connected, bots) = (report.connected, report.bots);
        complain(format_args!(
            "{connected} of {bots} connected, {} frozen (no snapshot, or none after the first), {} mismatches, {} protocol errors",
            report.frozen, report.view_mismatches, report.protocol_errors
        ));
        return ExitCode::FAILURE;
    }
    if report.failed_thresholds().next().is_some() {
        return ExitCode::from(THRESHOLD_FAILED);
    }
    ExitCode::SUCCESS
}

/// Prints a line to standard error. A closed standard error is ignored.
fn complain(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "tickwire-bot: {message}");
}

fn run(options: &Options, playbook: Option<Arc<dyn Playbook>>) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    let report = runtime.block_on(crate::swarm::run(options, playbook))?;
    show(
        &report,
        options.report.as_deref(),
        options.report_html.as_deref(),
    )?;
    if report.offline > 0 {
        complain(format_args!(
            "{} of {} bots had no connection when the run ended",
            report.offline, report.bots
        ));
    }
    let refused = |bot: &BotReport| Some((bot.name.clone(), bot.refusal.clone()?));
    let mut refused = report.per_bot.iter().filter_map(refused);
    if let Some((name, refusal)) = refused.next() {
        complain(format_args!("{name}: {refusal}"));
        match refused.count() {
            0 => {}
            more => complain(format_args!("{more} more bots were refused")),
        }
    }
    Ok(report)
}

/// Writes the report to its files, and its summary to standard output.
fn show(report: &Report, json: Option<&Path>, html: Option<&Path>) -> anyhow::Result<()> {
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(report)?)
            .with_context(|| format!("--report {}", path.display()))?;
    }
    if let Some(path) = html {
        std::fs::write(path, crate::html::html_page(report))
            .with_context(|| format!("--report-html {}", path.display()))?;
    }
    // A closed standard output is no error: the exit code and the report say the same.
    let _ = std::io::stdout().write_all(summary(report).as_bytes());
    Ok(())
}

fn summary(report: &Report) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let (rate, gap, age) = (
        report.snapshots_per_second,
        report.snapshot_gap_ms,
        report.snapshot_age_ms,
    );
    let _ = writeln!(
        text,
        "connected            {} of {}",
        report.connected, report.bots
    );
    let _ = writeln!(
        text,
        "snapshots/s          min {:.2}  p50 {:.2}  max {:.2}  (a bare timer: {:.2})",
        rate.min, rate.p50, rate.max, report.timer_control.per_second
    );
    let _ = writeln!(text, "snapshot gap ms      {}", percentiles(gap));
    let _ = writeln!(text, "snapshot age ms      {}", percentiles(age));
    let _ = writeln!(
        text,
        "bytes                {:.0} per second and bot, {:.2} per row update",
        report.bytes_per_second_per_bot, report.bytes_per_row_update
    );
    let _ = writeln!(
        text,
        "input to ack ms      {}",
        percentiles(report.input_to_ack_ms)
    );
    let _ = writeln!(
        text,
        "interpolation ms     {}",
        percentiles(report.interpolation_delay_ms)
    );
    let _ = writeln!(
        text,
        "view checks          {} with {} mismatches, {} protocol errors",
        report.view_checks, report.view_mismatches, report.protocol_errors
    );
    let shots = report.shots;
    let _ = writeln!(
        text,
        "shots                {} fired, {} hit on screen, {} confirmed, {} false hits, {} never reached the game",
        shots.fired, shots.hit_on_screen, shots.confirmed, shots.false_hits, shots.unmatched
    );
    let prediction = &report.prediction;
    let _ = writeln!(
        text,
        "prediction           {} inputs, {} corrections, {} starved",
        prediction.inputs, prediction.corrections, report.starved_inputs
    );
    for (reason, bots) in &prediction.lacking {
        let _ = writeln!(text, "not predicted        {bots} bots: {reason}");
    }
    let _ = writeln!(
        text,
        "CPU                  {:.2} s of bots in {:.1} s",
        report.cpu_seconds, report.seconds
    );
    for verdict in &report.thresholds {
        let _ = writeln!(text, "threshold            {verdict}");
    }
    text
}

/// The percentiles of a line; a dash where nothing was measured.
fn percentiles(latency: PercentilesMs) -> String {
    let PercentilesMs {
        p50,
        p99,
        max,
        samples,
    } = latency;
    if samples == 0 {
        return "-".to_owned();
    }
    format!("p50 {p50:.2}  p99 {p99:.2}  max {max:.2}")
}
