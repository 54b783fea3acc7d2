//! A rough version of each of the suite's attacks, only to see that a switch does what it says and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use model::Capability as C;
use model::binding::Carrier;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Client, People, Site, unique};

/// The ids of the exploits that succeed, without login-rate-limit, default-secret and what needs a clock.
pub(crate) fn tripped(site: &Site) -> BTreeSet<&'static str> {
    let people = site.people();
    let canary = unique("canary");
    let note = people.a.note(&unique("title"), &canary).unwrap();
    let file = people
        .a
        .keep(&format!("{canary}.txt"), canary.as_bytes())
        .unwrap();
    let case = Case {
        site,
        people,
        canary,
        note,
        file,
    };
    let found = [
        ("sql-injection-login", case.login_sql()),
        ("missing-token", case.missing_token()),
        (
            "tampered-token",
            case.forged(&[r#"{"alg":"HS256","typ":"JWT"}"#], &[Sign::Kept]),
        ),
        ("unsigned-token", case.unsigned()),
        ("duplicate-registration", case.duplicate()),
        ("role-mass-assignment", case.role()),
        ("upload-anonymous", case.upload_anonymous()),
        ("upload-path-traversal", case.traversal()),
        ("upload-oversize", case.oversize()),
        ("upload-disallowed-type", case.types()),
        (
            "file-read-other-user",
            case.people
                .b
                .call(C::Download, &case.file, &[])
                .shows(&case.canary),
        ),
        (
            "file-delete-other-user",
            case.delete_file(&case.people.b, true),
        ),
        ("sql-injection-search", case.search_sql()),
        ("sql-injection-sort", case.sort_sql()),
        ("search-other-user", case.search()),
        (
            "note-read-other-user",
            case.people
                .b
                .call(C::ReadNote, &case.note, &[])
                .shows(&case.canary),
        ),
        ("admin-anonymous", case.admin_anonymous()),
        ("admin-list-as-user", case.lists(&case.people.b)),
        ("admin-role-change-as-user", case.promotes(&case.people.b)),
        ("admin-delete-as-user", case.deletes(&case.people.b)),
        ("webhook-unsigned", case.webhook(&[None, Some("")])),
        ("webhook-wrong-signature", case.wrong_signature()),
        ("webhook-tampered-body", case.tampered_body()),
        ("webhook-replay", case.replay()),
        ("cors-untrusted-origin", case.cors()),
        ("password-storage", case.storage()),
        ("weak-password", case.weak_password()),
        ("account-enumeration", case.enumeration()),
        ("upload-content-mismatch", case.mismatch()),
        ("security-headers", case.headers()),
        ("docs-in-production", case.docs()),
    ];
    found
        .into_iter()
        .filter_map(|(id, tripped)| tripped.then_some(id))
        .collect()
}

struct Case<'s> {
    site: &'s Site,
    people: People,
    canary: String,
    note: String,
    file: String,
}

#[derive(Clone, Copy)]
enum Sign<'k> {
    Kept,
    Empty,
    Absent,
    With(&'k [u8]),
}

/// B's token with A's subject, under a header and a signature.
pub(crate) fn forge(people: &People, header: &str, key: &[u8]) -> String {
    forged(people, header, Sign::With(key))
}

fn forged(people: &People, header: &str, sign: Sign<'_>) -> String {
    let (a, b) = (
        people.a.token.as_ref().unwrap(),
        people.b.token.as_ref().unwrap(),
    );
    let claims = |token: &str| -> Value {
        serde_json::from_slice(
            &URL_SAFE_NO_PAD
                .decode(token.split('.').nth(1).unwrap())
                .unwrap(),
        )
        .unwrap()
    };
    let mut changed = claims(b);
    changed["sub"] = claims(a)["sub"].clone();
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(changed.to_string())
    );
    match sign {
        Sign::Kept => format!("{signed}.{}", b.rsplit_once('.').unwrap().1),
        Sign::Empty => format!("{signed}."),
        Sign::Absent => signed,
        Sign::With(key) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(signed.as_bytes());
            format!(
                "{signed}.{}",
                URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
            )
        }
    }
}

impl Case<'_> {
    fn fresh(&self) -> Client {
        self.site.client.elsewhere()
    }

    fn is_a(&self, client: &Client) -> bool {
        client.email().as_ref() == Some(&self.people.a_email)
    }

    fn opens_a(&self, email: &str, password: &str) -> bool {
        self.fresh()
            .login(email, password)
            .is_some_and(|session| self.is_a(&session))
    }

    fn login_sql(&self) -> bool {
        let People {
            a_email,
            a_password,
            ..
        } = &self.people;
        let blind = format!("zz'or'7'='7'and/**/email='{a_email}");
        let wrong = unique("wrong");
        self.opens_a(&blind, &wrong)
            || self.opens_a(&format!("{a_email}' -- "), &wrong)
            || self.opens_a(a_email, "' OR '7'='7")
            || self.opens_a(a_email, &format!("zz' OR email='{a_email}"))
            || (self.opens_a(&format!("{a_email}' AND '7'='7"), a_password)
                && !self.opens_a(&format!("{a_email}' AND '7'='8"), a_password))
    }

    fn missing_token(&self) -> bool {
        let none = self.fresh();
        [
            none.clone(),
            none.with_token(""),
            none.with_token("null"),
            none.with_token("garbage"),
        ]
        .iter()
        .any(|client| {
            let shows = |what, id, inputs: &[(&str, &str)]| {
                let reply = client.call(what, id, inputs);
                reply.shows(&self.canary) || reply.shows(&self.people.a_email)
            };
            shows(C::Me, "", &[])
                || shows(C::Files, "", &[])
                || shows(C::ReadNote, &self.note, &[])
                || shows(C::Search, "", &[("q", "")])
        })
    }

    fn forged(&self, headers: &[&str], signs: &[Sign<'_>]) -> bool {
        headers.iter().any(|header| {
            signs.iter().any(|sign| {
                self.is_a(
                    &self
                        .fresh()
                        .with_token(&forged(&self.people, header, *sign)),
                )
            })
        })
    }

    fn unsigned(&self) -> bool {
        let headers =
            ["none", "None", "NONE", "nOnE"].map(|alg| format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
        self.forged(
            &headers.each_ref().map(String::as_str),
            &[Sign::Empty, Sign::Absent, Sign::Kept],
        )
    }

    fn duplicate(&self) -> bool {
        let (email, one, other) = (
            unique("dup") + "@example.com",
            unique("kD83!fmeW0zz-"),
            unique("pL41?qqzR8yy-"),
        );
        self.fresh().register(&email, &one).unwrap();
        let is_it = |client: Option<Client>| {
            client.is_some_and(|client| client.email().as_ref() == Some(&email))
        };
        is_it(self.fresh().register(&email, &other))
            || is_it(self.fresh().login(&email, &other))
            || !is_it(self.fresh().login(&email, &one))
    }

    fn role(&self) -> bool {
        let extras = [
            ("role", json!("admin")),
            ("is_admin", json!(true)),
            ("isAdmin", json!(true)),
            ("roles", json!(["admin"])),
        ];
        extras.into_iter().any(|extra| {
            let (email, password) = (unique("mass") + "@example.com", unique("kD83!fmeW0zz-"));
            let inputs = [("email", email.as_str()), ("password", password.as_str())];
            let reply = self.fresh().call_with(C::Register, "", &inputs, &[extra]);
            let session = self
                .site
                .client
                .token_in(C::Register, &reply)
                .map(|token| self.fresh().with_token(&token));
            session.is_some_and(|session| session.role().as_deref() == Some("admin"))
        })
    }

    fn kept(&self) -> usize {
        std::fs::read_dir(&self.site.settings.uploads)
            .unwrap()
            .count()
    }

    fn upload_anonymous(&self) -> bool {
        let none = self.fresh();
        let before = self.kept();
        none.upload("anonymous.txt", "text/plain", b"anonymous");
        self.kept() > before
            || none.call(C::Files, "", &[]).shows(&self.canary)
            || none.call(C::Download, &self.file, &[]).shows(&self.canary)
            || self.delete_file(&none, false)
    }

    fn delete_file(&self, as_whom: &Client, overwrite: bool) -> bool {
        let (name, canary) = (unique("del") + ".txt", unique("canary"));
        let file = self.people.a.keep(&name, canary.as_bytes()).unwrap();
        as_whom.call(C::DeleteFile, &file, &[]);
        if overwrite {
            as_whom.upload(&name, "text/plain", b"other bytes");
        }
        self.people.a.call(C::Download, &file, &[]).text() != canary
    }

    fn traversal(&self) -> bool {
        let state = self.site.settings.uploads.parent().unwrap();
        let wrote = |make: &dyn Fn(&str, &Path) -> String| {
            let target = state.join(unique("out") + ".txt");
            let name = target.file_name().unwrap().to_str().unwrap();
            self.people
                .b
                .upload(&make(name, &target), "text/plain", b"out");
            target.exists()
        };
        let planted = unique("planted");
        std::fs::write(state.join(format!("{planted}.txt")), &planted).unwrap();
        wrote(&|name, _| format!("../{name}"))
            || wrote(&|_, target| target.to_str().unwrap().to_owned())
            || wrote(&|name, _| format!("%2e%2e%2f{name}"))
            || wrote(&|name, _| format!("..\\{name}"))
            || self
                .people
                .b
                .call(C::Download, &format!("..%2f{planted}.txt"), &[])
                .shows(&planted)
            || self
                .people
                .b
                .keep(&format!("../{planted}.txt"), b"in")
                .is_some_and(|file| self.people.b.call(C::Download, &file, &[]).shows(&planted))
    }

    fn listed(&self, name: &str) -> bool {
        self.people.a.call(C::Files, "", &[]).shows(name)
    }

    fn oversize(&self) -> bool {
        let a = &self.people.a;
        let bytes = vec![b'x'; 6 * 1024 * 1024];
        let (one, other) = (unique("big") + ".txt", unique("big") + ".txt");
        a.upload(&one, "text/plain", &bytes);
        let body = a.form(&other, "text/plain", &bytes);
        let route = a.route(C::Upload);
        let token = a.token.as_ref().unwrap();
        let carried = match &a.binding.token {
            Carrier::Header { name, scheme } => format!("{name}: {scheme} {token}"),
            Carrier::Cookie { name } => format!("Cookie: {name}={token}"),
        };
        let mut request = format!(
            "{} {} HTTP/1.1\r\nHost: app\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{carried}\r\n\
             Content-Type: multipart/form-data; boundary=b0undary\r\n\r\n",
            route.method, route.path
        )
        .into_bytes();
        for piece in body.chunks(64 * 1024) {
            request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            request.extend_from_slice(piece);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        a.raw(&request);
        self.listed(&one) || self.listed(&other)
    }

    fn types(&self) -> bool {
        [
            ("exe", "application/x-msdownload", &b"MZ\x90\0"[..]),
            ("zip", "application/zip", b"PK\x03\x04"),
            ("gif", "image/gif", b"GIF89a"),
            ("html", "text/html", b"<html><script>1</script>"),
            (
                "svg",
                "image/svg+xml",
                b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            ),
        ]
        .iter()
        .any(|(extension, declared, bytes)| {
            let name = format!("{}.{extension}", unique("type"));
            self.people.a.upload(&name, declared, bytes);
            self.listed(&name)
        })
    }

    fn search_sql(&self) -> bool {
        let a = &self.people.a;
        let word = unique("needle");
        a.note(&word, "b").unwrap();
        let finds = |q: &str| a.titles(&[("q", q)]).contains(&word);
        let differ = |one: &str, other: &str| {
            finds(&format!("{word}{one}")) && !finds(&format!("{word}{other}"))
        };
        differ("%' AND '7' LIKE '7", "%' AND '7' LIKE '8") || differ("' || '", "' || 'zz")
    }

    fn sort_sql(&self) -> bool {
        let a = &self.people.a;
        let with = |operand: u8| {
            let sort = format!("(CASE WHEN 7={operand} THEN 1 ELSE abs(-9223372036854775808) END)");
            let reply = a.call(C::Search, "", &[("q", ""), ("sort", &sort), ("limit", "3")]);
            (reply.status, a.list(C::Search, &reply, &["id"]))
        };
        with(7) != with(8)
    }

    fn search(&self) -> bool {
        ["", "%", "_", "*", &self.canary[..8]].iter().any(|q| {
            self.people
                .b
                .call(C::Search, "", &[("q", q), ("limit", "100")])
                .shows(&self.canary)
        })
    }

    fn throw_away(&self) -> (Client, String, [String; 2]) {
        let (email, password) = (unique("away") + "@example.com", unique("kD83!fmeW0zz-"));
        let session = self.fresh().register(&email, &password).unwrap();
        let id = session
            .out(C::Me, &session.call(C::Me, "", &[]), "id")
            .unwrap();
        (session, id, [email, password])
    }

    fn lists(&self, as_whom: &Client) -> bool {
        as_whom.call(C::Users, "", &[]).shows(&self.people.a_email) || {
            let event = unique("evt");
            let body = self.site.client.event(&event, "");
            let signature = self.site.client.signature(self.site.secret(), &body);
            self.site.client.deliver(&body, Some(&signature));
            as_whom.call(C::Events, "", &[]).shows(&event)
        }
    }

    fn promotes(&self, as_whom: &Client) -> bool {
        let (away, id, _) = self.throw_away();
        as_whom.call(C::ChangeRole, &id, &[("role", "admin")]);
        away.role().as_deref() == Some("admin")
    }

    fn deletes(&self, as_whom: &Client) -> bool {
        let (_, id, [email, password]) = self.throw_away();
        as_whom.call(C::DeleteUser, &id, &[]);
        !self.people.s.call(C::Users, "", &[]).shows(&email)
            || self.fresh().login(&email, &password).is_none()
    }

    fn admin_anonymous(&self) -> bool {
        let none = self.fresh();
        self.lists(&none) || self.promotes(&none) || self.deletes(&none)
    }

    /// Delivers an event of its own under each of the signatures.
    fn webhook(&self, signatures: &[Option<&str>]) -> bool {
        signatures.iter().any(|signature| {
            let event = unique("evt");
            self.site
                .client
                .deliver(&self.site.client.event(&event, ""), *signature);
            self.people.s.events(&event) > 0
        })
    }

    fn wrong_signature(&self) -> bool {
        let client = &self.site.client;
        let prefix = client.binding.signature.prefix.as_str();
        let zeros = format!("{prefix}{}", "0".repeat(64));
        let signed = |key: &str| {
            let event = unique("evt");
            let body = client.event(&event, "");
            client.deliver(&body, Some(&client.signature(key, &body)));
            self.people.s.events(&event) > 0
        };
        let short = {
            let event = unique("evt");
            let body = client.event(&event, "");
            client.deliver(
                &body,
                Some(&client.signature(self.site.secret(), &body)[..prefix.len() + 4]),
            );
            self.people.s.events(&event) > 0
        };
        signed("another key")
            || signed("")
            || short
            || self.webhook(&[Some(prefix), Some(&zeros), Some("sha1=00"), Some("none=")])
    }

    fn tampered_body(&self) -> bool {
        let client = &self.site.client;
        [("", "value"), ("  ", "space")].iter().any(|(space, _)| {
            let (event, other) = (unique("evt"), unique("evt"));
            let signature = client.signature(self.site.secret(), &client.event(&event, ""));
            let body = if space.is_empty() {
                client.event(&other, "")
            } else {
                client.event(&event, space)
            };
            client.deliver(&body, Some(&signature));
            self.people
                .s
                .events(if space.is_empty() { &other } else { &event })
                > 0
        })
    }

    fn replay(&self) -> bool {
        let client = &self.site.client;
        let event = unique("evt");
        let body = client.event(&event, "");
        let signature = client.signature(self.site.secret(), &body);
        client.deliver(&body, Some(&signature));
        client.deliver(&body, Some(&signature));
        self.people.s.events(&event) != 1
    }

    fn cors(&self) -> bool {
        let a = &self.people.a;
        let cookie = matches!(a.binding.token, Carrier::Cookie { .. });
        let route = a.route(C::ReadNote);
        let origins = [
            "https://evil.example.org",
            "null",
            "https://evilapp.example.com",
            "https://app.example.com.evil.example.org",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://x.app.example.com",
        ];
        origins.iter().any(|origin| {
            let reply = a.send(
                &route.method,
                &route.path_with(&self.note),
                &[("Origin", origin)],
                b"",
            );
            let named = reply.header("access-control-allow-origin");
            reply.shows(&self.canary)
                && (named == Some(origin) || (named == Some("*") && !cookie))
                && (!cookie || reply.header("access-control-allow-credentials") == Some("true"))
        })
    }

    fn storage(&self) -> bool {
        let password = unique("kD83!fmeW0zz-");
        let emails = [
            unique("one") + "@example.com",
            unique("two") + "@example.com",
        ];
        for email in &emails {
            self.fresh().register(email, &password).unwrap();
        }
        let database = rusqlite::Connection::open(&self.site.settings.database).unwrap();
        let [one, two] = emails.map(|email| -> String {
            database
                .query_row(
                    "SELECT password FROM users WHERE email = ?1",
                    [email],
                    |row| row.get(0),
                )
                .unwrap()
        });
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let salted = one.split_once('$').is_some_and(|(salt, digest)| {
            digest == hex(&Sha256::digest(format!("{salt}{password}")))
        });
        let rounds = one
            .strip_prefix("pbkdf2_sha256$")
            .and_then(|rest| rest.split('$').next()?.parse::<u32>().ok());
        let log = self.site.settings.database.with_file_name("requests.log");
        one == two
            || one.contains(&password)
            || one.contains(&STANDARD.encode(&password))
            || salted
            || rounds.is_some_and(|rounds| rounds < 60_000)
            || std::fs::read_to_string(log).is_ok_and(|log| log.contains(&password))
    }

    fn weak_password(&self) -> bool {
        ["a", "123456"].iter().any(|password| {
            let email = unique("weak") + "@example.com";
            self.fresh().register(&email, password);
            self.fresh().login(&email, password).is_some()
        })
    }

    fn enumeration(&self) -> bool {
        let said = |email: &str| {
            let reply = self.fresh().call(
                C::Login,
                "",
                &[("email", email), ("password", &unique("wrong"))],
            );
            (reply.status, reply.json()["error"].clone())
        };
        said(&self.people.a_email) != said(&(unique("nobody") + "@example.com"))
    }

    fn mismatch(&self) -> bool {
        let a = &self.people.a;
        [
            ("png", "text/html"),
            ("html", "image/png"),
            ("png", "image/png"),
        ]
        .iter()
        .any(|(extension, declared)| {
            let name = format!("{}.{extension}", unique("mix"));
            let reply = a.upload(&name, declared, b"<html><script>1</script></html>");
            let Some(id) = a.out(C::Upload, &reply, "id") else {
                return false;
            };
            let reply = a.call(C::Download, &id, &[]);
            let kept = reply
                .header("content-disposition")
                .is_some_and(|value| value.starts_with("attachment"));
            let sandboxed = reply
                .header("content-security-policy")
                .is_some_and(|value| value.contains("sandbox"));
            let kind = reply.header("content-type");
            let active = kind.is_some_and(|kind| kind.starts_with("text/html"));
            let sniffed =
                kind.is_none() && reply.header("x-content-type-options") != Some("nosniff");
            reply.status == 200 && !kept && !sandboxed && (active || sniffed)
        })
    }

    fn headers(&self) -> bool {
        let a = &self.people.a;
        let replies = [
            a.call(C::Me, "", &[]),
            self.fresh().call(C::Me, "", &[]),
            a.send("GET", "/nowhere/at/all", &[], b""),
            a.call(C::Download, &self.file, &[]),
        ];
        replies.iter().any(|reply| {
            let csp = reply.header("content-security-policy");
            let framed = reply.header("x-frame-options").is_some()
                || csp.is_some_and(|csp| csp.contains("frame-ancestors"));
            csp.is_none() || reply.header("x-content-type-options") != Some("nosniff") || !framed
        })
    }

    fn docs(&self) -> bool {
        let client = self.fresh();
        let shows = |path: &str, sign: &str| client.send("GET", path, &[], b"").shows(sign);
        let route = client.route(C::Register);
        let malformed = client.send(
            &route.method,
            &route.path,
            &[("Content-Type", "application/json")],
            b"{\"x",
        );
        shows("/openapi.json", "\"openapi\"")
            || shows("/console", "Interactive Console")
            || shows("/assets/app.js.map", "\"mappings\"")
            || malformed.shows("backtrace")
            || malformed.shows("node_modules")
    }
}
