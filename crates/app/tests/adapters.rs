//! One contract for every adapter, on its hardened sample: it recognises its own and no other, boots, keeps two copies
//! apart, starts anew with nothing in it, leaves nothing behind, and names what went wrong when it does not boot.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use app::{Framework, Plan, Running, Settings, Workshop, framework};
use model::Fault;

fn folder(name: &str) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// The frameworks that have a hardened sample.
fn sampled() -> Vec<&'static Framework> {
    let all: Vec<_> = framework::ALL
        .into_iter()
        .filter(|one| !agent::recorded::steps(one.id, "hardened").is_empty())
        .collect();
    assert!(!all.is_empty());
    all
}

fn plan(framework: &'static Framework, folder: &Path) -> Plan {
    let tree = folder.join("sample");
    fs::create_dir_all(&tree).unwrap();
    agent::recorded::write(framework.id, "hardened", 6, &tree).unwrap();
    let settings = Settings {
        jwt_secret: "kqwzrvtmxnbjpldhgsfyaoeiuckqwzrvtmxnbjpldhgsfyao".into(),
        webhook_secret: "zmxncbvalskdjfhgqpwoeirutyzmxncbvalskdjf".into(),
        admin_email: "root@example.org".into(),
        admin_password: "Correct-horse_407.Battery".into(),
        cors_origins: vec!["https://a.example.com".into()],
    };
    let level = cell::probe().level;
    let workshop = Workshop::new(level, app::cache_folder());
    let installed = app::install(&tree, framework, &workshop).unwrap();
    let built = app::build(&tree, framework, &installed, &settings, &workshop).unwrap();
    Plan {
        tree,
        framework: Some(framework),
        bin: Some(installed.bin),
        read: installed.read,
        links: installed.links,
        remark: installed.remark,
        built,
        command: None,
        settings,
        level,
        cells: folder.join("cells"),
        health: "/api/health".into(),
        ready_within: Duration::from_secs(45),
    }
}

/// Registers; the status.
fn register(app: &Running, last: u8) -> u16 {
    let body = br#"{"email":"somebody@example.com","password":"Correct-horse_407.Battery"}"#;
    let mut request =
        wire::Request::new("POST", "/api/auth/register").header("Content-Type", "application/json");
    request.body = body.to_vec();
    let from = IpAddr::V4(Ipv4Addr::new(127, 9, 9, last));
    let limits = wire::Limits {
        time: Duration::from_secs(20),
        bytes: 1 << 20,
    };
    let bytes = request.bytes(&app.address.to_string());
    let socket = app.cell.socket(from).unwrap();
    wire::exchange(socket, app.address, "POST", &bytes, limits)
        .reply
        .unwrap()
        .status
}

/// Processes that have to do with this folder; those that are ending do not count.
fn processes(of: &Path) -> Vec<String> {
    let of = of.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let words = fs::read(path.join("cmdline")).unwrap_or_default();
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        let ends = stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'));
        let cwd = fs::read_link(path.join("cwd")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        if !ends && (words.contains(&of) || cwd.display().to_string().contains(&of)) {
            found.push(words);
        }
    }
    found
}

#[test]
fn each_recognises_its_own_samples_and_no_other() {
    for framework in framework::ALL {
        for name in agent::recorded::names(framework.id) {
            for step in 1..=6 {
                let tree = folder(&format!("recognise-{}-{name}-{step}", framework.id));
                agent::recorded::write(framework.id, &name, step, &tree).unwrap();
                let found = framework::recognise(&tree).map(|found| found.id);
                assert_eq!(found, Some(framework.id), "{name}, step {step}");
                fs::remove_dir_all(&tree).unwrap();
            }
        }
    }
}

#[test]
fn copies_are_apart_start_with_nothing_and_leave_nothing() {
    for framework in sampled() {
        let folder = folder(&format!("copies-{}", framework.id));
        let plan = plan(framework, &folder);
        let (one, other) = (plan.boot(&[]).unwrap(), plan.boot(&[]).unwrap());
        assert_ne!(one.root, other.root);
        assert_eq!(register(&one, 1), 201, "{}", framework.id);
        assert_eq!(register(&one, 2), 409, "{}", framework.id);
        assert_eq!(
            register(&other, 1),
            201,
            "{}: state is shared",
            framework.id
        );
        assert!(one.database.is_file(), "{}", framework.id);
        let root = one.root.clone();
        assert!(!processes(&root).is_empty(), "this test sees no processes");
        drop(one);
        assert!(!root.exists(), "{} left its folder", framework.id);
        assert_eq!(processes(&root), Vec::<String>::new(), "{}", framework.id);
        let anew = plan.boot(&[]).unwrap();
        assert_eq!(register(&anew, 1), 201, "{}: not anew", framework.id);
        drop((other, anew));
        assert_eq!(fs::read_dir(folder.join("cells")).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_boot_that_fails_says_how_and_with_which_last_words() {
    for framework in sampled() {
        let folder = folder(&format!("fails-{}", framework.id));
        let plan = plan(framework, &folder);
        // No secret: the hardened sample ends by itself.
        let error = plan.boot(&["JWT_SECRET"]).unwrap_err();
        assert!(error.by_itself, "{}: {error}", framework.id);
        assert!(
            error.log.contains("JWT_SECRET"),
            "{}: {}",
            framework.id,
            error.log
        );
        let start = plan.tree.join("start.sh");
        fs::write(&start, "#!/bin/sh\necho no luck >&2\nexit 3\n").unwrap();
        let error = plan.boot(&[]).unwrap_err();
        assert_eq!((error.fault, error.by_itself), (Fault::App, true));
        assert!(
            error.why.contains("exit code 3") && error.why.contains("no luck"),
            "{error}"
        );
        fs::write(&start, "#!/bin/sh\nexec sleep 60\n").unwrap();
        let hangs = Plan {
            ready_within: Duration::from_secs(1),
            ..plan
        };
        let error = hangs.boot(&[]).unwrap_err();
        assert!(
            !error.by_itself && error.why.contains("not ready within 1 s"),
            "{error}"
        );
        assert_eq!(fs::read_dir(folder.join("cells")).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
    }
}
