//! The reference app as a target in this process: secure, weak in one way, or answering differently.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use exploit::{Endpoint, Given, Host, NoBoot, Stage, Storage, Target};
use model::{Binding, Cause, Fault, Step};

use crate::{App, Settings, Shape, Weakness};

/// What to serve. A target made of it keeps it running.
#[derive(Debug, Clone)]
pub struct Twin {
    pub binding: Binding,
    pub weak: Vec<Weakness>,
    pub shape: Vec<Shape>,
    /// Of bcrypt.
    pub cost: u32,
}

impl Twin {
    pub fn secure() -> Self {
        Self {
            binding: exploit::contract(),
            weak: vec![],
            shape: vec![],
            cost: 7,
        }
    }

    pub fn weak(weakness: Weakness) -> Self {
        Self {
            weak: vec![weakness],
            ..Self::secure()
        }
    }

    pub fn shaped(shape: Shape) -> Self {
        Self {
            shape: vec![shape],
            ..Self::secure()
        }
    }

    #[must_use]
    pub fn bound(self, binding: Binding) -> Self {
        Self { binding, ..self }
    }

    fn serve(&self, folder: Folder, without: &[&str]) -> Result<Target, NoBoot> {
        let data = folder.0.join("state/data");
        for made in [&data, &folder.0.join("tmp")] {
            std::fs::create_dir_all(made).map_err(|error| no_folder(&error))?;
        }
        let mut settings = Settings::in_folder(&data);
        settings.bcrypt_cost = self.cost;
        // `NAME=VALUE` sets a variable, `NAME` alone leaves it out.
        if without.contains(&"APP_ENV") || without.contains(&"APP_ENV=development") {
            settings.production = false;
        }
        settings.node_production = without.contains(&"NODE_ENV=production");
        if without.contains(&"JWT_SECRET") {
            settings.jwt_secret = None;
        }
        if without.contains(&"WEBHOOK_SECRET") {
            settings.webhook_secret = None;
        }
        let given = Given {
            jwt_secret: settings.jwt_secret.clone(),
            webhook_secret: settings.webhook_secret.clone(),
            admin: Some((
                settings.admin_email.clone(),
                settings.admin_password.clone(),
            )),
            users: Vec::new(),
            cors_origins: settings.cors_origins.clone(),
            literals: vec!["not-a-secret".into()],
            temporary: Some(folder.0.join("tmp").display().to_string()),
            production: settings.production,
        };
        let storage = Storage::new(
            folder.0.clone(),
            settings.uploads.clone(),
            settings.database.clone(),
        );
        let app = App {
            settings,
            binding: self.binding.clone(),
            weak: self.weak.iter().copied().collect(),
            shape: self.shape.iter().copied().collect(),
        };
        let running = app
            .serve(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
            .map_err(|error| NoBoot::BySelf(error.to_string()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, running.addr().port()));
        Ok(Target {
            at: Endpoint {
                address,
                host: address.to_string(),
            },
            dial: Arc::new(Host),
            binding: Arc::new(self.binding.clone()),
            given,
            storage: Some(storage),
            stage: Some(Arc::new(self.clone())),
            proxied: false,
            patience: Duration::from_secs(20),
            keep: Some(Arc::new((running, folder))),
        })
    }
}

impl Stage for Twin {
    fn boot(&self, without: &[&str]) -> Result<Target, NoBoot> {
        let folder = Folder::new().map_err(|error| no_folder(&error))?;
        self.serve(folder, without)
    }
}

fn no_folder(error: &io::Error) -> NoBoot {
    NoBoot::Other(Cause {
        fault: Fault::Harness,
        step: Step::Boot,
        why: format!("no folder for the reference app: {error}"),
    })
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("unrequested-twin-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}
