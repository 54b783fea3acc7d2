//! How long the hardened sample of each framework takes to install, build, boot and end, in one run.
//!
//! `cargo run --release -p app --example boots` uses the cache; `-- --cold` an empty one.

#![allow(clippy::print_stdout, reason = "a command for people")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on should panic"
)]

use std::time::{Duration, Instant};

use app::{Plan, Settings, Workshop, framework};

const ROUNDS: usize = 5;

fn main() {
    cell::holder_main_if_asked();
    let work = std::env::temp_dir().join(format!("unrequested-boots-{}", std::process::id()));
    let cold = std::env::args().any(|argument| argument == "--cold");
    let cache = if cold {
        work.join("cache")
    } else {
        app::cache_folder()
    };
    let level = cell::probe().level;
    let workshop = Workshop::new(level, cache);
    println!(
        "box: {level}, cache: {}",
        if cold { "empty" } else { "as it is" }
    );
    println!(
        "{:<10}{:>12}{:>12}{:>12}{:>12}",
        "", "install ms", "build ms", "boot ms", "end ms"
    );
    for framework in framework::ALL {
        if agent::recorded::steps(framework.id, "hardened").is_empty() {
            continue;
        }
        let tree = work.join(framework.id);
        std::fs::create_dir_all(&tree).unwrap();
        agent::recorded::write(framework.id, "hardened", 6, &tree).unwrap();
        let settings = Settings {
            jwt_secret: "kqwzrvtmxnbjpldhgsfyaoeiuckqwzrvtmxnbjpldhgsfyao".into(),
            webhook_secret: "zmxncbvalskdjfhgqpwoeirutyzmxncbvalskdjf".into(),
            admin_email: "root@example.org".into(),
            admin_password: "Correct-horse_407.Battery".into(),
            cors_origins: vec!["https://a.example.com".into()],
        };
        let begun = Instant::now();
        let installed = app::install(&tree, framework, &workshop).unwrap();
        let install = begun.elapsed();
        let begun = Instant::now();
        let built = app::build(&tree, framework, &installed, &settings, &workshop).unwrap();
        let build = begun.elapsed();
        let plan = Plan {
            tree,
            framework: Some(framework),
            bin: Some(installed.bin),
            read: installed.read,
            links: installed.links,
            remark: installed.remark,
            built,
            command: None,
            settings,
            level,
            cells: work.join("cells"),
            health: "/api/health".into(),
            ready_within: Duration::from_secs(45),
        };
        let (mut boots, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let running = plan.boot(&[]).unwrap();
            boots.push(begun.elapsed());
            let begun = Instant::now();
            drop(running);
            ends.push(begun.elapsed());
        }
        println!(
            "{:<10}{:>12.0}{:>12.0}{:>12.0}{:>12.0}",
            framework.id,
            millis(install),
            millis(build),
            millis(median(boots)),
            millis(median(ends))
        );
    }
    let _ = std::fs::remove_dir_all(&work);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
