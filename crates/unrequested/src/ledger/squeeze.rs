//! Large uploads are one byte repeated; the ledger keeps them as that.

use std::borrow::Cow;

const SMALL: usize = 64 * 1024;
const RUN: usize = 1024;

/// The bytes for the `blob` table and their form: 0 as they are, 1 as pieces `(length, literal bytes, count, byte)`.
pub(super) fn squeeze(bytes: &[u8]) -> (u8, Cow<'_, [u8]>) {
    if bytes.len() <= SMALL {
        return (0, Cow::Borrowed(bytes));
    }
    let mut out = Vec::new();
    let (mut literal, mut at) = (0, 0);
    while at < bytes.len() {
        let run = bytes[at..]
            .iter()
            .take_while(|byte| **byte == bytes[at])
            .count();
        if run >= RUN {
            piece(&mut out, &bytes[literal..at], run as u64, bytes[at]);
            literal = at + run;
        }
        at += run;
    }
    piece(&mut out, &bytes[literal..], 0, 0);
    if out.len() < bytes.len() {
        (1, Cow::Owned(out))
    } else {
        (0, Cow::Borrowed(bytes))
    }
}

fn piece(out: &mut Vec<u8>, literal: &[u8], count: u64, byte: u8) {
    out.extend_from_slice(&(literal.len() as u64).to_le_bytes());
    out.extend_from_slice(literal);
    out.extend_from_slice(&count.to_le_bytes());
    out.push(byte);
}

/// The bytes as they were.
pub(super) fn expand(form: u8, bytes: Vec<u8>) -> Vec<u8> {
    if form == 0 {
        return bytes;
    }
    let mut out = Vec::new();
    let mut rest = bytes.as_slice();
    let number = |rest: &mut &[u8]| {
        let (eight, after) = rest.split_first_chunk::<8>()?;
        *rest = after;
        Some(u64::from_le_bytes(*eight) as usize)
    };
    while let Some(length) = number(&mut rest) {
        if length > rest.len() {
            break;
        }
        out.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
        let (Some(count), Some((byte, after))) = (number(&mut rest), rest.split_first()) else {
            break;
        };
        out.extend(std::iter::repeat_n(*byte, count));
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let mut large = b"head\r\n\r\n".to_vec();
        large.extend(vec![b'x'; 6 << 20]);
        large.extend_from_slice(b"\r\n--end--");
        let noise: Vec<u8> = (0..200_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        for bytes in [Vec::new(), b"small".to_vec(), large.clone(), noise] {
            let (form, squeezed) = squeeze(&bytes);
            let squeezed = squeezed.into_owned();
            assert_eq!(expand(form, squeezed), bytes);
        }
        assert!(squeeze(&large).1.len() < 200);
    }
}
