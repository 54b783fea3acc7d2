//! Prints what is read in a folder: `cargo run --release -p decision --example decisions -- DIR [ID]`.

#![allow(clippy::print_stdout, reason = "a command")]

use std::path::Path;
use std::time::Instant;

fn main() {
    let mut args = std::env::args().skip(1);
    let folder = args.next().unwrap_or_else(|| ".".to_owned());
    let only = args.next();
    let begun = Instant::now();
    let reading = decision::read(Path::new(&folder));
    let took = begun.elapsed();
    for route in decision::routes(Path::new(&folder)) {
        println!(
            "{:7} {:40} {}:{}",
            route.method, route.path, route.file, route.line
        );
    }
    for one in &reading.decisions {
        if only.as_ref().is_some_and(|id| *id != one.decision) {
            continue;
        }
        let place = one
            .spans
            .first()
            .map_or(String::new(), |span| format!("{}:{}", span.file, span.line));
        println!(
            "{:22} {:32} {:?} {:?} below={:?} lines={} {} {:?}",
            one.decision,
            one.choice,
            one.origin,
            one.parameters,
            one.below,
            one.lines,
            place,
            one.notes
        );
    }
    println!(
        "{} files, {} lines, {:?}, {:?}, {took:?}",
        reading.files, reading.lines, reading.burden, reading.unread
    );
}
