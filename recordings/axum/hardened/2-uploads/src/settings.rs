use std::env;
use std::path::PathBuf;

/// Settings, read once from the environment.
pub struct Settings {
    pub port: u16,
    pub database_path: PathBuf,
    pub upload_dir: PathBuf,
    pub jwt_secret: String,
    pub token_hours: u64,
}

impl Settings {
    pub fn read() -> Result<Self, String> {
        Ok(Self {
            port: optional("PORT", "8000")
                .parse()
                .map_err(|_| "PORT is no port")?,
            database_path: optional("DATABASE_PATH", "app.db").into(),
            upload_dir: optional("UPLOAD_DIR", "uploads").into(),
            jwt_secret: required("JWT_SECRET")?,
            token_hours: 24,
        })
    }
}

fn optional(name: &str, otherwise: &str) -> String {
    env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| otherwise.to_owned())
}

fn required(name: &str) -> Result<String, String> {
    match optional(name, "") {
        value if value.is_empty() => Err(format!("{name} is not set")),
        value => Ok(value),
    }
}
