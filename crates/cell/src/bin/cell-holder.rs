//! Stands in for the tool where a test binary spawns a cell: it is a holder or nothing.

fn main() -> std::process::ExitCode {
    cell::holder_main_if_asked();
    std::process::ExitCode::from(2)
}
