//! Packages and builds that mean harm, made here and installed without a network: no harm, nothing left, the cause named,
//! and whose fault it is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use app::{Framework, InstallError, Installed, Settings, Workshop, framework};
use cell::{Level, Limits};
use model::Fault;

/// One app with its packages, and a cache of its own.
struct Bench {
    folder: PathBuf,
    /// A time for `sleep` that nobody else sleeps.
    mark: String,
    workshop: Workshop,
}

impl Bench {
    fn new(level: Level) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hostile-{}-{count}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = cell::remove_folder(&folder);
        fs::create_dir_all(folder.join("app")).unwrap();
        let folder = folder.canonicalize().unwrap();
        let limits = Limits {
            memory: 400 << 20,
            disk: 200 << 20,
            processes: 100,
            log: 1 << 20,
            ..Limits::default()
        };
        let workshop = Workshop {
            longest: Duration::from_secs(60),
            limits,
            ..Workshop::new(level, folder.join("cache"))
        };
        Self {
            mark: format!("6666.{}{count:03}", std::process::id()),
            folder,
            workshop,
        }
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("app")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.tree().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("MARK", &self.mark)).unwrap();
    }

    /// An app whose one dependency, `next`, runs this at install; its own manifest has these scripts.
    fn node(&self, at_install: &str, own_scripts: &str) {
        let package = self.folder.join("next/package");
        fs::create_dir_all(&package).unwrap();
        let manifest =
            r#"{"name":"next","version":"1.0.0","scripts":{"postinstall":"sh ./hostile.sh"}}"#;
        fs::write(package.join("package.json"), manifest).unwrap();
        let script = at_install.replace("MARK", &self.mark);
        fs::write(package.join("hostile.sh"), script).unwrap();
        let archive = self.folder.join("next.tgz");
        let packed = Command::new("tar")
            .arg("-C")
            .arg(self.folder.join("next"))
            .arg("-czf")
            .args([&archive, Path::new("package")])
            .status();
        assert!(packed.unwrap().success());
        let archive = archive.display();
        self.write(
            "package.json",
            &format!(
                r#"{{"name":"a","dependencies":{{"next":"file:{archive}"}},"scripts":{{{own_scripts}}}}}"#
            ),
        );
    }

    fn install(&self) -> Result<Installed, InstallError> {
        app::install(&self.tree(), next(), &self.workshop)
    }

    /// With the packages' own folder, since what was built is the app's.
    fn build(&self, framework: &Framework) -> Result<Option<PathBuf>, InstallError> {
        let installed = app::install(&self.tree(), framework, &self.workshop)?;
        let word = || "kqwzrvtmxnbjpldhgsfyaoeiuckqwzrvtmxnbjpl".to_owned();
        let settings = Settings {
            jwt_secret: word(),
            webhook_secret: word(),
            admin_email: "root@example.org".into(),
            admin_password: word(),
            cors_origins: Vec::new(),
        };
        app::build(
            &self.tree(),
            framework,
            &installed,
            &settings,
            &self.workshop,
        )
    }

    fn left_running(&self) -> bool {
        fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            words.starts_with(format!("sleep\0{}\0", self.mark).as_bytes())
        })
    }

    /// Folders of templates and builds, finished or not.
    fn made(&self, kind: &str) -> usize {
        fs::read_dir(self.workshop.cache.join(kind)).map_or(0, |all| {
            all.flatten().filter(|one| one.path().is_dir()).count()
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        cell::remove_folder(&self.folder).unwrap();
    }
}

fn next() -> &'static Framework {
    framework::find("nextjs").unwrap()
}

/// Where a box can be had, in it; the tests of plain processes name their level.
fn level() -> Level {
    cell::probe().level
}

struct Case {
    name: &'static str,
    script: &'static str,
    says: &'static str,
}

/// What goes on until it is stopped.
const ENDLESS: [Case; 5] = [
    Case {
        name: "forks",
        script: "while :; do sleep MARK & done",
        says: "killed: processes",
    },
    Case {
        name: "memory",
        script: "python3 -c 'import time; x = bytearray(b\"x\") * (500 << 20); time.sleep(60)'; exit 1",
        says: "killed: memory",
    },
    Case {
        name: "disk",
        script: "n=0; while [ $n -lt 40 ]; do fallocate -l 10000000 $HOME/../$n; n=$((n+1)); done; sleep MARK",
        says: "killed: disk",
    },
    Case {
        name: "output",
        script: "yes '<b>hostile</b>'",
        says: "longer than 6 s",
    },
    Case {
        name: "hangs",
        script: "setsid nohup sleep MARK & trap '' TERM HUP INT; sleep MARK; sleep MARK",
        says: "longer than 6 s",
    },
];

#[test]
fn a_package_that_does_not_end_is_ended_and_is_not_the_apps_fault() {
    for case in ENDLESS {
        for level in [level(), Level::Plain] {
            let mut bench = Bench::new(level);
            if case.says.starts_with("longer") {
                bench.workshop.longest = Duration::from_secs(6);
            }
            bench.node(case.script, "");
            let begun = Instant::now();
            let error = bench.install().unwrap_err();
            let name = case.name;
            assert!(
                error.to_string().contains(case.says),
                "{name}, {level}: {error}"
            );
            assert_eq!(error.fault(), Fault::Harness, "{name}, {level}: {error}");
            assert!(begun.elapsed() < Duration::from_secs(60), "{name}, {level}");
            assert!(!bench.left_running(), "{name}, {level}: processes are left");
            assert_eq!(
                bench.made("node"),
                0,
                "{name}, {level}: half a template is left"
            );
        }
    }
}

#[test]
fn a_build_that_does_not_end_is_ended_and_beyond_its_bounds_is_the_apps_fault() {
    for case in ENDLESS {
        let mut bench = Bench::new(level());
        bench.node("", r#""build":"sh ./build.sh""#);
        bench.write("build.sh", case.script);
        bench.install().unwrap();
        if case.says.starts_with("longer") {
            bench.workshop.longest = Duration::from_secs(6);
        }
        let error = bench.build(next()).unwrap_err();
        assert!(
            error.to_string().contains(case.says),
            "{}: {error}",
            case.name
        );
        let too_slow = matches!(error, InstallError::TimedOut { .. });
        // A slow machine looks the same.
        let fault = if too_slow { Fault::Harness } else { Fault::App };
        assert_eq!(error.fault(), fault, "{}: {error}", case.name);
        assert!(!bench.left_running(), "{}: processes are left", case.name);
        assert_eq!(
            bench.made("build"),
            0,
            "{}: half a build is left",
            case.name
        );
    }
}

#[test]
fn faults_are_told_apart() {
    let bench = Bench::new(level());
    bench.node("echo no luck; exit 7", r#""build":"true""#);
    let error = bench.install().unwrap_err();
    assert!(error.to_string().contains("no luck"), "{error}");
    assert_eq!(error.fault(), Fault::Harness, "{error}");

    bench.node("", r#""build":"echo does not compile; exit 7""#);
    let error = bench.build(next()).unwrap_err();
    assert!(error.to_string().contains("does not compile"), "{error}");
    assert_eq!(error.fault(), Fault::App, "{error}");

    bench.write("package.json", r#"{"dependencies": {"next""#);
    let error = bench.install().unwrap_err();
    assert!(matches!(error, InstallError::Unsatisfiable(_)), "{error}");
    assert_eq!(error.fault(), Fault::App, "{error}");
}

/// Looks for what it should not see and writes what it should not write; what it achieved is in `seen`.
const LOOKS_AROUND: &str = r#"
cat > look.py <<'PY'
import os, socket, sys, time
seen = [name for name in os.environ if name == "HOSTILE_SECRET" or "TOKEN" in name]
try: seen.append(open("CANARY").read())
except OSError: pass
begun = time.time()
for to in [("127.0.0.1", HOSTPORT), ("192.0.2.1", 80)]:
    s = socket.socket()
    s.settimeout(3)
    try:
        s.connect(to)
        seen.append("reached " + to[0])
    except OSError as error: pass
if time.time() - begun > 2: seen.append("waited for a network")
for path in ["OUTSIDE", "/etc/hostile", "CACHE/node/hostile", "CACHE/seed", "CACHE/node/hostile.complete"]:
    try:
        open(path, "w").write("x")
        seen.append("wrote " + path)
    except OSError: pass
open(sys.argv[1], "w").write("; ".join(seen))
PY
python3 look.py "$PWD/seen"
"#;

fn looks_around(bench: &Bench, listener: &TcpListener) -> (String, PathBuf) {
    let canary = bench.folder.join("home-of-the-user");
    let outside = bench.folder.join("outside");
    fs::write(&canary, "the canary").unwrap();
    let script = LOOKS_AROUND
        .replace("CANARY", &canary.display().to_string())
        .replace("OUTSIDE", &outside.display().to_string())
        .replace("CACHE", &bench.workshop.cache.display().to_string())
        .replace(
            "HOSTPORT",
            &listener.local_addr().unwrap().port().to_string(),
        );
    (script, outside)
}

#[test]
fn what_runs_at_install_and_build_sees_and_reaches_nothing_of_the_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = Bench::new(level());
    let (script, outside) = looks_around(&bench, &listener);
    bench.node(&script, r#""build":"sh ./build.sh""#);
    let in_build = script.replace("$PWD/seen", "$PWD/.next/seen");
    bench.write("build.sh", &format!("mkdir -p .next; {in_build}"));
    let installed = bench.install().unwrap();
    let at_install = fs::read_to_string(installed.links[0].1.join("next/seen")).unwrap();
    let out = bench.build(next()).unwrap().unwrap();
    let at_build = fs::read_to_string(out.join(".next/seen")).unwrap();
    if bench.workshop.level == Level::Boxed {
        assert_eq!((at_install.as_str(), at_build.as_str()), ("", ""));
        assert!(!outside.exists());
        // Whether this test can fail: without a box, the same script sees it.
        let plain = Bench::new(Level::Plain);
        let (script, _) = looks_around(&plain, &listener);
        let script = script.replace("/etc/hostile", "/nowhere/hostile");
        plain.node(&script, "");
        let installed = plain.install().unwrap();
        let seen = fs::read_to_string(installed.links[0].1.join("next/seen")).unwrap();
        for word in ["the canary", "reached 127.0.0.1", "outside"] {
            assert!(seen.contains(word), "{word}: {seen}");
        }
    }
}

#[test]
fn the_apps_own_install_scripts_do_not_run() {
    for level in [level(), Level::Plain] {
        let bench = Bench::new(level);
        let touch = format!("touch {}/ran", bench.folder.display());
        let scripts: Vec<String> = ["preinstall", "install", "postinstall", "prepare"]
            .iter()
            .map(|name| format!("{name:?}:{touch:?}"))
            .collect();
        bench.node("touch here", &scripts.join(","));
        let installed = bench.install().unwrap();
        assert!(installed.links[0].1.join("next/here").exists());
        assert!(!bench.folder.join("ran").exists(), "{level}");
    }
}

/// A clone's own settings may name any program as `git`.
#[test]
fn a_dependency_from_git_is_not_fetched() {
    let bench = Bench::new(level());
    let ran = bench.folder.join("ran");
    let program = bench.folder.join("git");
    let text = format!("#!/bin/sh\ntouch {}\nexec git \"$@\"\n", ran.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let clone = |name: &str, manifest: &str| {
        let folder = bench.folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("package.json"), manifest).unwrap();
        fs::write(
            folder.join(".npmrc"),
            format!("git={}\n", program.display()),
        )
        .unwrap();
        for words in [
            &["init", "--quiet"][..],
            &["add", "--all"],
            &[
                "-c",
                "user.email=a@b",
                "-c",
                "user.name=a",
                "commit",
                "--quiet",
                "-m",
                "x",
            ],
        ] {
            let git = Command::new("git")
                .args(words)
                .current_dir(&folder)
                .status();
            assert!(git.unwrap().success());
        }
        format!("git+file://{}", folder.display())
    };
    let other = clone("other", r#"{"name":"other","version":"1.0.0"}"#);
    let first = clone(
        "first",
        &format!(
            r#"{{"name":"next","version":"1.0.0","scripts":{{"prepare":"true"}},"dependencies":{{"other":"{other}"}}}}"#
        ),
    );
    bench.write(
        "package.json",
        &format!(r#"{{"dependencies":{{"next":"{first}"}}}}"#),
    );
    let error = bench.install().unwrap_err();
    assert!(!ran.exists(), "a clone's own program ran outside a box");
    assert!(matches!(error, InstallError::Elsewhere(_)), "{error}");
    assert_eq!(error.fault(), Fault::Harness);
}

#[test]
fn links_that_a_build_leaves_are_not_followed() {
    let bench = Bench::new(level());
    let precious = bench.folder.join("precious");
    let cache = precious.join("cache");
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.join("file"), "precious").unwrap();
    let precious = precious.display();
    bench.node("", r#""build":"sh ./build.sh""#);
    for (script, fine) in [
        (format!("ln -s {precious} .next"), false),
        (
            format!("mkdir .next; ln -s {precious}/cache .next/cache"),
            true,
        ),
        (
            format!(
                "mkdir -p .next/cache; ln -s {precious} .next/cache/x; ln -s {precious}/cache/file .next/y"
            ),
            true,
        ),
    ] {
        bench.write("build.sh", &script);
        let built = bench.build(next());
        assert_eq!(built.is_ok(), fine, "{script}: {built:?}");
        assert_eq!(
            fs::read_to_string(cache.join("file")).unwrap(),
            "precious",
            "{script}"
        );
        if let Err(error) = built {
            assert_eq!(error.fault(), Fault::App, "{error}");
        }
    }
}

#[test]
fn folders_too_deep_to_name_and_without_permissions_are_removed() {
    let bench = Bench::new(level());
    let script =
        "cd $HOME; mkdir -p closed/inner; touch closed/inner/file; chmod 0 closed/inner closed
python3 - <<'PY'
import os
for _ in range(5000):
    os.mkdir('deep')
    os.chdir('deep')
open('file', 'w').write('x')
PY
exit 3";
    bench.node(script, "");
    let error = bench.install().unwrap_err();
    assert!(error.to_string().contains("exit code 3"), "{error}");
    assert_eq!(bench.made("node"), 0);
}

#[test]
fn manifests_without_end_are_not_read() {
    for name in [
        "package.json",
        "requirements.txt",
        "Cargo.toml",
        "pyproject.toml",
    ] {
        let bench = Bench::new(level());
        let path = bench.tree().join(name);
        symlink("/dev/zero", &path).unwrap();
        assert!(framework::recognise(&bench.tree()).is_none());
        fs::remove_file(&path).unwrap();
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(framework::recognise(&bench.tree()).is_none());
        fs::remove_file(&path).unwrap();
        let pipe = Command::new("mkfifo").arg(&path).status();
        assert!(pipe.unwrap().success());
        assert!(framework::recognise(&bench.tree()).is_none());
    }
    let bench = Bench::new(level());
    bench.node("", r#""build":"true""#);
    let file = fs::File::create(bench.tree().join("large")).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = bench.build(next()).unwrap_err();
    assert_eq!(error.fault(), Fault::App, "{error}");
}

#[test]
fn a_crates_own_build_script_runs_in_the_box() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = Bench::new(level());
    let axum = framework::find("axum").unwrap();
    bench.write(
        "Cargo.toml",
        "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    );
    bench.write(
        "Cargo.lock",
        "version = 3\n\n[[package]]\nname = \"a\"\nversion = \"0.1.0\"\n",
    );
    bench.write("src/main.rs", "fn main() {}\n");
    let (script, outside) = looks_around(&bench, &listener);
    bench.write("look.sh", &script.replace("$PWD/seen", "$PWD/target/seen"));
    let build =
        r#"fn main() { std::process::Command::new("sh").arg("look.sh").status().unwrap(); }"#;
    bench.write("build.rs", build);
    let out = match bench.build(axum) {
        Err(error) if error.is_missing() => return,
        built => built.unwrap().unwrap(),
    };
    let seen = fs::read_to_string(out.join("target/seen")).unwrap();
    if bench.workshop.level == Level::Boxed {
        assert_eq!(seen, "");
        assert!(!outside.exists());
    }
    bench.write("build.rs", r#"fn main() { panic!("will not be built") }"#);
    let error = bench.build(axum).unwrap_err();
    assert!(error.to_string().contains("will not be built"), "{error}");
    assert_eq!(error.fault(), Fault::App);

    // The crates' compiled form is copied for each build: a link in its place would have somebody's home copied.
    let template = fs::read_dir(bench.workshop.cache.join("rust"))
        .unwrap()
        .flatten();
    let template = template
        .map(|one| one.path())
        .find(|one| one.is_dir())
        .unwrap();
    cell::remove_folder(&template.join("tree/target")).unwrap();
    symlink(&bench.folder, template.join("tree/target")).unwrap();
    let error = bench.build(axum).unwrap_err();
    assert!(error.to_string().contains("no folder `target`"), "{error}");
}
