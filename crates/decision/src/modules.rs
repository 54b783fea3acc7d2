//! Which of the app's own files an import means, and the name of what is no file of it.

use std::sync::PoisonError;

use crate::project::Project;
use crate::tree::Lang;

impl Project {
    /// The app's own file that an import means.
    pub(crate) fn file_of(&self, tree: u32, module: &str) -> Option<u32> {
        let known = self.imports.get(tree as usize)?;
        let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(module) {
            return *found;
        }
        let found = self.find_file(tree, module);
        known().insert(module.to_owned(), found);
        found
    }

    fn find_file(&self, tree: u32, module: &str) -> Option<u32> {
        let from = &self.trees[tree as usize];
        match from.lang {
            Lang::Python => self.python_file(&from.path, module),
            Lang::Script => self.script_file(&from.path, module),
            Lang::Rust => self.rust_file(&from.path, module),
        }
    }

    fn any(&self, names: &[String]) -> Option<u32> {
        names
            .iter()
            .find_map(|name| self.by_path.get(name).copied())
    }

    fn python_file(&self, from: &str, module: &str) -> Option<u32> {
        let dots = module.len() - module.trim_start_matches('.').len();
        let rest = module[dots..].replace('.', "/");
        let place = |base: &str| {
            let whole = match (base.is_empty(), rest.is_empty()) {
                (_, true) => base.to_owned(),
                (true, false) => rest.clone(),
                (false, false) => format!("{base}/{rest}"),
            };
            self.any(
                &[
                    format!("{whole}.py"),
                    format!("{whole}/__init__.py"),
                    "__init__.py".to_owned(),
                ][..if whole.is_empty() { 3 } else { 2 }],
            )
        };
        if dots > 0 {
            let mut base = folder(from);
            for _ in 1..dots {
                base = folder(base);
            }
            return place(base);
        }
        // Absolute imports begin at the root, at `src`, or at any folder above the file.
        let mut base = folder(from);
        loop {
            if let Some(found) = place(base) {
                return Some(found);
            }
            if base.is_empty() {
                return place("src");
            }
            base = folder(base);
        }
    }

    fn script_file(&self, from: &str, module: &str) -> Option<u32> {
        let mut bases = Vec::new();
        if module.starts_with('.') {
            bases.push(join(folder(from), module));
        } else {
            for (alias, place) in &self.aliases {
                if let Some(rest) = module.strip_prefix(alias.as_str()) {
                    bases.push(join("", &format!("{place}{rest}")));
                }
            }
        }
        for base in bases.into_iter().flatten() {
            let plain = base
                .strip_suffix(".js")
                .or_else(|| base.strip_suffix(".mjs"))
                .unwrap_or(&base);
            let mut names = vec![base.clone()];
            for end in ["ts", "tsx", "js", "jsx", "mjs", "cjs", "mts"] {
                names.push(format!("{plain}.{end}"));
                names.push(format!("{base}/index.{end}"));
            }
            if let Some(found) = self.any(&names) {
                return Some(found);
            }
        }
        None
    }

    fn rust_file(&self, from: &str, module: &str) -> Option<u32> {
        let mut parts = module.split("::").peekable();
        let first = parts.peek().copied().unwrap_or_default();
        let stem = from.rsplit('/').next().unwrap_or(from);
        let mut base = folder(from).to_owned();
        let own = if matches!(stem, "main.rs" | "lib.rs" | "mod.rs") {
            base.clone()
        } else {
            from.trim_end_matches(".rs").to_owned()
        };
        match first {
            "crate" => {
                while !base.is_empty() && !base.ends_with("src") {
                    base = folder(&base).to_owned();
                }
                parts.next();
            }
            "self" => {
                base = own;
                parts.next();
            }
            "super" => {
                folder(&own).clone_into(&mut base);
                parts.next();
            }
            // A module declared beside or in the crate's root.
            _ => {
                let known = |base: &str| self.rust_place(base, &[first]).is_some();
                if known(&own) {
                    base = own;
                } else if !known(&base) {
                    return None;
                }
            }
        }
        let rest: Vec<&str> = parts.collect();
        self.rust_place(&base, &rest)
    }

    fn rust_place(&self, base: &str, rest: &[&str]) -> Option<u32> {
        let mut whole = base.to_owned();
        for part in rest {
            if !whole.is_empty() {
                whole.push('/');
            }
            whole.push_str(part);
        }
        self.any(&[
            format!("{whole}.rs"),
            format!("{whole}/mod.rs"),
            format!("{whole}/main.rs"),
            format!("{whole}/lib.rs"),
        ])
    }

    /// The module `name` below a package.
    pub(crate) fn below(&self, file: u32, name: &str) -> Option<u32> {
        let path = &self.trees[file as usize].path;
        let base = folder(path);
        let base = if base.is_empty() {
            String::new()
        } else {
            format!("{base}/")
        };
        self.any(&[
            format!("{base}{name}.py"),
            format!("{base}{name}/__init__.py"),
        ])
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Joins and folds `.` and `..`; `None` where it leads out.
fn join(base: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A module's name with dots only: `node:fs/promises` is `fs.promises`, `axum::routing` is `axum.routing`.
pub(crate) fn outside(module: &str) -> String {
    let plain = module.strip_prefix("node:").unwrap_or(module);
    let plain = plain.replace("::", ".");
    // A path below a package is one of its modules; a scope is a part of its name.
    match plain.strip_prefix('@') {
        Some(rest) => match rest.split_once('/') {
            Some((scope, rest)) => format!("@{scope}/{}", rest.replace('/', ".")),
            None => plain.clone(),
        },
        None => plain.replace('/', "."),
    }
}

pub(crate) fn aliases(others: &[(String, String)]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, text) in others {
        if !path.ends_with("tsconfig.json") && !path.ends_with("jsconfig.json") {
            continue;
        }
        let base = folder(path);
        // The file may have comments, which JSON has not; `paths` is all that is wanted.
        let plain: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let Ok(json) = serde_json::from_str::<serde_json::Value>(&plain) else {
            continue;
        };
        let options = &json["compilerOptions"];
        let root = options["baseUrl"].as_str().unwrap_or(".");
        for (alias, places) in options["paths"].as_object().into_iter().flatten() {
            for place in places.as_array().into_iter().flatten() {
                let place = place.as_str().unwrap_or_default().trim_end_matches('*');
                let place = join(base, &format!("{root}/{place}")).unwrap_or_default();
                let place = if place.is_empty() {
                    String::new()
                } else {
                    format!("{place}/")
                };
                found.push((alias.trim_end_matches('*').to_owned(), place));
            }
        }
    }
    if found.is_empty() {
        // What `create-next-app` sets.
        found.push(("@/".to_owned(), String::new()));
        found.push(("@/".to_owned(), "src/".to_owned()));
    }
    found
}
