//! Which pages may call: exactly the listed origins, compared byte by byte.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use model::binding::Carrier;

use crate::refusal::Refusal;
use crate::site::Site;
use crate::weakness::Weakness;

/// What a browser is told about a request's origin.
pub(crate) struct Grant {
    origin: HeaderValue,
    credentials: bool,
}

pub(crate) fn grant(site: &Site, headers: &HeaderMap) -> Option<Grant> {
    let origin = headers.get(header::ORIGIN)?;
    let text = origin.to_str().ok()?;
    // A token in a header is put there by the page; only a cookie comes along by itself.
    let credentials = matches!(site.binding.token, Carrier::Cookie { .. });
    if site.weak(Weakness::CorsWildcard) {
        return Some(Grant {
            origin: HeaderValue::from_static("*"),
            credentials: false,
        });
    }
    let listed = site
        .settings
        .cors_origins
        .iter()
        .any(|listed| listed == text);
    let developers = text == "http://localhost:3000"
        && (site.weak(Weakness::CorsLocalhost) || site.is_open_development());
    (listed || developers || weakly_listed(site, text)).then(|| Grant {
        origin: origin.clone(),
        credentials,
    })
}

/// A cookie goes with requests of any page, so what changes something must come from a listed page, from the app's
/// own, or from no page at all.
pub(crate) fn check(
    site: &Site,
    method: &Method,
    headers: &HeaderMap,
    granted: bool,
) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    if matches!(site.binding.token, Carrier::Header { .. }) || method.is_safe() || granted {
        return Ok(());
    }
    let own = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let origin = origin.to_str().unwrap_or_default();
    if origin
        .split_once("://")
        .is_some_and(|(_, host)| host == own)
    {
        Ok(())
    } else {
        Err(Refusal::CrossSite)
    }
}

pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight; the grant is added as to every other reply.
pub(crate) fn preflight(site: &Site, granted: bool) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if granted {
        let carried = match &site.binding.token {
            Carrier::Header { name, .. } => name.to_lowercase(),
            Carrier::Cookie { .. } => "authorization".to_owned(),
        };
        let allowed = format!("authorization, content-type, {carried}");
        let headers = response.headers_mut();
        if let Ok(allowed) = HeaderValue::from_str(&allowed) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
        add(
            headers,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, POST, PUT, PATCH, DELETE",
        );
        add(headers, header::ACCESS_CONTROL_MAX_AGE, "600");
    }
    response
}

pub(crate) fn set(grant: Option<Grant>, headers: &mut HeaderMap) {
    // Caches must not give one origin's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(grant) = grant {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, grant.origin);
        if grant.credentials {
            add(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

/// The ways of taking an origin for listed that is not.
fn weakly_listed(site: &Site, origin: &str) -> bool {
    let host = |origin: &str| {
        origin
            .split_once("://")
            .map(|(_, rest)| rest.to_owned())
            .unwrap_or_default()
    };
    let any = |admits: &dyn Fn(&str) -> bool| {
        site.settings
            .cors_origins
            .iter()
            .any(|listed| admits(listed))
    };
    let with_port = |listed: &str| {
        origin
            .strip_prefix(listed)
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(is_number)
    };
    let below = |listed: &str| host(origin).ends_with(&format!(".{}", host(listed)));
    site.weak(Weakness::CorsReflect)
        || (site.weak(Weakness::CorsNull) && origin == "null")
        || (site.weak(Weakness::CorsSuffix) && any(&|listed| origin.ends_with(&host(listed))))
        || (site.weak(Weakness::CorsPrefix) && any(&|listed| origin.starts_with(listed)))
        || (site.weak(Weakness::CorsScheme) && any(&|listed| host(origin) == host(listed)))
        || (site.weak(Weakness::CorsPort) && any(&with_port))
        || (site.weak(Weakness::CorsSubdomain) && any(&below))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
