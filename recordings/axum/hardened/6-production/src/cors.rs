use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use tower_http::cors::CorsLayer;

/// The origins of the list, each compared whole.
pub fn layer(origins: &[String]) -> Result<CorsLayer, String> {
    let origins = origins
        .iter()
        .map(|origin| match origin.parse::<HeaderValue>() {
            Ok(value) if origin.starts_with("https://") || origin.starts_with("http://") => {
                Ok(value)
            }
            _ => Err("CORS_ORIGINS has something that is no origin".to_owned()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .max_age(Duration::from_secs(600)))
}
