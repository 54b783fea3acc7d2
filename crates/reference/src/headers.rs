//! The headers that every reply has: replies of routes, of refusals, of the fallback, to preflights.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::shape::Shape;
use crate::site::Site;
use crate::weakness::Weakness;

const CSP: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const CSP_WITHOUT_FRAMES: &str = "default-src 'none'; base-uri 'none'; form-action 'none'";

pub(crate) fn set(site: &Site, status: StatusCode, downloaded: bool, headers: &mut HeaderMap) {
    let off = (site.weak(Weakness::HeadersByNodeEnv) && !site.settings.node_production)
        || (site.weak(Weakness::HeadersInDevelopment) && site.settings.production);
    if off
        || site.weak(Weakness::HeadersMissing)
        || (site.weak(Weakness::HeadersMissingOn401) && status == StatusCode::UNAUTHORIZED)
        || (site.weak(Weakness::HeadersMissingOn404) && status == StatusCode::NOT_FOUND)
        || (site.weak(Weakness::HeadersMissingOnDownload) && downloaded)
    {
        return;
    }
    let mut add = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    let frames = site.weak(Weakness::HeadersNoFrames);
    if !site.weak(Weakness::HeadersNoCsp) {
        add(
            header::CONTENT_SECURITY_POLICY,
            if frames { CSP_WITHOUT_FRAMES } else { CSP },
        );
    }
    if !frames {
        add(header::X_FRAME_OPTIONS, "DENY");
    }
    let sniffed = site.weak(Weakness::HeadersNoNosniff)
        || (site.weak(Weakness::DownloadUntyped) && downloaded);
    if !sniffed {
        add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    }
    if !site.shaped(Shape::NoHsts) {
        add(
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=63072000; includeSubDomains",
        );
    }
    add(header::REFERRER_POLICY, "no-referrer");
    add(header::CACHE_CONTROL, "no-store");
}
