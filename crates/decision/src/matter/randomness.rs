//! Where random values come from that others must not guess.
//!
//! ## What is read
//! Calls of random sources in running code. One that is not made for secrets counts only where what it fills is called a
//! token, secret, password, code, key, salt or the name of a file.
//!
//! ## Does not see
//! Random values that libraries make inside.

use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::tree::{Kind, Lang};

pub(crate) static MATTER: Matter = Matter {
    title: "randomness",
    exploits: &[],
    words: &["cryptographically", "secure random", "random token"],
    read,
};

const GOOD: [(Lang, &str); 19] = [
    (Lang::Python, "secrets.token_hex"),
    (Lang::Python, "secrets.token_urlsafe"),
    (Lang::Python, "secrets.token_bytes"),
    (Lang::Python, "secrets.choice"),
    (Lang::Python, "secrets.randbelow"),
    (Lang::Python, "os.urandom"),
    (Lang::Python, "uuid.uuid4"),
    (Lang::Python, "random.SystemRandom"),
    (Lang::Script, "crypto.randomBytes"),
    (Lang::Script, "crypto.randomUUID"),
    (Lang::Script, "crypto.randomInt"),
    (Lang::Script, "crypto.getRandomValues"),
    (Lang::Script, "nanoid.nanoid"),
    (Lang::Script, "uuid.v4"),
    (Lang::Rust, "uuid.Uuid.new_v4"),
    (Lang::Rust, "rand.rngs.OsRng.fill_bytes"),
    (Lang::Rust, "getrandom.fill"),
    (Lang::Rust, "rand.random"),
    (Lang::Rust, "getrandom.getrandom"),
];

const POOR: [(Lang, &str); 14] = [
    (Lang::Script, "Math.random"),
    (Lang::Python, "random.random"),
    (Lang::Python, "random.randint"),
    (Lang::Python, "random.choice"),
    (Lang::Python, "random.choices"),
    (Lang::Python, "random.getrandbits"),
    (Lang::Python, "random.randbytes"),
    (Lang::Python, "random.sample"),
    (Lang::Python, "uuid.uuid1"),
    (Lang::Python, "random.Random().random"),
    (Lang::Python, "random.Random().randint"),
    (Lang::Python, "random.Random().choice"),
    (Lang::Python, "random.Random().choices"),
    (Lang::Python, "random.Random().getrandbits"),
];

fn read(index: &Index) -> Outcome {
    let project = &index.project;
    let call = |list: &[(Lang, &str)], wanted: &dyn Fn(&Call) -> bool| {
        let mut all: Vec<&Call> = list
            .iter()
            .flat_map(|(lang, name)| index.calls_named(name).map(move |call| (*lang, call)))
            .filter(|(lang, call)| project.lang(call.at) == *lang && call.live && wanted(call))
            .map(|(_, call)| call)
            .collect();
        all.sort_by_key(|call| call.at);
        all
    };
    let poor = call(&POOR, &|call| matters(index, call));
    if let Some(first) = poor.first() {
        let mut found = Found::new(
            index,
            "not cryptographic",
            index.origin(project.lang(first.at), &first.name),
            first.at,
        )
        .below(Some(
            "it can be guessed from what it gave before".to_owned(),
        ));
        for other in &poor[1..] {
            found = found.also(index, other.at);
        }
        found.own.clear();
        return Outcome::Found(vec![found]);
    }
    let good = call(&GOOD, &|_| true);
    let Some(first) = good.first() else {
        return Outcome::NoPlace;
    };
    let mut found = Found::new(
        index,
        "cryptographic",
        index.origin(project.lang(first.at), &first.name),
        first.at,
    );
    for other in &good[1..] {
        found = found.also(index, other.at);
    }
    found.own.clear();
    Outcome::Found(vec![found])
}

/// Whether what is filled is called something that must not be guessed.
fn matters(index: &Index, call: &Call) -> bool {
    let tree = index.project.tree(call.at);
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        [
            "token", "secret", "password", "code", "key", "salt", "filename", "session", "nonce",
            "stored", "otp",
        ]
        .iter()
        .any(|word| text.contains(word))
    };
    tree.upwards(call.at.id).any(|id| match tree.kind(id) {
        Kind::Assign { target, .. } => says(tree.text(target)),
        Kind::Keyword { name, .. } => says(tree.text(name)),
        Kind::Function { name, .. } => says(tree.text(name)),
        _ => false,
    })
}
