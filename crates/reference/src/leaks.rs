//! What a framework or a hurried author leaves open beside the app's own routes. Only weak versions answer here.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde_json::{Map, Value, json};

use crate::site::Site;
use crate::weakness::Weakness;

pub(crate) fn answer(site: &Site, path: &str) -> Option<Response<Body>> {
    const HTML: &str = "text/html; charset=utf-8";
    const SCRIPT: &str = "text/javascript";
    const JSON: &str = "application/json";
    let found = |weakness, kind, body: String| {
        let documents = weakness == Weakness::DocsServed && site.is_open_development();
        (site.weak(weakness) || documents).then(|| page(kind, body))
    };
    match path {
        "/openapi.json" => found(Weakness::DocsServed, JSON, schema(site).to_string()),
        "/docs" => found(Weakness::DocsServed, HTML, DOCS.to_owned()),
        "/console" => found(Weakness::DebugConsole, HTML, CONSOLE.to_owned()),
        "/" => found(Weakness::SourceMap, HTML, INDEX.to_owned()),
        "/assets/app.js" => found(Weakness::SourceMap, SCRIPT, APP.to_owned()),
        "/assets/app.js.map" => found(Weakness::SourceMap, JSON, map().to_string()),
        _ => None,
    }
}

fn page(kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn schema(site: &Site) -> Value {
    let mut paths = Map::new();
    for (capability, route) in &site.binding.routes {
        let operation = json!({ "operationId": capability.name(), "responses": { "200": { "description": "OK" } } });
        let at = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        at[route.method.to_lowercase()] = operation;
    }
    json!({ "openapi": "3.1.0", "info": { "title": "app", "version": "0.1.0" }, "paths": paths })
}

fn map() -> Value {
    json!({
        "version": 3,
        "file": "app.js",
        "sources": ["../src/app.ts"],
        "sourcesContent": ["export const api = (path: string) => fetch(`/api/${path}`);\n"],
        "names": [],
        "mappings": "AAAO,MAAM"
    })
}

const INDEX: &str = "<!DOCTYPE html>\n<html><head><title>app</title></head>\
    <body><div id=\"root\"></div><script src=\"/assets/app.js\"></script></body></html>\n";
const APP: &str = "const api=e=>fetch(`/api/${e}`);\n//# sourceMappingURL=app.js.map\n";
const DOCS: &str = "<!DOCTYPE html>\n<html><head><title>app - Swagger UI</title></head><body>\
    <div id=\"swagger-ui\"></div><script>const ui = SwaggerUIBundle({url: '/openapi.json', dom_id: '#swagger-ui'})</script>\
    </body></html>\n";
const CONSOLE: &str = "<!DOCTYPE html>\n<html><head><title>Console // Werkzeug Debugger</title>\
    <script>var CONSOLE_MODE = true, EVALEX = true, EVALEX_TRUSTED = true, SECRET = \"x1\";</script></head>\
    <body><h1>Interactive Console</h1><div class=\"explanation\">In this console you can execute Python \
    expressions in the context of the application.</div></body></html>\n";
