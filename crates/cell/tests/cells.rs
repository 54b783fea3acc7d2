//! Cells with real processes in them, boxed and plain. Where no box can be had, its half says so and is skipped.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its stage has failed"
)]

mod bench;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bench::{Bench, SERVER, boxed, running, text, until};
use cell::{Cell, CellError, Killed, Level, Network};

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn dial(cell: &Cell, from: impl Into<IpAddr>, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = cell.socket(from.into())?;
    rustix::net::connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

const _: fn() = || {
    fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Cell>();
};

/// What the server in the cell takes us for.
fn seen_as(cell: &Cell, from: impl Into<IpAddr>, to: SocketAddr) -> String {
    let mut stream = dial(cell, from, to).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply.rsplit("\r\n").next().unwrap().to_owned()
}

/// The port that the server printed.
fn port(cell: &Cell) -> u16 {
    until("the server listens", || {
        cell.log_tail(1000).split_once('\n')?.0.trim().parse().ok()
    })
}

fn a_server_sees_the_address_that_the_socket_was_bound_to(level: Level) {
    let bench = Bench::new();
    let cell = bench.spawn(level, &["/usr/bin/python3", "-u", "-c", SERVER]);
    let to = (LOCAL, port(&cell)).into();
    for from in [[127, 0, 0, 1], [127, 3, 2, 1], [127, 200, 9, 254]] {
        assert_eq!(seen_as(&cell, from, to), Ipv4Addr::from(from).to_string());
    }
}

fn many_sockets_can_be_had_from_one_address(level: Level) {
    let bench = Bench::new();
    let cell = bench.spawn(level, &["/usr/bin/python3", "-u", "-c", SERVER]);
    let to = (LOCAL, port(&cell)).into();
    for _ in 0..300 {
        seen_as(&cell, [127, 9, 9, 9], to);
    }
    let kept: Vec<_> = (0..200)
        .map(|_| cell.socket([127, 9, 9, 9].into()).unwrap())
        .collect();
    assert_eq!(kept.len(), 200);
}

fn nothing_lives_on_after_the_end(level: Level) {
    let bench = Bench::new();
    let script = format!(
        "setsid nohup sleep {0} >/dev/null 2>&1 & (setsid sleep {0} &) ; sleep {0}",
        bench.mark
    );
    let cell = bench.spawn(level, &["sh", "-c", &script]);
    until("three sleep", || (running(&bench.mark) >= 3).then_some(()));
    cell.end();
    assert_eq!(running(&bench.mark), 0);
    let exit = cell.exited().unwrap();
    assert_eq!((exit.signal, exit.killed), (Some(9), Some(Killed::Ended)));
    cell.end();
    assert!(cell.socket([127, 0, 0, 1].into()).is_err() || level == Level::Plain);
}

fn nothing_lives_on_after_the_tool_is_killed(level: Level) {
    let bench = Bench::new();
    let mut tool = bench.tool_in_a_process(level);
    until("three sleep", || (running(&bench.mark) >= 3).then_some(()));
    tool.kill().unwrap();
    tool.wait().unwrap();
    until("all are gone", || (running(&bench.mark) == 0).then_some(()));
}

fn the_environment_is_what_was_given(level: Level) {
    let bench = Bench::new();
    let mut spec = bench.spec(&["/usr/bin/env"]);
    spec.env = vec![
        ("A".into(), "1 2".into()),
        ("PATH".into(), "/usr/bin".into()),
    ];
    let cell = cell::spawn(&spec, level).unwrap();
    assert!(cell.wait(Duration::from_secs(10)).unwrap().success());
    let mut seen: Vec<String> = cell.log_tail(10_000).lines().map(String::from).collect();
    seen.retain(|line| level == Level::Boxed || !line.starts_with("UNREQUESTED_CELL="));
    assert_eq!(seen, ["A=1 2", "PATH=/usr/bin"]);
}

fn nothing_of_ours_is_inherited(level: Level) {
    let bench = Bench::new();
    // As a build's job server leaves one open for its children.
    let left_open = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&left_open, rustix::io::FdFlags::empty()).unwrap();
    let script = "import os, signal; print(*sorted(os.listdir('/proc/self/fd'))[:-1], os.isatty(0), \
                  os.read(0, 1), signal.pthread_sigmask(signal.SIG_BLOCK, []), \
                  signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)";
    let cell = bench.spawn(level, &["/usr/bin/python3", "-c", script]);
    cell.wait(Duration::from_secs(10)).unwrap();
    assert_eq!(cell.log_tail(1000), "0 1 2 False b'' set() True\n");
}

fn endless_output_is_cut_and_blocks_nobody(level: Level) {
    let bench = Bench::new();
    let mut spec = bench.spec(&["yes", "0123456789"]);
    spec.limits.log = 100_000;
    let cell = cell::spawn(&spec, level).unwrap();
    until("much was written", || {
        (cell.log_bytes() > 10_000_000).then_some(())
    });
    assert!(cell.log_truncated());
    assert!(cell.exited().is_none());
    let kept = std::fs::metadata(bench.root().join("log/output")).unwrap();
    assert_eq!(kept.len(), 100_000);
    assert_eq!(cell.log_tail(11).len(), 11);
}

fn a_folder_swapped_for_a_link_is_refused(level: Level) {
    let bench = Bench::new();
    let script = "cd ..; mv tmp old; ln -s ../../../old/etc tmp";
    let cell = bench.spawn(level, &["sh", "-c", script]);
    assert!(cell.wait(Duration::from_secs(10)).unwrap().success());
    cell.end();
    let again = cell::spawn(&bench.spec(&["true"]), level);
    assert!(matches!(again, Err(CellError::Folder { .. })), "{again:?}");
}

fn exits_are_told(level: Level) {
    let bench = Bench::new();
    for (script, code, signal) in [
        ("echo out; echo err >&2; exit 7", Some(7), None),
        ("kill -TERM $$", None, Some(15)),
        // Its own group is not ours.
        ("trap '' TERM; kill -TERM 0; exit 3", Some(3), None),
    ] {
        let cell = bench.spawn(level, &["sh", "-c", script]);
        let exit = cell.wait(Duration::from_secs(10)).unwrap();
        assert_eq!((exit.code, exit.signal, exit.killed), (code, signal, None));
        if code == Some(7) {
            assert_eq!(cell.log_tail(100), "out\nerr\n");
            assert!(!cell.log_truncated());
        }
        cell.end();
        assert_eq!(cell.exited(), Some(exit));
    }
    if level == Level::Boxed {
        let mut spec = bench.spec(&["true"]);
        spec.cwd = "/var/lib".into();
        let error = cell::spawn(&spec, level).unwrap_err().to_string();
        assert!(error.ends_with("the box does not show /var/lib"), "{error}");
    }
    let missing = cell::spawn(&bench.spec(&["no-such-program"]), level);
    assert!(
        matches!(missing, Err(CellError::Start { .. })),
        "{missing:?}"
    );
    let cell = bench.spawn(level, &["sleep", "100"]);
    assert_eq!(cell.wait(Duration::from_millis(30)), None);
}

fn a_memory_hog_is_stopped_with_its_cause(level: Level) {
    let bench = Bench::new();
    let script = "import time; x = bytearray(b'x') * (300 << 20); time.sleep(100)";
    let mut spec = bench.spec(&["/usr/bin/python3", "-c", script]);
    spec.limits.memory = 100 << 20;
    let cell = cell::spawn(&spec, level).unwrap();
    let exit = cell.wait(Duration::from_secs(20)).unwrap();
    assert_eq!((exit.signal, exit.killed), (Some(9), Some(Killed::Memory)));
    assert_eq!(exit.to_string(), "signal 9 (killed: memory)");
}

fn a_fork_bomb_is_stopped_with_its_cause(level: Level) {
    let bench = Bench::new();
    let script = format!(
        "i=0; while [ $i -lt 250 ]; do sleep {} & i=$((i+1)); done; wait",
        bench.mark
    );
    let mut spec = bench.spec(&["sh", "-c", &script]);
    spec.limits.processes = 60;
    let cell = cell::spawn(&spec, level).unwrap();
    let exit = cell.wait(Duration::from_secs(20)).unwrap();
    assert_eq!(exit.killed, Some(Killed::Processes));
    until("all are gone", || (running(&bench.mark) == 0).then_some(()));
}

fn a_disk_filler_is_stopped_with_its_cause(level: Level) {
    let bench = Bench::new();
    // Many files, none of them large; and it goes on when one cannot be written.
    let script = "i=0; while :; do fallocate -l 10000000 f$i; i=$((i+1)); done";
    let mut spec = bench.spec(&["sh", "-c", script]);
    spec.limits.disk = 200 << 20;
    let cell = cell::spawn(&spec, level).unwrap();
    let exit = cell.wait(Duration::from_secs(30)).unwrap();
    assert_eq!((exit.signal, exit.killed), (Some(9), Some(Killed::Disk)));
}

fn what_computes_too_long_is_stopped_with_its_cause(level: Level) {
    let bench = Bench::new();
    // The children that computed are gone when it is noticed.
    let burn = "import time\nwhile time.process_time() < 0.7: pass";
    let script = format!("while :; do /usr/bin/python3 -c '{burn}'; done");
    let mut spec = bench.spec(&["sh", "-c", &script]);
    spec.limits.cpu = Duration::from_secs(2);
    let cell = cell::spawn(&spec, level).unwrap();
    let exit = cell.wait(Duration::from_secs(600)).unwrap();
    assert_eq!((exit.signal, exit.killed), (Some(9), Some(Killed::Cpu)));
}

fn files_beside_its_folders_and_too_deep_to_name_count(level: Level) {
    for script in [
        "mkdir -p shut/inner; touch shut/inner/file; chmod 0 shut/inner shut; \
         i=0; while [ $i -lt 40 ]; do fallocate -l 10000000 ../f$i; i=$((i+1)); done; sleep 100",
        "python3 - <<'PY'\nimport os\nfor _ in range(3000):\n  os.mkdir('deep'); os.chdir('deep')\n\
         for n in range(40): os.posix_fallocate(os.open(str(n), os.O_CREAT | os.O_WRONLY), 0, 10000000)\nPY\nsleep 100",
    ] {
        let bench = Bench::new();
        let mut spec = bench.spec(&["sh", "-c", script]);
        spec.limits.disk = 200 << 20;
        let cell = cell::spawn(&spec, level).unwrap();
        let exit = cell.wait(Duration::from_secs(60)).unwrap();
        assert_eq!(exit.killed, Some(Killed::Disk), "{script}");
        cell.end();
        cell::remove_folder(&bench.root().join("tree")).unwrap();
        assert!(!bench.root().join("tree").exists());
    }
}

/// In shared memory that nobody maps, which no sum over processes shows.
fn memory_of_no_process_counts_where_a_group_can_be_had(level: Level) {
    let bench = Bench::new();
    let script = "import os, time\nfd = os.memfd_create('x')\n\
                  for _ in range(40): os.write(fd, bytes(10 << 20))\ntime.sleep(100)";
    let mut spec = bench.spec(&["/usr/bin/python3", "-c", script]);
    spec.limits.memory = 200 << 20;
    let cell = cell::spawn(&spec, level).unwrap();
    if !cell.limits().contains("memory: cgroup") {
        bench::not_run("no group can be had here");
        return;
    }
    let exit = cell.wait(Duration::from_secs(30)).unwrap();
    assert_eq!((exit.signal, exit.killed), (Some(9), Some(Killed::Memory)));
}

fn a_group_is_gone_with_its_cell_even_when_the_tool_was_killed(level: Level) {
    let bench = Bench::new();
    let cell = bench.spawn(level, &["sleep", &bench.mark]);
    if !cell.limits().contains("cgroup") {
        bench::not_run("no group can be had here");
        return;
    }
    until("it sleeps", || (running(&bench.mark) == 1).then_some(()));
    let own = bench::groups_of(&bench.mark);
    assert!(own.iter().all(|folder| folder.is_dir()) && !own.is_empty());
    cell.end();
    assert!(own.iter().all(|folder| !folder.exists()), "{own:?}");

    let mut tool = bench.tool_in_a_process(level);
    until("three sleep", || (running(&bench.mark) >= 3).then_some(()));
    let own = bench::groups_of(&bench.mark);
    assert!(!own.is_empty());
    tool.kill().unwrap();
    tool.wait().unwrap();
    until("all are gone", || (running(&bench.mark) == 0).then_some(()));
    until("the groups are gone", || {
        own.iter().all(|folder| !folder.exists()).then_some(())
    });
}

fn cpu_of_ended_children_counts(level: Level) {
    let bench = Bench::new();
    let burn = "import time\nwhile time.process_time() < 0.3: pass";
    let script = format!("/usr/bin/python3 -c '{burn}'; sleep 100");
    let cell = bench.spawn(level, &["sh", "-c", &script]);
    until("the child's time is seen", || {
        (cell.cpu()? >= Duration::from_millis(280)).then_some(())
    });
    cell.end();
    assert!(cell.cpu().unwrap() >= Duration::from_millis(280));
}

fn twenty_cells_leave_nothing(level: Level) {
    let mounts = || text("/proc/self/mountinfo".as_ref());
    let before = mounts();
    let bench = Bench::new();
    let script = format!("setsid sleep {} & echo done", bench.mark);
    for _ in 0..20 {
        let cell = bench.spawn(level, &["sh", "-c", &script]);
        assert!(cell.wait(Duration::from_secs(10)).unwrap().success());
        assert_eq!(cell.log_tail(100), "done\n");
        assert!(bench::holders(&bench.root()) >= 1);
    }
    assert_eq!(running(&bench.mark), 0);
    assert_eq!(bench::holders(&bench.root()), 0);
    assert_eq!(mounts(), before);
}

macro_rules! at_both_levels {
    ($($name:ident)*) => {
        mod plain {
            $(#[test] fn $name() { super::$name(cell::Level::Plain); })*
        }
        mod in_a_box {
            $(#[test] fn $name() { if super::boxed() { super::$name(cell::Level::Boxed); } })*
        }
    };
}

at_both_levels! {
    a_server_sees_the_address_that_the_socket_was_bound_to
    many_sockets_can_be_had_from_one_address
    nothing_lives_on_after_the_end
    nothing_lives_on_after_the_tool_is_killed
    the_environment_is_what_was_given
    nothing_of_ours_is_inherited
    endless_output_is_cut_and_blocks_nobody
    a_folder_swapped_for_a_link_is_refused
    exits_are_told
    a_memory_hog_is_stopped_with_its_cause
    a_fork_bomb_is_stopped_with_its_cause
    a_disk_filler_is_stopped_with_its_cause
    what_computes_too_long_is_stopped_with_its_cause
    files_beside_its_folders_and_too_deep_to_name_count
    memory_of_no_process_counts_where_a_group_can_be_had
    a_group_is_gone_with_its_cell_even_when_the_tool_was_killed
    cpu_of_ended_children_counts
    twenty_cells_leave_nothing
}

/// As root, all of the above once more as a user who may do nothing.
#[test]
fn the_same_holds_for_an_unprivileged_user() {
    let setpriv = std::path::Path::new("/usr/bin/setpriv");
    if !rustix::process::geteuid().is_root() || !setpriv.is_file() {
        bench::not_run("only root can become somebody else");
        return;
    }
    let bench = Bench::new();
    let this = std::env::current_exe().unwrap();
    let holder = this.parent().unwrap().with_file_name("cell-holder");
    std::fs::copy(&this, bench.root().join("cells")).unwrap();
    std::fs::copy(holder, bench.root().join("cell-holder")).unwrap();
    let own = bench.root().join("own");
    std::fs::create_dir(&own).unwrap();
    let open = |path: &std::path::Path, mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&bench.root(), 0o755);
    open(&own, 0o777);
    // As many files as people usually may open: root here may have more.
    let output = std::process::Command::new("prlimit")
        .arg("--nofile=1024:1024")
        .arg(setpriv)
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(bench.root().join("cells"))
        .env("TMPDIR", &own)
        .env("HOME", &own)
        .current_dir(&own)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("the_same_holds_for_an_unprivileged_user ... ok"),
        "{said}"
    );
}

/// Not a test: the process that the tests above kill.
#[test]
fn stands_in_for_the_tool() {
    bench::be_the_tool_if_asked();
}

#[test]
fn a_client_can_come_from_outside_loopback() {
    if !boxed() {
        return;
    }
    let bench = Bench::new();
    let cell = bench.spawn(Level::Boxed, &["/usr/bin/python3", "-u", "-c", SERVER]);
    let outside = cell.outside_address().unwrap();
    for to in [LOCAL, outside] {
        let to = (to, port(&cell)).into();
        assert_eq!(seen_as(&cell, outside, to), outside.to_string());
    }
    assert!(cell.socket([203, 0, 113, 7].into()).is_err());
    let plain = bench.spawn(Level::Plain, &["sleep", "100"]);
    assert_eq!(plain.outside_address(), None);
}

#[test]
fn a_box_and_the_machine_do_not_reach_each_other() {
    if !boxed() {
        return;
    }
    let bench = Bench::new();
    let listener = TcpListener::bind((LOCAL, 0)).unwrap();
    let taken = listener.local_addr().unwrap().port();
    let try_all = format!(
        "import socket, time\n\
         start = time.time()\n\
         for to in [('127.0.0.1', {taken}), ('203.0.113.7', 80), ('192.0.2.1', 53)]:\n\
         \x20   s = socket.socket()\n\
         \x20   s.settimeout(5)\n\
         \x20   try:\n\
         \x20       s.connect(to)\n\
         \x20       print('reached')\n\
         \x20   except OSError as e:\n\
         \x20       print(e.errno)\n\
         print(time.time() - start < 2)\n"
    );
    let cell = bench.spawn(Level::Boxed, &["/usr/bin/python3", "-c", &try_all]);
    cell.wait(Duration::from_secs(20)).unwrap();
    // Refused, unreachable, unreachable, at once.
    assert_eq!(cell.log_tail(1000), "111\n101\n101\nTrue\n");
    cell.end();

    // A port that the machine has taken is free in the box, and whoever dials it here reaches the machine's.
    let port = taken.to_string();
    let cell = bench.spawn(
        Level::Boxed,
        &["/usr/bin/python3", "-u", "-c", SERVER, &port],
    );
    until("the server listens", || {
        (cell.log_tail(100).trim() == port).then_some(())
    });
    let stream = TcpStream::connect((LOCAL, taken)).unwrap();
    let (_, from) = listener.accept().unwrap();
    assert_eq!(stream.local_addr().unwrap(), from);
    assert!(!cell.log_tail(1000).contains("GET"));

    let mut spec = bench.spec(&["/usr/bin/python3", "-c", &try_all]);
    spec.network = Network::Host;
    let open = cell::spawn(&spec, Level::Boxed).unwrap();
    assert_eq!(open.outside_address(), None);
    until("the first line is there", || {
        open.log_tail(100).starts_with("reached\n").then_some(())
    });
}

#[test]
fn a_box_writes_only_in_its_own_folder() {
    if !boxed() {
        return;
    }
    let bench = Bench::new();
    let script = format!(
        "for to in / /etc /root /home /usr /run /dev /var /proc/sys/kernel/hostname {log}; do \
           if echo x 2>/dev/null > $to/{mark} || echo x 2>/dev/null > $to; then echo wrote $to; fi; done; \
         mount -o remount,rw /usr 2>/dev/null && echo remounted; \
         umount {log} 2>/dev/null && echo unmounted; \
         for to in /tmp /var/tmp {root}/tree {root}/state {root}/home /dev/shm; do \
           echo x > $to/{mark} || echo no $to; done; \
         ls /home /run; grep -h CapEff /proc/self/status; id -u",
        root = bench.root().display(),
        log = bench.root().join("log").display(),
        mark = bench.mark,
    );
    let cell = bench.spawn(Level::Boxed, &["sh", "-c", &script]);
    cell.wait(Duration::from_secs(10)).unwrap();
    let said = cell.log_tail(10_000);
    let lines: Vec<&str> = said.lines().collect();
    let [folders @ .., capabilities, user] = lines.as_slice() else {
        panic!("{said}");
    };
    assert_eq!(*capabilities, "CapEff:\t0000000000000000");
    assert_ne!(*user, "0");
    assert_eq!(folders, ["/home:", "", "/run:"], "{said}");
    for name in ["tmp", "tree", "state", "home"] {
        assert_eq!(text(&bench.root().join(name).join(&bench.mark)), "x\n");
    }
    for folder in ["/tmp", "/var/tmp", "/dev/shm"] {
        assert!(!std::path::Path::new(folder).join(&bench.mark).exists());
    }
}

#[test]
fn of_what_is_shown_and_hidden_the_deepest_counts() {
    if !boxed() {
        return;
    }
    let bench = Bench::new();
    let other = Bench::new();
    let given = other.root().join("given");
    for folder in ["secret/again", "plain"] {
        std::fs::create_dir_all(given.join(folder)).unwrap();
        std::fs::write(given.join(folder).join("file"), folder).unwrap();
    }
    std::fs::write(given.join("token"), "token").unwrap();
    std::fs::write(other.root().join("beside"), "beside").unwrap();
    let link = other.root().join("link");
    std::os::unix::fs::symlink(&given, &link).unwrap();
    let script = format!(
        "exec 2>/dev/null; cd {}; \
         for file in plain/file secret/file secret/again/file token ../beside {}/plain/file; do \
           echo $file: $(cat $file); done; \
         touch plain/x secret/x && echo wrote",
        given.display(),
        link.display()
    );
    let mut spec = bench.spec(&["sh", "-c", &script]);
    spec.read = vec![
        link.clone(),
        given.join("secret/again"),
        "/not/there".into(),
    ];
    spec.hide = vec![
        given.join("secret"),
        given.join("token"),
        "/not/here".into(),
    ];
    let cell = cell::spawn(&spec, Level::Boxed).unwrap();
    cell.wait(Duration::from_secs(10)).unwrap();
    let through_the_link = format!("{}/plain/file: plain", link.display());
    assert_eq!(
        cell.log_tail(10_000).lines().collect::<Vec<_>>(),
        [
            "plain/file: plain",
            "secret/file:",
            "secret/again/file: secret/again",
            "token:",
            "../beside:",
            &through_the_link,
        ]
    );
    assert!(!given.join("plain/x").exists() && !given.join("secret/x").exists());
    assert_eq!(cell.details(), [""; 0]);
}

#[test]
fn where_a_program_is_installed_is_told() {
    assert_eq!(cell::installed_in("/usr/bin/env".as_ref()), None);
    assert_eq!(cell::installed_in("/not/there".as_ref()), None);
    let bench = Bench::new();
    let make = |path: &str| {
        let path = bench.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        cell::installed_in(&path).map(|found| found.strip_prefix(bench.root()).unwrap().to_owned())
    };
    assert_eq!(make("python/3.11/bin/python"), Some("python/3.11".into()));
    assert_eq!(make(".local/bin/uv"), Some(".local/bin".into()));
    assert_eq!(make("tool/run"), Some("tool".into()));
}
