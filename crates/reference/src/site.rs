//! What all handlers share.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::Binding;
use tokio::sync::Semaphore;

use crate::limiter::Limiter;
use crate::passwords::Scheme;
use crate::refusal::Refusal;
use crate::settings::{Keys, Settings, StartError};
use crate::shape::{LimitStyle, RefusalStyle, Shape};
use crate::store::{Form, Id, Store};
use crate::weakness::Weakness;

const MINUTE: Duration = Duration::from_secs(60);
/// Hashes at a time: more only wait for each other's core.
const HASHES: usize = 4;

pub(crate) struct Site {
    pub(crate) settings: Settings,
    pub(crate) binding: Binding,
    pub(crate) keys: Keys,
    pub(crate) weak: BTreeSet<Weakness>,
    pub(crate) shape: BTreeSet<Shape>,
    pub(crate) store: Store,
    /// Login attempts per client. The port is 0, but for the weakness that counts per connection.
    pub(crate) logins: Limiter<SocketAddr>,
    /// Failed logins per email, known or not, for the shapes that limit by account.
    pub(crate) failures: Limiter<String>,
    pub(crate) registrations: Limiter<IpAddr>,
    scheme: Arc<Scheme>,
    /// The hash of a password that nobody has: what an unknown email is checked against.
    dummy: String,
    hashing: Semaphore,
    /// Names that registrations took, where the binding wants one of its own for each.
    names: Mutex<BTreeSet<String>>,
}

impl Site {
    pub(crate) fn open(
        settings: Settings,
        binding: Binding,
        weak: BTreeSet<Weakness>,
        shape: BTreeSet<Shape>,
    ) -> Result<Self, StartError> {
        let keys = settings.keys(&weak)?;
        let folders = [settings
            .database
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())];
        for folder in folders
            .into_iter()
            .flatten()
            .chain([settings.uploads.as_path()])
        {
            std::fs::create_dir_all(folder).map_err(|source| StartError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        let store = Store::open(
            &settings.database,
            &Form {
                uuids: shape.contains(&Shape::UuidIds),
                role: if weak.contains(&Weakness::RoleUnchecked) {
                    ""
                } else {
                    "CHECK (role IN ('user', 'admin'))"
                },
                unique_emails: !weak.contains(&Weakness::DuplicateSecondRow),
                unique_events: !weak.contains(&Weakness::WebhookReplay)
                    && !weak.contains(&Weakness::WebhookReplayNoticedLate),
            },
        )?;
        let scheme = Scheme::new(settings.bcrypt_cost, &keys.token, &weak);
        let dummy = scheme
            .hash(&uuid::Uuid::new_v4().to_string())
            .ok_or(StartError::Hash)?;
        let admin = scheme
            .hash(&settings.admin_password)
            .ok_or(StartError::Hash)?;
        let id = store.new_id();
        store.now(|connection| {
            let key = settings.admin_email.to_lowercase();
            connection.execute(
                "INSERT INTO users (id, email, email_key, password, role)
                 SELECT ?1, ?2, ?3, ?4, 'admin' WHERE NOT EXISTS (SELECT 1 FROM users WHERE email_key = ?3)",
                (id, &settings.admin_email, key, admin),
            )
        })?;
        let login_limit = if weak.contains(&Weakness::LoginLimitTooHigh) {
            1000
        } else {
            5
        };
        let failure_limit = if shape.contains(&Shape::Limit(LimitStyle::Account)) {
            10
        } else {
            5
        };
        Ok(Self {
            binding,
            keys,
            weak,
            shape,
            store,
            logins: Limiter::new(login_limit, MINUTE),
            failures: Limiter::new(failure_limit, MINUTE),
            registrations: Limiter::new(20, MINUTE),
            names: Mutex::default(),
            scheme: Arc::new(scheme),
            dummy,
            hashing: Semaphore::new(HASHES),
            settings,
        })
    }

    pub(crate) fn weak(&self, weakness: Weakness) -> bool {
        self.weak.contains(&weakness)
    }

    pub(crate) fn shaped(&self, shape: Shape) -> bool {
        self.shape.contains(&shape)
    }

    /// Whether nobody has this name yet; now it is taken.
    pub(crate) fn is_new_name(&self, name: &str) -> bool {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned())
    }

    /// In development, in the shape that then shows more.
    pub(crate) fn is_open_development(&self) -> bool {
        !self.settings.production && self.shaped(Shape::OpenInDevelopment)
    }

    pub(crate) fn refusal_style(&self) -> Option<RefusalStyle> {
        self.shape.iter().find_map(|shape| {
            if let Shape::Refusal(style) = shape {
                Some(*style)
            } else {
                None
            }
        })
    }

    pub(crate) fn limit_style(&self) -> Option<LimitStyle> {
        self.shape.iter().find_map(|shape| {
            if let Shape::Limit(style) = shape {
                Some(*style)
            } else {
                None
            }
        })
    }

    /// An id as replies show it.
    pub(crate) fn show(&self, id: &Id) -> serde_json::Value {
        match id {
            Id::Number(number) if self.shaped(Shape::StringIds) => number.to_string().into(),
            Id::Number(number) => (*number).into(),
            Id::Uuid(text) => text.as_str().into(),
        }
    }

    /// Seconds since 1970.
    #[expect(clippy::unused_self, reason = "where a clock would be given")]
    pub(crate) fn now(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs().cast_signed())
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, Refusal> {
        let scheme = self.scheme.clone();
        self.aside(move || scheme.hash(&password))
            .await?
            .ok_or(Refusal::Internal)
    }

    /// Compares with a stored hash, or for as long with none.
    pub(crate) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, Refusal> {
        let scheme = self.scheme.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.clone());
        Ok(self
            .aside(move || scheme.verify(&password, &stored))
            .await?
            && known)
    }

    /// Runs something slow on a thread that may be slow.
    async fn aside<T: Send + 'static>(
        &self,
        slow: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let _turn = self
            .hashing
            .acquire()
            .await
            .map_err(|_| Refusal::Internal)?;
        tokio::task::spawn_blocking(slow)
            .await
            .map_err(|_| Refusal::Internal)
    }

    /// The request log of `Weakness::PasswordLogged`.
    pub(crate) fn log(&self, line: &str) {
        let path = self.settings.database.with_file_name("requests.log");
        if let Ok(mut file) = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
        {
            // A log that cannot be written stops nothing.
            let _ = writeln!(file, "{line}");
        }
    }
}
