//! How passwords are kept: the algorithm, its parameters, and whether these reach today's floor.
//!
//! ## What is read
//! Calls of password-hashing functions that running code reaches, wherever their names lead. Parameters are folded from
//! constants, through imports, and from the library's own defaults where the call gives none.
//!
//! ## Graded by
//! OWASP's Password Storage Cheat Sheet as of 2026: argon2id with 19 MiB and 2 passes, scrypt with N = 2^17 and r = 8,
//! bcrypt with cost 10, PBKDF2 with 600,000 iterations of HMAC-SHA256, 210,000 of HMAC-SHA512 or 1,300,000 of HMAC-SHA1.
//!
//! ## Does not see
//! A hash that is made by a service or by the database. A plain digest counts as a password hash only where the value or
//! the function around it is called a password's.

use model::decision::Confidence;

use crate::fold::Value;
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "password hash",
    exploits: &["password-storage"],
    words: &["hash", "bcrypt", "argon2", "scrypt", "pbkdf2"],
    read,
};

/// A function that makes a hash, and the algorithm it stands for.
struct Maker {
    lang: Lang,
    name: &'static str,
    read: fn(&Index, &Call) -> Found,
}

const MAKERS: [Maker; 30] = [
    Maker {
        lang: Lang::Python,
        name: "bcrypt.hashpw",
        read: python_bcrypt,
    },
    Maker {
        lang: Lang::Python,
        name: "passlib.hash.bcrypt.hash",
        read: passlib_bcrypt,
    },
    Maker {
        lang: Lang::Python,
        name: "passlib.context.CryptContext",
        read: passlib_context,
    },
    Maker {
        lang: Lang::Python,
        name: "argon2.PasswordHasher",
        read: argon2_cffi,
    },
    Maker {
        lang: Lang::Python,
        name: "pwdlib.PasswordHash.recommended",
        read: pwdlib,
    },
    Maker {
        lang: Lang::Python,
        name: "hashlib.pbkdf2_hmac",
        read: python_pbkdf2,
    },
    Maker {
        lang: Lang::Python,
        name: "hashlib.scrypt",
        read: python_scrypt,
    },
    Maker {
        lang: Lang::Python,
        name: "werkzeug.security.generate_password_hash",
        read: werkzeug,
    },
    Maker {
        lang: Lang::Python,
        name: "django.contrib.auth.hashers.make_password",
        read: django,
    },
    Maker {
        lang: Lang::Script,
        name: "bcrypt.hash",
        read: script_bcrypt,
    },
    Maker {
        lang: Lang::Script,
        name: "bcrypt.hashSync",
        read: script_bcrypt,
    },
    Maker {
        lang: Lang::Script,
        name: "bcryptjs.hash",
        read: script_bcrypt,
    },
    Maker {
        lang: Lang::Script,
        name: "bcryptjs.hashSync",
        read: script_bcrypt,
    },
    Maker {
        lang: Lang::Script,
        name: "@node-rs/bcrypt.hash",
        read: script_bcrypt,
    },
    Maker {
        lang: Lang::Script,
        name: "@node-rs/bcrypt.hashSync",
        read: script_bcrypt,
    },
    Maker {
        lang: Lang::Script,
        name: "argon2.hash",
        read: script_argon2,
    },
    Maker {
        lang: Lang::Script,
        name: "@node-rs/argon2.hash",
        read: script_argon2,
    },
    Maker {
        lang: Lang::Script,
        name: "@node-rs/argon2.hashSync",
        read: script_argon2,
    },
    Maker {
        lang: Lang::Script,
        name: "crypto.scrypt",
        read: script_scrypt,
    },
    Maker {
        lang: Lang::Script,
        name: "crypto.scryptSync",
        read: script_scrypt,
    },
    Maker {
        lang: Lang::Script,
        name: "crypto.pbkdf2",
        read: script_pbkdf2,
    },
    Maker {
        lang: Lang::Script,
        name: "crypto.pbkdf2Sync",
        read: script_pbkdf2,
    },
    Maker {
        lang: Lang::Rust,
        name: "bcrypt.hash",
        read: rust_bcrypt,
    },
    Maker {
        lang: Lang::Rust,
        name: "bcrypt.hash_with_result",
        read: rust_bcrypt,
    },
    Maker {
        lang: Lang::Rust,
        name: "bcrypt.non_truncating_hash",
        read: rust_bcrypt,
    },
    Maker {
        lang: Lang::Rust,
        name: "argon2.Argon2.default",
        read: rust_argon2,
    },
    Maker {
        lang: Lang::Rust,
        name: "argon2.Argon2.new",
        read: rust_argon2,
    },
    Maker {
        lang: Lang::Rust,
        name: "pbkdf2.pbkdf2_hmac",
        read: rust_pbkdf2,
    },
    Maker {
        lang: Lang::Rust,
        name: "scrypt.scrypt",
        read: rust_scrypt,
    },
    Maker {
        lang: Lang::Python,
        name: "Crypto.Protocol.KDF.PBKDF2",
        read: python_pbkdf2,
    },
];

fn read(index: &Index) -> Outcome {
    let mut all: Vec<Found> = Vec::new();
    let mut dead = None;
    for maker in &MAKERS {
        for call in index.calls_named(maker.name) {
            if index.project.lang(call.at) != maker.lang {
                continue;
            }
            if !call.live {
                dead = Some(call.at);
                continue;
            }
            add(&mut all, (maker.read)(index, call));
        }
    }
    // Checking a password repeats the hash with what is stored: no second decision.
    let sure: Vec<String> = all
        .iter()
        .filter(|one| one.is_sure())
        .map(|one| one.choice.clone())
        .collect();
    let (checks, mut all): (Vec<Found>, Vec<Found>) = all
        .into_iter()
        .partition(|one| !one.is_sure() && sure.contains(&one.choice));
    for check in checks {
        if let Some(known) = all.iter_mut().find(|one| one.choice == check.choice) {
            known.spans.extend(check.spans);
            known.own.extend(check.own);
        }
    }
    if all.is_empty() {
        plain_digests(index, &mut all);
    }
    // A hash that cannot be followed is unknown, never absent; without accounts there is nothing to hash.
    let accounts = !index.routes_for(Purpose::Register).is_empty()
        || !index.routes_for(Purpose::Login).is_empty();
    match (all.is_empty(), dead) {
        (false, _) => Outcome::Found(all),
        (true, Some(at)) => {
            let span = index.project.span(at);
            Outcome::Unclear(format!(
                "{}:{} hashes, and nothing that runs calls it",
                span.file, span.line
            ))
        }
        (true, None) if accounts => Outcome::Nothing,
        (true, None) => Outcome::NoPlace,
    }
}

/// One finding a choice: the same algorithm with the same parameters in another place is one more place.
fn add(all: &mut Vec<Found>, found: Found) {
    let same = |one: &&mut Found| {
        (&one.choice, &one.origin, &one.parameters)
            == (&found.choice, &found.origin, &found.parameters)
    };
    match all.iter_mut().find(same) {
        Some(known) => {
            known.spans.extend(found.spans);
            known.own.extend(found.own);
        }
        None => all.push(found),
    }
}

fn bcrypt(index: &Index, call: &Call, cost: Option<f64>, default: f64) -> Found {
    let origin = index.origin(index.project.lang(call.at), &call.name);
    let value = cost.unwrap_or(default);
    Found::new(index, "bcrypt", origin, call.at)
        .with("cost", Some(value.to_string()))
        .below((value < 10.0).then(|| format!("cost {value}, OWASP's floor is 10")))
}

/// `share` of a floor in words; `None` where it is reached.
fn under(value: f64, floor: f64, of: &str) -> Option<String> {
    (value < floor).then(|| format!("{:.0} % of OWASP's {}", value / floor * 100.0, of))
}

fn pbkdf2(index: &Index, call: &Call, digest: Option<&str>, rounds: &Value) -> Found {
    let origin = index.origin(index.project.lang(call.at), &call.name);
    let digest = digest.map(|one| one.to_ascii_uppercase().replace('-', ""));
    let name = match &digest {
        Some(digest) => format!("PBKDF2-HMAC-{digest}"),
        None => "PBKDF2".to_owned(),
    };
    let floor = match digest.as_deref() {
        Some("SHA512") => (210_000.0, "210,000"),
        Some("SHA1") => (1_300_000.0, "1,300,000"),
        _ => (600_000.0, "600,000"),
    };
    let below = rounds
        .number()
        .and_then(|value| under(value, floor.0, floor.1));
    let found = Found::new(index, name, origin, call.at)
        .with("iterations", rounds.show())
        .below(below);
    if rounds.number().is_none() {
        return found.unsure(Confidence::Medium);
    }
    found
}

fn scrypt(index: &Index, call: &Call, n: Option<f64>, r: Option<f64>, p: Option<f64>) -> Found {
    let origin = index.origin(index.project.lang(call.at), &call.name);
    let mut found = Found::new(index, "scrypt", origin, call.at);
    if let (Some(n), Some(r), Some(p)) = (n, r, p) {
        let floor = f64::from(1 << 17) * 8.0;
        found = found
            .with("N", Some(n.to_string()))
            .with("r", Some(r.to_string()))
            .with("p", Some(p.to_string()))
            .below(under(n * r * p, floor, "N=131072, r=8, p=1"));
        return found;
    }
    found.unsure(Confidence::Medium)
}

fn argon2(index: &Index, call: &Call, memory_kib: Option<f64>, passes: Option<f64>) -> Found {
    let origin = index.origin(index.project.lang(call.at), &call.name);
    let found = Found::new(index, "argon2id", origin, call.at)
        .with("memory KiB", memory_kib.map(|one| one.to_string()))
        .with("passes", passes.map(|one| one.to_string()));
    match (memory_kib, passes) {
        (Some(memory), Some(passes)) => {
            found.below(under(memory * passes, 19_456.0 * 2.0, "19 MiB, 2 passes"))
        }
        _ => found.unsure(Confidence::Medium),
    }
}

fn python_bcrypt(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let salt = call.arg(project, 1, "salt");
    let gensalt = salt
        .and_then(|at| {
            index
                .call(at)
                .or_else(|| index.call(project.definition(at)?))
        })
        .filter(|salt| salt.name == "bcrypt.gensalt");
    match gensalt {
        Some(salt) => {
            let rounds = salt.arg(project, 0, "rounds");
            match (rounds, index.folded(rounds).number()) {
                (Some(_), None) => bcrypt(index, call, None, 12.0).unsure(Confidence::Medium),
                (_, cost) => bcrypt(index, call, cost, 12.0),
            }
        }
        None => bcrypt(index, call, None, 12.0).unsure(Confidence::Medium),
    }
}

fn passlib_bcrypt(index: &Index, call: &Call) -> Found {
    let rounds = index.folded(call.named(&index.project, "rounds"));
    bcrypt(index, call, rounds.number(), 12.0)
}

fn passlib_context(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let schemes = index.folded(call.arg(project, 0, "schemes"));
    let first = match &schemes {
        Value::List(all) => all.first().and_then(Value::text).map(str::to_owned),
        Value::Text(one) => Some(one.clone()),
        _ => None,
    };
    match first.as_deref() {
        Some("bcrypt" | "bcrypt_sha256") => {
            let rounds = index.folded(call.named(project, "bcrypt__rounds"));
            bcrypt(index, call, rounds.number(), 12.0)
        }
        Some("argon2") => argon2(index, call, Some(65_536.0), Some(3.0)),
        Some(other) => {
            let origin = index.origin(Lang::Python, &call.name);
            Found::new(index, other.to_owned(), origin, call.at)
        }
        None => {
            let origin = index.origin(Lang::Python, &call.name);
            Found::new(index, "passlib", origin, call.at).unsure(Confidence::Medium)
        }
    }
}

fn argon2_cffi(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let number = |place, name: &str, default| match call.arg(project, place, name) {
        Some(at) => project.fold(at).number(),
        None => Some(default),
    };
    argon2(
        index,
        call,
        number(1, "memory_cost", 65_536.0),
        number(0, "time_cost", 3.0),
    )
}

fn pwdlib(index: &Index, call: &Call) -> Found {
    argon2(index, call, Some(65_536.0), Some(3.0))
}

fn python_pbkdf2(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let digest = index.folded(call.arg(project, 0, "hash_name"));
    let rounds = index.folded(call.arg(project, 3, "iterations"));
    pbkdf2(index, call, digest.text(), &rounds)
}

fn python_scrypt(index: &Index, call: &Call) -> Found {
    let number = |name: &str| index.folded(call.named(&index.project, name)).number();
    scrypt(index, call, number("n"), number("r"), number("p"))
}

fn werkzeug(index: &Index, call: &Call) -> Found {
    let method = index.folded(call.arg(&index.project, 1, "method"));
    let method = method.text().unwrap_or("scrypt").to_owned();
    let parts: Vec<&str> = method.split(':').collect();
    match parts[..] {
        ["scrypt"] => scrypt(index, call, Some(32_768.0), Some(8.0), Some(1.0)),
        ["scrypt", n, r, p] => scrypt(index, call, n.parse().ok(), r.parse().ok(), p.parse().ok()),
        ["pbkdf2", ref rest @ ..] => {
            let digest = rest.first().copied().unwrap_or("sha256");
            let rounds = rest.get(1).and_then(|one| one.parse().ok());
            pbkdf2(
                index,
                call,
                Some(digest),
                &Value::Number(rounds.unwrap_or(1_000_000.0)),
            )
        }
        _ => {
            let origin = index.origin(Lang::Python, &call.name);
            Found::new(index, method.clone(), origin, call.at)
        }
    }
}

fn django(index: &Index, call: &Call) -> Found {
    let origin = index.origin(Lang::Python, &call.name);
    Found::new(index, "Django's default hasher", origin, call.at).unsure(Confidence::Medium)
}

fn script_bcrypt(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let cost = call.args.get(1).copied();
    let salt = cost.and_then(|at| {
        index
            .call(at)
            .or_else(|| index.call(project.definition(at)?))
    });
    let cost = match salt {
        Some(salt) if salt.method.starts_with("genSalt") => salt.args.first().copied(),
        _ => cost,
    };
    match (cost, index.folded(cost).number()) {
        (Some(_), None) => bcrypt(index, call, None, 10.0).unsure(Confidence::Medium),
        (_, cost) => bcrypt(index, call, cost, 10.0),
    }
}

fn script_argon2(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let default = if call.name.starts_with('@') {
        (19_456.0, 2.0)
    } else {
        (65_536.0, 3.0)
    };
    let number = |name: &str, default| match call.named(project, name) {
        Some(at) => project.fold(at).number(),
        None => Some(default),
    };
    argon2(
        index,
        call,
        number("memoryCost", default.0),
        number("timeCost", default.1),
    )
}

fn script_scrypt(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let number = |names: [&str; 2], default| {
        let at = names.iter().find_map(|name| call.named(project, name));
        match at {
            Some(at) => project.fold(at).number(),
            None => Some(default),
        }
    };
    let n = number(["N", "cost"], 16_384.0);
    let r = number(["r", "blockSize"], 8.0);
    let p = number(["p", "parallelization"], 1.0);
    scrypt(index, call, n, r, p)
}

fn script_pbkdf2(index: &Index, call: &Call) -> Found {
    let value = |place: usize| index.folded(call.args.get(place).copied());
    let digest = value(4);
    pbkdf2(index, call, digest.text(), &value(2))
}

fn rust_bcrypt(index: &Index, call: &Call) -> Found {
    let cost = call.args.get(1).copied();
    let named = cost.and_then(|at| index.project.name(at));
    match (named.as_deref(), index.folded(cost).number()) {
        (Some("bcrypt.DEFAULT_COST"), _) | (None, None) => bcrypt(index, call, None, 12.0),
        (_, Some(cost)) => bcrypt(index, call, Some(cost), 12.0),
        (Some(_), None) => bcrypt(index, call, None, 12.0).unsure(Confidence::Medium),
    }
}

fn rust_argon2(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let params = call.args.iter().find_map(|arg| {
        project.inside(*arg).into_iter().find_map(|inner| {
            index
                .call(inner)
                .filter(|call| call.name == "argon2.Params.new")
        })
    });
    match params {
        Some(params) => {
            let number = |place: usize| index.folded(params.args.get(place).copied()).number();
            argon2(index, call, number(0), number(1))
        }
        None => argon2(index, call, Some(19_456.0), Some(2.0)),
    }
}

fn rust_pbkdf2(index: &Index, call: &Call) -> Found {
    let project = &index.project;
    let text = project.text(call.at).to_ascii_lowercase();
    let digest = ["sha512", "sha256", "sha1"]
        .into_iter()
        .find(|one| text.split('(').next().unwrap_or_default().contains(one));
    let rounds = index.folded(call.args.get(2).copied());
    pbkdf2(index, call, digest, &rounds)
}

fn rust_scrypt(index: &Index, call: &Call) -> Found {
    scrypt(index, call, None, None, None)
}

/// One fast digest of what is called a password.
fn plain_digests(index: &Index, all: &mut Vec<Found>) {
    let project = &index.project;
    for call in index.calls.iter().filter(|call| call.live) {
        let digest = match (project.lang(call.at), call.name.as_str()) {
            (
                Lang::Python,
                "hashlib.sha256" | "hashlib.sha512" | "hashlib.sha1" | "hashlib.md5",
            ) => call.name.trim_start_matches("hashlib.").to_owned(),
            (Lang::Script, "crypto.createHash" | "crypto.hash") => {
                match index.folded(call.args.first().copied()).text() {
                    Some(name) => name.to_owned(),
                    None => continue,
                }
            }
            (
                Lang::Rust,
                "sha2.Sha256.digest" | "sha2.Sha512.digest" | "md5.compute" | "sha1.Sha1.digest",
            ) => call
                .name
                .rsplit('.')
                .nth(1)
                .unwrap_or("digest")
                .to_lowercase(),
            _ => continue,
        };
        if !about_passwords(index, call.at) {
            continue;
        }
        let origin = index.origin(project.lang(call.at), &call.name);
        let found = Found::new(index, shown(&digest), origin, call.at)
            .with("iterations", Some("1".to_owned()))
            .below(Some("one round of a fast digest".to_owned()))
            .unsure(Confidence::Medium);
        add(all, found);
    }
}

/// `sha256` is `SHA-256`.
fn shown(digest: &str) -> String {
    let plain = digest.to_uppercase().replace('-', "");
    match plain.strip_prefix("SHA") {
        Some(bits) => format!("SHA-{bits}"),
        None => plain,
    }
}

/// Whether the function around a call, or what it is given, is called a password's.
fn about_passwords(index: &Index, at: At) -> bool {
    let project = &index.project;
    let tree = project.tree(at);
    let around = tree.function_of(at.id).map(|id| tree.name_of(id));
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("password") || text.contains("passwd") || text == "pw"
    };
    // The whole statement: `createHash('sha256').update(password)`.
    let chain = tree
        .upwards(at.id)
        .take_while(|id| matches!(tree.kind(*id), Kind::Call { .. } | Kind::Member { .. }))
        .last()
        .unwrap_or(at.id);
    let given = project
        .inside(at.with(chain))
        .into_iter()
        .any(|inner| project.kind(inner) == Kind::Name && says(project.text(inner)));
    around.is_some_and(says) || given
}
