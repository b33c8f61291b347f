//! The command `merge`: one report of several.

use crate::report::Report;
use crate::threshold::Threshold;
use anyhow::Context as _;
use clap::Parser;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Merges reports of several swarms: their percentiles are those of all samples together
#[derive(Debug, Parser)]
#[command(name = "tickwire-bot merge", bin_name = "tickwire-bot merge", version)]
struct MergeOptions {
    /// Reports of swarms, in JSON
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Write the merged report to this file, as JSON
    #[arg(long)]
    report: Option<PathBuf>,
    /// Write the merged report to this file, as an HTML page with plots
    #[arg(long)]
    report_html: Option<PathBuf>,
    /// Exit with 3 if this is so, as for a swarm. The thresholds of the reports are judged anew; repeatable
    #[arg(long, value_delimiter = ',')]
    fail_if: Vec<Threshold>,
}

/// Merges the reports that the arguments name, and writes the result. The second argument is the command's name.
///
/// # Errors
/// If an argument is invalid, or if a report cannot be read, merged or written.
pub(super) fn merge(arguments: &[OsString]) -> anyhow::Result<Report> {
    let program = arguments.iter().take(1).chain(arguments.iter().skip(2));
    let options = MergeOptions::try_parse_from(program)?;
    let mut reports = Vec::with_capacity(options.reports.len());
    for path in &options.reports {
        reports.push(read(path).with_context(|| path.display().to_string())?);
    }
    let mut thresholds: Vec<Threshold> = Vec::new();
    for verdict in reports.iter().flat_map(|report| &report.thresholds) {
        let threshold: Threshold = verdict.fail_if.parse()?;
        if !thresholds.contains(&threshold) {
            thresholds.push(threshold);
        }
    }
    thresholds.extend(options.fail_if);
    let mut merged = Report::merge(reports)?;
    merged.judge(thresholds).context("--fail-if")?;
    super::show(
        &merged,
        options.report.as_deref(),
        options.report_html.as_deref(),
    )?;
    Ok(merged)
}

fn read(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path)?;
    serde_json::from_str(&text).context("this is no report of tickwire-bot")
}
