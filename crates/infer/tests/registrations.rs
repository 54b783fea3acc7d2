//! Registrations that want more than an email and a password, and logins that show a page: small servers that refuse as the
//! common validators do, or as pages do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod request;
mod small;

use model::{Capability, Carrier};
use serde_json::{Value, json};
use small::{Answer, Asked, Fields, Notes, Style, Tells, found, page, said, why};

/// The names of what does not do, as the app has them; the fields are called in either fashion.
fn lacking(asked: &Asked) -> Vec<&'static str> {
    let at =
        |snake: &str, camel: &str| asked.fields.get(snake).or(asked.fields.get(camel)).cloned();
    let mut all = Vec::new();
    let plain = |value: Option<Value>| {
        let value = value.unwrap_or_default();
        value.as_str().is_some_and(|text| {
            text.len() >= 3 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    if !plain(asked.fields.get("username").cloned()) {
        all.push("username");
    }
    if !at("full_name", "fullName").is_some_and(|value| value.is_string()) {
        all.push("full_name");
    }
    if at("password_confirm", "confirmPassword") != asked.fields.get("password").cloned() {
        all.push("password_confirm");
    }
    if at("accept_terms", "acceptTerms") != Some(json!(true)) {
        all.push("accept_terms");
    }
    all
}

fn camel(snake: &str) -> &'static str {
    match snake {
        "full_name" => "fullName",
        "password_confirm" => "confirmPassword",
        "accept_terms" => "acceptTerms",
        _ => "username",
    }
}

fn refused(asked: &Asked, write: impl Fn(&[&'static str]) -> Answer) -> Option<Answer> {
    if !asked.json {
        return Some(page(400, "no JSON"));
    }
    let lacking = lacking(asked);
    (!lacking.is_empty()).then(|| write(&lacking))
}

type Wants = fn(&Asked) -> Option<Answer>;

/// What is wanted is named by the app alone: no document, no source.
#[test]
fn further_fields_are_learned_from_what_refuses_them() {
    let styles: [(&str, Wants, bool); 6] = [
        (
            "FastAPI",
            |asked| {
                refused(asked, |lacking| {
                    let all: Vec<_> = lacking
                    .iter()
                    .map(|name| json!({"type": "missing", "loc": ["body", name], "msg": "Field required", "input": asked.fields}))
                    .collect();
                    said(422, &json!({"detail": all}))
                })
            },
            false,
        ),
        (
            "marshmallow",
            |asked| {
                refused(asked, |lacking| {
                    let all: Fields = lacking
                        .iter()
                        .map(|name| {
                            (
                                (*name).to_owned(),
                                json!(["Missing data for required field."]),
                            )
                        })
                        .collect();
                    said(400, &json!({"errors": all}))
                })
            },
            false,
        ),
        (
            "zod",
            |asked| {
                refused(asked, |lacking| {
                    let all: Vec<_> = lacking.iter().map(|name| json!({"code": "invalid_type", "path": [camel(name)], "message": "Required"})).collect();
                    said(400, &json!({"error": {"issues": all, "name": "ZodError"}}))
                })
            },
            true,
        ),
        (
            "express-validator, by 200",
            |asked| {
                refused(asked, |lacking| {
                    let all: Vec<_> = lacking.iter().map(|name| json!({"type": "field", "msg": "Invalid value", "path": camel(name), "location": "body"})).collect();
                    said(200, &json!({"success": false, "errors": all}))
                })
            },
            true,
        ),
        (
            "class-validator",
            |asked| {
                refused(asked, |lacking| {
                    let all: Vec<_> = lacking
                        .iter()
                        .map(|name| format!("{} should not be empty", camel(name)))
                        .collect();
                    said(
                        400,
                        &json!({"message": all, "error": "Bad Request", "statusCode": 400}),
                    )
                })
            },
            true,
        ),
        (
            "serde, one at a time",
            |asked| {
                refused(asked, |lacking| {
                    page(
                        422,
                        &format!(
                            "Failed to deserialize the JSON body: missing field `{}` at line 1 column 60",
                            lacking[0]
                        ),
                    )
                })
            },
            false,
        ),
    ];
    for (name, wants, camels) in styles {
        let (found, accounts) = found(wants, Style::default(), &[]);
        assert!(found.binding.route(Capability::Login).is_some(), "{name}");
        assert!(found.binding.route(Capability::Me).is_some(), "{name}");
        let register = found.binding.route(Capability::Register).unwrap();
        assert!(!register.redirects, "{name}");
        for (field, value) in [
            ("full_name", json!("Ada Lovelace")),
            ("password_confirm", json!("{password}")),
            ("accept_terms", json!(true)),
            ("username", json!("{unique}")),
        ] {
            let field = if camels { camel(field) } else { field };
            assert_eq!(register.also[&format!("/{field}")], value, "{name}");
        }
        let (text, _) = infer::beside(infer::write_config(&found)).unwrap();
        assert_eq!(
            exploit::parse_binding(&text).unwrap(),
            found.binding,
            "{text}"
        );
        let first = &accounts[0];
        let email = first["email"].as_str().unwrap();
        assert_eq!(
            first["username"],
            email.split('@').next().unwrap(),
            "{name}"
        );
        assert!(found.requests < 60, "{name}: {}", found.requests);
    }
}

/// Words without names, and 500s: then the source's names are tried.
#[test]
fn what_no_answer_names_is_guessed_from_the_source() {
    let words = [
        "username",
        "full_name",
        "password_confirm",
        "accept_terms",
        "row",
        "role",
        "is_admin",
    ];
    let wants: Wants = |asked| refused(asked, |_| page(500, "Internal Server Error"));
    let (found, accounts) = found(wants, Style::default(), &words);
    assert!(found.binding.route(Capability::Register).is_some());
    assert!(found.binding.route(Capability::Login).is_some());
    assert!(
        !accounts[0].contains_key("role") && !accounts[0].contains_key("is_admin"),
        "{accounts:?}"
    );
}

#[test]
fn a_form_shown_again_says_what_it_wants() {
    let wants: Wants = |asked| {
        let on = asked.fields.get("terms").and_then(Value::as_str) == Some("on");
        let same = asked.fields.get("repeat") == asked.fields.get("password");
        (asked.json || !on || !same).then(|| {
            page(200, "<form method=post><input name=email><input name=password type=password><input name=repeat type=password>\
                <input type=checkbox name=terms></form>")
        })
    };
    let style = Style {
        redirects: true,
        pages: true,
        ..Style::default()
    };
    let (found, accounts) = found(wants, style, &[]);
    assert_eq!(accounts[0]["repeat"], accounts[0]["password"]);
    let route = |of| found.binding.route(of).unwrap();
    let (register, login) = (route(Capability::Register), route(Capability::Login));
    assert_eq!(
        (
            register.also["repeat"].as_str(),
            register.also["terms"].as_str()
        ),
        (Some("{password}"), Some("on"))
    );
    assert!(register.redirects && login.redirects);
    assert!(found.binding.route(Capability::Me).is_some());
    assert_eq!(found.binding.token, Carrier::Cookie { name: "sid".into() });
    assert!(found.requests < 60, "{}", found.requests);
}

/// The name is then the email itself, since a binding knows an account by its email.
#[test]
fn a_login_by_name_is_opened_by_the_email() {
    let wants: Wants = |asked| {
        (!asked.fields.contains_key("username"))
            .then(|| said(400, &json!({"error": "username is required"})))
    };
    let (found, accounts) = found(
        wants,
        Style {
            by: "username",
            ..Style::default()
        },
        &[],
    );
    let login = found.binding.route(Capability::Login).unwrap();
    assert_eq!(login.field("email"), "username");
    assert!(accounts.iter().any(|one| one["username"] == one["email"]));
    let register = found.binding.route(Capability::Register).unwrap();
    assert_eq!(register.also["/username"], "{email}");
}

/// Near misses: nothing is bound that was not shown.
#[test]
fn what_makes_nobody_or_wants_what_nobody_has_is_not_bound() {
    let forgets: Wants = |_| Some(said(201, &json!({"message": "Account created"})));
    let (nobody, _) = found(forgets, Style::default(), &["username", "terms"]);
    assert!(why(&nobody, Capability::Register).contains("no login opened the account"));
    assert!(nobody.bound().is_empty(), "{:?}", nobody.bound());
    assert!(nobody.requests < 200, "{}", nobody.requests);

    let code: Wants = |asked| {
        (asked.fields.get("invite_code") != Some(&json!("TEAM-4711"))).then(|| {
            said(
                403,
                &json!({"errors": {"invite_code": ["This code is not known."]}}),
            )
        })
    };
    let (closed, accounts) = found(code, Style::default(), &[]);
    assert!(why(&closed, Capability::Register).contains("This code is not known"));
    assert!(closed.bound().is_empty() && accounts.is_empty());

    // A confirmation that must be equal and is called as nobody would guess.
    let differs: Wants = |asked| {
        (asked.fields.get("zweitens") != asked.fields.get("password"))
            .then(|| said(400, &json!({"error": "The passwords do not match"})))
    };
    let (other, accounts) = found(differs, Style::default(), &["zweitens"]);
    assert!(why(&other, Capability::Register).contains("do not match"));
    assert!(other.bound().is_empty() && accounts.is_empty());
}

/// The right password and a wrong one answer alike but for what the session shows.
#[test]
fn a_login_is_bound_by_the_session_that_only_the_right_password_gives() {
    let pages = Style {
        pages: true,
        ..Style::default()
    };
    let (found_out, _) = found(|_| None, pages, &[]);
    assert_eq!(
        found_out.bound(),
        [Capability::Register, Capability::Login, Capability::Me]
    );

    for style in [
        Style {
            careless: true,
            ..Style::default()
        },
        Style {
            careless: true,
            ..pages
        },
    ] {
        let (careless, _) = found(|_| None, style, &[]);
        let told = why(&careless, Capability::Login);
        assert!(told.contains("with a wrong password as well"), "{told}");
        assert!(careless.bound().is_empty(), "{:?}", careless.bound());
        assert!(careless.requests < 200, "{}", careless.requests);
    }
}

/// What everybody is shown may be meant so. What others are not shown, or not before its owner saw it, is personal.
#[test]
fn what_is_personal_is_told_from_what_is_for_all() {
    for (notes, personal) in [
        (Notes::Everybody, false),
        (Notes::Strangers, true),
        (Notes::OnceRead, true),
        (Notes::Listed, false),
        (Notes::Gallery, false),
    ] {
        let style = Style {
            notes,
            ..Style::default()
        };
        let (found, _) = found(|_| None, style, &[]);
        let bound = found.binding.route(Capability::ReadNote).is_some();
        assert_eq!(bound, personal);
        // Strangers find everything in each of these apps, and users their own.
        let search = found.binding.route(Capability::Search).is_some();
        assert_eq!(search, personal);
        if !personal {
            assert!(why(&found, Capability::ReadNote).contains("to anybody"));
            assert!(why(&found, Capability::Search).contains("to anybody"));
        }
    }
}

/// Who is signed in is told by what is in one place for them and not for strangers, whatever else strangers are told.
#[test]
fn who_is_signed_in_is_told_from_who_is_there() {
    for (tells, bound) in [
        (Tells::Nothing, true),
        (Tells::Accounts, true),
        (Tells::TheLast, false),
    ] {
        let style = Style {
            tells,
            ..Style::default()
        };
        let (found, _) = found(|_| None, style, &[]);
        assert_eq!(found.binding.route(Capability::Me).is_some(), bound);
    }
}
