//! How fast sources are read, and with how much memory: `cargo run --release -p decision --example speed`.
//!
//! Copies the app in each folder given (or the shipped samples of FastAPI and Next.js) until it has so many lines, each copy in
//! a folder of its own, and reads it. A time is the median of several readings in one process, in milliseconds; the peak is
//! the process's own, in MiB. `--write DIR LINES` only writes such a tree.

#![allow(clippy::print_stdout, reason = "a command")]
#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on should stop"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recordings");

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, into, lines] = &args[..]
        && flag == "--write"
    {
        let written = write(Path::new(into), lines.parse().unwrap());
        println!("{written} lines in {into}");
        return;
    }
    let folder = std::env::temp_dir().join(format!("unrequested-speed-{}", std::process::id()));
    println!(
        "{:>9} {:>7} {:>9} {:>12} {:>9} {:>5}",
        "lines", "files", "ms", "lines a s", "peak MiB", "runs"
    );
    for (lines, runs) in [(400, 9), (5_000, 9), (50_000, 5), (1_000_000, 1)] {
        let _ = fs::remove_dir_all(&folder);
        write(&folder, lines);
        let mut times = Vec::new();
        let (mut files, mut read) = (0, 0);
        for _ in 0..runs {
            let begun = Instant::now();
            let reading = decision::read(&folder);
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            assert!(
                !reading.decisions.is_empty() && reading.unread.is_empty(),
                "{:?}",
                reading.unread
            );
            (files, read) = (reading.files, reading.lines);
        }
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        println!(
            "{read:>9} {files:>7} {median:>9.1} {:>12.0} {:>9} {runs:>5}",
            f64::from(read) / median * 1000.0,
            peak()
        );
    }
    let _ = fs::remove_dir_all(&folder);
}

/// Copies of the samples, one after the other, until there are enough lines.
fn write(folder: &Path, lines: usize) -> usize {
    let mut written = 0;
    let mut number = 0;
    while written < lines {
        for framework in ["fastapi", "nextjs"] {
            for sample in ["imports-first", "runtime-first"] {
                if written >= lines {
                    continue;
                }
                number += 1;
                let home = folder.join(format!("app{number}"));
                let mut steps: Vec<PathBuf> = fs::read_dir(format!("{ROOT}/{framework}/{sample}"))
                    .unwrap()
                    .map(|entry| entry.unwrap().path())
                    .filter(|path| path.is_dir())
                    .collect();
                steps.sort();
                for step in steps {
                    copy(&step, &home);
                }
                written += count(&home);
            }
        }
    }
    written
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn count(folder: &Path) -> usize {
    let mut lines = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lines += count(&path);
        } else if path
            .extension()
            .is_some_and(|end| end == "py" || end == "ts" || end == "tsx" || end == "mjs")
        {
            lines += fs::read_to_string(&path).unwrap().lines().count();
        }
    }
    lines
}

/// The most memory this process ever had, where the system tells.
fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok())
        .map_or("unknown".to_owned(), |kib| (kib / 1024).to_string())
}
