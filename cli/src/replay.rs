//! What `tickwire replay FILE` says about a recording, and the part of it that it cuts out.
//!
//! In: a file that a server with `--record` wrote. Out: text for a person, or another file.

use anyhow::{Context as _, bail};
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use tickwire_recording::info::Part;
use tickwire_recording::{Info, Recording, cut, verify};
use tickwire_sync::Tick;

/// Damaged parts and missing ranges that are listed.
const MAX_LISTED: usize = 10;

/// What is in a recording, as lines of text.
///
/// # Errors
/// If it cannot be read.
pub fn describe(path: &Path) -> anyhow::Result<String> {
    let mut recording = opened(path)?;
    let info = Info::of(&mut recording)?;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_info(&mut text, &info);
    Ok(text)
}

fn write_info(out: &mut String, info: &Info) -> std::fmt::Result {
    let head = &info.head;
    writeln!(
        out,
        "game      {} (rules {:016x})",
        printable(&head.game),
        head.rules_hash
    )?;
    writeln!(out, "room      {}", printable(&head.room))?;
    writeln!(out, "began     {} ms since 1970", info.unix_ms)?;
    match info.ticks {
        Some((first, last)) => writeln!(
            out,
            "ticks     {first} to {last} at {} a second: {} ticks, {:.1} s",
            head.tick_rate,
            info.tick_count,
            info.duration().as_secs_f64()
        )?,
        None => writeln!(out, "ticks     none")?,
    }
    writeln!(
        out,
        "chunks    {}{}",
        info.chunks,
        match info.damaged_chunks {
            0 => String::new(),
            damaged => format!(", of which {damaged} are damaged"),
        }
    )?;
    writeln!(out, "players   {}", info.players.len())?;
    for one in &info.players {
        let kind = match one.is_spectator {
            true => " (watches)",
            false => "",
        };
        let name = printable(&one.name);
        writeln!(out, "  {:>8}  {name}{kind}", one.player.0)?;
    }
    writeln!(out, "bytes     {}", info.chunk_bytes)?;
    let minutes = info.player_minutes();
    let per_minute = |bytes: u64| match minutes > 0.0 {
        true => format!("{:.0}", bytes as f64 / minutes),
        false => "-".to_owned(),
    };
    writeln!(out, "  {:<22}{:>12}  per player and minute", "", "bytes")?;
    let parts = [
        (Part::Frames, "frames"),
        (Part::Events, "events and notes"),
        (Part::Inputs, "inputs"),
        (Part::Views, "views"),
    ];
    for (part, name) in parts {
        let bytes = info.part_bytes.get(&part).copied().unwrap_or(0);
        writeln!(out, "  {name:<22}{bytes:>12}  {}", per_minute(bytes))?;
    }
    let (all, raw) = (info.chunk_bytes, info.raw_bytes);
    writeln!(out, "  {:<22}{all:>12}  {}", "all", per_minute(all))?;
    writeln!(
        out,
        "  {:<22}{raw:>12}  {}",
        "rows, 4 bytes a lane",
        per_minute(raw)
    )
}

/// A name of a file that may be anybody's. A terminal would obey its control characters, and marks of direction would turn the line around.
fn printable(name: &str) -> String {
    let is_direction = |one: char| matches!(one, '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    name.replace(
        |one: char| one.is_control() || is_direction(one),
        "\u{FFFD}",
    )
}

/// Checks all of a recording. Returns what was found as lines of text, and whether it is good.
///
/// # Errors
/// If it cannot be read.
pub fn check(path: &Path) -> anyhow::Result<(String, bool)> {
    let mut recording = Recording::scan(file(path)?).with_context(|| path.display().to_string())?;
    let verdict = verify(&mut recording)?;
    let mut text = String::new();
    let _ = (|| {
        let (ticks, chunks) = (verdict.ticks, verdict.chunks);
        writeln!(
            text,
            "{ticks} ticks in {chunks} chunks have the hash that the room had"
        )?;
        for damage in verdict.damages.iter().take(MAX_LISTED) {
            writeln!(text, "damaged {damage}")?;
        }
        more(&mut text, verdict.damages.len())?;
        if let Some((tick, offset)) = verdict.mismatch {
            let count = verdict.mismatches;
            writeln!(
                text,
                "tick {tick}, in the chunk at byte {offset}, has another hash; {count} ticks in all have"
            )?;
        }
        for (first, last) in verdict.missing.iter().take(MAX_LISTED) {
            writeln!(text, "missing ticks {first} to {last}")?;
        }
        more(&mut text, verdict.missing.len())?;
        let is_good = match verdict.is_good() {
            true => "good",
            false => "NOT good",
        };
        writeln!(text, "the recording is {is_good}")
    })();
    Ok((text, verdict.is_good()))
}

fn more(out: &mut String, count: usize) -> std::fmt::Result {
    match count.checked_sub(MAX_LISTED) {
        Some(more @ 1..) => writeln!(out, "  and {more} more"),
        _ => Ok(()),
    }
}

/// A range of a recording, as it is written on the command line.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Range {
    from: Option<Moment>,
    to: Option<Moment>,
}

/// A moment of a recording.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Moment {
    Tick(u32),
    /// Seconds after the first tick.
    Seconds(f64),
}

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = || {
            format!(
                "{text} is no range; write it in ticks like 1200..1800, or in seconds from the beginning like 20s..30s; either end may be left out"
            )
        };
        let moment = |text: &str| match (text, text.strip_suffix('s')) {
            ("", _) => Some(None),
            (_, Some(seconds)) => {
                let seconds = seconds.parse::<f64>().ok();
                let seconds = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
                seconds.map(|seconds| Some(Moment::Seconds(seconds)))
            }
            (ticks, None) => ticks.parse().ok().map(|tick| Some(Moment::Tick(tick))),
        };
        let (from, to) = text.split_once("..").ok_or_else(problem)?;
        Ok(Self {
            from: moment(from).ok_or_else(problem)?,
            to: moment(to).ok_or_else(problem)?,
        })
    }
}

/// Writes a part of a recording into a file of its own, and says what it wrote.
///
/// # Errors
/// If the recording cannot be read, has nothing in that range, or the file exists or cannot be written.
pub fn cut_out(path: &Path, range: Range, out: Option<PathBuf>) -> anyhow::Result<String> {
    let mut recording = opened(path)?;
    let Some((first, last)) = recording.ticks() else {
        bail!("{} has no ticks", path.display());
    };
    let tick_rate = f64::from(recording.head().tick_rate);
    let tick = |moment: Option<Moment>, default: Tick| match moment {
        None => default,
        Some(Moment::Tick(tick)) => Tick(tick),
        // A float-to-integer `as` saturates.
        Some(Moment::Seconds(seconds)) => {
            Tick(first.0.saturating_add((seconds * tick_rate) as u32))
        }
    };
    let (from, to) = (tick(range.from, first), tick(range.to, last));
    let out = out.unwrap_or_else(|| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("{stem}-{from}-{to}.tickwire"))
    });
    let shown = out.display();
    let file = File::create_new(&out).with_context(|| format!("{shown} cannot be made"))?;
    let Some(done) = cut(&mut recording, from, to, BufWriter::new(file))? else {
        // Nothing was written.
        std::fs::remove_file(&out)?;
        bail!(
            "{} has no ticks from {from} to {to}; it has {first} to {last}",
            path.display()
        );
    };
    if done.chunks == 0 {
        std::fs::remove_file(&out)?;
        bail!(
            "all chunks of {} from {from} to {to} are damaged; --verify says where",
            path.display()
        );
    }
    let left_out = match done.left_out {
        0 => String::new(),
        chunks => format!("; {chunks} damaged chunks were left out"),
    };
    Ok(format!(
        "{shown}: ticks {} to {} in {} whole chunks, {} bytes{left_out}\n",
        done.first, done.last, done.chunks, done.bytes
    ))
}

fn file(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("{} cannot be opened", path.display()))
}

fn opened(path: &Path) -> anyhow::Result<Recording<File>> {
    Recording::open(file(path)?).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_command_the_terminal() {
        let name = printable("A\u{1b}[2Jda\n\u{9b}1m\u{202e}Jörg 名");
        assert_eq!(name, "A\u{FFFD}[2Jda\u{FFFD}\u{FFFD}1m\u{FFFD}Jörg 名");
    }

    #[test]
    fn ranges_are_of_ticks_or_seconds() {
        let range = |text: &str| text.parse::<Range>();
        assert_eq!(
            range("1200..1800"),
            Ok(Range {
                from: Some(Moment::Tick(1200)),
                to: Some(Moment::Tick(1800)),
            })
        );
        assert_eq!(
            range("2.5s.."),
            Ok(Range {
                from: Some(Moment::Seconds(2.5)),
                to: None,
            })
        );
        for wrong in ["", "5", "a..b", "-1..3", "nans..3", "1m..2m"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
