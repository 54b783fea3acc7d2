//! A file with a binding, and the requests it makes: an input is found again where the binding says it goes.
#![no_main]

use exploit::{Auth, Call, FilePart};
use libfuzzer_sys::fuzz_target;
use model::{Body, Capability};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(binding) = exploit::parse_binding(text) else {
        return;
    };
    assert_eq!(binding.version, 1);
    let again = toml::to_string(&binding).expect("what was read can be written");
    assert_eq!(
        exploit::parse_binding(&again).expect("and read again"),
        binding
    );

    for capability in Capability::ALL {
        let mut call = Call::new(capability)
            .auth(Auth::Token("a-token".into()))
            .id("17");
        for name in capability.inputs() {
            call = call.input(name, format!("the {name} & more"));
        }
        call = call.file(FilePart {
            name: b"a.txt".to_vec(),
            content_type: "text/plain".into(),
            bytes: b"a file".to_vec(),
        });
        let Some(route) = binding.route(capability) else {
            assert!(exploit::fuzz::bytes(&call, &binding).is_none());
            continue;
        };
        let bytes = exploit::fuzz::bytes(&call, &binding).expect("there is such a route");
        assert!(bytes.starts_with(route.method.as_bytes()));
        assert!(bytes.windows(7).any(|seven| seven == b"a-token"));
        if route.body != Body::Json {
            continue;
        }
        let object = exploit::fuzz::object(&call, route);
        let pointers: Vec<String> = capability
            .inputs()
            .iter()
            .map(|name| format!("/{}", route.field(name).trim_start_matches('/')))
            .collect();
        // One that lies inside another's value has no place.
        let apart = |one: &String| {
            let below = format!("{one}/");
            let clash = |other: &&String| {
                **other == *one
                    || other.starts_with(&below)
                    || one.starts_with(&format!("{other}/"))
            };
            pointers.iter().filter(clash).count() == 1
        };
        for (name, pointer) in capability.inputs().iter().zip(&pointers) {
            if pointers.iter().all(apart) {
                let found = object.pointer(pointer).map(exploit::fuzz::text);
                assert_eq!(
                    found,
                    Some(format!("the {name} & more")),
                    "{pointer} in {object}"
                );
            }
        }
    }
});
