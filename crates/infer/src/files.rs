//! Uploads: a file goes in, is listed, comes back with the same bytes, and is gone when it was deleted.

use model::{Body, Capability, Route};
use serde_json::Value;

use crate::accounts::read_as;
use crate::ask::{File, Signed, plain};
use crate::find::{Asked, Search, Shows, absent, done, fit, json};
use crate::hint::Hint;
use crate::{json as values, names};

const PATHS: &[&str] = &[
    "files",
    "upload",
    "uploads",
    "documents",
    "attachments",
    "images",
    "photos",
    "media",
    "avatar",
    "file",
];
const WORDS: &[&str] = &[
    "file",
    "upload",
    "uploadfile",
    "filename",
    "multipart",
    "multer",
    "formdata",
    "files",
];

/// The smallest PNG that a content check accepts.
const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 13, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0xf0, 0x1f, 0, 5, 0, 1, 0xff, 0x89, 0x99, 0x3d, 0x1d, 0, 0,
    0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

impl Search<'_, '_> {
    pub(crate) fn files(&mut self) {
        let Some(user) = self.user.clone() else {
            return;
        };
        let uploads = self.ranked(&["POST", "PUT"], 0, |hint| {
            let document = i32::from(hint.body == Some(Body::Multipart)) * 8;
            let file = i32::from(hint.fields.iter().any(|field| field.file)) * 4;
            fit(hint, PATHS, WORDS) + document + file
        });
        let mut likely = false;
        for (hint, method) in uploads.into_iter().take(5) {
            let takes = ["uploadfile", "multipart", "multer", "formdata"];
            likely |= fit(&hint, PATHS, &[]) > 0
                || hint.fields.iter().any(|field| field.file)
                || hint
                    .words
                    .iter()
                    .any(|word| takes.contains(&names::plain(word).as_str()));
            if self.upload(&hint, &method, &user.signed) {
                return;
            }
        }
        if !likely {
            self.never_mind(Capability::Upload);
        }
    }

    fn upload(&mut self, hint: &Hint, method: &str, user: &Signed) -> bool {
        for field in fields(hint) {
            let mut route = plain(method, &hint.path);
            route.body = Body::Multipart;
            if field != "file" {
                route.send.insert("file".to_owned(), field);
            }
            for kind in ["txt", "png"] {
                let file = self.file(kind);
                let Some(reply) = self.ask(
                    &route,
                    &Asked {
                        file: Some(&file),
                        by: Some(user),
                        ..Asked::default()
                    },
                ) else {
                    return false;
                };
                if absent(&reply) {
                    return false;
                }
                if !(200..300).contains(&reply.status) {
                    self.not(
                        Capability::Upload,
                        format!("{} answered {}", hint.shown(), reply.status),
                    );
                    continue;
                }
                let Some(value) = json(&reply) else {
                    self.not(
                        Capability::Upload,
                        format!("{} answers no JSON, so no id", hint.shown()),
                    );
                    continue;
                };
                let ids = ids(&value);
                if self.stored(&mut route, &value, &file, &ids, user, hint) {
                    return true;
                }
                self.not(
                    Capability::Upload,
                    format!(
                        "{} took a file, but no route lists it or gives it back",
                        hint.shown()
                    ),
                );
            }
        }
        false
    }

    /// Looks for the file in lists and downloads; binds what showed it.
    fn stored(
        &mut self,
        route: &mut Route,
        value: &Value,
        file: &File,
        ids: &[(String, String)],
        user: &Signed,
        hint: &Hint,
    ) -> bool {
        let near = |other: &Hint| fit(other, PATHS, &[]) + shared(hint, other);
        let downloads = self.ranked(&["GET"], 1, near);
        let mut id = None;
        for (other, method) in downloads.iter().take(6) {
            let download = plain(method, &other.path);
            for (at, candidate) in ids.iter().take(5) {
                let asked = Asked {
                    id: Some(candidate),
                    by: Some(user),
                    ..Asked::default()
                };
                let same = self
                    .honest(&download, &asked)
                    .is_some_and(|reply| reply.body == file.bytes);
                if same {
                    id = Some((at.clone(), candidate.clone()));
                    break;
                }
            }
            if id.is_some() {
                self.bind(Capability::Download, download);
                break;
            }
        }
        let lists = self.ranked(&["GET"], 0, near);
        for (other, method) in lists.iter().take(6) {
            let list = plain(method, &other.path);
            let Some(reply) = self.honest(
                &list,
                &Asked {
                    by: Some(user),
                    ..Asked::default()
                },
            ) else {
                continue;
            };
            let Some(all) = json(&reply) else { continue };
            // By its id among others is weak where ids are small numbers, so the name must be there too.
            let Some(found) = values::listed(&all, &file.name) else {
                continue;
            };
            let known = ids.iter().find(|(at, one)| {
                id.as_ref().is_none_or(|(place, _)| place == at)
                    && values::at(found.member, one).is_some()
            });
            let Some((at, one)) = known else { continue };
            let mut list = list;
            read_as(&mut list, "list", found.list.clone());
            read_as(&mut list, "filename", found.at.clone());
            let own = values::all_named(found.member, names::ID);
            let own = own
                .into_iter()
                .find(|(_, text)| text == one)
                .map(|(at, _)| at);
            if let Some(own) = own.or_else(|| values::at(found.member, one)) {
                read_as(&mut list, "id", own);
            }
            if let Some(size) = size(found.member, file.bytes.len()) {
                read_as(&mut list, "size", size);
            }
            let known = file.name.as_bytes();
            let download = self.binding.route(Capability::Download).cloned();
            let member = download.map(|route| (route, one.clone(), file.bytes.as_slice()));
            let asked = Asked::default();
            self.bind_personal(Capability::Files, list, &asked, known, &Shows::List(member));
            id.get_or_insert((at.clone(), one.clone()));
            break;
        }
        for (capability, tried, why) in [
            (
                Capability::Download,
                &downloads,
                "no route gave a new file back by its id",
            ),
            (
                Capability::Files,
                &lists,
                "no route listed a new file by its name",
            ),
        ] {
            let near = |(other, _): &(Hint, String)| shared_path(&route.path, &other.path) > 0;
            if self.binding.route(capability).is_none() && tried.iter().any(near) {
                self.not(capability, why);
            }
        }
        let Some((at, _)) = id else { return false };
        read_as(route, "id", at);
        if let Some(name) = values::at(value, &file.name) {
            read_as(route, "filename", name);
        }
        if let Some(size) = size(value, file.bytes.len()) {
            read_as(route, "size", size);
        }
        self.bind(Capability::Upload, route.clone());
        true
    }

    /// Deletes a file made for that.
    pub(crate) fn delete_file(&mut self) {
        let (Some(user), Some(upload)) = (
            self.user.clone(),
            self.binding.route(Capability::Upload).cloned(),
        ) else {
            return;
        };
        let hints = self.ranked(&["DELETE", "POST"], 1, |hint| {
            let deletes = hint.is(&["DELETE"]) || names_removal(hint);
            if deletes {
                fit(hint, PATHS, &[]) + 2 * shared_path(&upload.path, &hint.path)
            } else {
                0
            }
        });
        let by = Some(&user.signed);
        for (hint, method) in hints.into_iter().take(4) {
            let file = self.file("txt");
            let png = self.file("png");
            let sent = self.honest(
                &upload,
                &Asked {
                    file: Some(&file),
                    by,
                    ..Asked::default()
                },
            );
            let (sent, file) = match sent {
                Some(reply) => (Some(reply), file),
                None => (
                    self.honest(
                        &upload,
                        &Asked {
                            file: Some(&png),
                            by,
                            ..Asked::default()
                        },
                    ),
                    png,
                ),
            };
            let Some(id) = sent
                .as_ref()
                .and_then(json)
                .and_then(|value| value.pointer(&upload.pointer("id")).map(values::text))
            else {
                return;
            };
            let route = plain(&method, &hint.path);
            let Some(reply) = self.ask(
                &route,
                &Asked {
                    id: Some(&id),
                    by,
                    ..Asked::default()
                },
            ) else {
                return;
            };
            if !done(&reply) {
                self.not(
                    Capability::DeleteFile,
                    format!("{} answered {}", hint.shown(), reply.status),
                );
                continue;
            }
            let gone = match self.binding.route(Capability::Download).cloned() {
                Some(download) => {
                    let again = self.ask(
                        &download,
                        &Asked {
                            id: Some(&id),
                            by,
                            ..Asked::default()
                        },
                    );
                    again.is_some_and(|reply| reply.body != file.bytes)
                }
                None => match self.binding.route(Capability::Files).cloned() {
                    Some(list) => self
                        .honest(
                            &list,
                            &Asked {
                                by,
                                ..Asked::default()
                            },
                        )
                        .is_some_and(|reply| !reply.contains(file.name.as_bytes())),
                    None => false,
                },
            };
            if gone {
                return self.bind(Capability::DeleteFile, route);
            }
            self.not(
                Capability::DeleteFile,
                format!(
                    "{} answered {}, but the file stayed",
                    hint.shown(),
                    reply.status
                ),
            );
        }
    }

    fn file(&mut self, kind: &str) -> File {
        let name = format!("{}.{kind}", self.talk.letters(12));
        if kind == "png" {
            return File {
                name,
                kind: "image/png",
                bytes: PNG.to_vec(),
            };
        }
        let bytes = format!("A short text.\n{}\n", self.talk.letters(18)).into_bytes();
        File {
            name,
            kind: "text/plain",
            bytes,
        }
    }
}

/// The names that the file's part may have.
fn fields(hint: &Hint) -> Vec<String> {
    let mut all: Vec<String> = hint
        .fields
        .iter()
        .filter(|field| field.file)
        .map(|field| field.at.trim_start_matches('/').to_owned())
        .collect();
    if all.is_empty() {
        let mut words: Vec<(usize, &String)> = hint
            .words
            .iter()
            .filter_map(|word| Some((names::rank(word, names::FILE)?, word)))
            .collect();
        words.sort();
        all.extend(words.into_iter().map(|(_, word)| word.clone()).take(5));
        if !all.iter().any(|one| one == "file") {
            all.push("file".to_owned());
        }
    }
    all
}

/// What of a reply may be the new thing's id, the likeliest first.
pub(crate) fn ids(value: &Value) -> Vec<(String, String)> {
    let mut all = values::all_named(value, names::ID);
    for (at, text) in values::all_named(value, names::FILE_NAME) {
        if !text.contains('/') && !all.iter().any(|(known, _)| *known == at) {
            all.push((at, text));
        }
    }
    all
}

fn size(value: &Value, length: usize) -> Option<String> {
    let wanted = length.to_string();
    let named = values::all_named(value, names::SIZE);
    named
        .into_iter()
        .find(|(_, text)| *text == wanted)
        .map(|(at, _)| at)
}

/// Whether the last part of a path says that something is removed.
pub(crate) fn names_removal(hint: &Hint) -> bool {
    let last = hint.parts().pop().unwrap_or_default();
    ["remove", "delete", "destroy", "trash"]
        .iter()
        .any(|word| last.contains(word))
}

/// Points for a common beginning of two routes' paths.
pub(crate) fn shared(one: &Hint, other: &Hint) -> i32 {
    shared_path(&one.path, &other.path)
}

pub(crate) fn shared_path(one: &str, other: &str) -> i32 {
    let parts = |path: &str| -> Vec<String> {
        path.split('/')
            .filter(|part| !part.is_empty() && *part != "{id}")
            .map(str::to_owned)
            .collect()
    };
    let (one, other) = (parts(one), parts(other));
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    // A common `/api` says nothing; a whole common path says that it is about the same thing.
    let whole = !one.is_empty() && other.starts_with(&one);
    i32::try_from(same.saturating_sub(1)).unwrap_or(0) * 2 + if whole { 4 } else { 0 }
}
