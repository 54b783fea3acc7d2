//! `reference`: the secure app, as its own server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::nearest;
use crate::cli::Reference;
use crate::exit::{Exit, Fatal};
use crate::progress::Progress;

pub(super) fn run(arguments: &Reference) -> Result<Exit, Fatal> {
    let mut weak = std::collections::BTreeSet::new();
    for name in &arguments.weak {
        let found = reference::Weakness::ALL
            .iter()
            .find(|weakness| weakness.name() == name);
        let Some(found) = found else {
            let near = nearest(
                name,
                reference::Weakness::ALL
                    .iter()
                    .map(|weakness| weakness.name()),
            );
            return Err(Fatal::usage(format!(
                "there is no weakness `{name}`; did you mean `{near}`?"
            )));
        };
        weak.insert(*found);
    }
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let need = |name: &str| {
        set(name).ok_or_else(|| Fatal::usage(format!("set {name}: the reference app reads the contract's variables; see docs/reference.md")))
    };
    let port = need("PORT")?;
    let port: u16 = port
        .parse()
        .map_err(|_| Fatal::usage(format!("PORT={port} is no port")))?;
    let settings = reference::Settings {
        production: set("APP_ENV").as_deref() == Some("production"),
        node_production: set("NODE_ENV").as_deref() == Some("production"),
        jwt_secret: set("JWT_SECRET"),
        webhook_secret: set("WEBHOOK_SECRET"),
        admin_email: need("ADMIN_EMAIL")?,
        admin_password: need("ADMIN_PASSWORD")?,
        cors_origins: set("CORS_ORIGINS")
            .unwrap_or_default()
            .split(',')
            .map(|origin| origin.trim().to_owned())
            .filter(|origin| !origin.is_empty())
            .collect(),
        database: PathBuf::from(need("DATABASE_PATH")?),
        uploads: PathBuf::from(need("UPLOAD_DIR")?),
        bcrypt_cost: 12,
    };
    let app = reference::App {
        settings,
        binding: exploit::contract(),
        weak,
        shape: std::collections::BTreeSet::new(),
    };
    let running = app
        .serve(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        .map_err(|error| Fatal::failed(format!("the reference app refuses to start: {error}")))?;
    Progress::new(false).line(&format!(
        "serving the reference app at http://{}",
        running.addr()
    ));
    loop {
        std::thread::park();
    }
}
