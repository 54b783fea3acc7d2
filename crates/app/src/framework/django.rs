//! Django, with or without REST framework.
//!
//! Recognised by the direct dependency `django`. Its own migrations are applied to the copy, then its `wsgi` module is
//! served by gunicorn or waitress, where one is a dependency; without one by `runserver`, which Django itself says is for
//! development.

use std::path::Path;

use super::{Framework, Language, direct_dependencies, is_identifier};

pub(super) static DJANGO: Framework = Framework {
    id: "django",
    name: "Django",
    language: Language::Python,
    dependency: "django",
    build: None,
    start,
    environment: &[],
    source: include_str!("django.rs"),
};

fn start(tree: &Path) -> Option<Vec<String>> {
    if !tree.join("manage.py").is_file() {
        return None;
    }
    let mut packages: Vec<String> = std::fs::read_dir(tree)
        .ok()?
        .flatten()
        .filter(|entry| entry.path().join("wsgi.py").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| is_identifier(name))
        .collect();
    packages.sort();
    let names = direct_dependencies(tree, Language::Python);
    let has = |name: &str| names.iter().any(|one| one == name);
    let serve = match packages.first() {
        Some(package) if has("gunicorn") => {
            format!("gunicorn --bind 0.0.0.0:\"$PORT\" --threads 8 {package}.wsgi:application")
        }
        Some(package) if has("waitress") => {
            format!("waitress-serve --host 0.0.0.0 --port \"$PORT\" {package}.wsgi:application")
        }
        _ => "python manage.py runserver --noreload 0.0.0.0:\"$PORT\"".to_owned(),
    };
    let line = format!("python manage.py migrate --noinput && exec {serve}");
    Some(vec!["/bin/sh".into(), "-c".into(), line])
}
