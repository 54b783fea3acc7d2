//! Joins `app` and `cell` to what `exploit` needs: sockets in the box, fresh copies, the folder the app writes to.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use app::{BootError, Plan, Running};
use cell::{Cell, Level};
use exploit::{Dial, Endpoint, Given, NoBoot, Stage, Storage, Target};
use model::{Binding, Cause, Step};

/// How long one reply may take: ten times what the slowest honest one took on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Sockets made inside the app's box.
struct InBox {
    cell: Arc<Cell>,
    lethal: Option<Arc<Lethal>>,
}

/// Ends the app at a request on purpose, to see that nothing is then said to be resisted.
#[derive(Debug)]
struct Lethal {
    at: u32,
    sockets: AtomicU32,
}

impl Dial for InBox {
    fn socket(&self, from: IpAddr) -> std::io::Result<OwnedFd> {
        let socket = self.cell.socket(from);
        if let Some(lethal) = &self.lethal
            && lethal.sockets.fetch_add(1, Ordering::Relaxed) + 1 >= lethal.at
        {
            self.cell.end();
        }
        socket
    }

    fn many_addresses(&self) -> bool {
        cfg!(target_os = "linux")
    }

    fn outside(&self) -> Option<IpAddr> {
        self.cell.outside_address().map(IpAddr::V4)
    }
}

/// What the user told of accounts and secrets that the app has by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) admin: Option<(String, String)>,
    pub(crate) users: Vec<(String, String)>,
    pub(crate) webhook_secret: Option<String>,
}

impl Known {
    /// Puts it in the place of what the tool set.
    pub(crate) fn told(&self, given: &mut Given) {
        given.users.clone_from(&self.users);
        if self.admin.is_some() {
            given.admin.clone_from(&self.admin);
        }
        if self.webhook_secret.is_some() {
            given.webhook_secret.clone_from(&self.webhook_secret);
        }
    }
}

/// Boots copies of one app and counts what CPU time they used.
#[derive(Clone)]
pub(crate) struct Stand {
    plan: Arc<Plan>,
    binding: Arc<Binding>,
    literals: Arc<Vec<String>>,
    known: Arc<Known>,
    /// Milliseconds of CPU that ended copies used.
    spent: Arc<AtomicU64>,
    lethal: Option<Arc<Lethal>>,
}

/// Ends a copy, and books its CPU time.
struct Keep {
    running: Running,
    spent: Arc<AtomicU64>,
}

impl Drop for Keep {
    fn drop(&mut self) {
        let used = self.running.cell.cpu().unwrap_or_default();
        self.spent.fetch_add(millis(used), Ordering::Relaxed);
    }
}

impl Stand {
    pub(crate) fn new(plan: Plan, binding: Binding) -> Self {
        let literals = app::literals(&plan.tree);
        Self {
            plan: Arc::new(plan),
            binding: Arc::new(binding),
            literals: Arc::new(literals),
            known: Arc::default(),
            spent: Arc::default(),
            lethal: None,
        }
    }

    #[must_use]
    pub(crate) fn knowing(self, known: Known) -> Self {
        let known = Arc::new(known);
        Self { known, ..self }
    }

    /// All copies end at this request, counted over them all, and at every later one.
    #[must_use]
    pub(crate) fn killed_at(self, request: Option<u32>) -> Self {
        let lethal = request.map(|at| {
            Arc::new(Lethal {
                at,
                sockets: AtomicU32::new(0),
            })
        });
        Self { lethal, ..self }
    }

    /// Boots a copy with these changes to its variables; the target keeps it alive.
    pub(crate) fn target(
        &self,
        without: &[&str],
    ) -> Result<(Target, app::Boot, Arc<Cell>), BootError> {
        let running = self.plan.boot(without)?;
        let (boot, cell) = (running.boot, running.cell.clone());
        let settings = &self.plan.settings;
        let set = |name: &str, value: &str| (!without.contains(&name)).then(|| value.to_owned());
        let mut given = Given {
            jwt_secret: set("JWT_SECRET", &settings.jwt_secret),
            webhook_secret: set("WEBHOOK_SECRET", &settings.webhook_secret),
            admin: Some((
                settings.admin_email.clone(),
                settings.admin_password.clone(),
            )),
            users: Vec::new(),
            cors_origins: settings.cors_origins.clone(),
            literals: self.literals.to_vec(),
            temporary: Some(running.temporary.display().to_string()),
            production: !without
                .iter()
                .any(|one| one.split('=').next() == Some("APP_ENV")),
        };
        self.known.told(&mut given);
        let target = Target {
            at: Endpoint {
                address: running.address,
                host: running.address.to_string(),
            },
            dial: Arc::new(InBox {
                cell: cell.clone(),
                lethal: self.lethal.clone(),
            }),
            binding: self.binding.clone(),
            given,
            storage: Some(Storage::new(
                running.root.clone(),
                running.uploads.clone(),
                running.database.clone(),
            )),
            stage: Some(Arc::new(self.clone())),
            proxied: boot.wants_https,
            patience: crate::target::PATIENCE,
            keep: Some(Arc::new(Keep {
                running,
                spent: self.spent.clone(),
            })),
        };
        Ok((target, boot, cell))
    }

    /// The CPU time of copies that have ended.
    /// The work tree that copies are made of; the reference app has none.
    pub(crate) fn tree(&self) -> Option<&std::path::Path> {
        self.plan.framework.is_some().then_some(&*self.plan.tree)
    }

    pub(crate) fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    pub(crate) fn level(&self) -> Level {
        self.plan.level
    }
}

impl Stage for Stand {
    fn boot(&self, without: &[&str]) -> Result<Target, NoBoot> {
        match self.target(without) {
            Ok((target, _, _)) => Ok(target),
            Err(error) if error.by_itself => Err(NoBoot::BySelf(error.why)),
            Err(error) => Err(NoBoot::Other(Cause {
                fault: error.fault,
                step: Step::Boot,
                why: error.why,
            })),
        }
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
