//! The frameworks, one file each.

mod actix;
mod axum;
mod django;
mod express;
mod fastapi;
mod fastify;
mod flask;
mod hono;
mod nest;
mod nextjs;
mod starlette;

use std::path::{Path, PathBuf};

use crate::packages::{Package, packages};
use crate::tree::read_text;

/// How apps of one framework are recognised, installed and started. Mostly data.
#[derive(Debug)]
pub struct Framework {
    pub id: &'static str,
    /// For people: `FastAPI`.
    pub name: &'static str,
    pub language: Language,
    /// A direct dependency of this name makes a tree this framework's.
    pub dependency: &'static str,
    /// How a tree is made ready to start, once its dependencies are there.
    pub build: Option<Build>,
    /// How to start a tree that has no `start.sh`; `None` when nothing startable is there.
    pub start: fn(&Path) -> Option<Vec<String>>,
    /// Variables that its production profile wants, beside the contract's.
    pub environment: &'static [(&'static str, &'static str)],
    /// The adapter file's own text, for keys of what was measured with it.
    pub source: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Python,
    Node,
    Rust,
}

/// A production build.
#[derive(Debug)]
pub struct Build {
    pub command: &'static [&'static str],
    /// What of the tree the app needs afterwards.
    pub keeps: &'static [&'static str],
    /// What of that it does not.
    pub drops: &'static [&'static str],
}

/// A release build, whose profile is the app's own; only its programs are used afterwards.
const CARGO: Build = Build {
    command: &["cargo", "build", "--release"],
    keeps: &["target"],
    drops: &[
        "target/release/deps",
        "target/release/build",
        "target/release/.fingerprint",
        "target/release/incremental",
        "target/release/examples",
    ],
};

/// All frameworks, in the order in which they are tried.
pub const ALL: [&Framework; 11] = [
    &fastapi::FASTAPI,
    &nextjs::NEXTJS,
    &flask::FLASK,
    &django::DJANGO,
    &starlette::STARLETTE,
    &nest::NEST,
    &fastify::FASTIFY,
    &express::EXPRESS,
    &hono::HONO,
    &axum::AXUM,
    &actix::ACTIX,
];

impl Framework {
    /// The version of the language's tools on this machine, in a few words; an error when they are missing.
    pub fn tools(&self) -> Result<String, crate::InstallError> {
        match self.language {
            Language::Python => {
                let python = crate::Python::look()?;
                let how = if python.uv.is_some() {
                    "uv"
                } else {
                    "venv and pip"
                };
                Ok(format!("python {} ({how})", python.version))
            }
            Language::Node => Ok(format!("node {}", crate::Node::look()?.version)),
            Language::Rust => Ok(format!("rust {}", crate::Rust::look()?.version)),
        }
    }
}

/// The framework with this id.
pub fn find(id: &str) -> Option<&'static Framework> {
    ALL.into_iter().find(|framework| framework.id == id)
}

/// The framework of a tree, by its direct dependencies.
pub fn recognise(tree: &Path) -> Option<&'static Framework> {
    ALL.into_iter().find(|framework| {
        direct_dependencies(tree, framework.language)
            .iter()
            .any(|name| name == framework.dependency)
    })
}

/// The names of a tree's direct dependencies in a language, lower case.
pub fn direct_dependencies(tree: &Path, language: Language) -> Vec<String> {
    match language {
        Language::Python => requirements(tree)
            .iter()
            .map(|line| name_of(line))
            .collect(),
        Language::Node => read_text(tree, "package.json")
            .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
            .and_then(|manifest| {
                let list = manifest.get("dependencies")?.as_object()?;
                Some(list.keys().map(|name| name.to_ascii_lowercase()).collect())
            })
            .unwrap_or_default(),
        Language::Rust => packages(tree)
            .iter()
            .flat_map(Package::dependencies)
            .map(str::to_ascii_lowercase)
            .collect(),
    }
}

/// The requirement lines of a Python tree: `requirements.txt`, else `pyproject.toml`, else `Pipfile`.
pub(crate) fn requirements(tree: &Path) -> Vec<String> {
    if let Some(text) = read_text(tree, "requirements.txt") {
        return text
            .lines()
            .map(|line| line.split(" #").next().unwrap_or_default().trim())
            // pip-compile writes a line's hashes, which are left out, behind it.
            .map(|line| line.trim_end_matches('\\').trim_end())
            .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with('-'))
            .map(str::to_owned)
            .collect();
    }
    let ranges = |list: &toml::Table| {
        list.iter()
            .filter(|(name, _)| *name != "python")
            .filter_map(|(name, wanted)| of_poetry(name, wanted))
            .collect()
    };
    let Some(text) = read_text(tree, "pyproject.toml") else {
        return read_text(tree, "Pipfile")
            .and_then(|text| {
                Some(ranges(
                    text.parse::<toml::Table>()
                        .ok()?
                        .get("packages")?
                        .as_table()?,
                ))
            })
            .unwrap_or_default();
    };
    let Ok(project) = text.parse::<toml::Table>() else {
        return Vec::new();
    };
    let listed = project
        .get("project")
        .and_then(|project| project.get("dependencies"))
        .and_then(toml::Value::as_array);
    if let Some(list) = listed {
        return list
            .iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect();
    }
    project
        .get("tool")
        .and_then(|tool| tool.get("poetry")?.get("dependencies")?.as_table())
        .map(ranges)
        .unwrap_or_default()
}

/// Pipenv's ranges are everybody's. Poetry's `^1.2` and `{ version = "~1.2", extras = ["x"] }` as a requirement line; what is no version of an index, not.
fn of_poetry(name: &str, wanted: &toml::Value) -> Option<String> {
    let table = wanted.as_table();
    let version = wanted
        .as_str()
        .or_else(|| table?.get("version")?.as_str())?;
    let extras: Vec<&str> = table
        .and_then(|table| table.get("extras")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str)
        .collect();
    let extras = if extras.is_empty() {
        String::new()
    } else {
        format!("[{}]", extras.join(","))
    };
    let parts = |text: &str| -> Vec<u64> {
        text.split('.')
            .map_while(|part| part.parse().ok())
            .collect()
    };
    let below = |mut parts: Vec<u64>, place: usize| {
        parts.truncate(place + 1);
        if let Some(last) = parts.last_mut() {
            *last += 1;
        }
        parts
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(".")
    };
    let range = if let Some(base) = version.strip_prefix('^') {
        let all = parts(base);
        let place = all
            .iter()
            .position(|part| *part > 0)
            .unwrap_or(all.len().saturating_sub(1));
        format!(">={base},<{}", below(all, place))
    } else if let Some(base) = version
        .strip_prefix('~')
        .filter(|base| !base.starts_with('='))
    {
        let all = parts(base);
        let place = usize::from(all.len() > 1);
        format!(">={base},<{}", below(all, place))
    } else if version == "*" {
        String::new()
    } else if version.starts_with(|c: char| c.is_ascii_digit()) {
        format!("=={version}")
    } else {
        version.to_owned()
    };
    Some(format!("{name}{extras}{range}"))
}

/// `PyJWT[crypto]>=2 ; python_version>"3"` is `pyjwt`.
fn name_of(requirement: &str) -> String {
    let end = requirement
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .unwrap_or(requirement.len());
    requirement[..end]
        .to_ascii_lowercase()
        .replace(['_', '.'], "-")
}

/// Whether a module of this name can hold its app under it: it becomes a word of a command.
pub(crate) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The manifest files of a tree that name dependencies, for messages.
pub fn manifests(tree: &Path) -> Vec<PathBuf> {
    [
        "requirements.txt",
        "pyproject.toml",
        "Pipfile",
        "package.json",
        "Cargo.toml",
        "go.mod",
    ]
    .iter()
    .map(|name| tree.join(name))
    .filter(|path| path.is_file())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_requirements() {
        assert_eq!(name_of("PyJWT[crypto]>=2; python_version > '3'"), "pyjwt");
        assert_eq!(name_of("python_multipart==0.0.20"), "python-multipart");
    }

    #[test]
    fn poetry_s_ranges_are_those_of_everybody_else() {
        let text = "[tool.poetry.dependencies]\npython = \"^3.11\"\na = \"^1.2.3\"\nb = \"^0.5\"\nc = \"~2.1\"\nd = \"*\"\n\
                    e = { version = \"1.0\", extras = [\"x\", \"y\"] }\nf = { git = \"https://example.com\" }\ng = \">=3,<4\"\n";
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pyproject.toml"), text).unwrap();
        assert_eq!(
            requirements(folder.path()),
            [
                "a>=1.2.3,<2",
                "b>=0.5,<0.6",
                "c>=2.1,<2.2",
                "d",
                "e[x,y]==1.0",
                "g>=3,<4"
            ]
        );
    }

    #[test]
    fn a_tree_is_recognised_by_its_manifest() {
        let folder =
            std::env::temp_dir().join(format!("unrequested-recognise-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(recognise(&folder).is_none());
        std::fs::write(
            folder.join("pyproject.toml"),
            "[project]\ndependencies = [\"FastAPI>=0.100\"]\n",
        )
        .unwrap();
        assert_eq!(recognise(&folder).map(|found| found.id), Some("fastapi"));
        std::fs::write(folder.join("requirements.txt"), "# fastapi\nFlask==3\n").unwrap();
        assert_eq!(recognise(&folder).map(|found| found.id), Some("flask"));
        std::fs::write(
            folder.join("requirements.txt"),
            "fastapi==0.1 \\\n    --hash=sha256:00\nuvicorn==1 # why\n",
        )
        .unwrap();
        assert_eq!(requirements(&folder), ["fastapi==0.1", "uvicorn==1"]);
        for (line, command) in [
            ("app: FastAPI = FastAPI()", true),
            ("ap+ = FastAPI()", false),
            ("x; sleep 9; y = FastAPI()", false),
        ] {
            std::fs::write(folder.join("main.py"), line).unwrap();
            let start = (find("fastapi").unwrap().start)(&folder);
            assert_eq!(start.is_some(), command, "{line}");
        }
        std::fs::write(folder.join("requirements.txt"), "# flask\nbottle==5\n").unwrap();
        let manifest = folder.join("package.json");
        std::fs::write(&manifest, r#"{"devDependencies":{"next":"14"}}"#).unwrap();
        assert!(recognise(&folder).is_none());
        std::fs::write(&manifest, r#"{"dependencies":{"next":"14"}}"#).unwrap();
        assert_eq!(recognise(&folder).map(|found| found.id), Some("nextjs"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_workspace_is_recognised_by_its_members() {
        let folder =
            std::env::temp_dir().join(format!("unrequested-members-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/old\"]\n",
        );
        write(
            "crates/old/Cargo.toml",
            "[package]\nname = \"old\"\n[dependencies]\naxum = \"0.7\"\n",
        );
        write("crates/store/Cargo.toml", "[package]\nname = \"store\"\n");
        assert!(recognise(&folder).is_none());
        let server = "[package]\nname = \"server\"\n[dependencies]\naxum.workspace = true\n";
        write("crates/server/Cargo.toml", server);
        let found = recognise(&folder).unwrap();
        assert_eq!(found.id, "axum");
        assert_eq!((found.start)(&folder), None, "no program");
        write("crates/server/src/main.rs", "");
        assert_eq!((found.start)(&folder).unwrap(), ["target/release/server"]);
        let two = "[[bin]]\nname = \"one\"\n[[bin]]\nname = \"two\"\n";
        write("crates/server/Cargo.toml", &format!("{server}{two}"));
        assert_eq!((found.start)(&folder), None, "which of two?");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn ids_are_file_names() {
        for framework in ALL {
            let file = format!(
                "{}/src/framework/{}.rs",
                env!("CARGO_MANIFEST_DIR"),
                framework.id
            );
            assert!(Path::new(&file).is_file(), "{file}");
        }
    }
}
