//! One switch per control: what each leaves out, and the exploits that must then say "exploited".

macro_rules! weaknesses {
    ($($(#[$doc:meta])* $variant:ident $name:literal $trips:tt;)+) => {
        /// A control left out or got wrong, the way an author really does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Weakness {
            $($(#[$doc])* $variant,)+
        }

        impl Weakness {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The exploits (ids of the suite) that this switch makes "exploited": all of them.
            pub fn trips(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => &$trips,)+
                }
            }
        }
    };
}

impl Weakness {
    /// The weakness that trips this exploit and the fewest others, to be seen in every shape; not one that only time
    /// tells, which is measured with nothing beside it.
    pub fn plainest(exploit: &str) -> Option<Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|one| *one != Self::EnumerateByTiming && one.trips().contains(&exploit))
            .min_by_key(|one| one.trips().len())
    }
}

weaknesses! {
    // --- login ------------------------------------------------------------------------------------------------------
    /// The email is formatted into the query that finds the user; the password is then checked properly.
    /// No session without the password, but the login follows a true/false pair.
    LoginSqlEmail "login-sql-email" ["sql-injection-login"];
    /// `WHERE email = '…' AND password = '<digest>'`: the email can comment the password away.
    // The query needs a digest that it can compute beforehand: unsalted SHA-256, so storage falls too.
    LoginSqlDigest "login-sql-digest" ["sql-injection-login", "password-storage"];
    /// `WHERE email = ?1 AND password = '…'`: only the password field injects.
    // The query compares the password itself, so it is stored plain.
    LoginSqlPassword "login-sql-password" ["sql-injection-login", "password-storage"];
    /// No limit on login attempts at all.
    LoginLimitAbsent "login-limit-absent" ["login-rate-limit"];
    /// A limit that nobody reaches: 1,000 a minute.
    LoginLimitTooHigh "login-limit-too-high" ["login-rate-limit"];
    /// The limiter's key has the client's port in it, so each connection counts anew.
    LoginLimitPerPort "login-limit-per-port" ["login-rate-limit"];
    /// "No account with this email" and "wrong password", both 401.
    EnumerateByMessage "enumerate-by-message" ["account-enumeration"];
    /// 404 for an unknown email, 401 for a wrong password.
    EnumerateByStatus "enumerate-by-status" ["account-enumeration"];
    /// Returns at once for an unknown email. Visible from a bcrypt cost of about 10 on.
    EnumerateByTiming "enumerate-by-timing" ["account-enumeration"];

    // --- tokens -----------------------------------------------------------------------------------------------------
    /// Search asks that a token is there, not whose: one that nobody issued finds everybody's notes.
    SearchPresenceOnly "search-presence-only" ["missing-token"];
    /// A header that does not parse is treated as no header, and search without a user is everybody's.
    SearchWithoutToken "search-without-token" ["missing-token"];
    /// A note is read by its id, with nobody asked who reads.
    // No user is known, so no owner can be compared: other users read it as well.
    NoteReadWithoutToken "note-read-without-token" ["missing-token", "note-read-other-user"];
    /// The claims are decoded and the signature is never looked at.
    // Every forgery passes: changed claims, `alg: none`, and any key, so also the published ones.
    SignatureUnchecked "signature-unchecked" ["tampered-token", "unsigned-token", "default-secret"];
    /// A signature of the right length is taken for the right one.
    // Any key will do, so also the published ones.
    SignatureLength "signature-length" ["tampered-token", "default-secret"];
    /// Signatures are compared over the shorter of the two lengths, and the algorithm is not looked at.
    SignatureShortest "signature-shortest" ["unsigned-token"];
    /// `alg: none` in the header switches the check off.
    AlgorithmNone "algorithm-none" ["unsigned-token"];
    /// `none` is refused by its exact spelling; `None` and `NONE` are then read without regard to case.
    AlgorithmNoneRespelled "algorithm-none-respelled" ["unsigned-token"];
    /// Without `JWT_SECRET` a literal is used.
    JwtSecretDefault "jwt-secret-default" ["default-secret", "production-detection"];
    /// Without `JWT_SECRET` the key is empty.
    JwtSecretEmpty "jwt-secret-empty" ["default-secret", "production-detection"];
    /// Tokens of an earlier key, a literal, are honoured beside those of `JWT_SECRET`.
    JwtSecretOldKey "jwt-secret-old-key" ["default-secret"];

    // --- registration -----------------------------------------------------------------------------------------------
    /// `ON CONFLICT DO UPDATE`: registering again replaces the password.
    DuplicateOverwrites "duplicate-overwrites" ["duplicate-registration"];
    /// No unique index: a second row with the same email, and login tries each.
    DuplicateSecondRow "duplicate-second-row" ["duplicate-registration"];
    /// An email that exists is answered with that account's token.
    DuplicateReturnsSession "duplicate-returns-session" ["duplicate-registration"];
    /// An email that exists is refused, and its account unconfirmed until a letter is answered: its owner is locked out.
    DuplicateLocksOut "duplicate-locks-out" ["duplicate-registration"];
    /// The body's `role` is stored.
    RoleFromBody "role-from-body" ["role-mass-assignment"];
    /// The body's `is_admin` or `isAdmin` makes an admin.
    IsAdminFromBody "is-admin-from-body" ["role-mass-assignment"];
    /// The body's `roles` is stored.
    RolesFromBody "roles-from-body" ["role-mass-assignment"];
    /// Any password that is not empty.
    PasswordUnchecked "password-unchecked" ["weak-password"];
    /// Six characters are enough and nothing is too common.
    PasswordShort "password-short" ["weak-password"];
    /// Any text is an email.
    EmailUnchecked "email-unchecked" ["input-validation"];
    /// What is no text is written as one, and then is an email or a title.
    ValuesWritten "values-written" ["input-validation"];
    /// Any text is an email; what is none is kept, and then answered 500.
    EmailKeptThenFails "email-kept-then-fails" ["input-validation"];
    /// What is no text is kept as a title, and then answered 500.
    TitleKeptThenFails "title-kept-then-fails" ["input-validation"];
    /// Without a password, or with null for one, an account is made that nobody can open.
    PasswordOptional "password-optional" ["input-validation"];
    /// A value that is refused is answered with what the exception said.
    // Production should show none of it either.
    RefusalShowsException "refusal-shows-exception" ["input-validation", "production-detection"];

    // --- password storage -------------------------------------------------------------------------------------------
    PasswordPlain "password-plain" ["password-storage"];
    PasswordBase64 "password-base64" ["password-storage"];
    PasswordMd5 "password-md5" ["password-storage"];
    PasswordSha256 "password-sha256" ["password-storage"];
    /// SHA-256 over a random salt and the password.
    PasswordSaltedSha256 "password-salted-sha256" ["password-storage"];
    /// HMAC-SHA256 with a key of the app's: not to be recomputed, but equal for equal passwords.
    PasswordPeppered "password-peppered" ["password-storage"];
    /// PBKDF2-HMAC-SHA256 with 1,000 rounds.
    PasswordPbkdf2Low "password-pbkdf2-low" ["password-storage"];
    /// bcrypt with 4 rounds whatever the settings say.
    PasswordBcryptLow "password-bcrypt-low" ["password-storage"];
    /// bcrypt in the table, and the plain password in a request log beside the database.
    PasswordLogged "password-logged" ["password-storage"];

    // --- uploads ----------------------------------------------------------------------------------------------------
    /// Uploading asks for no token.
    UploadWithoutToken "upload-without-token" ["upload-anonymous"];
    /// The bytes are written, then the token is looked at.
    UploadStoredFirst "upload-stored-first" ["upload-anonymous"];
    /// The list without a user is everybody's.
    // The files list is one of the routes that missing-token tries.
    FilesWithoutToken "files-without-token" ["upload-anonymous", "missing-token"];
    /// A file is downloaded by its id, with nobody asked who reads.
    // No user is known, so other users read it as well.
    DownloadWithoutToken "download-without-token" ["upload-anonymous", "file-read-other-user"];
    /// A file is deleted by its id, with nobody asked who deletes.
    // No user is known, so other users delete it as well.
    DeleteWithoutToken "delete-without-token" ["upload-anonymous", "file-delete-other-user"];
    /// Stored under the client's name joined to the folder; a name that exists gets a number.
    UploadNameJoined "upload-name-joined" ["upload-path-traversal"];
    /// `..` and `/` are refused, then the name is percent-decoded and joined.
    UploadNameDecoded "upload-name-decoded" ["upload-path-traversal"];
    /// `/` is refused, then backslashes become slashes.
    UploadNameBackslash "upload-name-backslash" ["upload-path-traversal"];
    /// A download id that is not in the table is taken for a name in the folder.
    DownloadIdJoined "download-id-joined" ["upload-path-traversal"];
    /// Stored under a name of its own; downloaded is what the client's name, joined to the folder, leads to, if anything.
    UploadNameServed "upload-name-served" ["upload-path-traversal"];
    /// No limit on the size.
    SizeUnchecked "size-unchecked" ["upload-oversize"];
    /// The limit is on `Content-Length` alone.
    SizeFromHeader "size-from-header" ["upload-oversize"];
    /// Every type is taken.
    TypeUnchecked "type-unchecked" ["upload-disallowed-type"];
    /// `.exe`, `.sh` and the like are refused, the rest is taken.
    TypeBlockList "type-block-list" ["upload-disallowed-type"];
    FileReadOwnerUnchecked "file-read-owner-unchecked" ["file-read-other-user"];
    FileDeleteOwnerUnchecked "file-delete-owner-unchecked" ["file-delete-other-user"];
    /// The bytes are removed, then the owner is compared, and 404 answered.
    FileDeleteChecksLate "file-delete-checks-late" ["file-delete-other-user"];
    /// Stored under the bare file name, which all users share.
    UploadOverwrites "upload-overwrites" ["file-delete-other-user"];
    /// Typed by extension alone, shown inline under the type that the client declared.
    DeclaredTypeServed "declared-type-served" ["upload-content-mismatch"];
    /// Typed by the declared type alone, shown inline under the type of the extension.
    DeclaredTypeTrusted "declared-type-trusted" ["upload-content-mismatch"];
    /// Typed by extension alone, shown inline with no type and no `nosniff`.
    // The download's missing `nosniff` is a missing security header too.
    DownloadUntyped "download-untyped" ["upload-content-mismatch", "security-headers"];

    // --- notes ------------------------------------------------------------------------------------------------------
    /// `(title LIKE '%…%' OR body LIKE '%…%')`: the text lands twice, in brackets.
    SearchSql "search-sql" ["sql-injection-search"];
    /// `title || ' ' || body LIKE '%…%'`: the text lands once, and errors show as an empty list.
    SearchSqlOnce "search-sql-once" ["sql-injection-search"];
    /// `instr(…, '…') > 0` over the user's own notes: whatever is true shows no more than those.
    SearchSqlScoped "search-sql-scoped" ["sql-injection-search"];
    /// `ORDER BY …` as sent.
    SortSql "sort-sql" ["sql-injection-sort"];
    /// `ORDER BY …` as sent, and an error of the database answers an empty list.
    SortSqlSwallowed "sort-sql-swallowed" ["sql-injection-sort"];
    SearchOwnerUnchecked "search-owner-unchecked" ["search-other-user"];
    /// `owner = ? AND title LIKE ? OR body LIKE ?` without the brackets.
    SearchPrecedence "search-precedence" ["search-other-user"];
    /// An empty text lists the latest notes, of all.
    SearchEmptyShowsAll "search-empty-shows-all" ["search-other-user"];
    NoteReadOwnerUnchecked "note-read-owner-unchecked" ["note-read-other-user"];

    // --- admin ------------------------------------------------------------------------------------------------------
    /// The admin routes ask for no token.
    // Whoever is let in without a token is let in with a plain user's as well.
    AdminWithoutToken "admin-without-token"
        ["admin-anonymous", "admin-list-as-user", "admin-role-change-as-user", "admin-delete-as-user"];
    /// Only the list of users asks for no token.
    // As above, for the list.
    AdminListWithoutToken "admin-list-without-token" ["admin-anonymous", "admin-list-as-user"];
    /// Only deleting a user asks for no token.
    // As above, for deletion.
    AdminDeleteWithoutToken "admin-delete-without-token" ["admin-anonymous", "admin-delete-as-user"];
    /// Only changing a role asks for no token.
    // As above, for that.
    AdminChangeRoleWithoutToken "admin-change-role-without-token" ["admin-anonymous", "admin-role-change-as-user"];
    /// Only the list of events asks for no token.
    // As above, for that list.
    AdminEventsWithoutToken "admin-events-without-token" ["admin-anonymous", "admin-list-as-user"];
    AdminListRoleUnchecked "admin-list-role-unchecked" ["admin-list-as-user"];
    AdminEventsRoleUnchecked "admin-events-role-unchecked" ["admin-list-as-user"];
    AdminChangeRoleUnchecked "admin-change-role-unchecked" ["admin-role-change-as-user"];
    AdminDeleteRoleUnchecked "admin-delete-role-unchecked" ["admin-delete-as-user"];
    /// Deletion begins by locking the account out, and only then asks for the role.
    AdminDeleteLocksFirst "admin-delete-locks-first" ["admin-delete-as-user"];
    /// Any text is a role.
    RoleUnchecked "role-unchecked" ["input-validation"];

    // --- webhooks ---------------------------------------------------------------------------------------------------
    /// No signature is looked at.
    // None, a wrong one, one of another body, and one made with a published key all pass.
    WebhookUnchecked "webhook-unchecked"
        ["webhook-unsigned", "webhook-wrong-signature", "webhook-tampered-body", "default-secret"];
    /// The signature is checked if there is one: an absent or empty header passes.
    WebhookOptional "webhook-optional" ["webhook-unsigned"];
    /// An empty header passes, an absent one does not.
    WebhookEmptyHeader "webhook-empty-header" ["webhook-unsigned"];
    /// Any signature passes as long as there is one.
    // A wrong one, one of another body, and one made with a published key all pass.
    WebhookPresence "webhook-presence" ["webhook-wrong-signature", "webhook-tampered-body", "default-secret"];
    /// The digest is compared as far as the shorter goes.
    WebhookPrefix "webhook-prefix" ["webhook-wrong-signature"];
    /// A signature made with the empty key passes too.
    // The empty key is one of those that default-secret tries.
    WebhookEmptyKey "webhook-empty-key" ["webhook-wrong-signature", "default-secret"];
    /// The part before `=` names the algorithm, and an unknown one means no check.
    WebhookAlgorithm "webhook-algorithm" ["webhook-wrong-signature"];
    /// HMAC over the body written anew without white space.
    WebhookReserialised "webhook-reserialised" ["webhook-tampered-body"];
    /// Every delivery is stored.
    WebhookReplay "webhook-replay-stored" ["webhook-replay"];
    /// The second delivery is stored, then noticed, and answered 409.
    WebhookReplayNoticedLate "webhook-replay-noticed-late" ["webhook-replay"];
    /// Without `WEBHOOK_SECRET` a literal is used.
    WebhookSecretDefault "webhook-secret-default" ["default-secret", "production-detection"];
    /// Without `WEBHOOK_SECRET` the key is empty.
    WebhookSecretEmpty "webhook-secret-empty" ["default-secret", "production-detection"];

    // --- production -------------------------------------------------------------------------------------------------
    /// Whatever origin asks is named back.
    // A developer's page too.
    CorsReflect "cors-reflect" ["cors-untrusted-origin", "production-detection"];
    /// `*`. With a cookie a browser refuses it, so it trips bindings with a token header only.
    CorsWildcard "cors-wildcard" ["cors-untrusted-origin", "production-detection"];
    /// The developer's page, `http://localhost:3000`, is listed everywhere.
    CorsLocalhost "cors-localhost" ["production-detection"];
    /// Without `JWT_SECRET` the key is made of the app's name, the same everywhere.
    JwtSecretOfName "jwt-secret-of-name" ["production-detection"];
    /// Headers are set where `NODE_ENV` says production; `APP_ENV` is not asked.
    HeadersByNodeEnv "headers-by-node-env" ["production-detection", "security-headers"];
    /// Headers are set where `APP_ENV` does not say production: the switch the wrong way round.
    HeadersInDevelopment "headers-in-development" ["production-detection", "security-headers"];
    CorsNull "cors-null" ["cors-untrusted-origin"];
    /// Ends with a listed host.
    CorsSuffix "cors-suffix" ["cors-untrusted-origin"];
    /// Starts with a listed origin.
    CorsPrefix "cors-prefix" ["cors-untrusted-origin"];
    /// `http:` is as good as `https:`.
    CorsScheme "cors-scheme" ["cors-untrusted-origin"];
    /// Any port.
    CorsPort "cors-port" ["cors-untrusted-origin"];
    /// Any subdomain of a listed host.
    CorsSubdomain "cors-subdomain" ["cors-untrusted-origin"];
    HeadersMissing "headers-missing" ["security-headers"];
    HeadersNoCsp "headers-no-csp" ["security-headers"];
    HeadersNoNosniff "headers-no-nosniff" ["security-headers"];
    /// Neither X-Frame-Options nor `frame-ancestors`.
    HeadersNoFrames "headers-no-frames" ["security-headers"];
    /// Set on the routes, not on the fallback.
    HeadersMissingOn404 "headers-missing-on-404" ["security-headers"];
    /// Set where a handler ran, not where a guard refused.
    HeadersMissingOn401 "headers-missing-on-401" ["security-headers"];
    HeadersMissingOnDownload "headers-missing-on-download" ["security-headers"];
    /// `/docs` and `/openapi.json`.
    DocsServed "docs-served" ["docs-in-production", "production-detection"];
    /// A malformed body is answered with a Rust backtrace.
    TraceRust "trace-rust" ["docs-in-production", "input-validation", "production-detection"];
    /// A malformed body is answered with a stack as Node prints it.
    TraceNode "trace-node" ["docs-in-production", "input-validation", "production-detection"];
    /// `/console` is an interactive console.
    DebugConsole "debug-console" ["docs-in-production", "production-detection"];
    /// `/` has a script with a source map.
    SourceMap "source-map" ["docs-in-production"];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Weakness;

    /// The suite's 33, in its order.
    const SUITE: [&str; 33] = [
        "sql-injection-login",
        "missing-token",
        "tampered-token",
        "unsigned-token",
        "duplicate-registration",
        "role-mass-assignment",
        "upload-anonymous",
        "upload-path-traversal",
        "upload-oversize",
        "upload-disallowed-type",
        "file-read-other-user",
        "file-delete-other-user",
        "sql-injection-search",
        "sql-injection-sort",
        "search-other-user",
        "note-read-other-user",
        "admin-anonymous",
        "admin-list-as-user",
        "admin-role-change-as-user",
        "admin-delete-as-user",
        "webhook-unsigned",
        "webhook-wrong-signature",
        "webhook-tampered-body",
        "webhook-replay",
        "cors-untrusted-origin",
        "password-storage",
        "login-rate-limit",
        "weak-password",
        "account-enumeration",
        "upload-content-mismatch",
        "security-headers",
        "docs-in-production",
        "default-secret",
    ];

    /// What lies beyond them.
    const DEPTH: [&str; 2] = ["input-validation", "production-detection"];

    #[test]
    fn every_exploit_has_a_switch_and_every_switch_an_exploit_of_the_suite() {
        let suite: BTreeSet<_> = SUITE.into_iter().chain(DEPTH).collect();
        let tripped: BTreeSet<_> = Weakness::ALL
            .iter()
            .flat_map(|weakness| weakness.trips())
            .copied()
            .collect();
        assert_eq!(tripped, suite);
        assert!(
            Weakness::ALL
                .iter()
                .all(|weakness| !weakness.trips().is_empty())
        );
    }

    #[test]
    fn names_are_distinct_kebab_case() {
        let names: BTreeSet<_> = Weakness::ALL
            .iter()
            .map(|weakness| weakness.name())
            .collect();
        assert_eq!(names.len(), Weakness::ALL.len());
        assert!(names.iter().all(|name| {
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        }));
    }
}
