//! From a work tree to a running app: recognise, install, boot, and boot afresh.
//!
//! Knows nothing of exploits or verdicts. A boot that fails says at which step and whose fault it is.

mod boot;
mod build;
mod env;
pub mod framework;
mod install;
mod literals;
mod lock;
mod needs;
mod packages;
mod start;
mod tree;

pub use boot::{Boot, BootError, Plan, Running, Settings};
pub use build::build;
pub use framework::Framework;
pub use install::{
    InstallError, Installed, Node, Python, Rust, Workshop, cache_folder, install, install_packages,
    remove_unfinished,
};
pub use literals::literals;
pub use needs::{Need, needs};
pub use tree::{TreeError, copy_tree, read_file, read_text, tree_hash};
