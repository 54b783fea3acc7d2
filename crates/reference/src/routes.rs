//! The router, made from the binding, and the layers around it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::RequestExt;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, RawPathParams, Request, State};
use axum::http::{HeaderValue, Method, Response, Uri, header};
use axum::middleware::{self, Next};
use axum::routing::{MethodFilter, on};
use model::binding::Capability;

use crate::body::Incoming;
use crate::call::Call;
use crate::refusal::Refusal;
use crate::reply::{self, Downloaded, Reply};
use crate::settings::StartError;
use crate::shape::Shape;
use crate::site::Site;
use crate::{admin, auth, cors, headers, leaks, notes, uploads, webhooks};

/// Slow enough for 5 MB over a poor line, and an end for those who send a byte a minute.
const LONGEST: Duration = Duration::from_secs(60);
/// How much of a refused body is still read.
const DRAINED: usize = 8 * 1024 * 1024;

pub(crate) fn router(site: Arc<Site>) -> Result<Router, StartError> {
    let mut router = Router::new();
    let mut seen = std::collections::BTreeSet::new();
    for (capability, route) in &site.binding.routes {
        let problem = |what: &str| StartError::Binding(format!("{}: {what}", capability.name()));
        let filter = Method::from_bytes(route.method.as_bytes())
            .ok()
            .and_then(|method| MethodFilter::try_from(method).ok())
            .ok_or_else(|| problem("unknown method"))?;
        if !is_servable(&route.path) {
            return Err(problem(
                "the path is not one of segments, some of them {id}",
            ));
        }
        if !seen.insert((route.method.clone(), route.path.clone())) {
            return Err(problem("another route has this method and path"));
        }
        let capability = *capability;
        let handler = move |State(site): State<Arc<Site>>,
                            ConnectInfo(peer): ConnectInfo<SocketAddr>,
                            request: Request| async move {
            handle(&site, capability, peer, request).await
        };
        router = router.route(&route.path, on(filter, handler));
    }
    let most = uploads::ceiling(&site);
    Ok(router
        .fallback(|State(site): State<Arc<Site>>, uri: Uri| async move {
            leaks::answer(&site, uri.path())
                .unwrap_or_else(|| reply::refuse(&site, &Refusal::Hidden))
        })
        .layer(DefaultBodyLimit::max(most))
        .layer(middleware::from_fn_with_state(site.clone(), around))
        .with_state(site))
}

fn is_servable(path: &str) -> bool {
    let is_plain = |segment: &str| !segment.contains(['{', '}', '*', ':', '?', '#']);
    path.starts_with('/')
        && path.matches("{id}").count() <= 1
        && path
            .split('/')
            .skip(1)
            .all(|segment| segment == "{id}" || is_plain(segment))
}

/// Around every reply, whoever gave it: cross-origin rules, the headers, a time limit.
async fn around(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response<Body> {
    let (method, asked) = (request.method().clone(), request.headers().clone());
    let grant = cors::grant(&site, &asked);
    let granted = grant.is_some();
    let mut response = if cors::is_preflight(&method, &asked) {
        cors::preflight(&site, granted)
    } else if let Err(refusal) = cors::check(&site, &method, &asked, granted) {
        reply::refuse(&site, &refusal)
    } else {
        match tokio::time::timeout(LONGEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => reply::refuse(&site, &Refusal::TimedOut),
        }
    };
    if site.shaped(Shape::Slow) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let status = response.status();
    let downloaded = response.extensions().get::<Downloaded>().is_some();
    let headers = response.headers_mut();
    cors::set(grant, headers);
    headers::set(&site, status, downloaded, headers);
    if site.shaped(Shape::ConnectionClose) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn handle(
    site: &Site,
    capability: Capability,
    peer: SocketAddr,
    mut request: Request,
) -> Response<Body> {
    let Some(route) = site.binding.route(capability) else {
        return reply::refuse(site, &Refusal::Hidden);
    };
    let id = request
        .extract_parts::<RawPathParams>()
        .await
        .ok()
        .and_then(|parameters| parameters.iter().next().map(|(_, value)| value.to_owned()));
    let (parts, body) = request.into_parts();
    let body = Incoming::new(body);
    let call = Call {
        capability,
        route,
        peer,
        uri: parts.uri,
        headers: parts.headers,
        extensions: parts.extensions,
        id,
        body: body.clone(),
    };
    match dispatch(site, &call).await {
        Ok(done) => reply::render(site, route, done),
        Err(refusal) => {
            let mut response = reply::refuse(site, &refusal);
            if site.shaped(Shape::EarlyRefusal) {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            } else {
                body.drain(DRAINED).await;
            }
            response
        }
    }
}

async fn dispatch(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    match call.capability {
        Capability::Health => Ok(reply::acknowledged(Capability::Health)),
        Capability::Register => auth::register(site, call).await,
        Capability::Login => auth::login(site, call).await,
        Capability::Me => auth::me(site, call).await,
        Capability::Upload => uploads::upload(site, call).await,
        Capability::Files => uploads::list(site, call).await,
        Capability::Download => uploads::download(site, call).await,
        Capability::DeleteFile => uploads::delete(site, call).await,
        Capability::CreateNote => notes::create(site, call).await,
        Capability::ReadNote => notes::read(site, call).await,
        Capability::Search => notes::search(site, call).await,
        Capability::Users => admin::users(site, call).await,
        Capability::ChangeRole => admin::change_role(site, call).await,
        Capability::DeleteUser => admin::delete_user(site, call).await,
        Capability::Webhook => webhooks::receive(site, call).await,
        Capability::Events => webhooks::events(site, call).await,
    }
}
