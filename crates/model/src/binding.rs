//! How an app offers its capabilities over HTTP: paths, field names, body formats, where the token is.
//!
//! The study's contract is one binding (`study/contract.toml`); a user's app may have any other. An exploit never
//! writes a path: it asks the binding.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a user can do with an app. The order is that of the study's six prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    Health,
    Register,
    Login,
    Me,
    Upload,
    Files,
    Download,
    DeleteFile,
    CreateNote,
    ReadNote,
    Search,
    Users,
    ChangeRole,
    DeleteUser,
    Webhook,
    Events,
}

impl Capability {
    pub const ALL: [Self; 16] = [
        Self::Health,
        Self::Register,
        Self::Login,
        Self::Me,
        Self::Upload,
        Self::Files,
        Self::Download,
        Self::DeleteFile,
        Self::CreateNote,
        Self::ReadNote,
        Self::Search,
        Self::Users,
        Self::ChangeRole,
        Self::DeleteUser,
        Self::Webhook,
        Self::Events,
    ];

    /// The name in files and messages; the same as serde's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Register => "register",
            Self::Login => "login",
            Self::Me => "me",
            Self::Upload => "upload",
            Self::Files => "files",
            Self::Download => "download",
            Self::DeleteFile => "delete-file",
            Self::CreateNote => "create-note",
            Self::ReadNote => "read-note",
            Self::Search => "search",
            Self::Users => "users",
            Self::ChangeRole => "change-role",
            Self::DeleteUser => "delete-user",
            Self::Webhook => "webhook",
            Self::Events => "events",
        }
    }

    /// What an app that lacks it has not, in words for people.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Health => "answer about its health",
            Self::Register => "registration",
            Self::Login => "sign-in",
            Self::Me => "answer about who is signed in",
            Self::Upload => "upload",
            Self::Files => "list of files",
            Self::Download => "download",
            Self::DeleteFile => "deletion of files",
            Self::CreateNote => "notes",
            Self::ReadNote => "reading of a note",
            Self::Search => "search",
            Self::Users => "list of users",
            Self::ChangeRole => "change of roles",
            Self::DeleteUser => "deletion of users",
            Self::Webhook => "webhook",
            Self::Events => "list of events",
        }
    }

    /// The canonical names of what a request for this capability carries.
    pub fn inputs(self) -> &'static [&'static str] {
        match self {
            Self::Register | Self::Login => &["email", "password"],
            Self::Upload => &["file"],
            Self::CreateNote => &["title", "body"],
            Self::Search => &["q", "sort", "limit"],
            Self::ChangeRole => &["role"],
            Self::Webhook => &["id", "type", "data"],
            Self::Health
            | Self::Me
            | Self::Files
            | Self::Download
            | Self::DeleteFile
            | Self::ReadNote
            | Self::Users
            | Self::DeleteUser
            | Self::Events => &[],
        }
    }

    /// The canonical names of what a reply carries. Lists have `list` (the array) and its members' fields.
    pub fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::Register | Self::Login => &["token"],
            Self::Me => &["id", "email", "role"],
            Self::Upload => &["id", "filename", "size"],
            Self::Files => &["list", "id", "filename", "size"],
            Self::CreateNote => &["id"],
            Self::ReadNote => &["id", "title", "body", "created_at"],
            Self::Search => &["list", "id", "title", "body", "created_at"],
            Self::Users => &["list", "id", "email", "role"],
            Self::Events => &["list", "id", "type", "data"],
            Self::Health
            | Self::Download
            | Self::DeleteFile
            | Self::ChangeRole
            | Self::DeleteUser
            | Self::Webhook => &[],
        }
    }
}

/// How the inputs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// No body; inputs, if any, go into the query.
    None,
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`; the input `file` becomes the file part.
    Multipart,
}

/// One capability's request and reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    pub method: String,
    /// The path, with `{id}` where an id goes.
    pub path: String,
    pub body: Body,
    /// Canonical input name → the app's field: a name, or a JSON pointer (`/user/email`) for a nested JSON body.
    /// What is left out has its canonical name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub send: BTreeMap<String, String>,
    /// Canonical output name → a JSON pointer into the reply; for a list's fields, into one member of `list`.
    /// What is left out is at `/<canonical name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub read: BTreeMap<String, String>,
    /// Further fields that the app requires, named as in `send`, and what they are given. In a text `{email}` and `{password}`
    /// stand for this request's, `{unique}` for letters that no other request has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<String, Value>,
    /// Success is told by 302 or 303 as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redirects: bool,
}

impl Route {
    /// The app's name or pointer for a canonical input.
    pub fn field<'a>(&'a self, canonical: &'a str) -> &'a str {
        self.send.get(canonical).map_or(canonical, String::as_str)
    }

    /// The JSON pointer for a canonical output.
    pub fn pointer(&self, canonical: &str) -> String {
        self.read
            .get(canonical)
            .cloned()
            .unwrap_or_else(|| format!("/{canonical}"))
    }

    /// Whether this status tells of success.
    pub fn succeeds(&self, status: u16) -> bool {
        (200..300).contains(&status) || self.redirects && matches!(status, 302 | 303)
    }

    /// The path with an id put in. The id is written as it is: attacks need their bytes.
    pub fn path_with(&self, id: &str) -> String {
        self.path.replace("{id}", id)
    }
}

/// Where a signed-in request carries the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "in", deny_unknown_fields)]
pub enum Carrier {
    /// `<name>: <scheme> <token>`; an empty scheme means the bare token. The token comes from the login reply's
    /// `token` output.
    Header { name: String, scheme: String },
    /// A cookie that the login sets.
    Cookie { name: String },
}

/// How a webhook is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The header that carries the signature.
    pub header: String,
    /// What stands before the digest.
    pub prefix: String,
    #[serde(default, skip_serializing_if = "Scheme::is_plain")]
    pub scheme: Scheme,
}

/// What of a webhook is signed, and how that is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The raw body; HMAC-SHA256 in lower-case hex. GitHub's, with `sha256=` before it.
    #[default]
    Plain,
    /// Stripe's: the header is `t=<seconds>,v1=<hex>`, and `<seconds>.<body>` is signed.
    Stripe,
    /// Svix's and Clerk's, the Standard Webhooks: `<id>.<seconds>.<body>` is signed, by the bytes whose base64 stands after
    /// `whsec_`; the header is `v1,<base64>`, and id and seconds have headers beside it (`svix-id`, `svix-timestamp`).
    Svix,
}

impl Scheme {
    /// The name in files; the same as serde's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stripe => "stripe",
            Self::Svix => "svix",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// A whole app's offer. Files with a binding start with `version = 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    pub version: u32,
    pub token: Carrier,
    pub signature: Signature,
    /// The app's words for roles, where it has others: `admin = true` where a flag says who is one, `admin = "ADMIN"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Value>,
    pub routes: BTreeMap<Capability, Route>,
}

impl Binding {
    pub fn route(&self, capability: Capability) -> Option<&Route> {
        self.routes.get(&capability)
    }

    /// The app's word for a role.
    pub fn role(&self, canonical: &str) -> Value {
        let own = self.roles.get(canonical).cloned();
        own.unwrap_or_else(|| canonical.into())
    }

    /// The role that the app's word means; its word where it means none of those that are named.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "all but texts are written alike"
    )]
    #[allow(
        clippy::cmp_owned,
        reason = "a number has no text but that which is written"
    )]
    pub fn meant<'a>(&'a self, own: &'a str) -> &'a str {
        let is = |value: &Value| match value {
            Value::String(text) => text == own,
            other => other.to_string() == own,
        };
        let known = self.roles.iter().find(|(_, value)| is(value));
        known.map_or(own, |(canonical, _)| canonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_serdes() {
        for capability in Capability::ALL {
            let name = serde_json::to_value(capability).unwrap();
            assert_eq!(name, capability.name());
        }
    }

    /// An exploit that asks for a name that is not here gets nothing, and says nothing.
    #[test]
    fn what_requests_and_replies_carry() {
        let all: Vec<_> = Capability::ALL
            .iter()
            .map(|one| (one.name(), one.inputs().join(" "), one.outputs().join(" ")))
            .collect();
        let wanted = [
            ("health", "", ""),
            ("register", "email password", "token"),
            ("login", "email password", "token"),
            ("me", "", "id email role"),
            ("upload", "file", "id filename size"),
            ("files", "", "list id filename size"),
            ("download", "", ""),
            ("delete-file", "", ""),
            ("create-note", "title body", "id"),
            ("read-note", "", "id title body created_at"),
            ("search", "q sort limit", "list id title body created_at"),
            ("users", "", "list id email role"),
            ("change-role", "role", ""),
            ("delete-user", "", ""),
            ("webhook", "id type data", ""),
            ("events", "", "list id type data"),
        ]
        .map(|(name, inputs, outputs)| (name, inputs.to_owned(), outputs.to_owned()));
        assert_eq!(all, wanted);
    }

    #[test]
    fn a_route_names_what_differs_and_nothing_else() {
        let route = Route {
            method: "GET".into(),
            path: "/notes/{id}".into(),
            body: Body::None,
            send: [("q".to_owned(), "text".to_owned())].into(),
            read: [("list".to_owned(), "/data/0".to_owned())].into(),
            also: BTreeMap::new(),
            redirects: false,
        };
        assert!(route.succeeds(204) && !route.succeeds(302) && !route.succeeds(404));
        let leads = Route {
            redirects: true,
            ..route.clone()
        };
        assert!(leads.succeeds(302) && leads.succeeds(303) && !leads.succeeds(301));
        assert_eq!((route.field("q"), route.field("sort")), ("text", "sort"));
        assert_eq!(route.pointer("list"), "/data/0");
        assert_eq!(route.pointer("id"), "/id");
        assert_eq!(route.path_with("../7"), "/notes/../7");
        let binding = Binding {
            version: 1,
            token: Carrier::Cookie { name: "sid".into() },
            signature: Signature {
                header: "Sig".into(),
                prefix: String::new(),
                scheme: Scheme::Plain,
            },
            roles: BTreeMap::new(),
            routes: [(Capability::ReadNote, route.clone())].into(),
        };
        assert_eq!(binding.route(Capability::ReadNote), Some(&route));
        assert_eq!(binding.route(Capability::Me), None);
    }

    #[test]
    fn roles_have_the_apps_own_words() {
        let text = r#"{"version":1,"token":{"in":"cookie","name":"sid"},"signature":{"header":"S","prefix":"","scheme":"svix"},
            "roles":{"admin":true,"user":false,"editor":"Ed"},"routes":{}}"#;
        let binding: Binding = serde_json::from_str(text).unwrap();
        assert_eq!(binding.signature.scheme, Scheme::Svix);
        assert_eq!(binding.role("admin"), Value::Bool(true));
        assert_eq!(binding.role("owner"), "owner");
        let meant = ["true", "false", "Ed", "ed", "admin"].map(|own| binding.meant(own));
        assert_eq!(meant, ["admin", "user", "editor", "ed", "admin"]);
        for scheme in [Scheme::Plain, Scheme::Stripe, Scheme::Svix] {
            assert_eq!(serde_json::to_value(scheme).unwrap(), scheme.name());
            assert_eq!(scheme.is_plain(), scheme == Scheme::Plain);
        }
    }
}
