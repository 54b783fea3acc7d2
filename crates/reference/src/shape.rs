//! The harmless ways of answering differently. Each keeps every control; none may change a verdict.

/// How an app tells that it will not let somebody in: not signed in, wrong password, not an admin, not yours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalStyle {
    /// 401 for all of them.
    Unauthorized,
    /// 403 for all of them.
    Forbidden,
    /// 404 with an error in JSON.
    NotFound,
    /// 404 with no body at all.
    BareNotFound,
    /// 303 to a login page.
    Redirect,
    /// 200 with an error message; for bad input as well.
    OkWithError,
}

/// How login attempts are limited, other than by 429 with Retry-After per address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitStyle {
    /// 429 without Retry-After.
    Unannounced,
    /// Ten failures lock the account for a minute, known or not: 403 also for the right password.
    Account,
    /// After five failures for an account each further attempt takes more than a second.
    Delay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    Refusal(RefusalStyle),
    Limit(LimitStyle),
    /// UUIDs for ids.
    UuidIds,
    /// Numbers for ids, written as strings.
    StringIds,
    /// 200 where the contract says 201.
    OkForCreated,
    PrettyJson,
    /// Fields that nobody asked for, two of which differ in every reply.
    ExtraFields,
    /// Replies in chunks, without Content-Length.
    Chunked,
    /// `Connection: close` on every reply.
    ConnectionClose,
    /// Every reply takes 50 ms longer.
    Slow,
    /// What is too large is refused at its Content-Length, with the body unread and the connection closed.
    EarlyRefusal,
    /// A known email is registered with the same answer as a new one; the token in it belongs to nobody.
    QuietDuplicate,
    /// An event that is stored already is answered 409.
    RepeatConflict,
    /// Search text or sort with a quote or bracket in it is answered 500, with nothing shown.
    SearchError,
    /// An unknown `sort` means the default.
    LenientSort,
    /// `%` and `_` in the search text are wildcards, within the user's own notes.
    OpenWildcards,
    /// No Strict-Transport-Security: plain http is not where it belongs.
    NoHsts,
    /// In development, and there alone: documentation, the developer's page as an origin, and the cause of an error.
    OpenInDevelopment,
    /// A number where text is wanted is taken as its digits.
    NumbersAsText,
    /// A note without a title gets one.
    TitleMadeUp,
    /// A `limit` that is none means the default.
    LenientLimit,
    /// Bad input is answered 500, with nothing shown.
    BadInputFails,
}

impl Shape {
    pub const ALL: &'static [Self] = &[
        Self::Refusal(RefusalStyle::Unauthorized),
        Self::Refusal(RefusalStyle::Forbidden),
        Self::Refusal(RefusalStyle::NotFound),
        Self::Refusal(RefusalStyle::BareNotFound),
        Self::Refusal(RefusalStyle::Redirect),
        Self::Refusal(RefusalStyle::OkWithError),
        Self::Limit(LimitStyle::Unannounced),
        Self::Limit(LimitStyle::Account),
        Self::Limit(LimitStyle::Delay),
        Self::UuidIds,
        Self::StringIds,
        Self::OkForCreated,
        Self::PrettyJson,
        Self::ExtraFields,
        Self::Chunked,
        Self::ConnectionClose,
        Self::Slow,
        Self::EarlyRefusal,
        Self::QuietDuplicate,
        Self::RepeatConflict,
        Self::SearchError,
        Self::LenientSort,
        Self::OpenWildcards,
        Self::NoHsts,
        Self::OpenInDevelopment,
        Self::NumbersAsText,
        Self::TitleMadeUp,
        Self::LenientLimit,
        Self::BadInputFails,
    ];

    /// Exploits that this way of answering stops by itself, whatever the weakness.
    #[must_use]
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "most stop nothing; matrix.rs fails for one that does"
    )]
    pub const fn stops(self) -> &'static [&'static str] {
        match self {
            // No message is left to tell; time has a weakness of its own.
            Self::Refusal(RefusalStyle::BareNotFound | RefusalStyle::Redirect) => {
                &["account-enumeration"]
            }
            // The account is locked whatever the address, and a delay is a limit.
            Self::Limit(LimitStyle::Account | LimitStyle::Delay) => &["login-rate-limit"],
            // A text with a quote, or a sort with a bracket, never reaches the statement.
            Self::SearchError => &["sql-injection-search", "sql-injection-sort"],
            _ => &[],
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Refusal(RefusalStyle::Unauthorized) => "refusal-401",
            Self::Refusal(RefusalStyle::Forbidden) => "refusal-403",
            Self::Refusal(RefusalStyle::NotFound) => "refusal-404",
            Self::Refusal(RefusalStyle::BareNotFound) => "refusal-bare-404",
            Self::Refusal(RefusalStyle::Redirect) => "refusal-redirect",
            Self::Refusal(RefusalStyle::OkWithError) => "refusal-200",
            Self::Limit(LimitStyle::Unannounced) => "limit-unannounced",
            Self::Limit(LimitStyle::Account) => "limit-account",
            Self::Limit(LimitStyle::Delay) => "limit-delay",
            Self::UuidIds => "uuid-ids",
            Self::StringIds => "string-ids",
            Self::OkForCreated => "ok-for-created",
            Self::PrettyJson => "pretty-json",
            Self::ExtraFields => "extra-fields",
            Self::Chunked => "chunked",
            Self::ConnectionClose => "connection-close",
            Self::Slow => "slow",
            Self::EarlyRefusal => "early-refusal",
            Self::QuietDuplicate => "quiet-duplicate",
            Self::RepeatConflict => "repeat-conflict",
            Self::SearchError => "search-error",
            Self::LenientSort => "lenient-sort",
            Self::OpenWildcards => "open-wildcards",
            Self::NoHsts => "no-hsts",
            Self::OpenInDevelopment => "open-in-development",
            Self::NumbersAsText => "numbers-as-text",
            Self::TitleMadeUp => "title-made-up",
            Self::LenientLimit => "lenient-limit",
            Self::BadInputFails => "bad-input-fails",
        }
    }
}
