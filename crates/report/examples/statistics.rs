//! Each line of the input is a question to `report::statistics`, in JSON; each line of the output its answer. For
//! `.ci/against-scipy`. `--coverage` instead simulates how often the intervals hold the truth, and prints it.

#![allow(clippy::print_stdout, reason = "a command")]
#![allow(clippy::unwrap_used, reason = "a bad question should stop it")]

use std::io::{BufRead as _, stdin};

use report::statistics::{self, Session};
use serde_json::{Value, json};

fn main() {
    if std::env::args().any(|arg| arg == "--coverage") {
        coverage();
        return;
    }
    for line in stdin().lock().lines() {
        let question: Value = serde_json::from_str(&line.unwrap()).unwrap();
        println!("{}", answer(&question));
    }
}

fn answer(question: &Value) -> Value {
    let floats =
        |name: &str| -> Vec<f64> { serde_json::from_value(question[name].clone()).unwrap() };
    let counts =
        |name: &str| -> Vec<u32> { serde_json::from_value(question[name].clone()).unwrap() };
    let sessions = |name: &str| -> Vec<Session> {
        counts(name)
            .chunks(2)
            .map(|two| Session {
                hits: two[0],
                of: two[1],
            })
            .collect()
    };
    match question["ask"].as_str().unwrap() {
        "fisher" => {
            let t = counts("table");
            json!(statistics::fisher(t[0], t[1], t[2], t[3]))
        }
        "unpaired" => json!(statistics::unpaired(&floats("first"), &floats("second"), 1)),
        "paired" => json!(statistics::paired(&floats("differences"), 1)),
        "holm" => json!(statistics::holm(&floats("p"))),
        "wilson" => {
            let t = counts("share");
            let share = model::calibration::Share {
                hits: t[0] as usize,
                of: t[1] as usize,
            };
            json!(share.wilson())
        }
        "interval" => {
            let found = statistics::interval(&sessions("sessions"), 1);
            json!([found.value, found.low, found.high])
        }
        "difference" => {
            let found = statistics::difference_interval(&sessions("first"), &sessions("second"), 1);
            json!([found.value, found.low, found.high])
        }
        "t" => json!(statistics::t(counts("freedom")[0] as usize)),
        "clustered" => {
            let found = statistics::clustered(&sessions("sessions"));
            json!([found.value, found.low, found.high])
        }
        "effect" => {
            let levels = |value: &Value| -> Vec<usize> {
                let all: Vec<u32> = serde_json::from_value(value.clone()).unwrap();
                all.into_iter().map(|one| one as usize).collect()
            };
            let others: Vec<Vec<usize>> = question["others"]
                .as_array()
                .unwrap()
                .iter()
                .map(levels)
                .collect();
            let term = levels(&question["term"]);
            let found = statistics::effect(&floats("shares"), &others, &term, 1);
            json!(found.map_or([-1.0; 4], |found| {
                let (term, over) = found.freedom;
                [found.f, term as f64, over as f64, found.p]
            }))
        }
        other => panic!("{other}"),
    }
}

/// How many of 2,000 simulated studies had the truth within the interval, by sessions and by how alike a session's tests are.
fn coverage() {
    println!("share 0.85, 25 tests a session; intervals at 95 %");
    println!(
        "{:>9} {:>6} {:>10} {:>10} {:>10}",
        "sessions", "alike", "printed", "bootstrap", "Wilson"
    );
    for sessions in [3, 6, 12, 24, 48] {
        for alike in [0.0, 0.1, 0.3] {
            let (mut printed, mut held, mut wilson) = (0, 0, 0);
            for study in 0..2_000 {
                let all = statistics::simulated(sessions, 25, 0.85, alike, study);
                let hull = statistics::clustered(&all);
                printed += u32::from(hull.low <= 0.85 && 0.85 <= hull.high);
                let found = statistics::interval(&all, study);
                held += u32::from(found.low <= 0.85 && 0.85 <= found.high);
                let share = model::calibration::Share {
                    hits: all.iter().map(|one| one.hits as usize).sum(),
                    of: all.iter().map(|one| one.of as usize).sum(),
                };
                let (low, high) = share.wilson();
                wilson += u32::from(low <= 0.85 && 0.85 <= high);
            }
            println!(
                "{sessions:>9} {alike:>6.1} {:>9.1}% {:>9.1}% {:>9.1}%",
                f64::from(printed) / 20.0,
                f64::from(held) / 20.0,
                f64::from(wilson) / 20.0
            );
        }
    }
}
