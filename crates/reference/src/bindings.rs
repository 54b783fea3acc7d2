//! The bindings that the tests serve under.

use model::binding::Scheme;
use model::{Binding, Capability};
use serde_json::Value;

/// The study's contract.
pub fn contract() -> Binding {
    toml::from_str(include_str!("../../../study/contract.toml")).expect("a test reads this file")
}

/// The same app offered otherwise: nothing but the capabilities is shared with the contract.
pub fn other_binding() -> Binding {
    toml::from_str(include_str!("../other.toml")).expect("a test reads this file")
}

/// The other one with all that a binding can say besides: further fields, successes that lead on, other words for roles,
/// events signed with their time.
pub fn demanding_binding() -> Binding {
    let mut binding = other_binding();
    if let Some(register) = binding.routes.get_mut(&Capability::Register) {
        register.redirects = true;
        register.also = [
            ("/user/name", "n{unique}".into()),
            ("/user/credentials/repeated", "{password}".into()),
            ("/terms", true.into()),
        ]
        .map(|(field, value): (&str, Value)| (field.to_owned(), value))
        .into();
    }
    if let Some(login) = binding.routes.get_mut(&Capability::Login) {
        login.redirects = true;
    }
    binding.roles = [("admin", "ADMIN"), ("user", "MEMBER")]
        .map(|(role, word)| (role.to_owned(), word.into()))
        .into();
    binding.signature.prefix.clear();
    binding.signature.scheme = Scheme::Stripe;
    binding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_whole_and_share_no_route() {
        let (one, other) = (contract(), other_binding());
        assert!(
            model::Capability::ALL
                .iter()
                .all(|c| one.route(*c).is_some() && other.route(*c).is_some())
        );
        for (capability, route) in &one.routes {
            assert_ne!(route.path, other.routes[capability].path);
        }
    }
}
