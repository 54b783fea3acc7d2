//! Notes and their search. Every query names the owner; every value is a parameter.

use rusqlite::types::Value as Sql;
use rusqlite::{OptionalExtension, Row};

use crate::call::Call;
use crate::input::Input;
use crate::refusal::Refusal;
use crate::reply::{Fields, Reply};
use crate::session;
use crate::shape::Shape;
use crate::site::Site;
use crate::store::Id;
use crate::weakness::Weakness;

const LONGEST_TITLE: usize = 200;
const LONGEST_BODY: usize = 50_000;
const LONGEST_QUERY: usize = 1000;

struct Note {
    id: Id,
    title: String,
    body: String,
    created_at: String,
}

impl Note {
    const COLUMNS: &'static str = "id, title, body, created_at";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            title: row.get(1)?,
            body: row.get(2)?,
            created_at: row.get(3)?,
        })
    }

    fn fields(self, site: &Site) -> Fields {
        vec![
            ("id", site.show(&self.id)),
            ("title", self.title.into()),
            ("body", self.body.into()),
            ("created_at", self.created_at.into()),
        ]
    }
}

pub(crate) async fn create(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let user = session::user(site, call).await?;
    let input = Input::read(call).await?;
    let title = if input.get("title").is_none() && site.shaped(Shape::TitleMadeUp) {
        "Untitled".to_owned()
    } else {
        input.written(
            site,
            "title",
            LONGEST_TITLE,
            "title must be a text of at most 200 characters",
        )?
    };
    let body = input.text(
        "body",
        LONGEST_BODY,
        "body must be a text of at most 50,000 characters",
    )?;
    if title.trim().is_empty() {
        return Err(Refusal::Invalid("title must not be empty"));
    }
    let fails = site.weak(Weakness::TitleKeptThenFails)
        && !input.get("title").is_some_and(serde_json::Value::is_string);
    let id = site.store.new_id();
    let stored = site.store.run(move |connection| {
        // SQLite folds ASCII only, so what is searched is folded here.
        let keys = (title.to_lowercase(), body.to_lowercase());
        connection.query_row(
            "INSERT INTO notes (id, owner, title, body, title_key, body_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
            (id, user.id, title, body, keys.0, keys.1),
            |row| row.get::<_, Id>(0),
        )
    });
    let stored = stored.await?;
    if fails {
        return Err(Refusal::Internal);
    }
    Ok(Reply::created(vec![("id", site.show(&stored))]))
}

pub(crate) async fn read(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let owner = if site.weak(Weakness::NoteReadWithoutToken) {
        None
    } else {
        let user = session::user(site, call).await?;
        (!site.weak(Weakness::NoteReadOwnerUnchecked)).then_some(user.id)
    };
    let id = site.store.parse_id(call.id.as_deref())?;
    let found = site.store.run(move |connection| {
        let columns = Note::COLUMNS;
        match owner {
            Some(owner) => connection.query_row(
                &format!("SELECT {columns} FROM notes WHERE id = ?1 AND owner = ?2"),
                (id, owner),
                Note::read,
            ),
            None => connection.query_row(
                &format!("SELECT {columns} FROM notes WHERE id = ?1"),
                [id],
                Note::read,
            ),
        }
        .optional()
    });
    Ok(Reply::ok(found.await?.ok_or(Refusal::Hidden)?.fields(site)))
}

pub(crate) async fn search(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let owner = owner(site, call).await?;
    let input = Input::read(call).await?;
    let text = match input.get("q") {
        None => String::new(),
        Some(_) => input.text(
            "q",
            LONGEST_QUERY,
            "q must be a text of at most 1,000 characters",
        )?,
    };
    let sort = match input.get("sort") {
        None => String::new(),
        Some(_) => input.text("sort", LONGEST_QUERY, "sort must be title or created_at")?,
    };
    let limit = match input.number("limit", 1..=100, "limit must be a number from 1 to 100") {
        Err(_) if site.shaped(Shape::LenientLimit) => None,
        other => other?,
    }
    .unwrap_or(20);
    if site.shaped(Shape::SearchError)
        && (text.contains(['\'', '"', '(']) || sort.contains(['\'', '"', '(']))
    {
        return Err(Refusal::Internal);
    }

    let (condition, mut parameters) = condition(site, &text, owner);
    let order = order(site, &sort)?;
    parameters.push(limit.into());
    let table = if site.weak(Weakness::SearchSqlScoped) {
        "(SELECT rowid, * FROM notes WHERE owner = ?) AS notes"
    } else {
        "notes"
    };
    let statement = format!(
        "SELECT {} FROM {table} WHERE {condition} ORDER BY {order} LIMIT ?",
        Note::COLUMNS
    );
    let found = site.store.run(move |connection| {
        let mut statement = connection.prepare(&statement)?;
        // A comment in injected text can take the last parameters with it.
        parameters.truncate(statement.parameter_count());
        let rows = statement.query_map(rusqlite::params_from_iter(parameters), Note::read)?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    let notes = match found.await {
        Err(_) if site.weak(Weakness::SortSqlSwallowed) || site.weak(Weakness::SearchSqlOnce) => {
            Vec::new()
        }
        other => other?,
    };
    Ok(Reply::Many(
        notes.into_iter().map(|note| note.fields(site)).collect(),
    ))
}

/// Whose notes are searched. `None`, which is everybody's, only in the weak versions.
async fn owner(site: &Site, call: &Call<'_>) -> Result<Option<Id>, Refusal> {
    let user = match session::user(site, call).await {
        Err(_) if site.weak(Weakness::SearchWithoutToken) => return Ok(None),
        Err(_)
            if site.weak(Weakness::SearchPresenceOnly) && session::token(site, call).is_some() =>
        {
            return Ok(None);
        }
        other => other?,
    };
    Ok((!site.weak(Weakness::SearchOwnerUnchecked)).then_some(user.id))
}

fn condition(site: &Site, text: &str, owner: Option<Id>) -> (String, Vec<Sql>) {
    let pattern = if site.shaped(Shape::OpenWildcards) {
        format!("%{}%", text.to_lowercase().replace('\\', "\\\\"))
    } else {
        format!("%{}%", escaped(&text.to_lowercase()))
    };
    let matches = if site.weak(Weakness::SearchSql) {
        format!("(title LIKE '%{text}%' OR body LIKE '%{text}%')")
    } else if site.weak(Weakness::SearchSqlOnce) {
        format!("title || ' ' || body LIKE '%{text}%'")
    } else if site.weak(Weakness::SearchSqlScoped) {
        let text = text.to_lowercase();
        format!("instr(lower(title || ' ' || body), '{text}') > 0")
    } else {
        "(title_key LIKE ? ESCAPE '\\' OR body_key LIKE ? ESCAPE '\\')".to_owned()
    };
    let mut parameters = Vec::new();
    let spliced = [
        Weakness::SearchSql,
        Weakness::SearchSqlOnce,
        Weakness::SearchSqlScoped,
    ];
    if !spliced.into_iter().any(|one| site.weak(one)) {
        parameters = vec![Sql::from(pattern.clone()), Sql::from(pattern)];
    }
    let Some(owner) = owner else {
        return (matches, parameters);
    };
    if site.weak(Weakness::SearchEmptyShowsAll) && text.is_empty() {
        return (matches, parameters);
    }
    parameters.insert(
        0,
        match owner {
            Id::Number(number) => number.into(),
            Id::Uuid(text) => text.into(),
        },
    );
    if site.weak(Weakness::SearchPrecedence) {
        return (
            "owner = ? AND title_key LIKE ? ESCAPE '\\' OR body_key LIKE ? ESCAPE '\\'".to_owned(),
            parameters,
        );
    }
    if site.weak(Weakness::SearchSqlScoped) {
        return (matches, parameters);
    }
    (format!("owner = ? AND {matches}"), parameters)
}

/// The text itself, with LIKE's wildcards taken for what they are.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// A column cannot be a parameter, so it comes from here and never from the request.
fn order(site: &Site, sort: &str) -> Result<String, Refusal> {
    const NEWEST: &str = "created_at DESC, rowid DESC";
    match sort {
        "" | "created_at" => Ok(NEWEST.to_owned()),
        "title" => Ok("title_key, title, rowid".to_owned()),
        other if site.weak(Weakness::SortSql) || site.weak(Weakness::SortSqlSwallowed) => {
            Ok(other.to_owned())
        }
        _ if site.shaped(Shape::LenientSort) => Ok(NEWEST.to_owned()),
        _ => Err(Refusal::Invalid("sort must be title or created_at")),
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn wildcards_are_text() {
        assert_eq!(escaped(r"100%_\"), r"100\%\_\\");
    }
}
