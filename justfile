# Everything that CI runs.
ci:
    bash .ci/run

# Format and lints.
lint:
    cargo fmt --all --check
    rustfmt --check --edition 2024 crates/exploit/src/suite/*.rs crates/exploit/src/suite/*/*.rs crates/decision/src/matter/*.rs
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo clippy --workspace --all-targets -- -D warnings

# The tests, with the in-process calibration matrix.
test:
    cargo test --release --workspace

# The main job.
bench:
    cargo run --release -- bench

# Only these exploits in the matrix: just matrix note-read-other-user,weak-password
matrix only="":
    ONLY={{only}} cargo test --release -p exploit --test matrix

# Measures the exploits on what docs/calibration.json does not know yet, and writes it.
calibrate:
    cargo run --release -- calibrate --changed --write

# All 33 exploits on every control: an hour.
calibrate-full:
    cargo run --release -- calibrate --everything

# Every verdict again, five times, on busy cores.
flake:
    cargo run --release -- calibrate --quick --repeat 20 --busy
    cargo run --release -- calibrate --repeat 5 --busy

# Fuzzes what parses an app's words: just fuzz 60 reply token
fuzz seconds="60" *targets:
    .ci/fuzz {{seconds}} {{targets}}

# Kills the tool forty times for each level and kind of run, where the tests kill it ten.
killed:
    KILLS=40 cargo test --release --workspace --test killed -- --nocapture --test-threads=1

# How long templates, builds, boots and fresh copies take; `just boots --cold` with an empty cache.
boots *flags:
    cargo run --release -p app --example boots -- {{flags}}

# Mutants of these files that no test notices, compared with docs/mutants.txt (needs cargo-mutants; about a minute for one
# of model, up to an hour for one of exploit): just mutants crates/model/src/verdict.rs
mutants *files:
    .ci/mutants {{files}}

# Requests, wall time, and wall time over the app's own processor time, of the newest run.
cost:
    cargo run --release -- report --cost

# Advisories, licences and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check

# How fast sources are read, and with how much memory.
speed:
    cargo run --release -p decision --example speed

# The same trees read by `decisions`, Semgrep and Bandit, in one run (installs the latter two from PyPI).
against-semgrep:
    bash .ci/against-semgrep

# Every statistic on a thousand random designs, beside SciPy's and statsmodels' (from PyPI).
against-scipy:
    .ci/against-scipy

# How often the printed intervals hold the truth.
coverage:
    cargo run --release -p report --example statistics -- --coverage
