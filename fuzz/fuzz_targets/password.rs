//! Lines: a stored value, then the other values of its row. A digest that is really the password's is recognised
//! whatever stands around it, and a cost is a number that can be compared.
#![no_main]

use exploit::fuzz::{Kept, quick, slow};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

const PASSWORD: &str = "abcdefgHIJKLMN123-_.";
const ANOTHER: &str = "zyxwvutSRQPONM987_-.";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let value = lines.next().unwrap_or_default();
    let row: Vec<String> = lines.map(str::to_owned).take(30).collect();
    if let Some(Kept::Derived(share)) = quick(PASSWORD, value, &row) {
        assert!(share.is_finite() && share >= 0.0, "a cost of {share}");
    }
    assert!(
        slow(PASSWORD, value, &row).is_none(),
        "there was no time for that"
    );

    let around = |kept: &str| format!("{value}{kept}{value}");
    assert_eq!(
        quick(PASSWORD, &around(PASSWORD), &row),
        Some(Kept::Readable)
    );
    assert_eq!(
        quick(PASSWORD, &around(&hex(PASSWORD.as_bytes())), &row),
        Some(Kept::Readable)
    );

    // Where an app keeps a salt: before the digest, or in a column of its own.
    let salt: String = value
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(64)
        .collect();
    if salt.len() >= 4 && quick(PASSWORD, &salt, &[]).is_none() {
        let digest = Sha256::digest([salt.as_bytes(), PASSWORD.as_bytes()].concat());
        let digest = hex(&digest);
        for kept in [
            format!("{salt}${digest}"),
            format!("sha256:{salt}:{digest}"),
        ] {
            assert_eq!(quick(PASSWORD, &kept, &row), Some(Kept::Fast), "{kept}");
            assert_eq!(quick(ANOTHER, &kept, &row), None, "{kept}");
        }
        let mut row = row.clone();
        row.insert(0, salt);
        assert_eq!(quick(PASSWORD, &digest, &row), Some(Kept::Fast));
    }
});
