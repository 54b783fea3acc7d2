//! The reference app under many bindings, each withheld: what is inferred must be what was served.
//!
//! Hints are what a reader of sources would have: methods and paths, and per route a bag of words in which the names of
//! its fields lie among others.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use model::binding::{Scheme, Signature};
use model::{Binding, Body, Capability, Carrier};
use reference::{Shape, Twin, Weakness};
use support::{bag, differences, infer_of, infer_with, served};

/// The contract, changed.
fn changed(act: impl FnOnce(&mut Binding)) -> Binding {
    let mut binding = reference::contract();
    act(&mut binding);
    binding
}

fn send(binding: &mut Binding, of: Capability, pairs: &[(&str, &str)]) {
    let route = binding.routes.get_mut(&of).unwrap();
    route.send.extend(
        pairs
            .iter()
            .map(|(name, field)| ((*name).to_owned(), (*field).to_owned())),
    );
}

fn read(binding: &mut Binding, of: Capability, pairs: &[(&str, &str)]) {
    let route = binding.routes.get_mut(&of).unwrap();
    route.read.extend(
        pairs
            .iter()
            .map(|(name, at)| ((*name).to_owned(), (*at).to_owned())),
    );
}

fn at(binding: &mut Binding, of: Capability, method: &str, path: &str) {
    let route = binding.routes.get_mut(&of).unwrap();
    method.clone_into(&mut route.method);
    path.clone_into(&mut route.path);
}

fn bindings() -> Vec<(&'static str, Binding)> {
    vec![
        ("the contract", reference::contract()),
        (
            "nothing shared with the contract",
            reference::other_binding(),
        ),
        (
            "successes that lead on, other words for roles, events signed as Stripe does",
            {
                // What a registration wants besides has tests of its own, `registrations.rs`.
                let mut binding = reference::demanding_binding();
                for route in binding.routes.values_mut() {
                    route.also.clear();
                }
                binding
            },
        ),
        (
            "a flag for admins, events signed as Svix does",
            changed(|binding| {
                binding.roles = [("admin", true), ("user", false)]
                    .map(|(role, flag)| (role.to_owned(), flag.into()))
                    .into();
                for of in [Capability::Me, Capability::Users] {
                    read(binding, of, &[("role", "/is_admin")]);
                }
                send(binding, Capability::ChangeRole, &[("role", "is_admin")]);
                binding.signature = Signature {
                    header: "svix-signature".into(),
                    prefix: String::new(),
                    scheme: Scheme::Svix,
                };
            }),
        ),
        (
            "OAuth2 form login at /token, token under access_token",
            changed(|binding| {
                at(binding, Capability::Register, "POST", "/users");
                at(binding, Capability::Login, "POST", "/token");
                at(binding, Capability::Me, "GET", "/users/me");
                binding.routes.get_mut(&Capability::Login).unwrap().body = Body::Form;
                send(binding, Capability::Login, &[("email", "username")]);
                for of in [Capability::Login, Capability::Register] {
                    read(binding, of, &[("token", "/access_token")]);
                }
            }),
        ),
        (
            "bodies wrapped in user, token inside, scheme Token",
            changed(|binding| {
                at(binding, Capability::Register, "POST", "/api/users");
                at(binding, Capability::Login, "POST", "/api/users/login");
                at(binding, Capability::Me, "GET", "/api/user");
                binding.token = Carrier::Header {
                    name: "Authorization".into(),
                    scheme: "Token".into(),
                };
                for of in [Capability::Register, Capability::Login] {
                    send(
                        binding,
                        of,
                        &[("email", "/user/email"), ("password", "/user/password")],
                    );
                    read(binding, of, &[("token", "/user/token")]);
                }
                read(
                    binding,
                    Capability::Me,
                    &[
                        ("id", "/user/id"),
                        ("email", "/user/email"),
                        ("role", "/user/role"),
                    ],
                );
                send(
                    binding,
                    Capability::CreateNote,
                    &[("title", "/article/title"), ("body", "/article/body")],
                );
                read(binding, Capability::CreateNote, &[("id", "/article/id")]);
                at(binding, Capability::CreateNote, "POST", "/api/articles");
                at(binding, Capability::ReadNote, "GET", "/api/articles/{id}");
                for (name, pointer) in [
                    ("id", "/article/id"),
                    ("title", "/article/title"),
                    ("body", "/article/body"),
                    ("created_at", "/article/createdAt"),
                ] {
                    read(binding, Capability::ReadNote, &[(name, pointer)]);
                }
            }),
        ),
        (
            "cookie session, forms, PUT, removal by POST",
            changed(|binding| {
                binding.token = Carrier::Cookie {
                    name: "connect.sid".into(),
                };
                for of in [
                    Capability::Register,
                    Capability::Login,
                    Capability::CreateNote,
                ] {
                    binding.routes.get_mut(&of).unwrap().body = Body::Form;
                }
                at(binding, Capability::Register, "POST", "/signup");
                at(binding, Capability::Login, "POST", "/signin");
                at(binding, Capability::Me, "GET", "/profile");
                at(
                    binding,
                    Capability::DeleteFile,
                    "POST",
                    "/api/files/{id}/delete",
                );
                at(
                    binding,
                    Capability::DeleteUser,
                    "POST",
                    "/api/admin/users/{id}/delete",
                );
                at(
                    binding,
                    Capability::ChangeRole,
                    "POST",
                    "/api/admin/users/{id}/role",
                );
                send(
                    binding,
                    Capability::CreateNote,
                    &[("title", "subject"), ("body", "content")],
                );
            }),
        ),
        (
            "bare token in a header of its own, documents, other names of everything",
            changed(|binding| {
                binding.token = Carrier::Header {
                    name: "X-Auth-Token".into(),
                    scheme: String::new(),
                };
                at(binding, Capability::Upload, "POST", "/documents");
                at(binding, Capability::Files, "GET", "/documents");
                at(binding, Capability::Download, "GET", "/documents/{id}/raw");
                at(binding, Capability::DeleteFile, "DELETE", "/documents/{id}");
                send(binding, Capability::Upload, &[("file", "attachment")]);
                read(
                    binding,
                    Capability::Upload,
                    &[
                        ("id", "/uuid"),
                        ("filename", "/original_name"),
                        ("size", "/bytes"),
                    ],
                );
                read(
                    binding,
                    Capability::Files,
                    &[
                        ("list", "/data"),
                        ("id", "/uuid"),
                        ("filename", "/original_name"),
                        ("size", "/bytes"),
                    ],
                );
                for of in [Capability::Register, Capability::Login] {
                    read(binding, of, &[("token", "/data/jwt")]);
                }
                at(binding, Capability::Search, "GET", "/api/notes/search");
                send(
                    binding,
                    Capability::Search,
                    &[
                        ("q", "keyword"),
                        ("sort", "order_by"),
                        ("limit", "per_page"),
                    ],
                );
                read(binding, Capability::Search, &[("list", "/items")]);
                send(binding, Capability::ChangeRole, &[("role", "/user/role")]);
            }),
        ),
        (
            "webhooks signed under another header, without a prefix, wrapped",
            changed(|binding| {
                binding.signature.header = "X-Hub-Signature-256".into();
                binding.signature.prefix = String::new();
                at(binding, Capability::Webhook, "POST", "/hooks/stripe");
                send(
                    binding,
                    Capability::Webhook,
                    &[
                        ("id", "/event/id"),
                        ("type", "/event/type"),
                        ("data", "/event/data"),
                    ],
                );
                at(binding, Capability::Events, "GET", "/admin/payments");
                read(
                    binding,
                    Capability::Events,
                    &[
                        ("list", "/payments"),
                        ("id", "/event_id"),
                        ("type", "/kind"),
                        ("data", "/payload"),
                    ],
                );
                at(binding, Capability::Health, "GET", "/healthz");
            }),
        ),
    ]
}

#[test]
fn what_is_inferred_is_what_is_served() {
    let mut complaints = Vec::new();
    for (name, given) in bindings() {
        let (target, _) = served(&Twin::secure().bound(given.clone()));
        let found = infer_of(&target, &bag(&given), "seed");
        println!("{name}: {} requests", found.requests);
        for one in differences(&given, &found) {
            complaints.push(format!("{name}: {one}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A document says names and formats exactly, and nothing else is needed.
#[test]
fn an_openapi_document_is_enough() {
    for (name, given) in bindings() {
        let (target, _) = served(&Twin::secure().bound(given.clone()));
        let hints = infer::read_openapi(&support::document(&given).to_string()).unwrap();
        let found = infer_of(&target, &hints, "seed");
        println!("{name}: {} requests", found.requests);
        let complaints = differences(&given, &found);
        assert!(complaints.is_empty(), "{name}: {}", complaints.join("\n"));
    }
}

/// However it refuses, whatever its ids are: the same binding.
#[test]
fn harmless_differences_change_nothing() {
    for shape in [
        Shape::UuidIds,
        Shape::StringIds,
        Shape::Refusal(reference::RefusalStyle::OkWithError),
        Shape::Refusal(reference::RefusalStyle::Redirect),
        Shape::Refusal(reference::RefusalStyle::NotFound),
        Shape::Limit(reference::LimitStyle::Account),
    ] {
        let given = reference::contract();
        let (target, _) = served(&Twin::shaped(shape));
        let found = infer_of(&target, &bag(&given), "seed");
        let complaints = differences(&given, &found);
        assert!(
            complaints.is_empty(),
            "{shape:?}: {}",
            complaints.join("\n")
        );
    }
}

/// What anybody is shown may be meant so, as an article is: the exploits would call it a hole, so it is asked about, and what
/// needs it is undecided.
#[test]
fn what_is_shown_to_anybody_is_not_taken_for_personal() {
    let (target, _) = served(&Twin::weak(Weakness::NoteReadWithoutToken));
    let found = infer_of(&target, &bag(&reference::contract()), "seed");
    let unbound: Vec<_> = found.unbound.iter().map(|one| one.capability).collect();
    assert_eq!(unbound, [Capability::ReadNote]);
    let one = &found.unbound[0];
    assert!(one.seen && one.why.contains("to anybody"), "{}", one.why);
}

/// What strangers are shown and other users are not is personal, and a hole.
#[test]
fn what_is_kept_from_other_users_is_personal() {
    for weakness in [Weakness::SearchWithoutToken, Weakness::FilesWithoutToken] {
        let given = reference::contract();
        let (target, _) = served(&Twin::weak(weakness));
        let found = infer_of(&target, &bag(&given), "seed");
        let complaints = differences(&given, &found);
        assert!(
            complaints.is_empty(),
            "{weakness:?}: {}",
            complaints.join("\n")
        );
    }
}

/// What deletes is not tried in an app that somebody else started; that it is there is said wherever its routes are.
#[test]
fn what_may_not_be_tried_is_not_said_to_be_absent() {
    let given = changed(|binding| {
        at(binding, Capability::Users, "GET", "/people");
        at(
            binding,
            Capability::ChangeRole,
            "PATCH",
            "/people/{id}/role",
        );
        at(binding, Capability::DeleteUser, "DELETE", "/people/{id}");
    });
    let (target, _) = served(&Twin::secure().bound(given.clone()));
    for known in [true, false] {
        let mut target = target.clone();
        if !known {
            target.given.admin = None;
        }
        let seed = format!("{known}");
        let found = infer_with(&target, &bag(&given), &seed, false);
        for capability in [
            Capability::ChangeRole,
            Capability::DeleteUser,
            Capability::DeleteFile,
        ] {
            let one = found.why_not(capability).unwrap();
            assert!(one.seen, "{}: {}", capability.name(), one.why);
        }
    }
}

/// Another hole must not keep its route from being bound, or it would not be found.
#[test]
fn a_weak_app_is_bound_like_a_secure_one() {
    for weakness in [Weakness::DuplicateOverwrites, Weakness::DocsServed] {
        let given = reference::contract();
        let (target, _) = served(&Twin::weak(weakness));
        let found = infer_of(&target, &bag(&given), "seed");
        assert!(differences(&given, &found).is_empty(), "{weakness:?}");
    }
}

/// Each capability taken out of the hints is not bound, and nothing else changes but what cannot be shown without it.
#[test]
fn what_no_hint_names_is_not_bound() {
    let given = reference::contract();
    for gone in [
        Capability::Search,
        Capability::Upload,
        Capability::ChangeRole,
    ] {
        let mut hints = bag(&given);
        let route = &given.routes[&gone];
        hints
            .routes
            .retain(|hint| hint.path != route.path || hint.method != route.method);
        let (target, _) = served(&Twin::secure());
        let found = infer_of(&target, &hints, "seed");
        assert!(found.binding.route(gone).is_none(), "{}", gone.name());
        assert!(found.why_not(gone).is_some());
        assert!(found.binding.route(Capability::Me).is_some());
    }
}

/// No path that no hint names is asked, nor one whose name says that it resets.
#[test]
fn nothing_is_crawled() {
    let given = reference::contract();
    let mut hints = bag(&given);
    for path in ["/createdb", "/api/admin/reset", "/api/auth/logout"] {
        for method in ["GET", "POST"] {
            hints.routes.push(infer::Hint::new(method, path));
        }
    }
    let (target, asked) = served(&Twin::secure());
    infer_of(&target, &hints, "seed");
    let asked = asked.lock().unwrap();
    assert!(asked.len() > 20);
    for line in asked.iter() {
        assert!(
            !line.contains("createdb") && !line.contains("reset") && !line.contains("logout"),
            "{line}"
        );
        let path = line
            .split_whitespace()
            .nth(1)
            .unwrap()
            .split('?')
            .next()
            .unwrap()
            .to_owned();
        let known = hints.routes.iter().any(|hint| {
            let (start, end) = hint.path.split_once("{id}").unwrap_or((&hint.path, ""));
            path == hint.path
                || path.starts_with(start) && path.ends_with(end) && hint.path.contains("{id}")
        });
        assert!(known || path == "/", "{line}");
    }
}

#[test]
fn what_was_found_is_written_and_read_again() {
    let given = reference::other_binding();
    let (target, _) = served(&Twin::secure().bound(given.clone()));
    let found = infer_of(&target, &bag(&given), "seed");
    let (text, beside) = infer::beside(infer::write_config(&found)).unwrap();
    assert_eq!(
        exploit::parse_binding(&text).unwrap(),
        found.binding,
        "{text}"
    );
    let unseen: Vec<_> = found.unbound.iter().filter(|one| !one.seen).collect();
    assert_eq!(beside.absent.len(), unseen.len(), "{beside:?}");
}

/// One of a list, by a number that changes with every call.
struct Dice(u64);

impl Dice {
    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        list[(self.0 >> 33) as usize % list.len()]
    }
}

/// A binding thrown together: paths, names, wrappers, formats, where the token is.
fn thrown(seed: u64) -> Binding {
    let mut dice = Dice(seed);
    let base = dice.of(&["", "/api", "/v1", "/api/v2"]);
    let wrapper = dice.of(&["", "/user", "/data", "/account"]);
    let (mail, pass) = (
        dice.of(&["email", "mail", "username", "login"]),
        dice.of(&["password", "passwd", "pwd", "passphrase"]),
    );
    let token = dice.of(&[
        "/token",
        "/access_token",
        "/auth_token",
        "/jwt",
        "/user/token",
        "/data/accessToken",
    ]);
    let things = dice.of(&["notes", "memos", "articles", "posts", "tasks"]);
    let (title, text) = (
        dice.of(&["title", "subject", "headline"]),
        dice.of(&["body", "content", "text", "description"]),
    );
    let id = dice.of(&["id", "uuid", "_id", "key"]);
    let id = if id == "_id" { "id" } else { id };
    let part = dice.of(&["file", "document", "upload", "attachment"]);
    let list = dice.of(&["/files", "/items", "", "/data/list"]);
    let mut binding = changed(|binding| {
        at(
            binding,
            Capability::Register,
            dice.of(&["POST", "PUT"]),
            &format!(
                "{base}/{}",
                dice.of(&["register", "signup", "users", "accounts"])
            ),
        );
        at(
            binding,
            Capability::Login,
            "POST",
            &format!(
                "{base}/{}",
                dice.of(&["login", "signin", "token", "sessions"])
            ),
        );
        at(
            binding,
            Capability::Me,
            "GET",
            &format!(
                "{base}/{}",
                dice.of(&["me", "profile", "whoami", "user/current"])
            ),
        );
        at(
            binding,
            Capability::CreateNote,
            "POST",
            &format!("{base}/{things}"),
        );
        at(
            binding,
            Capability::ReadNote,
            "GET",
            &format!("{base}/{things}/{{id}}"),
        );
        at(
            binding,
            Capability::Search,
            "GET",
            &format!("{base}/{}", dice.of(&["search", "find"])),
        );
        for of in [Capability::Register, Capability::Login] {
            send(
                binding,
                of,
                &[
                    ("email", &format!("{wrapper}/{mail}")),
                    ("password", &format!("{wrapper}/{pass}")),
                ],
            );
            read(binding, of, &[("token", token)]);
        }
        send(
            binding,
            Capability::CreateNote,
            &[("title", title), ("body", text)],
        );
        read(
            binding,
            Capability::CreateNote,
            &[("id", &format!("/{id}"))],
        );
        for of in [Capability::ReadNote, Capability::Search] {
            read(
                binding,
                of,
                &[
                    ("id", &format!("/{id}")),
                    ("title", &format!("/{title}")),
                    ("body", &format!("/{text}")),
                ],
            );
        }
        send(
            binding,
            Capability::Search,
            &[("q", dice.of(&["q", "query", "term", "keyword"]))],
        );
        send(binding, Capability::Upload, &[("file", part)]);
        read(binding, Capability::Upload, &[("id", &format!("/{id}"))]);
        read(
            binding,
            Capability::Files,
            &[("list", list), ("id", &format!("/{id}"))],
        );
    });
    binding.token = match dice.of(&["bearer", "token", "bare", "cookie"]) {
        "token" => Carrier::Header {
            name: "Authorization".into(),
            scheme: "Token".into(),
        },
        "bare" => Carrier::Header {
            name: "X-Access-Token".into(),
            scheme: String::new(),
        },
        "cookie" => Carrier::Cookie {
            name: "session".into(),
        },
        _ => binding.token,
    };
    if wrapper.is_empty() && dice.of(&["json", "form"]) == "form" {
        for of in [Capability::Register, Capability::Login] {
            binding.routes.get_mut(&of).unwrap().body = Body::Form;
            send(&mut binding, of, &[("email", mail), ("password", pass)]);
        }
    }
    binding
}

#[test]
fn bindings_thrown_together_are_found() {
    let mut complaints = Vec::new();
    for seed in 1..=16 {
        let given = thrown(seed);
        let (target, _) = served(&Twin::secure().bound(given.clone()));
        let found = infer_of(&target, &bag(&given), "seed");
        for one in differences(&given, &found) {
            complaints.push(format!("{seed}: {one}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
