//! The names that apps have for the same things, the likeliest first.

pub(crate) const EMAIL: &[&str] = &[
    "email",
    "mail",
    "emailaddress",
    "useremail",
    "username",
    "login",
    "identifier",
    "user",
    "account",
    "uname",
    "accountname",
    "handle",
    "name",
];
pub(crate) const PASSWORD: &[&str] = &[
    "password",
    "pass",
    "passwd",
    "pwd",
    "passphrase",
    "userpassword",
    "plainpassword",
    "password1",
    "secret",
    "pw",
];
pub(crate) const TOKEN: &[&str] = &[
    "token",
    "accesstoken",
    "authtoken",
    "jwt",
    "idtoken",
    "sessiontoken",
    "bearer",
    "access",
    "apitoken",
    "sessionid",
    "session",
    "sid",
    "key",
    "authorization",
];
pub(crate) const ID: &[&str] = &[
    "id",
    "uuid",
    "key",
    "pk",
    "uid",
    "guid",
    "fileid",
    "noteid",
    "userid",
    "documentid",
    "eventid",
    "ref",
    "slug",
    "handle",
    "sub",
    "number",
];
pub(crate) const ROLE: &[&str] = &[
    "role",
    "level",
    "userrole",
    "accesslevel",
    "rank",
    "group",
    "type",
    "kind",
    "roles",
    "access",
    "permission",
];
/// Flags that say who is an admin.
pub(crate) const ADMIN: &[&str] = &[
    "isadmin",
    "admin",
    "isstaff",
    "staff",
    "issuperuser",
    "superuser",
    "isadministrator",
    "administrator",
    "useradmin",
    "isuseradmin",
];
pub(crate) const FILE: &[&str] = &[
    "file",
    "upload",
    "document",
    "attachment",
    "image",
    "photo",
    "picture",
    "media",
    "avatar",
    "upfile",
    "uploadfile",
    "doc",
    "blob",
    "data",
    "content",
    "files",
];
pub(crate) const FILE_NAME: &[&str] = &[
    "filename",
    "name",
    "originalname",
    "original",
    "title",
    "file",
    "path",
];
pub(crate) const SIZE: &[&str] = &[
    "size",
    "bytes",
    "length",
    "filesize",
    "contentlength",
    "sizebytes",
];
pub(crate) const TITLE: &[&str] = &[
    "title", "subject", "heading", "headline", "caption", "label", "topic", "summary", "name",
];
pub(crate) const TEXT: &[&str] = &[
    "body",
    "content",
    "text",
    "description",
    "message",
    "note",
    "details",
    "contents",
    "markdown",
    "memo",
];
pub(crate) const CREATED: &[&str] = &[
    "createdat",
    "created",
    "date",
    "timestamp",
    "createdon",
    "time",
    "inserted",
];
pub(crate) const QUERY: &[&str] = &[
    "q", "query", "search", "term", "text", "keyword", "keywords", "s", "filter", "needle", "find",
    "phrase", "word",
];
pub(crate) const SORT: &[&str] = &[
    "sort", "order", "sortby", "orderby", "ordering", "sorting", "by", "sortkey",
];
pub(crate) const LIMIT: &[&str] = &[
    "limit",
    "max",
    "pagesize",
    "perpage",
    "size",
    "count",
    "take",
    "top",
    "first",
    "maxresults",
    "n",
];
pub(crate) const EVENT_ID: &[&str] = &["id", "eventid", "key", "uuid", "ref", "uid", "deliveryid"];
pub(crate) const EVENT_TYPE: &[&str] = &[
    "type",
    "kind",
    "eventtype",
    "event",
    "name",
    "action",
    "topic",
];
pub(crate) const EVENT_DATA: &[&str] = &[
    "data",
    "payload",
    "object",
    "body",
    "attributes",
    "content",
    "details",
];

/// What a body is wrapped in.
pub(crate) const WRAPPERS: &[&str] = &[
    "user",
    "data",
    "account",
    "credentials",
    "auth",
    "login",
    "session",
    "registration",
    "person",
    "member",
    "attributes",
    "payload",
    "event",
    "note",
    "memo",
    "access",
    "entry",
    "item",
    "post",
    "article",
    "signup",
    "body",
    "input",
    "record",
    "profile",
    "message",
    "doc",
    "security",
];

/// Parts of paths behind which something is lost.
pub(crate) const DANGER: &[&str] = &[
    "resetdb",
    "reset",
    "createdb",
    "initdb",
    "dropdb",
    "droptable",
    "drop",
    "seed",
    "populate",
    "wipe",
    "truncate",
    "flush",
    "purge",
    "clearall",
    "cleardb",
    "logout",
    "signout",
    "logoff",
    "shutdown",
    "restart",
    "reboot",
    "migrate",
    "rollback",
    "deleteall",
    "removeall",
    "selfdestruct",
    "unsubscribe",
    "deactivate",
    "revoke",
    "forgot",
    "install",
];

/// `Sign_Up` and `sign-up` are `signup`.
pub(crate) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' ' | '.'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The place of a name in a list.
pub(crate) fn rank(name: &str, list: &[&str]) -> Option<usize> {
    let name = plain(name);
    list.iter().position(|one| *one == name)
}
