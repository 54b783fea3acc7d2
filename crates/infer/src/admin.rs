//! What an admin does: lists users, changes a role, deletes a user. The latter two on accounts made for that, last.

use model::{Body, Capability};
use serde_json::Value;

use crate::accounts::{read_as, role_told};
use crate::ask::{Signed, Wanted, forms, plain};
use crate::files::{names_removal, shared_path};
use crate::find::{Account, Asked, Search, done, fit, json as read};
use crate::hint::Hint;
use crate::{json as values, names};

const PATHS: &[&str] = &[
    "admin",
    "users",
    "people",
    "accounts",
    "members",
    "staff",
    "customers",
    "user",
];
const ROLES: &[&str] = &["role", "access", "promote", "permissions", "level", "roles"];
const WANTED: [Wanted; 1] = [("role", names::ROLE)];
const FLAG: [Wanted; 1] = [("role", names::ADMIN)];

impl Search<'_, '_> {
    pub(crate) fn users(&mut self) {
        let Some(admin) = self.admin.clone() else {
            let why = if self.given.admin.is_some() {
                "the given admin account cannot sign in"
            } else {
                "no admin account is known; name one to test this"
            };
            for capability in [
                Capability::Users,
                Capability::ChangeRole,
                Capability::DeleteUser,
            ] {
                if self.has_admin_routes() {
                    self.not(capability, why);
                }
            }
            return;
        };
        let Some(user) = self.user.clone() else {
            return;
        };
        let lists = self.ranked(&["GET"], 0, |hint| {
            fit(hint, PATHS, &["role", "users", "email"])
        });
        for (hint, method) in lists.into_iter().take(8) {
            let mut route = plain(&method, &hint.path);
            let Some(reply) = self.honest(
                &route,
                &Asked {
                    by: Some(&admin.signed),
                    ..Asked::default()
                },
            ) else {
                continue;
            };
            let Some(value) = read(&reply) else { continue };
            let Some(found) = values::listed(&value, &user.email) else {
                continue;
            };
            // What shows users to every user may be meant so: whether it is an admin's list is not ours to say.
            let own = Asked {
                by: Some(&user.signed),
                ..Asked::default()
            };
            let open = self.honest(&route, &own).is_some_and(|reply| {
                read(&reply).is_some_and(|all| values::listed(&all, &admin.email).is_some())
            });
            if open && !hint.parts().iter().any(|part| part.contains("admin")) {
                let why = format!(
                    "{} shows users to every user, which may be meant so; name the admin's list in unrequested.toml",
                    hint.shown()
                );
                self.not(Capability::Users, why);
                continue;
            }
            read_as(&mut route, "list", found.list.clone());
            read_as(&mut route, "email", found.at.clone());
            if let Some((id, _)) = values::named(found.member, names::ID) {
                read_as(&mut route, "id", id);
            }
            let of_admin = values::listed(&value, &admin.email).map(|found| found.member);
            let told = of_admin.and_then(|one| role_told(one, found.member));
            // Where `me` has told the words for roles, the list has to have the same.
            let told = told.filter(|told| {
                let known = (self.binding.role("admin"), self.binding.role("user"));
                !self.roles_told || known == (told.admin.clone(), told.user.clone())
            });
            if let Some(told) = &told {
                read_as(&mut route, "role", told.at.clone());
                self.call_roles(told);
            } else if let Some((at, _)) = values::named(found.member, names::ROLE) {
                read_as(&mut route, "role", at);
            }
            self.bind(Capability::Users, route);
            return;
        }
        if self.has_admin_routes() {
            self.not(
                Capability::Users,
                "no route shows the admin a registered user",
            );
        }
    }

    fn has_admin_routes(&self) -> bool {
        self.hints
            .routes
            .iter()
            .any(|hint| hint.parts().iter().any(|part| part.contains("admin")))
    }

    /// What deletes or promotes, on throw-aways.
    pub(crate) fn delete_last(&mut self) {
        if !self.given.may_delete {
            let why = "nothing is deleted or changed in an app that was not started here";
            let manages =
                |hint: &Hint| hint.is(&["DELETE", "PATCH", "PUT"]) && fit(hint, PATHS, &[]) > 0;
            let admins = (self.has_admin_routes()
                || self.binding.route(Capability::Users).is_some()
                || self.hints.routes.iter().any(manages))
            .then_some([Capability::ChangeRole, Capability::DeleteUser]);
            let files = self
                .binding
                .route(Capability::Upload)
                .map(|_| Capability::DeleteFile);
            for capability in admins.into_iter().flatten().chain(files) {
                self.not(capability, why);
            }
            return;
        }
        self.delete_file();
        let (Some(admin), Some(users)) = (
            self.admin.clone(),
            self.binding.route(Capability::Users).cloned(),
        ) else {
            return;
        };
        self.change_role(&admin, &users.path);
        self.delete_user(&admin, &users.path);
    }

    /// One user's field in the admin's list.
    fn listed(&mut self, admin: &Signed, email: &str, name: &str) -> Option<String> {
        let users = self.binding.route(Capability::Users)?.clone();
        let reply = self.honest(
            &users,
            &Asked {
                by: Some(admin),
                ..Asked::default()
            },
        )?;
        let value = read(&reply)?;
        let list = value.pointer(&users.pointer("list"))?.as_array()?.clone();
        let text = |one: &Value, name: &str| one.pointer(&users.pointer(name)).map(values::text);
        let found = list
            .iter()
            .find(|one| text(one, "email").as_deref() == Some(email))?;
        text(found, name)
    }

    /// A fresh account and its id in the admin's list.
    fn throw_away(&mut self, admin: &Signed) -> Option<(Account, String)> {
        let account = self.fresh_account()?;
        let id = self.listed(admin, &account.email, "id")?;
        Some((account, id))
    }

    fn change_role(&mut self, admin: &Account, users: &str) {
        let hints = self.ranked(&["PATCH", "PUT", "POST"], 1, |hint| {
            if names_removal(hint) {
                return 0;
            }
            fit(hint, ROLES, names::ROLE) * 2
                + fit(hint, PATHS, &[])
                + shared_path(users, &hint.path)
        });
        let by = Some(&admin.signed);
        let Some((user, id)) = self.throw_away(&admin.signed) else {
            return;
        };
        for (hint, method) in hints.into_iter().take(5) {
            let word = self.binding.role("admin");
            let wanted = if word.is_boolean() { &FLAG } else { &WANTED };
            for form in forms(&hint, &method, wanted, &[Body::Json, Body::Form]) {
                let inputs = [("role", word.clone())];
                let asked = Asked {
                    id: Some(&id),
                    inputs: &inputs,
                    by,
                    ..Asked::default()
                };
                let Some(reply) = self.ask(&form, &asked) else {
                    return;
                };
                if matches!(reply.status, 405 | 501) {
                    break;
                }
                if !done(&reply) {
                    self.not(
                        Capability::ChangeRole,
                        format!("{} answered {}", hint.shown(), reply.status),
                    );
                    continue;
                }
                let now = self.listed(&admin.signed, &user.email, "role");
                if now.is_some_and(|now| self.binding.meant(&now) == "admin") {
                    return self.bind(Capability::ChangeRole, form);
                }
                self.not(
                    Capability::ChangeRole,
                    format!(
                        "{} answered {}, but the list does not say admin",
                        hint.shown(),
                        reply.status
                    ),
                );
            }
        }
    }

    fn delete_user(&mut self, admin: &Account, users: &str) {
        let hints = self.ranked(&["DELETE", "POST"], 1, |hint| {
            let deletes = hint.is(&["DELETE"]) || names_removal(hint);
            if deletes {
                fit(hint, PATHS, &[]) + shared_path(users, &hint.path)
            } else {
                0
            }
        });
        for (hint, method) in hints.into_iter().take(4) {
            let Some((user, id)) = self.throw_away(&admin.signed) else {
                return;
            };
            let route = plain(&method, &hint.path);
            let asked = Asked {
                id: Some(&id),
                by: Some(&admin.signed),
                ..Asked::default()
            };
            let Some(reply) = self.ask(&route, &asked) else {
                return;
            };
            if !done(&reply) {
                self.not(
                    Capability::DeleteUser,
                    format!("{} answered {}", hint.shown(), reply.status),
                );
                continue;
            }
            if self.listed(&admin.signed, &user.email, "id").is_none() {
                return self.bind(Capability::DeleteUser, route);
            }
            self.not(
                Capability::DeleteUser,
                format!(
                    "{} answered {}, but the user stayed",
                    hint.shown(),
                    reply.status
                ),
            );
        }
    }
}

/// Whether a path is about administration.
pub(crate) fn is_admin(hint: &Hint) -> bool {
    hint.parts()
        .iter()
        .any(|part| part.contains("admin") || part == "staff")
}
