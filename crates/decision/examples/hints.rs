//! Prints what a tree's source hints at: `cargo run --release -p decision --example hints FOLDER`.

#![allow(clippy::print_stdout, reason = "it is a program")]

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let found = decision::hints(folder.as_ref());
    for route in found.routes.iter().chain(&found.pages) {
        let words: Vec<&str> = route.words.iter().map(String::as_str).collect();
        println!(
            "{} {}  {}:{}\n    {}",
            route.method,
            route.path,
            route.file,
            route.line,
            words.join(" ")
        );
    }
    println!(
        "\n{}",
        found.words.into_iter().collect::<Vec<_>>().join(" ")
    );
}
