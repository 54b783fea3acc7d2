//! What an app needs that this tool does not start: databases with a server of their own, hosted sign-in.

use std::path::Path;

use crate::framework::{Language, direct_dependencies};
use crate::tree::{read_text, source_files};

/// One thing that is needed, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// For people: `Postgres`.
    pub what: &'static str,
    /// `psycopg2 is a dependency`.
    pub because: String,
}

const DRIVERS: &[(&str, &[&str])] = &[
    (
        "Postgres",
        &[
            "psycopg2",
            "psycopg2-binary",
            "psycopg",
            "asyncpg",
            "pg",
            "postgres",
            "@vercel/postgres",
            "@neondatabase/serverless",
            "tokio-postgres",
        ],
    ),
    (
        "MySQL",
        &[
            "mysqlclient",
            "pymysql",
            "aiomysql",
            "mysql",
            "mysql2",
            "mysql-connector-python",
        ],
    ),
    (
        "MongoDB",
        &[
            "pymongo",
            "motor",
            "mongoengine",
            "beanie",
            "mongoose",
            "mongodb",
        ],
    ),
];
/// Nothing local stands in for these.
const HOSTED: &[(&str, &[&str])] = &[
    (
        "Supabase",
        &["supabase", "@supabase/supabase-js", "@supabase/ssr"],
    ),
    ("Firebase", &["firebase", "firebase-admin"]),
    (
        "Clerk",
        &["@clerk/nextjs", "@clerk/express", "@clerk/clerk-sdk-node"],
    ),
    (
        "Auth0",
        &[
            "@auth0/nextjs-auth0",
            "express-openid-connect",
            "auth0-python",
        ],
    ),
];
const LARGEST_SOURCE: u64 = 1 << 20;

/// What the tree needs; empty where nothing says so, or where SQLite serves.
pub fn needs(tree: &Path, language: Language) -> Vec<Need> {
    let names = direct_dependencies(tree, language);
    let found = |list: &[(&'static str, &[&str])]| -> Vec<Need> {
        list.iter()
            .filter_map(|(what, packages)| {
                let package = packages
                    .iter()
                    .find(|package| names.iter().any(|name| name == *package))?;
                Some(Need {
                    what,
                    because: format!("{package} is a dependency"),
                })
            })
            .collect()
    };
    let mut all = found(HOSTED);
    if let Some(provider) = read_text(tree, "prisma/schema.prisma")
        .as_deref()
        .and_then(prisma_provider)
    {
        let what = match provider {
            "postgresql" | "postgres" | "cockroachdb" => "Postgres",
            "mysql" => "MySQL",
            "mongodb" => "MongoDB",
            "sqlserver" => "SQL Server",
            _ => return all,
        };
        all.push(Need {
            what,
            because: format!("prisma/schema.prisma says `{provider}`"),
        });
        return all;
    }
    let drivers = found(DRIVERS);
    if !drivers.is_empty() && !names_sqlite(tree) {
        all.extend(drivers);
    }
    all
}

fn prisma_provider(schema: &str) -> Option<&str> {
    let source = schema.split("datasource").nth(1)?;
    let line = source
        .lines()
        .find(|line| line.trim_start().starts_with("provider"))?;
    line.split('"').nth(1)
}

/// Whether SQLite is named anywhere in the source or its example settings.
fn names_sqlite(tree: &Path) -> bool {
    let Ok(files) = source_files(tree) else {
        return false;
    };
    let ends = [
        "py", "js", "ts", "mjs", "cjs", "tsx", "rs", "toml", "yaml", "yml", "example", "sample",
    ];
    files.iter().any(|path| {
        path.extension()
            .is_some_and(|end| ends.iter().any(|one| end == *one))
            && path
                .metadata()
                .is_ok_and(|meta| meta.len() < LARGEST_SOURCE)
            && std::fs::read_to_string(path)
                .is_ok_and(|text| text.to_ascii_lowercase().contains("sqlite"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)], language: Language) -> Vec<&'static str> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        needs(folder.path(), language)
            .iter()
            .map(|need| need.what)
            .collect()
    }

    #[test]
    fn a_database_with_a_server_is_needed_where_nothing_else_serves() {
        let python = ("requirements.txt", "fastapi\npsycopg2-binary==2.9\n");
        assert_eq!(of(&[python], Language::Python), ["Postgres"]);
        let default = (
            "db.py",
            "URL = os.environ.get('DATABASE_URL', 'sqlite:///app.db')\n",
        );
        assert!(of(&[python, default], Language::Python).is_empty());
        let schema =
            |provider: &str| format!("datasource db {{\n  provider = \"{provider}\"\n}}\n");
        let manifest = (
            "package.json",
            "{\"dependencies\":{\"@prisma/client\":\"5\"}}",
        );
        assert_eq!(
            of(
                &[manifest, ("prisma/schema.prisma", &schema("postgresql"))],
                Language::Node
            ),
            ["Postgres"]
        );
        assert!(
            of(
                &[manifest, ("prisma/schema.prisma", &schema("sqlite"))],
                Language::Node
            )
            .is_empty()
        );
        let hosted = (
            "package.json",
            "{\"dependencies\":{\"@supabase/supabase-js\":\"2\",\"pg\":\"8\"}}",
        );
        assert_eq!(of(&[hosted], Language::Node), ["Supabase", "Postgres"]);
    }
}
