//! How accounts are made: what a registration wants is sent until a login opens the account that it made.

use std::collections::BTreeMap;

use model::{Body, Capability, Route};
use wire::Reply;

use crate::accounts::WANTED;
use crate::ask::forms;
use crate::find::{Account, Asked, Search, absent, done, fit};
use crate::further::Wants;
use crate::hint::Hint;
use crate::refusal::{self, Refusal};

const REGISTER: &[&str] = &[
    "register",
    "signup",
    "registration",
    "join",
    "users",
    "user",
    "accounts",
    "account",
    "enroll",
    "create",
];
const LOGIN: &[&str] = &[
    "login",
    "signin",
    "token",
    "session",
    "sessions",
    "authenticate",
    "auth",
    "logon",
    "accesstoken",
];
const WORDS: &[&str] = &[
    "email",
    "mail",
    "username",
    "password",
    "passwd",
    "pass",
    "passphrase",
    "pwd",
];

/// How often one form is tried, each time with what the last answer named.
const ROUNDS: u8 = 10;
/// How often, in all, a registration is tried with more than an email and a password.
const MOST_FURTHER: u8 = 60;

/// A registration that made an account which opened.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    form: Route,
    wants: Wants,
}

/// What may still be tried, and the forms that were looked at.
struct More {
    left: u8,
    pages: BTreeMap<String, Refusal>,
}

enum Tried {
    Opened,
    Refused,
    /// Nothing is there, or nothing answers any more.
    Gone,
}

impl Search<'_, '_> {
    /// Finds how accounts are made and opened; whether there is one now.
    pub(crate) fn accounts(&mut self) -> bool {
        let registers = self.ranked_with_forms(&["POST", "PUT"], |hint| {
            account_score(hint, REGISTER, LOGIN)
        });
        let logins = self.ranked_with_forms(&["POST", "PUT"], |hint| {
            account_score(hint, LOGIN, REGISTER)
        });
        let by_forms = |all: &[(Hint, String)]| all.iter().all(|(hint, _)| !hint.hidden.is_empty());
        if by_forms(&registers) || by_forms(&logins) {
            self.accounts_without_forms();
        }
        let mut more = More {
            left: MOST_FURTHER,
            pages: BTreeMap::new(),
        };
        for (hint, method) in registers.into_iter().take(6) {
            for form in forms(&hint, &method, &WANTED, &[Body::Json, Body::Form]) {
                match self.register(&hint, form, &logins, &mut more) {
                    Tried::Opened => return true,
                    Tried::Refused => {}
                    Tried::Gone => break,
                }
            }
        }
        self.only_the_given(&logins)
    }

    /// Registers in one form, with more where an answer asks for it.
    fn register(
        &mut self,
        hint: &Hint,
        form: Route,
        logins: &[(Hint, String)],
        more: &mut More,
    ) -> Tried {
        let mut wants = Wants::of(hint, &form);
        for _ in 0..ROUNDS {
            let (email, password) = (self.talk.email(), self.talk.password());
            let reply = self.ask(
                &form,
                &Asked {
                    inputs: &wants.inputs(&email, &password),
                    ..Asked::default()
                },
            );
            let Some(reply) = reply else {
                return Tried::Gone;
            };
            if absent(&reply) {
                return Tried::Gone;
            }
            let refusal = refusal::read(&reply, hint);
            // Its status says nothing: many a page says by 200 that it wants more.
            if refusal.form_again && more.left > 0 && wants.heed(hint, &refusal) {
                more.left -= 1;
                continue;
            }
            if wants.asked_again(&refusal) {
                self.refused(hint, &reply, &wants);
                return Tried::Refused;
            }
            if done(&reply) {
                if let Some(account) = self.open(logins, &form, &email, &password) {
                    self.made(form, wants, &reply, account);
                    return Tried::Opened;
                }
                self.not(
                    Capability::Register,
                    format!(
                        "{} answered {}, but no login opened the account",
                        hint.shown(),
                        reply.status
                    ),
                );
            } else {
                self.refused(hint, &reply, &wants);
            }
            if more.left == 0 || !self.heeded(hint, &refusal, done(&reply), &mut wants, more) {
                return Tried::Refused;
            }
            more.left -= 1;
        }
        Tried::Refused
    }

    /// Whether there is anything to send that was not.
    fn heeded(
        &mut self,
        hint: &Hint,
        refusal: &Refusal,
        taken: bool,
        wants: &mut Wants,
        more: &mut More,
    ) -> bool {
        if taken && wants.email_as_name() {
            return true;
        }
        if wants.unread(refusal) {
            return false;
        }
        if wants.heed(hint, refusal) {
            return true;
        }
        // A browser that is sent back to the form is shown what it wants.
        if refusal.named.is_empty() {
            let page = match more.pages.get(&hint.path) {
                Some(page) => page.clone(),
                None => self.form_of(hint),
            };
            more.pages.insert(hint.path.clone(), page.clone());
            if page.form_again && wants.heed(hint, &page) {
                return true;
            }
        }
        !refusal.form_again && wants.guess(hint)
    }

    /// The form that a registration's own path shows, where a hint says that it shows something.
    fn form_of(&mut self, hint: &Hint) -> Refusal {
        let page =
            self.hints.routes.iter().any(|other| {
                other.path == hint.path && matches!(other.method.as_str(), "GET" | "ANY")
            });
        let route = crate::ask::plain("GET", &hint.path);
        page.then(|| self.honest(&route, &Asked::default()))
            .flatten()
            .map(|reply| refusal::read(&reply, hint))
            .unwrap_or_default()
    }

    /// An account was made and opened: binds the registration, where a binding can say what it took.
    fn made(&mut self, mut form: Route, wants: Wants, reply: &Reply, account: Account) {
        self.made = Some(Made {
            form: form.clone(),
            wants: wants.clone(),
        });
        self.token_of_registration(&mut form, reply, &account);
        form.also.extend(wants.also());
        self.bind_success(Capability::Register, form, reply.status);
        self.user = Some(account);
        self.sign_in_the_admin();
    }

    /// Binds what worked, and whether it says so by leading on.
    pub(crate) fn bind_success(&mut self, capability: Capability, mut route: Route, status: u16) {
        route.redirects = (300..400).contains(&status);
        self.bind(capability, route);
    }

    /// What an answer says that a registration lacks.
    fn refused(&mut self, hint: &Hint, reply: &Reply, wants: &Wants) {
        let mut words = reply.text();
        if words.len() > 160 {
            let end = (0..=160)
                .rev()
                .find(|end| words.is_char_boundary(*end))
                .unwrap_or(0);
            words.truncate(end);
        }
        let words = words.replace(['\n', '\r'], " ");
        let told = format!("{} answered {}: {words}", hint.shown(), reply.status);
        if wants.is_empty() {
            self.not(Capability::Register, told);
        } else {
            self.rather(
                Capability::Register,
                format!("{told} (with {} sent as well)", wants.names()),
            );
        }
    }

    /// A fresh account with its token.
    pub(crate) fn fresh_account(&mut self) -> Option<Account> {
        let made = self.made.clone()?;
        let (email, password) = (self.talk.email(), self.talk.password());
        let reply = self.ask(
            &made.form,
            &Asked {
                inputs: &made.wants.inputs(&email, &password),
                ..Asked::default()
            },
        )?;
        if !done(&reply) {
            return None;
        }
        self.sign_in(&email, &password)
    }
}

/// Points for what may do either.
pub(crate) fn opens_accounts(hint: &Hint) -> i32 {
    account_score(hint, REGISTER, LOGIN).max(account_score(hint, LOGIN, REGISTER))
}

/// Points for a route that makes or opens accounts: it takes a password, and its path says which of the two it is.
fn account_score(hint: &Hint, own: &[&str], other: &[&str]) -> i32 {
    let last = hint.parts().pop().unwrap_or_default();
    let mine = own.contains(&last.as_str());
    let theirs = !mine && other.contains(&last.as_str());
    let path = fit(hint, own, &[]);
    let words = fit(hint, &[], WORDS);
    let change = hint.parts().iter().any(|part| {
        [
            "password", "change", "forgot", "refresh", "verify", "confirm", "admin", "webhook",
        ]
        .iter()
        .any(|word| part.contains(word))
    });
    if path == 0 && words < 2 {
        return 0;
    }
    path + words * 2 + if mine { 6 } else { 0 }
        - if theirs { 8 } else { 0 }
        - if change { 8 } else { 0 }
}
