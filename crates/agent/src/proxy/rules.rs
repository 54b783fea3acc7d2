//! What may pass: the vendor's host, the paths by which a model is asked, and nothing that lets the vendor's servers reach
//! out on the agent's behalf.

use std::fmt;
use std::net::IpAddr;

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Auth;

/// Whose interface an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// Messages.
    Anthropic,
    /// Responses.
    OpenAi,
    /// Chat Completions, of OpenAI and of many others.
    OpenAiChat,
}

impl Vendor {
    /// Where the key is in the environment of this tool.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::OpenAi | Self::OpenAiChat => "OPENAI_API_KEY",
        }
    }

    fn host(self, auth: Auth) -> &'static str {
        match (self, auth) {
            (Self::Anthropic, _) => "api.anthropic.com",
            (Self::OpenAi, Auth::Subscription) => "chatgpt.com",
            (Self::OpenAi | Self::OpenAiChat, _) => "api.openai.com",
        }
    }

    /// The paths that may be asked, and whether a reply costs.
    fn paths(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Anthropic => &[("/v1/messages", true), ("/v1/messages/count_tokens", false)],
            Self::OpenAi => &[("/v1/responses", true)],
            Self::OpenAiChat => &[("/v1/chat/completions", true)],
        }
    }
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    pub vendor: Vendor,
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no address of a model's server: https://HOST[:PORT], or http://127.0.0.1:PORT on this machine; no path"
)]
pub struct BadAddress(String);

impl Api {
    /// The vendor's own for who signs in so.
    pub fn of(vendor: Vendor, auth: Auth) -> Self {
        Self {
            vendor,
            tls: true,
            host: vendor.host(auth).to_owned(),
            port: 443,
        }
    }

    /// Another server that speaks the same. A key never leaves this machine without TLS.
    pub fn at(vendor: Vendor, address: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(address.to_owned());
        let (tls, rest) = match (
            address.strip_prefix("https://"),
            address.strip_prefix("http://"),
        ) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(bad()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
            None => (rest, if tls { 443 } else { 80 }),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
        if host.is_empty() || !host.bytes().all(is_name) {
            return Err(bad());
        }
        let local = host == "localhost"
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if !tls && !local {
            return Err(bad());
        }
        Ok(Self {
            vendor,
            tls,
            host: host.to_owned(),
            port,
        })
    }

    pub(super) fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Why something did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// No way by which a model is asked.
    Path(String),
    /// Tools that the vendor's servers would run, with a network that the agent's box does not have.
    ServerTool(String),
    /// Larger than any honest request.
    TooLarge,
    /// What cannot be looked into: compressed, no JSON, half of it.
    Unreadable(String),
    /// More at a time than any agent asks.
    TooMany,
    /// The session's tokens or money are spent.
    Spent,
    /// The step's are; the next step has its own.
    StepSpent,
}

impl Refusal {
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Path(_) => 404,
            Self::ServerTool(_) | Self::Spent | Self::StepSpent => 403,
            Self::TooLarge => 413,
            Self::Unreadable(_) => 400,
            Self::TooMany => 429,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(what) => write!(f, "not allowed here: {what}"),
            Self::ServerTool(tool) => {
                write!(f, "the server-side tool `{tool}` is off in this study")
            }
            Self::TooLarge => f.write_str("the request is too large"),
            Self::Unreadable(why) => write!(f, "the request cannot be read: {why}"),
            Self::TooMany => f.write_str("too many requests at a time"),
            Self::Spent => f.write_str("the budget of this session is spent"),
            Self::StepSpent => f.write_str("the budget of this step is spent"),
        }
    }
}

/// Whether this may be asked at all; then whether its reply costs.
pub(super) fn path(vendor: Vendor, method: &Method, path: &str) -> Result<bool, Refusal> {
    let found = vendor.paths().iter().find(|(known, _)| *known == path);
    match found {
        Some((_, costs)) if method == Method::POST => Ok(*costs),
        _ => {
            let shown: String = format!("{method} {path}").chars().take(200).collect();
            Err(Refusal::Path(shown))
        }
    }
}

/// What is asked for at the vendor: a subscription's requests go another way.
pub(super) fn target(vendor: Vendor, auth: Auth, path: &str, query: Option<&str>) -> String {
    let path = match (vendor, auth) {
        (Vendor::OpenAi, Auth::Subscription) => path.replacen("/v1/", "/backend-api/codex/", 1),
        _ => path.to_owned(),
    };
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

/// Tools by the start of their `type` that run on the vendor's servers and reach, or run, what nobody here sees.
const SERVER_TOOLS: [&str; 8] = [
    "web_search",
    "web_fetch",
    "code_execution",
    "code_interpreter",
    "file_search",
    "image_generation",
    "computer",
    "mcp",
];

/// What a request asks for: the model, and the tools that are neither functions nor custom ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) tools: Vec<String>,
}

/// Kinds of tools that are kept of a request.
const MOST_TOOLS: usize = 50;

/// What an agent wrote is kept with every request.
fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

/// An address of which the vendor's servers would fetch something.
fn reaches_out(value: &Value) -> bool {
    match value {
        Value::Array(all) => all.iter().any(reaches_out),
        Value::Object(map) => {
            let fetched = ["image_url", "file_url"].iter().any(|name| {
                // Chat Completions have the address inside an object.
                let found = map.get(*name);
                let url = found.and_then(|url| url.get("url").unwrap_or(url).as_str());
                url.is_some_and(|url| !url.starts_with("data:"))
            });
            fetched
                || map
                    .get("source")
                    .is_some_and(|source| source["type"] == "url")
                || map.values().any(reaches_out)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn parsed(bytes: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes).map_err(|_| Refusal::Unreadable("it is no JSON".into()))
}

/// A stream of Chat Completions tells its tokens only when that is asked for: the request that asks, where it did not.
pub(super) fn counted(vendor: Vendor, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut request = parsed(bytes).ok()?;
    let asks = request["stream_options"]["include_usage"] == true;
    if vendor != Vendor::OpenAiChat || request["stream"] != true || asks {
        return None;
    }
    let map = request.as_object_mut()?;
    let options = map.entry("stream_options").or_insert(Value::Null);
    if !options.is_object() {
        *options = Value::Object(serde_json::Map::new());
    }
    options["include_usage"] = true.into();
    serde_json::to_vec(&request).ok()
}

/// Chat Completions have names, not tools, for what searches the web; OpenRouter has plugins, and an ending of the model's name.
fn chat_searches(request: &Value) -> Option<&'static str> {
    let model = request["model"].as_str().unwrap_or_default();
    let plugins = request["plugins"].as_array();
    if !request["web_search_options"].is_null() {
        Some("web_search_options")
    } else if plugins.is_some_and(|list| !list.is_empty()) {
        Some("plugins")
    } else if model.contains("-search-") || model.ends_with(":online") {
        Some("a model that searches the web")
    } else {
        None
    }
}

pub(super) fn body(bytes: &[u8]) -> Result<Asked, Refusal> {
    let request = parsed(bytes)?;
    if let Some(what) = chat_searches(&request) {
        return Err(Refusal::ServerTool(what.into()));
    }
    let mut asked = Asked {
        model: short(request["model"].as_str().unwrap_or_default()),
        tools: Vec::new(),
    };
    if request["mcp_servers"]
        .as_array()
        .is_some_and(|list| !list.is_empty())
    {
        return Err(Refusal::ServerTool("mcp_servers".into()));
    }
    if reaches_out(&request["messages"]) || reaches_out(&request["input"]) {
        return Err(Refusal::ServerTool("url".into()));
    }
    // Answered later, so not counted here; stored elsewhere, so not seen here.
    if request["background"] == true || request["prompt"].is_object() {
        return Err(Refusal::ServerTool("background".into()));
    }
    // Codex sends some models their tools as an item of the input.
    let inputs = request["input"].as_array().into_iter().flatten();
    let lists = inputs
        .map(|item| &item["tools"])
        .chain(std::iter::once(&request["tools"]));
    for tool in lists.filter_map(Value::as_array).flatten() {
        let kind = tool["type"].as_str().unwrap_or_default();
        if matches!(kind, "" | "function" | "custom") {
            continue;
        }
        if SERVER_TOOLS.iter().any(|start| kind.starts_with(start)) {
            return Err(Refusal::ServerTool(short(kind)));
        }
        if asked.tools.len() < MOST_TOOLS && !asked.tools.iter().any(|known| known == kind) {
            asked.tools.push(short(kind));
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_https_or_to_this_machine() {
        for (text, wanted) in [
            ("https://api.anthropic.com", Some("api.anthropic.com")),
            (
                "https://gateway.example:8443/",
                Some("gateway.example:8443"),
            ),
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://localhost:8080", Some("localhost:8080")),
            ("http://api.anthropic.com", None),
            ("http://127.0.0.1.example.com:80", None),
            ("https://user@host", None),
            ("https://host/path", None),
            ("https://host:99999", None),
            ("https://", None),
            ("ftp://host", None),
            ("api.anthropic.com", None),
        ] {
            let found = Api::at(Vendor::Anthropic, text).ok();
            assert_eq!(
                found.map(|api| api.authority()),
                wanted.map(str::to_owned),
                "{text}"
            );
        }
        for (vendor, auth, wanted) in [
            (Vendor::OpenAi, Auth::Key, "api.openai.com"),
            (Vendor::OpenAi, Auth::Subscription, "chatgpt.com"),
            (Vendor::Anthropic, Auth::Subscription, "api.anthropic.com"),
        ] {
            assert_eq!(Api::of(vendor, auth).authority(), wanted);
        }
    }

    #[test]
    fn only_a_chatgpt_sign_in_goes_another_way() {
        let to = |vendor, auth, path| target(vendor, auth, path, Some("a=/v1/"));
        let (key, subscription) = (Auth::Key, Auth::Subscription);
        let responses = "/v1/responses";
        assert_eq!(to(Vendor::OpenAi, key, responses), "/v1/responses?a=/v1/");
        assert_eq!(
            to(Vendor::OpenAi, subscription, responses),
            "/backend-api/codex/responses?a=/v1/"
        );
        for auth in [key, subscription] {
            let found = to(Vendor::Anthropic, auth, "/v1/messages");
            assert_eq!(found, "/v1/messages?a=/v1/");
        }
        assert_eq!(target(Vendor::OpenAi, key, responses, None), responses);
    }

    #[test]
    fn only_the_ways_to_a_model_pass() {
        let may = |vendor, method: &Method, text| path(vendor, method, text).ok();
        let (post, get) = (Method::POST, Method::GET);
        assert_eq!(may(Vendor::Anthropic, &post, "/v1/messages"), Some(true));
        assert_eq!(may(Vendor::OpenAi, &post, "/v1/responses"), Some(true));
        assert_eq!(
            may(Vendor::Anthropic, &post, "/v1/messages/count_tokens"),
            Some(false)
        );
        for text in [
            "/v1/messages/",
            "/v1/messages/batches",
            "/v1/files",
            "/v1/organizations/api_keys",
            "//v1/messages",
            "/v1/../v1/messages",
            "/v1/%6dessages",
            "/V1/messages",
        ] {
            assert_eq!(may(Vendor::Anthropic, &post, text), None, "{text}");
        }
        assert_eq!(may(Vendor::Anthropic, &get, "/v1/messages"), None);
        assert_eq!(may(Vendor::OpenAi, &post, "/v1/messages"), None);
        let chat = "/v1/chat/completions";
        assert_eq!(may(Vendor::OpenAiChat, &post, chat), Some(true));
        assert_eq!(may(Vendor::OpenAi, &post, chat), None);
        assert_eq!(may(Vendor::OpenAiChat, &post, "/v1/responses"), None);
        assert_eq!(may(Vendor::OpenAiChat, &post, "/v1/completions"), None);
    }

    #[test]
    fn a_stream_of_chat_completions_is_made_to_tell_its_tokens() {
        let of = |vendor, text: &str| {
            let bytes = counted(vendor, text.as_bytes())?;
            Some(serde_json::from_slice::<Value>(&bytes).unwrap())
        };
        let asked =
            |text: &str| of(Vendor::OpenAiChat, text).unwrap()["stream_options"].to_string();
        assert_eq!(asked(r#"{"stream":true}"#), r#"{"include_usage":true}"#);
        assert_eq!(
            asked(r#"{"stream":true,"stream_options":{"include_usage":false,"other":1}}"#),
            r#"{"include_usage":true,"other":1}"#
        );
        assert_eq!(
            asked(r#"{"stream":true,"stream_options":7}"#),
            r#"{"include_usage":true}"#
        );
        let whole = of(
            Vendor::OpenAiChat,
            r#"{"stream":true,"messages":[{"a":"\u00e9\u0000"}],"n":1.5}"#,
        )
        .unwrap();
        assert_eq!(whole["messages"][0]["a"], "\u{e9}\0");
        assert_eq!(whole["n"], 1.5);
        for text in [
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"stream":false}"#,
            "{}",
            "[]",
            "no JSON",
        ] {
            assert_eq!(of(Vendor::OpenAiChat, text), None, "{text}");
        }
        assert_eq!(of(Vendor::OpenAi, r#"{"stream":true}"#), None);
    }

    #[test]
    fn tools_that_reach_out_from_the_vendor_are_refused_and_others_are_named() {
        let asked = body(br#"{"model":"m","tools":[{"name":"Bash","input_schema":{}},{"type":"bash_20250124","name":"bash"},
            {"type":"function","name":"f"},{"type":"custom","name":"apply_patch"}]}"#)
        .unwrap();
        assert_eq!(
            (asked.model.as_str(), asked.tools),
            ("m", vec!["bash_20250124".to_owned()])
        );
        for text in [
            r#"{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#,
            r#"{"tools":[{"type":"function"},{"type":"web_search"}]}"#,
            r#"{"tools":[{"type":"mcp","server_url":"https://x"}]}"#,
            r#"{"mcp_servers":[{"type":"url","url":"https://x"}]}"#,
            r#"{"input":[{"type":"additional_tools","tools":[{"type":"code_interpreter"}]}]}"#,
            r#"{"messages":[{"content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}]}"#,
            r#"{"input":[{"content":[{"type":"input_image","image_url":"https://x"}]}]}"#,
            r#"{"input":[{"content":[{"type":"input_file","file_url":"https://x"}]}]}"#,
            r#"{"background":true}"#,
            r#"{"web_search_options":{}}"#,
            r#"{"plugins":[{"id":"web"}]}"#,
            r#"{"model":"gpt-4o-search-preview"}"#,
            r#"{"model":"x/y:online"}"#,
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]}"#,
            r#"{"prompt":{"id":"pmpt_1"}}"#,
        ] {
            assert!(
                matches!(body(text.as_bytes()), Err(Refusal::ServerTool(_))),
                "{text}"
            );
        }
        assert!(matches!(body(b"{"), Err(Refusal::Unreadable(_))));
        // What is in the request itself is fetched from nowhere.
        for text in [
            r#"{"messages":[{"content":[{"type":"image","source":{"type":"base64","data":"AA=="}}]}]}"#,
            r#"{"input":[{"content":[{"type":"input_image","image_url":"data:image/png;base64,AA=="}]}]}"#,
            r#"{"background":false,"input":"https://x"}"#,
            r#"{"web_search_options":null,"plugins":[],"model":"gpt-4o"}"#,
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}"#,
        ] {
            assert!(body(text.as_bytes()).is_ok(), "{text}");
        }
        let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(1 << 20));
        assert_eq!(body(long.as_bytes()).unwrap().model.len(), 200);
    }
}
