//! Files. Kept under random names in one folder; the name that a client gave is only ever a text in the database.

use std::io::Write;
use std::path::{Path, PathBuf};

use axum::extract::multipart::Field;
use axum::http::header;
use rusqlite::OptionalExtension;
use uuid::Uuid;

use crate::call::Call;
use crate::filetype::{self, Kind};
use crate::input;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::session;
use crate::shape::Shape;
use crate::site::Site;
use crate::store::Id;
use crate::weakness::Weakness;

pub(crate) const MOST: usize = 5 * 1024 * 1024;
/// Room for the form around the file.
const AROUND: usize = 64 * 1024;
/// Even the versions without a limit end somewhere.
const CEILING: usize = 64 * 1024 * 1024;

/// The most bytes that any request's body may have.
pub(crate) fn ceiling(site: &Site) -> usize {
    if site.weak(Weakness::SizeUnchecked) || site.weak(Weakness::SizeFromHeader) {
        CEILING
    } else {
        MOST + AROUND
    }
}

struct Upload {
    filename: String,
    declared: String,
    bytes: Vec<u8>,
}

pub(crate) async fn upload(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    if site.weak(Weakness::UploadStoredFirst) {
        let upload = receive(site, call).await?;
        let size = upload.bytes.len();
        let (filename, kind, stored) = keep(site, upload)?;
        let owner = session::user(site, call).await?.id;
        return record(site, Some(owner), filename, kind, stored, size).await;
    }
    let owner = match session::user(site, call).await {
        Err(_) if site.weak(Weakness::UploadWithoutToken) => None,
        other => Some(other?.id),
    };
    let upload = receive(site, call).await?;
    let size = upload.bytes.len();
    let (filename, kind, stored) = keep(site, upload)?;
    record(site, owner, filename, kind, stored, size).await
}

/// Reads the form up to its file, and the file up to the limit.
async fn receive(site: &Site, call: &Call<'_>) -> Result<Upload, Refusal> {
    let told = call
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let from_header = site.weak(Weakness::SizeFromHeader) || site.shaped(Shape::EarlyRefusal);
    if from_header && told.is_some_and(|told| told > MOST + AROUND) {
        return Err(Refusal::TooLarge);
    }
    let mut form = input::multipart(call).await?;
    while let Some(part) = form
        .next_field()
        .await
        .map_err(|error| unreadable(&error))?
    {
        if part.name() == Some(call.route.field("file")) && part.file_name().is_some() {
            return receive_file(site, part).await;
        }
    }
    Err(Refusal::Invalid("the form has no file"))
}

async fn receive_file(site: &Site, mut part: Field<'_>) -> Result<Upload, Refusal> {
    let filename = part.file_name().unwrap_or_default().to_owned();
    let declared = part.content_type().unwrap_or_default().to_owned();
    let any_name = site.weak(Weakness::UploadNameJoined) || site.weak(Weakness::UploadNameServed);
    if !any_name && !is_plain(site, &filename) {
        return Err(Refusal::Invalid(
            "the file needs a plain name of at most 255 bytes",
        ));
    }
    if !is_allowed(site, &filename, &declared) {
        return Err(Refusal::WrongType);
    }
    let most = if site.weak(Weakness::SizeUnchecked) || site.weak(Weakness::SizeFromHeader) {
        CEILING
    } else {
        MOST
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| unreadable(&error))? {
        if bytes.len() + chunk.len() > most {
            return Err(Refusal::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    if !content_matters(site)
        || Kind::of_name(&filename).is_some_and(|kind| kind.agrees_with(&bytes))
    {
        Ok(Upload {
            filename,
            declared,
            bytes,
        })
    } else {
        Err(Refusal::WrongType)
    }
}

fn unreadable(error: &axum::extract::multipart::MultipartError) -> Refusal {
    if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        Refusal::TooLarge
    } else {
        Refusal::Malformed
    }
}

fn is_plain(site: &Site, name: &str) -> bool {
    let backslash = site.weak(Weakness::UploadNameBackslash);
    !name.is_empty()
        && name.len() <= 255
        && !name
            .chars()
            .any(|c| c.is_control() || c == '/' || (c == '\\' && !backslash))
        && (backslash || !name.starts_with(".."))
}

fn is_allowed(site: &Site, name: &str, declared: &str) -> bool {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .unwrap_or_default();
    if site.weak(Weakness::TypeUnchecked) {
        true
    } else if site.weak(Weakness::TypeBlockList) {
        !["exe", "dll", "bat", "cmd", "com", "sh", "js", "php"].contains(&extension.as_str())
    } else if site.weak(Weakness::DeclaredTypeTrusted) {
        filetype::is_declared_allowed(declared)
    } else {
        Kind::of_name(name).is_some()
    }
}

fn content_matters(site: &Site) -> bool {
    use Weakness::{
        DeclaredTypeServed, DeclaredTypeTrusted, DownloadUntyped, TypeBlockList, TypeUnchecked,
    };
    ![
        TypeUnchecked,
        TypeBlockList,
        DeclaredTypeTrusted,
        DeclaredTypeServed,
        DownloadUntyped,
    ]
    .into_iter()
    .any(|weakness| site.weak(weakness))
}

/// Writes the bytes; gives the client's name, the type to serve, and the name that it has in the folder.
fn keep(site: &Site, upload: Upload) -> Result<(String, String, String), Refusal> {
    let Upload {
        filename,
        declared,
        bytes,
    } = upload;
    let kind = if site.weak(Weakness::DeclaredTypeServed) {
        declared
    } else if site.weak(Weakness::DeclaredTypeTrusted) {
        filetype::guessed(&filename).to_owned()
    } else {
        Kind::of_name(&filename)
            .map_or("application/octet-stream", Kind::media_type)
            .to_owned()
    };
    let named = if site.weak(Weakness::UploadNameJoined) {
        Some(free(&site.settings.uploads, &filename))
    } else if site.weak(Weakness::UploadNameDecoded) {
        Some(free(&site.settings.uploads, &decoded(&filename)))
    } else if site.weak(Weakness::UploadNameBackslash) {
        Some(free(&site.settings.uploads, &filename.replace('\\', "/")))
    } else {
        site.weak(Weakness::UploadOverwrites)
            .then(|| filename.clone())
    };
    let stored = named.unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    let path = site.settings.uploads.join(&stored);
    // At most 5 MB to a local disk: shorter than a hand-over to another thread would be worth.
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(&bytes));
    written.map_err(|_| Refusal::Internal)?;
    Ok((filename, kind, stored))
}

async fn record(
    site: &Site,
    owner: Option<Id>,
    filename: String,
    kind: String,
    stored: String,
    size: usize,
) -> Result<Reply, Refusal> {
    let id = site.store.new_id();
    let (name, path) = (filename.clone(), site.settings.uploads.join(&stored));
    let inserted = site.store.run(move |connection| {
        connection.query_row(
            "INSERT INTO files (id, owner, filename, size, kind, stored) VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
            (id, owner, name, size.cast_signed(), kind, stored),
            |row| row.get::<_, Id>(0),
        )
    });
    let inserted = inserted.await;
    if inserted.is_err() {
        // Without a row nobody could ever reach or remove it.
        let _ = std::fs::remove_file(path);
    }
    Ok(Reply::created(vec![
        ("id", site.show(&inserted?)),
        ("filename", filename.into()),
        ("size", size.into()),
    ]))
}

pub(crate) async fn list(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let owner = match session::user(site, call).await {
        Err(_) if site.weak(Weakness::FilesWithoutToken) => None,
        other => Some(other?.id),
    };
    let files = site.store.run(move |connection| {
        let mut statement = connection.prepare(
            "SELECT id, filename, size FROM files WHERE owner = ?1 OR ?1 IS NULL ORDER BY rowid",
        )?;
        let rows = statement.query_map([owner], |row| {
            Ok((
                row.get::<_, Id>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, i64>(2)?,
            ))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    let rows = files.await?.into_iter().map(|(id, filename, size)| {
        vec![
            ("id", site.show(&id)),
            ("filename", filename.into()),
            ("size", size.into()),
        ]
    });
    Ok(Reply::Many(rows.collect()))
}

pub(crate) async fn download(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let owner = if site.weak(Weakness::DownloadWithoutToken) {
        None
    } else {
        let user = session::user(site, call).await?;
        (!site.weak(Weakness::FileReadOwnerUnchecked)).then_some(user.id)
    };
    let found = match site.store.parse_id(call.id.as_deref()) {
        Ok(id) => find(site, id, owner).await?,
        Err(_) => None,
    };
    let (filename, kind, stored) = match (found, &call.id) {
        (Some(found), _) => found,
        (None, Some(id)) if site.weak(Weakness::DownloadIdJoined) => (
            id.clone(),
            "application/octet-stream".to_owned(),
            id.clone(),
        ),
        _ => return Err(Refusal::Hidden),
    };
    let uploads = &site.settings.uploads;
    let named = uploads.join(&filename);
    let path = if site.weak(Weakness::UploadNameServed) && named.is_file() {
        named
    } else {
        uploads.join(stored)
    };
    let bytes = tokio::task::spawn_blocking(move || std::fs::read(path))
        .await
        .map_err(|_| Refusal::Internal)?;
    let bytes = bytes.map_err(|_| Refusal::Hidden)?;
    let inline = [
        Weakness::DeclaredTypeServed,
        Weakness::DeclaredTypeTrusted,
        Weakness::DownloadUntyped,
    ]
    .into_iter()
    .any(|weakness| site.weak(weakness));
    let kind = (!site.weak(Weakness::DownloadUntyped)).then_some(kind);
    Ok(Reply::File {
        kind,
        disposition: disposition(inline, &filename),
        bytes,
    })
}

/// Name, type and stored name of a file that is this owner's; of anybody's for the weak versions.
async fn find(
    site: &Site,
    id: Id,
    owner: Option<Id>,
) -> Result<Option<(String, String, String)>, Refusal> {
    let found = site.store.run(move |connection| {
        connection
            .query_row(
                "SELECT filename, kind, stored FROM files WHERE id = ?1 AND (owner = ?2 OR ?2 IS NULL)",
                (id, owner),
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
    });
    found.await
}

pub(crate) async fn delete(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let owner = if site.weak(Weakness::DeleteWithoutToken) {
        None
    } else {
        let user = session::user(site, call).await?;
        (!site.weak(Weakness::FileDeleteOwnerUnchecked)).then_some(user.id)
    };
    let id = site.store.parse_id(call.id.as_deref())?;
    if site.weak(Weakness::FileDeleteChecksLate)
        && let Some((_, _, stored)) = find(site, id.clone(), None).await?
    {
        let _ = std::fs::remove_file(site.settings.uploads.join(stored));
    }
    let stored = site.store.run(move |connection| {
        connection
            .query_row(
                "DELETE FROM files WHERE id = ?1 AND (owner = ?2 OR ?2 IS NULL) RETURNING stored",
                (id, owner),
                |row| row.get::<_, String>(0),
            )
            .optional()
    });
    let stored = stored.await?.ok_or(Refusal::Hidden)?;
    // The row is gone, so the file is unreachable even if it cannot be removed.
    let _ = std::fs::remove_file(site.settings.uploads.join(stored));
    Ok(Reply::Nothing)
}

/// `attachment` with the name in both forms of RFC 6266; nothing of it can end the header.
fn disposition(inline: bool, filename: &str) -> String {
    use std::fmt::Write;
    let plain: String = filename
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !"\"\\%;".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let mut encoded = String::new();
    for byte in filename.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    let how = if inline { "inline" } else { "attachment" };
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// A name in the folder that is not taken, the way `UploadNameJoined` looks for one.
fn free(folder: &Path, name: &str) -> String {
    let path = PathBuf::from(name);
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let extension = path
        .extension()
        .map(|e| format!(".{}", e.to_string_lossy()))
        .unwrap_or_default();
    let mut candidate = path.clone();
    let mut number = 1;
    while folder.join(&candidate).exists() {
        candidate = path.with_file_name(format!("{stem}-{number}{extension}"));
        number += 1;
    }
    candidate.to_string_lossy().into_owned()
}

fn decoded(name: &str) -> String {
    let plus = name.replace('+', "%2B");
    form_urlencoded::parse(format!("n={}", plus.replace('&', "%26")).as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(
            disposition(false, "a\"\r\nX: y ü.txt"),
            "attachment; filename=\"a___X:_y__.txt\"; filename*=UTF-8''a%22%0D%0AX%3A%20y%20%C3%BC.txt"
        );
    }

    #[test]
    fn the_weak_way_decodes() {
        assert_eq!(decoded("%2e%2e%2Fa+b&c.txt"), "../a+b&c.txt");
    }
}
