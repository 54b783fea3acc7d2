//! The bindings that the tests serve under.

use model::Binding;

/// The study's contract.
pub fn contract() -> Binding {
    toml::from_str(include_str!("../../../study/contract.toml")).expect("a test reads this file")
}

/// The same app offered otherwise: nothing but the capabilities is shared with the contract.
pub fn other_binding() -> Binding {
    toml::from_str(include_str!("../other.toml")).expect("a test reads this file")
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
