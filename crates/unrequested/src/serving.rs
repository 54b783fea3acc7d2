//! Who serves an address of this machine: a development server shows what a production one hides, and must not be judged as one.
//! Linux alone says it; elsewhere, and for other users' processes, nothing is known.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// How far up it is asked who started a process: a shell, a package manager, a watcher.
const ANCESTORS: usize = 5;

/// The command that serves this address and is meant for development, or the variable that says so.
pub(crate) fn development(address: SocketAddr) -> Option<String> {
    let mut process = listener(Path::new("/proc"), address)?;
    let folder = |process: u32| Path::new("/proc").join(process.to_string());
    // Those of whoever started it may be overruled.
    if let Some(found) = of_variables(&list(&folder(process).join("environ"))) {
        return Some(found);
    }
    for _ in 0..ANCESTORS {
        let folder = folder(process);
        if let Some(found) = of_command(&list(&folder.join("cmdline"))) {
            return Some(found);
        }
        process = parent(&fs::read_to_string(folder.join("stat")).ok()?)?;
    }
    None
}

/// Words that are separated by zero bytes.
fn list(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    let words = bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// From `/proc/N/stat`, whose second field is a name in brackets that may hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let parent = rest.split(' ').nth(1)?.parse().ok()?;
    (parent > 1).then_some(parent)
}

/// The process that listens there, on that address or on all.
fn listener(proc: &Path, address: SocketAddr) -> Option<u32> {
    const LISTENS: &str = "0A";
    let mut sockets = Vec::new();
    for table in ["net/tcp", "net/tcp6"] {
        let text = fs::read_to_string(proc.join(table)).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(at), Some(&LISTENS), Some(inode)) =
                (fields.get(1), fields.get(3), fields.get(9))
            else {
                continue;
            };
            if serves(at, address) {
                sockets.push(format!("socket:[{inode}]"));
            }
        }
    }
    if sockets.is_empty() {
        return None;
    }
    for entry in fs::read_dir(proc).ok()?.flatten() {
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let open = fs::read_dir(entry.path().join("fd"));
        let mut links = open
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|one| fs::read_link(one.path()).ok());
        if links.any(|link| {
            sockets
                .iter()
                .any(|socket| link.as_os_str() == socket.as_str())
        }) {
            return Some(process);
        }
    }
    None
}

/// Whether a socket of the kernel's table, `0100007F:1F90`, gets what is sent to the address.
fn serves(at: &str, address: SocketAddr) -> bool {
    let Some((host, port)) = at.split_once(':') else {
        return false;
    };
    let words: Option<Vec<u32>> = host
        .as_bytes()
        .chunks(8)
        .map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok())
        .collect();
    // Each word is in this machine's order of bytes.
    let bytes: Vec<u8> = words
        .unwrap_or_default()
        .into_iter()
        .flat_map(u32::to_ne_bytes)
        .collect();
    let host: Option<IpAddr> = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    };
    let host = host.map(|host| host.to_canonical());
    u16::from_str_radix(port, 16) == Ok(address.port())
        && host.is_some_and(|host| host.is_unspecified() || host == address.ip().to_canonical())
}

/// Commands that the frameworks' own documentation calls development servers.
fn of_command(words: &[String]) -> Option<String> {
    let name = |word: &String| {
        let file = word.rsplit('/').next().unwrap_or(word);
        let stem = file
            .strip_suffix(".js")
            .or_else(|| file.strip_suffix(".mjs"));
        stem.unwrap_or(file).to_owned()
    };
    let names: Vec<String> = words.iter().map(name).collect();
    let at = |wanted: &[&str]| names.iter().position(|one| wanted.contains(&one.as_str()));
    for (programs, wanted) in [
        (&["next"][..], &["dev"][..]),
        (&["fastapi"], &["dev"]),
        (
            &["uvicorn", "hypercorn", "gunicorn", "granian", "fastapi"],
            &["--reload"],
        ),
        (&["flask"], &["--debug", "--reload"]),
        (&["manage.py", "django-admin"], &["runserver"]),
        (
            &["node", "tsx", "bun", "deno"],
            &["--watch", "watch", "--hot"],
        ),
        (&["nest"], &["--watch", "-w", "--debug"]),
        (&["npm", "pnpm", "yarn", "bun"], &["dev"]),
    ] {
        let Some(found) = at(programs) else { continue };
        let mut rest = words[found + 1..].iter();
        if let Some(word) = rest.find(|word| wanted.contains(&word.as_str())) {
            return Some(format!("`{} {word}`", names[found]));
        }
    }
    let watcher = at(&["nodemon", "ts-node-dev", "vite", "cargo-watch"])?;
    Some(format!("`{}`", names[watcher]))
}

fn of_variables(variables: &[String]) -> Option<String> {
    variables
        .iter()
        .find(|one| {
            matches!(
                one.as_str(),
                "NODE_ENV=development"
                    | "APP_ENV=development"
                    | "FLASK_ENV=development"
                    | "FLASK_DEBUG=1"
                    | "FLASK_DEBUG=true"
            )
        })
        .map(|one| format!("`{one}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        of_command(&words)
    }

    #[test]
    fn development_servers_are_known_by_their_commands() {
        for (line, found) in [
            ("node /app/node_modules/.bin/next dev -p 3000", "`next dev`"),
            (
                "/usr/bin/python3 /usr/bin/uvicorn main:app --reload",
                "`uvicorn --reload`",
            ),
            ("python -m uvicorn main:app --reload", "`uvicorn --reload`"),
            (
                "/venv/bin/python /venv/bin/fastapi dev app/main.py",
                "`fastapi dev`",
            ),
            ("python3 manage.py runserver 8000", "`manage.py runserver`"),
            ("flask --app x run --debug", "`flask --debug`"),
            ("node --watch server.js", "`node --watch`"),
            (
                "node /a/node_modules/nodemon/bin/nodemon.js server.js",
                "`nodemon`",
            ),
            ("npm run dev", "`npm dev`"),
        ] {
            assert_eq!(of(line).as_deref(), Some(found), "{line}");
        }
        for line in [
            "node /app/node_modules/.bin/next start",
            "next-server (v14.2.5)",
            "uvicorn main:app --workers 4",
            "gunicorn app:dev",
            "node server.js dev.json",
            "python3 /home/dev/next/app.py",
            "fastapi run",
            "",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
        assert_eq!(of_variables(&["NODE_ENV=production".into()]), None);
        let found = of_variables(&["A=1".into(), "FLASK_DEBUG=1".into()]);
        assert_eq!(found.as_deref(), Some("`FLASK_DEBUG=1`"));
    }

    #[test]
    fn a_parent_is_read_behind_any_name() {
        assert_eq!(parent("7 (a) b) S 41 7 7 0"), Some(41));
        assert_eq!(parent("7 (init) S 1 7"), None);
        assert_eq!(parent("nonsense"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_listens_is_found() {
        for host in ["127.0.0.1:0", "0.0.0.0:0"] {
            let socket = std::net::TcpListener::bind(host).unwrap();
            let at = SocketAddr::from(([127, 0, 0, 1], socket.local_addr().unwrap().port()));
            assert_eq!(
                listener(Path::new("/proc"), at),
                Some(std::process::id()),
                "{host}"
            );
            drop(socket);
            assert_eq!(listener(Path::new("/proc"), at), None, "{host}");
        }
    }
}
