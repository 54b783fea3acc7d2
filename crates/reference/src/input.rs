//! What a request carries, by canonical name: from the query, a JSON body, a form or a multipart form.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Multipart};
use axum::http::{Request, header};
use model::binding::{Body as Format, Route};
use serde_json::{Map, Value};

use crate::call::Call;
use crate::refusal::Refusal;
use crate::shape::Shape;
use crate::site::Site;
use crate::weakness::Weakness;

/// No request but an upload needs more.
pub(crate) const MOST: usize = 256 * 1024;

pub(crate) struct Input<'a> {
    route: &'a Route,
    whole: Value,
}

impl<'a> Input<'a> {
    pub(crate) async fn read(call: &Call<'a>) -> Result<Self, Refusal> {
        let whole = match call.route.body {
            Format::None => pairs(call.uri.query().unwrap_or_default().as_bytes()),
            Format::Json => {
                expect_type(call, "application/json")?;
                let bytes = bytes(call).await?;
                serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?
            }
            Format::Form => {
                expect_type(call, "application/x-www-form-urlencoded")?;
                pairs(&bytes(call).await?)
            }
            Format::Multipart => parts(call).await?,
        };
        if whole.is_object() {
            Ok(Self {
                route: call.route,
                whole,
            })
        } else {
            Err(Refusal::Malformed)
        }
    }

    /// The same over a body that was read already.
    pub(crate) fn of_bytes(route: &'a Route, bytes: &[u8]) -> Result<Self, Refusal> {
        let whole = match route.body {
            Format::Form => pairs(bytes),
            Format::None | Format::Json | Format::Multipart => {
                serde_json::from_slice(bytes).map_err(|_| Refusal::Malformed)?
            }
        };
        if Value::is_object(&whole) {
            Ok(Self { route, whole })
        } else {
            Err(Refusal::Malformed)
        }
    }

    pub(crate) fn get(&self, canonical: &str) -> Option<&Value> {
        self.at(self.route.field(canonical))
    }

    pub(crate) fn route(&self) -> &'a Route {
        self.route
    }

    /// The canonical name of a role, written in the app's words.
    pub(crate) fn role(&self, site: &Site) -> Result<String, Refusal> {
        let why = "role must be user or admin";
        let own = match self.get("role") {
            Some(Value::Bool(flag)) if site.binding.role("admin").is_boolean() => flag.to_string(),
            _ => self.text("role", 6, why)?,
        };
        Ok(site.binding.meant(&own).to_owned())
    }

    pub(crate) fn at(&self, field: &str) -> Option<&Value> {
        if field.starts_with('/') {
            self.whole.pointer(field)
        } else {
            self.whole.get(field)
        }
    }

    /// A field that nobody asked for: at the top, or beside a canonical one. Only weak versions look.
    pub(crate) fn beside(&self, canonical: &str, name: &str) -> Option<&Value> {
        let folder = self
            .route
            .field(canonical)
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        self.whole
            .get(name)
            .or_else(|| self.whole.pointer(&format!("{folder}/{name}")))
    }

    /// A text of a bounded number of characters.
    pub(crate) fn text(
        &self,
        canonical: &str,
        most: usize,
        why: &'static str,
    ) -> Result<String, Refusal> {
        match self.get(canonical) {
            Some(Value::String(text)) if text.chars().count() <= most && !text.contains('\0') => {
                Ok(text.clone())
            }
            _ => Err(Refusal::Invalid(why)),
        }
    }

    /// As `text`, in the versions that make a text of what is none.
    pub(crate) fn written(
        &self,
        site: &Site,
        canonical: &str,
        most: usize,
        why: &'static str,
    ) -> Result<String, Refusal> {
        let kept = canonical == "title" && site.weak(Weakness::TitleKeptThenFails);
        match self.get(canonical) {
            None if kept => Ok(Value::Null.to_string()),
            Some(Value::Number(number)) if site.shaped(Shape::NumbersAsText) => {
                Ok(number.to_string())
            }
            Some(value) if !value.is_string() && (kept || site.weak(Weakness::ValuesWritten)) => {
                Ok(value.to_string())
            }
            _ => self.text(canonical, most, why),
        }
    }

    /// A whole number within a range, written as one or as its digits.
    pub(crate) fn number(
        &self,
        canonical: &str,
        range: std::ops::RangeInclusive<i64>,
        why: &'static str,
    ) -> Result<Option<i64>, Refusal> {
        let number = match self.get(canonical) {
            None => return Ok(None),
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(other) => other.as_i64(),
        };
        number
            .filter(|number| range.contains(number))
            .map(Some)
            .ok_or(Refusal::Invalid(why))
    }
}

pub(crate) async fn bytes(call: &Call<'_>) -> Result<Vec<u8>, Refusal> {
    let told = call
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|told| told > MOST) {
        return Err(Refusal::TooLarge);
    }
    // Length and connection errors look alike here; for the latter nobody reads the answer.
    to_bytes(Body::new(call.body.clone()), MOST)
        .await
        .map(Vec::from)
        .map_err(|_| Refusal::TooLarge)
}

/// A page of another site can send forms and plain text without asking first, but not this.
fn expect_type(call: &Call<'_>, wanted: &str) -> Result<(), Refusal> {
    let told = call
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = told.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        Err(Refusal::WrongType)
    }
}

fn pairs(bytes: &[u8]) -> Value {
    Value::Object(
        form_urlencoded::parse(bytes)
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect(),
    )
}

pub(crate) async fn multipart(call: &Call<'_>) -> Result<Multipart, Refusal> {
    let mut request = Request::new(Body::new(call.body.clone()));
    *request.headers_mut() = call.headers.clone();
    *request.extensions_mut() = call.extensions.clone();
    Multipart::from_request(request, &())
        .await
        .map_err(|_| Refusal::Malformed)
}

async fn parts(call: &Call<'_>) -> Result<Value, Refusal> {
    let mut form = multipart(call).await?;
    let mut fields = Map::new();
    let mut left = MOST;
    while let Some(mut part) = form.next_field().await.map_err(|_| Refusal::Malformed)? {
        let name = part.name().unwrap_or_default().to_owned();
        let mut text = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(|_| Refusal::Malformed)? {
            left = left.checked_sub(chunk.len()).ok_or(Refusal::TooLarge)?;
            text.extend_from_slice(&chunk);
        }
        fields.insert(
            name,
            String::from_utf8(text)
                .map_err(|_| Refusal::Malformed)?
                .into(),
        );
    }
    Ok(Value::Object(fields))
}
