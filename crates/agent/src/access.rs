//! What every agent's process is given, and the dummies that it has in the place of a key or token.

use std::ffi::OsString;

/// What an agent has in the place of a key. Every command that its model runs can see it.
pub const DUMMY_KEY: &str = "sk-unrequested-dummy";

/// The same for an agent that is to sign in with a subscription; in the form that its own tokens have.
pub const DUMMY_TOKEN: &str = "sk-ant-oat01-unrequested-dummy";

/// What every agent's process has.
pub(crate) fn environment(step: &crate::Step<'_>) -> Vec<(OsString, OsString)> {
    vec![
        ("PATH".into(), step.path.into()),
        ("HOME".into(), step.home().into()),
        ("TMPDIR".into(), step.root.join("tmp").into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("TERM".into(), "dumb".into()),
    ]
}
