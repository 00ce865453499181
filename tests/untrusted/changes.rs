//! Every single-byte change of a text.

/// What a byte is replaced by: everything that means something to a reader, and nothing anywhere.
const NASTY: &[u8] = b"\"\\{}[],.-09\n\0\xff";

/// Every single-byte change: each byte deleted, doubled, replaced, each of its bits flipped, and each nasty byte put before it.
pub fn changes(bytes: &[u8], insert: bool, see: &mut dyn FnMut(&[u8], &str)) {
    let mut changed = Vec::with_capacity(bytes.len() + 1);
    let mut with = |at: usize, new: &[u8], kept: usize, what: &str| {
        changed.clear();
        changed.extend_from_slice(&bytes[..at]);
        changed.extend_from_slice(new);
        changed.extend_from_slice(&bytes[kept..]);
        see(&changed, what);
    };
    for (at, byte) in bytes.iter().enumerate() {
        with(at, &[], at + 1, "deleted");
        with(at, &[*byte, *byte], at + 1, "doubled");
        for new in NASTY.iter().filter(|new| *new != byte) {
            with(at, &[*new], at + 1, "replaced");
            if insert {
                with(at, &[*new], at, "inserted");
            }
        }
        for bit in 0..8 {
            with(at, &[byte ^ (1 << bit)], at + 1, "flipped");
        }
    }
}
