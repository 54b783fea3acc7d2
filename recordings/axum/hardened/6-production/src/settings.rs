use std::env;
use std::path::PathBuf;

const PLACEHOLDERS: [&str; 9] = [
    "secret",
    "changeme",
    "change-me",
    "change_me",
    "example",
    "placeholder",
    "your-",
    "your_",
    "password",
];
/// Different ones.
const FEWEST_CHARACTERS: usize = 8;

/// Settings, read once from the environment. In production nothing starts on a guess.
pub struct Settings {
    pub port: u16,
    pub database_path: PathBuf,
    pub upload_dir: PathBuf,
    pub jwt_secret: String,
    pub token_hours: u64,
    pub webhook_secret: String,
    pub admin_email: String,
    pub admin_password: String,
    pub cors_origins: Vec<String>,
}

impl Settings {
    pub fn read() -> Result<Self, String> {
        Ok(Self {
            port: optional("PORT", "8000")
                .parse()
                .map_err(|_| "PORT is no port")?,
            database_path: optional("DATABASE_PATH", "app.db").into(),
            upload_dir: optional("UPLOAD_DIR", "uploads").into(),
            jwt_secret: secret("JWT_SECRET", 32)?,
            token_hours: 24,
            // The provider chooses it.
            webhook_secret: secret("WEBHOOK_SECRET", 16)?,
            admin_email: optional("ADMIN_EMAIL", "").trim().to_lowercase(),
            admin_password: optional("ADMIN_PASSWORD", ""),
            cors_origins: optional("CORS_ORIGINS", "")
                .split(',')
                .map(|origin| origin.trim().to_owned())
                .filter(|origin| !origin.is_empty())
                .collect(),
        })
    }
}

fn optional(name: &str, otherwise: &str) -> String {
    env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| otherwise.to_owned())
}

fn secret(name: &str, shortest: usize) -> Result<String, String> {
    let value = optional(name, "");
    if env::var("APP_ENV").as_deref() != Ok("production") {
        return if value.is_empty() {
            random()
        } else {
            Ok(value)
        };
    }
    if value.is_empty() {
        return Err(format!("{name} is not set"));
    }
    let mut characters: Vec<char> = value.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    let lower = value.to_lowercase();
    if value.len() < shortest
        || characters.len() < FEWEST_CHARACTERS
        || PLACEHOLDERS.iter().any(|word| lower.contains(word))
    {
        return Err(format!("{name} is too short or a placeholder"));
    }
    Ok(value)
}

fn random() -> Result<String, String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(hex::encode(bytes))
}
