//! Why a request is refused, and the one place where that becomes a reply.

use std::time::Duration;

use axum::http::StatusCode;

use crate::shape::RefusalStyle;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotSignedIn,
    /// Wrong password or unknown email: the same to whoever asks.
    BadLogin,
    /// What only a weak app tells.
    UnknownEmail {
        status: StatusCode,
    },
    Locked,
    BadSignature,
    NotAdmin,
    /// Not there, or not yours: the same to whoever asks.
    Hidden,
    CrossSite,
    Malformed,
    /// A value that is refused, with the reason in words.
    Invalid(&'static str),
    Taken,
    Repeated,
    LastAdmin,
    TooLarge,
    WrongType,
    TooMany(Duration),
    TimedOut,
    Internal,
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotSignedIn | Self::BadLogin | Self::BadSignature => StatusCode::UNAUTHORIZED,
            Self::UnknownEmail { status } => *status,
            Self::Locked | Self::NotAdmin | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Hidden => StatusCode::NOT_FOUND,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Taken | Self::Repeated | Self::LastAdmin => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn message(&self) -> &'static str {
        match self {
            Self::NotSignedIn => "not signed in",
            Self::BadLogin => "email or password is wrong",
            Self::UnknownEmail { .. } => "no account with this email",
            Self::Locked => "this account is locked for a minute",
            Self::BadSignature => "the signature does not match",
            Self::NotAdmin => "admins only",
            Self::Hidden => "not found",
            Self::CrossSite => "this origin may not do that",
            Self::Malformed => "the body is malformed",
            Self::Invalid(why) => why,
            Self::Taken => "this email is registered already",
            Self::Repeated => "this event is stored already",
            Self::LastAdmin => "the last admin stays",
            Self::TooLarge => "too large",
            Self::WrongType => "this type is not taken",
            Self::TooMany(_) => "too many attempts",
            Self::TimedOut => "the request took too long",
            Self::Internal => "internal error",
        }
    }

    /// Whether this is about who asks, rather than about what was sent.
    fn is_about_access(&self) -> bool {
        match self {
            Self::NotSignedIn
            | Self::BadLogin
            | Self::UnknownEmail { .. }
            | Self::Locked
            | Self::BadSignature
            | Self::NotAdmin
            | Self::Hidden
            | Self::CrossSite => true,
            Self::Malformed
            | Self::Invalid(_)
            | Self::Taken
            | Self::Repeated
            | Self::LastAdmin
            | Self::TooLarge
            | Self::WrongType
            | Self::TooMany(_)
            | Self::TimedOut
            | Self::Internal => false,
        }
    }

    /// The status in a style, and whether there is a body.
    pub(crate) fn styled(&self, style: Option<RefusalStyle>) -> (StatusCode, bool) {
        match style {
            Some(RefusalStyle::Unauthorized) if self.is_about_access() => {
                (StatusCode::UNAUTHORIZED, true)
            }
            Some(RefusalStyle::Forbidden) if self.is_about_access() => {
                (StatusCode::FORBIDDEN, true)
            }
            Some(RefusalStyle::NotFound) if self.is_about_access() => (StatusCode::NOT_FOUND, true),
            Some(RefusalStyle::BareNotFound) if self.is_about_access() => {
                (StatusCode::NOT_FOUND, false)
            }
            Some(RefusalStyle::Redirect) if self.is_about_access() => {
                (StatusCode::SEE_OTHER, false)
            }
            // 429 stays: a client that waits has to know, and nobody answers a limit by 200.
            Some(RefusalStyle::OkWithError)
                if !matches!(self, Self::TooMany(_) | Self::Internal | Self::TimedOut) =>
            {
                (StatusCode::OK, true)
            }
            _ => (self.status(), true),
        }
    }
}
