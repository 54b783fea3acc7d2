//! What the targets share.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use exploit::{Endpoint, Given, Host, Target};
use model::Binding;

/// A folder that is this process's own.
pub fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("unrequested-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// An app that is nowhere, offered by this binding.
pub fn target(binding: Binding) -> Target {
    Target {
        at: Endpoint {
            address: ([127, 0, 0, 1], 9).into(),
            host: "127.0.0.1".into(),
        },
        dial: Arc::new(Host),
        binding: Arc::new(binding),
        given: Given::default(),
        storage: None,
        stage: None,
        proxied: false,
        patience: Duration::ZERO,
        keep: None,
    }
}

/// The contract, which has the token in a header, and another binding, which has it in a cookie.
pub fn targets() -> &'static [Target; 2] {
    static TARGETS: OnceLock<[Target; 2]> = OnceLock::new();
    TARGETS.get_or_init(|| {
        let other = include_str!("../../crates/reference/other.toml");
        let other = toml::from_str(other).expect("a binding");
        [target(exploit::contract()), target(other)]
    })
}
