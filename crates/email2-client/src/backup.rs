//! The recovery kit: all secret keys as a text that can be printed, locked by a passphrase that
//! is kept apart from it (spec §6.12).

use std::fmt::Write as _;

use email2::address::Address;
use email2::secret::{SecretKey, SecretKeyError, armored};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// Why there is no kit, or it does not open.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The text holds no key. Sysexits 65.
    #[error("this is no recovery kit: it holds no secret key")]
    NoKit,
    /// The key cannot be locked or opened. Sysexits 65, or 77 for a wrong passphrase.
    #[error("the recovery kit does not open: {0}")]
    Secret(#[from] SecretKeyError),
}

/// A kit: two texts for two places.
pub struct Kit {
    /// To be printed: useless without the passphrase.
    pub text: String,
    /// The passphrase, eight groups of four characters.
    pub passphrase: Zeroizing<String>,
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kit(redacted)")
    }
}

/// Digits and letters that nobody mistakes for others: 5 bits each.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Groups of the passphrase, and characters of a group: 160 bits.
const GROUPS: (usize, usize) = (8, 4);
const BEGIN: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";
const END: &str = "-----END PGP PRIVATE KEY BLOCK-----";

/// Makes the kit of a key and of those that it replaced.
///
/// # Errors
/// [`BackupError::Secret`].
pub fn make(
    key: &SecretKey,
    address: &Address,
    date: &str,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Kit, BackupError> {
    let passphrase = passphrase(rng);
    let normal = normal(&passphrase);
    let mut text = heading(key, address, date);
    for key in std::iter::once(key).chain(key.former()) {
        text += &armored(&key.lock(normal.as_bytes(), rng)?);
    }
    Ok(Kit { text, passphrase })
}

fn heading(key: &SecretKey, address: &Address, date: &str) -> String {
    let mut text = String::from("EMAIL2 RECOVERY KIT\n\n");
    let fingerprint = key.certificate().primary();
    let _ = write!(
        text,
        "Address:     {address}\nPrimary key: {fingerprint}\nMade:        {date}\n\n\
         This is your secret key, locked. Keep it on paper or on a medium in a drawer, and\n\
         its passphrase in another place: who has both can read and write mail as you.\n\n\
         On a new device, with a one-time code of your administrator (email2d user invite):\n\
         \x20 email2 setup {address} --restore THIS-FILE\n\
         On a device that lost its key:\n\
         \x20 email2 key restore THIS-FILE\n\n"
    );
    text
}

/// Opens a kit, printed and typed or as the file it was: the newest key, with those that it
/// replaced.
///
/// # Errors
/// See [`BackupError`].
pub fn open(text: &[u8], passphrase: &str) -> Result<SecretKey, BackupError> {
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    let normal = normal(passphrase);
    let mut keys = Vec::new();
    for block in blocks(&text) {
        keys.push(SecretKey::unlock(
            block.as_bytes(),
            Some(normal.as_bytes()),
        )?);
    }
    let mut keys = keys.into_iter();
    let newest = keys.next().ok_or(BackupError::NoKit)?;
    Ok(newest.with_former(keys.collect()))
}

fn blocks(text: &str) -> Vec<String> {
    let pieces = text.split(BEGIN).skip(1);
    pieces
        .filter_map(|piece| piece.split_once(END))
        .map(|(inner, _)| format!("{BEGIN}{inner}{END}\n"))
        .collect()
}

fn passphrase(rng: &mut (impl CryptoRng + RngCore)) -> Zeroizing<String> {
    let (groups, length) = GROUPS;
    let mut octets = Zeroizing::new(vec![0; groups * length]);
    rng.fill_bytes(&mut octets);
    let mut text = Zeroizing::new(String::with_capacity(groups * (length + 1)));
    for (at, octet) in octets.iter().enumerate() {
        if at > 0 && at % length == 0 {
            text.push('-');
        }
        // 256 is a multiple of 32: no character is likelier than another.
        let symbol = ALPHABET.get(usize::from(octet % 32)).copied();
        text.push(char::from(symbol.unwrap_or(b'0')));
    }
    text
}

/// As it is typed: in any case, with or without dashes, O for 0, I and L for 1.
fn normal(passphrase: &str) -> Zeroizing<String> {
    let symbols = passphrase.chars().filter(|c| c.is_ascii_alphanumeric());
    let symbols = symbols.map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    Zeroizing::new(symbols.collect())
}

#[cfg(test)]
mod tests {
    use email2::Identity;
    use email2::certificate::generate::generate;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_kit_that_was_typed_from_paper_opens() {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
        let bob = Address::parse("bob@example.org").unwrap();
        let who = Identity::Address(bob.clone());
        let old = generate(&who, 1_764_000_000, &mut rng).unwrap();
        let key = generate(&who, 1_764_000_100, &mut rng).unwrap();
        let key = key.with_former(vec![old.clone()]);
        let kit = make(&key, &bob, "2026-11-26", &mut rng).unwrap();
        assert_eq!(kit.passphrase.len(), 39);
        assert!(kit.text.lines().all(|line| line.len() <= 90), "printable");
        let typed = kit
            .passphrase
            .replace('-', " ")
            .to_lowercase()
            .replace('0', "o");
        let paper = kit.text.replace('\n', "\r\n");
        let opened = open(paper.as_bytes(), &typed).unwrap();
        assert_eq!(opened.to_octets(), key.to_octets());
        assert_eq!(opened.former()[0].to_octets(), old.to_octets());
        let wrong = open(kit.text.as_bytes(), "ABCD").map(|_| ()).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "the recovery kit does not open: wrong passphrase"
        );
        let none = open(b"a shopping list", "ABCD").map(|_| ()).unwrap_err();
        assert!(matches!(none, BackupError::NoKit));
    }
}
