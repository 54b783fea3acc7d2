//! How a tree says that it is started, where it has no `start.sh`: a Procfile, a script, a Dockerfile read as text, the
//! module that makes the app. Nothing of it is run to find out.

use std::fs;
use std::path::Path;

use crate::framework::is_identifier;
use crate::tree::{LEFT_OUT, read_text};

/// Ports that apps take without asking, tried in a box of its own when nothing listens on `PORT`.
pub(crate) const USUAL_PORTS: [u16; 8] = [3000, 8000, 5000, 8080, 4000, 3001, 8787, 5001];

fn shell(line: &str) -> Vec<String> {
    vec!["/bin/sh".into(), "-c".into(), line.into()]
}

/// The `web` line of a Procfile.
pub(crate) fn procfile(tree: &Path) -> Option<Vec<String>> {
    let text = read_text(tree, "Procfile")?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("web:"))?;
    Some(shell(&on_port(line.trim())))
}

/// The last CMD of a Dockerfile, or its ENTRYPOINT with it.
pub(crate) fn dockerfile(tree: &Path) -> Option<Vec<String>> {
    let text = read_text(tree, "Dockerfile")?.replace("\\\n", " ");
    let last = |name: &str| -> Option<String> {
        let line = text.lines().map(str::trim).rfind(|line| {
            line.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
                && line[name.len()..].starts_with([' ', '['])
        })?;
        let rest = line[name.len()..].trim();
        match serde_json::from_str::<Vec<String>>(rest) {
            // `["sh", "-c", "…"]` is the line itself.
            Ok(words) if words.len() == 3 && words[1] == "-c" => Some(words[2].clone()),
            Ok(words) => Some(
                words
                    .iter()
                    .map(|word| quoted(word))
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            Err(_) => Some(rest.to_owned()),
        }
    };
    let line = match (last("ENTRYPOINT"), last("CMD")) {
        (Some(entry), Some(arguments)) => format!("{entry} {arguments}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return None,
    };
    Some(shell(&on_port(&line)))
}

fn quoted(word: &str) -> String {
    let plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=,@$".contains(&byte));
    if plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A port that is written out becomes `$PORT`, so that copies may run side by side.
fn on_port(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let is_port = |word: &str| word.len() >= 4 && word.parse::<u16>().is_ok();
    for index in 0..words.len() {
        let after_flag = index > 0 && matches!(words[index - 1].as_str(), "--port" | "-p" | "-P");
        let word = words[index].clone();
        if after_flag && is_port(&word) {
            "$PORT".clone_into(&mut words[index]);
        } else if let Some((start, end)) = word.rsplit_once([':', '='])
            && is_port(end)
            && (start.ends_with("0.0.0.0")
                || start.ends_with("--port")
                || start.ends_with("127.0.0.1"))
        {
            words[index] = format!("{start}{}$PORT", &word[start.len()..=start.len()]);
        }
    }
    words.join(" ")
}

/// Node: the script `start`, else the manifest's `main`, else the usual names.
pub(crate) fn node(tree: &Path) -> Option<Vec<String>> {
    let manifest: serde_json::Value =
        serde_json::from_str(&read_text(tree, "package.json")?).ok()?;
    if manifest.pointer("/scripts/start").is_some() {
        return Some(shell("exec npm start"));
    }
    let usual = [
        "server.js",
        "index.js",
        "app.js",
        "main.js",
        "src/server.js",
        "src/index.js",
        "src/app.js",
        "src/main.js",
        "server.mjs",
        "index.mjs",
        "src/index.mjs",
    ];
    let main = manifest.get("main").and_then(serde_json::Value::as_str);
    let file = main.into_iter().chain(usual).find(|file| {
        let plain = file
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
        plain && !file.contains("..") && tree.join(file).is_file()
    })?;
    Some(shell(&format!("exec node {file}")))
}

/// Python: a module that starts its own server, as `python app.py` does.
pub(crate) fn python_program(tree: &Path) -> Option<Vec<String>> {
    let names = [
        "main.py",
        "app.py",
        "server.py",
        "run.py",
        "wsgi.py",
        "app/main.py",
        "src/main.py",
    ];
    let file = names.into_iter().find(|name| {
        read_text(tree, name).is_some_and(|text| {
            text.contains("__main__")
                && (text.contains(".run(")
                    || text.contains("serve(")
                    || text.contains("run_simple("))
        })
    })?;
    Some(shell(&format!("exec python {file}")))
}

/// The module and the name under which an app is made: `src.api.main`, `app`.
pub(crate) fn python_app(tree: &Path, makes: &str) -> Option<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![(tree.to_path_buf(), String::new())];
    while let Some((folder, module)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() && is_identifier(&name) && module.matches('.').count() < 3 {
                if !LEFT_OUT.contains(&name.as_str())
                    && !matches!(name.as_str(), "tests" | "test" | "env")
                {
                    folders.push((entry.path(), format!("{module}{name}.")));
                }
            } else if let Some(stem) = name
                .strip_suffix(".py")
                .filter(|stem| kind.is_file() && is_identifier(stem))
            {
                let relative = format!("{}{stem}.py", module.replace('.', "/"));
                let text = read_text(tree, &relative).unwrap_or_default();
                let line = text.lines().find(|line| {
                    line.split_once('=')
                        .is_some_and(|(_, value)| value.trim_start().starts_with(makes))
                });
                let name = line
                    .and_then(|line| line.split(['=', ':']).next())
                    .map(str::trim_end);
                if let Some(name) = name.filter(|name| is_identifier(name)) {
                    let whole = format!("{module}{stem}");
                    let whole = whole.strip_suffix(".__init__").unwrap_or(&whole).to_owned();
                    found.push((whole, name.to_owned()));
                }
            }
        }
    }
    found.sort_by_key(|(module, _)| (module.matches('.').count(), module.clone()));
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn line(words: Option<Vec<String>>) -> String {
        words.map(|words| words[2].clone()).unwrap_or_default()
    }

    #[test]
    fn a_procfile_and_a_dockerfile_are_read_as_text() {
        let one = tree(&[(
            "Procfile",
            "release: python migrate.py\nweb: gunicorn app:app --log-file -\n",
        )]);
        assert_eq!(line(procfile(one.path())), "gunicorn app:app --log-file -");
        for (text, wanted) in [
            (
                "FROM x\nCMD [\"uvicorn\", \"main:app\", \"--port\", \"8080\"]\n",
                "uvicorn main:app --port $PORT",
            ),
            (
                "FROM x\nCMD gunicorn -b 0.0.0.0:5000 \\\n  wsgi:app\n",
                "gunicorn -b 0.0.0.0:$PORT    wsgi:app",
            ),
            (
                "ENTRYPOINT [\"node\"]\nCMD [\"old.js\"]\nCMD [\"a b.js\"]\n",
                "node 'a b.js'",
            ),
            ("CMD [\"sh\", \"-c\", \"node x.js && y\"]", "node x.js && y"),
            ("COMMAND x\n", ""),
        ] {
            let one = tree(&[("Dockerfile", text)]);
            assert_eq!(line(dockerfile(one.path())), wanted, "{text}");
        }
    }

    #[test]
    fn what_makes_the_app_is_found_wherever_it_is() {
        let one = tree(&[
            (
                "src/api/server.py",
                "from starlette.applications import Starlette\napi = Starlette(routes=[])\n",
            ),
            ("tests/app.py", "app = Starlette()\n"),
        ]);
        assert_eq!(
            python_app(one.path(), "Starlette("),
            Some(("src.api.server".into(), "api".into()))
        );
        let one = tree(&[("shop/__init__.py", "app = Flask(__name__)\n")]);
        assert_eq!(
            python_app(one.path(), "Flask("),
            Some(("shop".into(), "app".into()))
        );
        let one = tree(&[("run.py", "if __name__ == '__main__':\n    app.run()\n")]);
        assert_eq!(line(python_program(one.path())), "exec python run.py");
    }

    #[test]
    fn node_is_started_by_its_script_or_its_main_file() {
        let one = tree(&[("package.json", "{\"scripts\":{\"start\":\"node x\"}}")]);
        assert_eq!(line(node(one.path())), "exec npm start");
        let one = tree(&[
            ("package.json", "{\"main\":\"lib/a.js\"}"),
            ("lib/a.js", ""),
        ]);
        assert_eq!(line(node(one.path())), "exec node lib/a.js");
        let one = tree(&[
            ("package.json", "{\"main\":\"x.js; reboot\"}"),
            ("src/index.js", ""),
        ]);
        assert_eq!(line(node(one.path())), "exec node src/index.js");
        assert_eq!(node(tree(&[("package.json", "{}")]).path()), None);
    }
}
