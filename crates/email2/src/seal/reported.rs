//! The seals that a report contains: those of the message that it is about (spec §4.13.2).

use super::Seal;
use crate::capability::SEAL_FIELD;
use crate::limits;

/// The seals that stand in `body` as header fields, of the first 8 that look like one
/// (spec §4.13.4). Nothing but their grammar is checked, and not where they stand: what a seal
/// proves, it proves anywhere.
///
/// `body` is the beginning of a report's body.
pub fn reported(body: &[u8]) -> Vec<Seal> {
    let fields = fields(body);
    let seals = fields.iter().filter_map(|value| Seal::parse(value).ok());
    seals.collect()
}

/// The values of the fields that may be seals, folds kept.
fn fields(body: &[u8]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut inside = false;
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        if let Some(value) = value_of(line) {
            inside = found.len() < limits::SEALS;
            if inside {
                found.push(value.to_vec());
            }
        } else if inside
            && matches!(line.first(), Some(b' ' | b'\t'))
            && let Some(value) = found.last_mut()
        {
            value.extend_from_slice(line);
        } else {
            inside = false;
        }
    }
    found
}

/// What stands behind the colon of a seal's first line.
fn value_of(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at_checked(SEAL_FIELD.len())?;
    let is_seal = name.eq_ignore_ascii_case(SEAL_FIELD.as_bytes());
    value.strip_prefix(b":").filter(|_| is_seal)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::address::{Identity, ReversePath};
    use crate::certificate::generate::generate;
    use crate::seal::{Nonce, Role, SealRequest, sign};

    #[test]
    fn a_seal_is_found_among_other_lines() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let alice: Identity = "alice@example.com".parse().unwrap();
        let key = generate(&alice, 1_764_000_000, &mut rng).unwrap();
        let request = SealRequest {
            role: Role::Author,
            signer: alice,
            reverse_path: ReversePath::parse("alice@example.com").unwrap(),
            recipients: vec!["bob@example.org".parse().unwrap()],
            created: 1_764_000_000,
            expires: 1_764_000_100,
            nonce: Nonce::random(&mut rng),
            digest: [7; 32],
        };
        let seal = sign(&request, &key, &mut rng).unwrap();
        let field = seal.field();
        let body = format!(
            "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{field}Email2-Seal: v=1; nonsense\r\n\
             From: alice@example.com\r\n folded\r\n--b--\r\n"
        );
        assert_eq!(reported(body.as_bytes()), [seal]);
        assert!(reported(field.replace("Email2", "Email3").as_bytes()).is_empty());
        assert_eq!(reported(field.repeat(20).as_bytes()).len(), limits::SEALS);
    }
}
