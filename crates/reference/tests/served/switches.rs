//! Each switch does what it says, and nothing that it does not say.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use model::{Binding, Capability};
use reference::{App, LimitStyle, Shape, Weakness, contract, other_binding};

use crate::attacks::{forge, tripped};
use crate::honest::honest;
use crate::support::{Client, People, Site, serve, settings, unique};

/// What `attacks::tripped` cannot see: the first two have a test of their own here, the others one in the matrix.
const APART: [&str; 4] = [
    "login-rate-limit",
    "default-secret",
    "input-validation",
    "production-detection",
];

/// Runs one check per item, a few at a time, and names those that fail.
fn over<T: Copy + Sync>(items: &[T], check: impl Fn(T) -> Result<(), String> + Sync) {
    let next = Mutex::new(items.iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let item = next.lock().unwrap().next();
                    let Some(item) = item else { break };
                    if let Err(why) = check(*item) {
                        failed.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn expect(name: &str, site: &Site, wanted: &BTreeSet<&str>) -> Result<(), String> {
    let found = tripped(site);
    if found == *wanted {
        Ok(())
    } else {
        Err(format!("{name}: {found:?}, not {wanted:?}"))
    }
}

#[test]
fn the_secure_app_resists() {
    for binding in [contract(), other_binding()] {
        expect("secure", &serve(&binding, |app| app), &BTreeSet::new()).unwrap();
    }
}

#[test]
fn every_shape_resists() {
    over(Shape::ALL, |shape| {
        expect(
            shape.name(),
            &serve(&contract(), |app| app.with_shape(shape)),
            &BTreeSet::new(),
        )?;
        expect(
            shape.name(),
            &serve(&other_binding(), |app| app.with_shape(shape)),
            &BTreeSet::new(),
        )
    });
}

fn every_weakness_trips_its_own(binding: &Binding) {
    over(Weakness::ALL, |weakness| {
        let mut wanted: BTreeSet<_> = weakness
            .trips()
            .iter()
            .copied()
            .filter(|id| !APART.contains(id))
            .collect();
        // Two have tests of their own below, and a browser gives no cookie's reply to `*`.
        let apart = [Weakness::EnumerateByTiming, Weakness::PasswordBcryptLow].contains(&weakness);
        if apart || (weakness == Weakness::CorsWildcard && *binding == other_binding()) {
            wanted.clear();
        }
        expect(
            weakness.name(),
            &serve(binding, |app| app.with_weakness(weakness)),
            &wanted,
        )
    });
}

#[test]
fn every_weakness_trips_its_own_exploits() {
    every_weakness_trips_its_own(&contract());
}

#[test]
fn every_weakness_trips_its_own_exploits_under_another_binding() {
    every_weakness_trips_its_own(&other_binding());
}

/// Thirty wrong passwords and the right one, until something gives.
fn limited(site: &Site) -> bool {
    let People {
        a_email,
        a_password,
        ..
    } = site.people();
    let client = site.client.elsewhere();
    let attempt = |password: &str| {
        let start = Instant::now();
        let reply = client.call(
            Capability::Login,
            "",
            &[("email", &a_email), ("password", password)],
        );
        (reply, start.elapsed())
    };
    let (first, took) = attempt(&unique("wrong"));
    for _ in 1..30 {
        let (next, took_now) = attempt(&unique("wrong"));
        if next.status != first.status || took_now > took + Duration::from_secs(1) {
            return true;
        }
    }
    client
        .token_in(Capability::Login, &attempt(&a_password).0)
        .is_none()
}

#[test]
fn login_is_limited_but_where_it_is_not() {
    for style in [
        LimitStyle::Unannounced,
        LimitStyle::Account,
        LimitStyle::Delay,
    ] {
        assert!(
            limited(&serve(&contract(), |app| app.with_shape(Shape::Limit(style)))),
            "{style:?}"
        );
    }
    for weakness in Weakness::ALL {
        if weakness.trips().contains(&"login-rate-limit") {
            assert!(
                !limited(&serve(&contract(), |app| app.with_weakness(*weakness))),
                "{}",
                weakness.name()
            );
        }
    }
    let site = serve(&contract(), |app| app);
    assert!(limited(&site));
    let client = site.client.elsewhere();
    let replies: Vec<_> = (0..6)
        .map(|_| {
            client.call(
                Capability::Login,
                "",
                &[("email", "a@example.com"), ("password", "b")],
            )
        })
        .collect();
    assert!(replies[..5].iter().all(|reply| reply.status == 401));
    assert_eq!(replies[5].status, 429);
    let wait: u64 = replies[5].header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&wait));
    let admin = (
        site.settings.admin_email.as_str(),
        site.settings.admin_password.as_str(),
    );
    assert!(
        client.login(admin.0, admin.1).is_none()
            && client.elsewhere().login(admin.0, admin.1).is_some()
    );
}

#[test]
fn an_unknown_email_takes_as_long_but_where_it_does_not() {
    let gap = |weakness: Option<Weakness>| {
        let site = serve(&contract(), |mut app| {
            app.settings.bcrypt_cost = 11;
            app.weak.extend(weakness);
            app
        });
        let email = unique("slow") + "@example.com";
        site.client.register(&email, "kD83!fmeW0zz-qRt").unwrap();
        let fastest = |email: &str| {
            let took = |client: Client| {
                let start = Instant::now();
                client.call(
                    Capability::Login,
                    "",
                    &[("email", email), ("password", "wrong")],
                );
                start.elapsed()
            };
            (0..4).map(|_| took(site.client.elsewhere())).min().unwrap()
        };
        (fastest(&email), fastest("nobody@example.com"))
    };
    let (known, unknown) = gap(None);
    assert!(unknown * 2 > known, "{known:?} {unknown:?}");
    let (known, unknown) = gap(Some(Weakness::EnumerateByTiming));
    assert!(unknown * 4 < known, "{known:?} {unknown:?}");
}

#[test]
fn the_cost_is_what_is_said() {
    for (weakness, wanted) in [
        (None, "$2b$08$"),
        (Some(Weakness::PasswordBcryptLow), "$2b$04$"),
    ] {
        let site = serve(&contract(), |mut app| {
            app.settings.bcrypt_cost = 8;
            app.weak.extend(weakness);
            app
        });
        let database = rusqlite::Connection::open(&site.settings.database).unwrap();
        let stored: String = database
            .query_row("SELECT password FROM users", [], |row| row.get(0))
            .unwrap();
        assert!(stored.starts_with(wanted), "{stored}");
    }
}

/// Whether a token or an event made with a key that is not the operator's is honoured.
fn honours_a_default(site: &Site) -> bool {
    let email = |key: &str| {
        let (a, b) = (unique("a") + "@example.com", unique("b") + "@example.com");
        let password = unique("kD83!fmeW0zz-");
        let register = |email: &str| site.client.elsewhere().register(email, &password).unwrap();
        let people = People {
            a: register(&a),
            b: register(&b),
            s: site.client.clone(),
            a_email: a.clone(),
            a_password: password.clone(),
        };
        let forged = forge(&people, r#"{"alg":"HS256","typ":"JWT"}"#, key.as_bytes());
        site.client.elsewhere().with_token(&forged).email() == Some(a)
    };
    let event = |key: &str| {
        let body = site.client.event(&unique("evt"), "");
        site.client
            .deliver(&body, Some(&site.client.signature(key, &body)))
            .status
            == 200
    };
    ["", "secret", "changeme"]
        .iter()
        .any(|key| email(key) || event(key))
}

#[test]
fn a_default_secret_opens_only_where_it_should() {
    for weakness in [None]
        .into_iter()
        .chain(Weakness::ALL.iter().copied().map(Some))
    {
        let wanted = weakness.is_some_and(|weakness| weakness.trips().contains(&"default-secret"));
        let mut opened = false;
        for without in ["", "JWT_SECRET", "WEBHOOK_SECRET"] {
            let (mut settings, folder) = settings();
            match without {
                "JWT_SECRET" => settings.jwt_secret = None,
                "WEBHOOK_SECRET" => settings.webhook_secret = None,
                _ => (),
            }
            let mut app = App::secure(settings.clone(), contract());
            app.weak.extend(weakness);
            match app.serve("127.0.0.1:0".parse().unwrap()) {
                Ok(running) => {
                    let client = Client::new(running.addr(), &contract());
                    opened |= honours_a_default(&Site {
                        running,
                        settings,
                        client,
                        _folder: folder,
                    });
                }
                Err(refused) => assert!(
                    !without.is_empty() && refused.to_string() == format!("{without} is not set")
                ),
            }
        }
        assert_eq!(
            opened,
            wanted,
            "{}",
            weakness.map_or("secure", Weakness::name)
        );
    }
}

#[test]
fn all_shapes_at_once_that_go_together() {
    let together = [
        Shape::UuidIds,
        Shape::OkForCreated,
        Shape::PrettyJson,
        Shape::ExtraFields,
        Shape::Chunked,
        Shape::ConnectionClose,
        Shape::QuietDuplicate,
        Shape::RepeatConflict,
    ];
    let site = serve(&other_binding(), |mut app| {
        app.shape.extend(together);
        app
    });
    honest(&site);
    expect("together", &site, &BTreeSet::new()).unwrap();
}
