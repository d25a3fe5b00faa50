//! One pair of keys after another: a new one waits until its records stand in the DNS, the one
//! before it stays until it is dropped, for mail that is under way.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use email2::address::Domain;
use rand_core::{CryptoRng, RngCore};

use super::{DkimKeyError, DkimRecord, ED25519, Keys, file, file_error, make, selectors, write};
use crate::service_key;

/// What the names of the files end in.
const SUFFIX: &str = ".dkim";

/// What a pair does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has signed, and others may still look for its records.
    Old,
    /// It signs.
    Active,
    /// It will, when its records stand in the DNS.
    Waiting,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Old => "old",
            Standing::Active => "active",
            Standing::Waiting => "waiting",
        }
    }
}

/// A pair of keys that is kept for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Counted from 1.
    pub number: u32,
    /// What it does.
    pub standing: Standing,
    /// What stands in the DNS.
    pub records: Vec<DkimRecord>,
}

/// The pairs that are kept for a domain, the oldest first.
///
/// # Errors
/// See [`DkimKeyError`].
pub fn pairs(data: &Path, domain: &Domain) -> Result<Vec<Pair>, DkimKeyError> {
    let active = active(data, domain)?;
    let mut pairs = Vec::new();
    for number in numbers(data, domain)? {
        let Some(keys) = Keys::of_pair(data, domain, number)? else {
            continue;
        };
        let records = keys.signers().map(|signer| signer.record(domain));
        pairs.push(Pair {
            number,
            standing: match number {
                number if number < active => Standing::Old,
                number if number > active => Standing::Waiting,
                _ => Standing::Active,
            },
            records: records.collect::<Result<_, _>>()?,
        });
    }
    Ok(pairs)
}

/// The records of all of them; none when none were made.
///
/// # Errors
/// See [`DkimKeyError`].
pub fn published(data: &Path, domain: &Domain) -> Result<Vec<DkimRecord>, DkimKeyError> {
    let pairs = pairs(data, domain)?.into_iter();
    Ok(pairs.flat_map(|pair| pair.records).collect())
}

/// The pair that will sign next: the one that waits, else a new one.
///
/// # Errors
/// See [`DkimKeyError`].
pub fn rotate(
    data: &Path,
    domain: &Domain,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<Pair, DkimKeyError> {
    let active = active(data, domain)?;
    let newest = numbers(data, domain)?.last().copied().unwrap_or(active);
    let next = if newest > active { newest } else { active + 1 };
    make(data, domain, next, rng)?;
    let pair = pairs(data, domain)?.into_iter().next_back();
    pair.ok_or(DkimKeyError::Refused)
}

/// Has the pair that waits sign from now on; its number, `None`: none waits.
///
/// # Errors
/// See [`DkimKeyError`].
pub fn activate(data: &Path, domain: &Domain) -> Result<Option<u32>, DkimKeyError> {
    let mut pairs = pairs(data, domain)?.into_iter();
    let Some(waiting) = pairs.find(|pair| pair.standing == Standing::Waiting) else {
        return Ok(None);
    };
    // One file, written at once: a crash leaves the one pair or the other.
    write(&mark(data, domain, waiting.number), b"")?;
    Ok(Some(waiting.number))
}

/// Forgets the pairs that no longer sign: their records, which may go from the DNS.
///
/// # Errors
/// See [`DkimKeyError`].
pub fn drop_old(data: &Path, domain: &Domain) -> Result<Vec<DkimRecord>, DkimKeyError> {
    let pairs = pairs(data, domain)?.into_iter();
    let mut dropped = Vec::new();
    for pair in pairs.filter(|pair| pair.standing == Standing::Old) {
        let keys = selectors(pair.number).map(|selector| file(data, domain, &selector));
        for path in keys.into_iter().chain([mark(data, domain, pair.number)]) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(file_error(&path, error));
                }
                _ => {}
            }
        }
        dropped.extend(pair.records);
    }
    Ok(dropped)
}

/// The number of the pair that signs: the highest that is marked, the first without a mark.
pub(super) fn active(data: &Path, domain: &Domain) -> Result<u32, DkimKeyError> {
    let marked = named(data, &format!("{domain}.active"))?;
    Ok(marked.last().copied().unwrap_or(1))
}

fn mark(data: &Path, domain: &Domain, number: u32) -> PathBuf {
    service_key::folder(data).join(format!("{domain}.active{number}{SUFFIX}"))
}

/// The numbers of the pairs that have an Ed25519 key, ascending.
fn numbers(data: &Path, domain: &Domain) -> Result<Vec<u32>, DkimKeyError> {
    named(data, &format!("{domain}.{ED25519}"))
}

/// The numbers behind `prefix` in the names of files, ascending; none is 1.
fn named(data: &Path, prefix: &str) -> Result<Vec<u32>, DkimKeyError> {
    let folder = service_key::folder(data);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file_error(&folder, error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| file_error(&folder, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let rest = name.strip_prefix(prefix);
        match rest.and_then(|rest| rest.strip_suffix(SUFFIX)) {
            Some("") => numbers.push(1),
            Some(digits) => numbers.extend(digits.parse::<u32>()),
            None => {}
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::super::ensure;
    use super::*;

    fn standings(data: &Path, domain: &Domain) -> Vec<(u32, Standing)> {
        let pairs = pairs(data, domain).unwrap().into_iter();
        pairs.map(|pair| (pair.number, pair.standing)).collect()
    }

    fn signs(data: &Path, domain: &Domain) -> Vec<String> {
        let keys = Keys::read(data, domain).unwrap().unwrap();
        keys.signers()
            .map(|one| one.selector().to_owned())
            .collect()
    }

    #[test]
    fn a_new_pair_waits_signs_and_leaves_the_old_one_until_that_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (data, domain) = (folder.path(), "example.org".parse().unwrap());
        // A longer domain's files are others.
        ensure(data, &"example.org.example".parse().unwrap(), &mut OsRng).unwrap();
        ensure(data, &domain, &mut OsRng).unwrap();
        assert_eq!(activate(data, &domain).unwrap(), None);
        let next = rotate(data, &domain, &mut OsRng).unwrap();
        assert_eq!(next.standing, Standing::Waiting);
        assert_eq!(next.records[0].name, "e2ed2._domainkey.example.org");
        assert_eq!(next.records[1].name, "e2rsa2._domainkey.example.org");
        assert_eq!(rotate(data, &domain, &mut OsRng).unwrap(), next, "once");
        assert_eq!(signs(data, &domain), ["e2ed", "e2rsa"]);
        assert!(drop_old(data, &domain).unwrap().is_empty());

        assert_eq!(activate(data, &domain).unwrap(), Some(2));
        assert_eq!(signs(data, &domain), ["e2ed2", "e2rsa2"]);
        let both = [(1, Standing::Old), (2, Standing::Active)];
        assert_eq!(standings(data, &domain), both);
        assert_eq!(published(data, &domain).unwrap().len(), 4);
        let dropped = drop_old(data, &domain).unwrap();
        assert_eq!(dropped[0].name, "e2ed._domainkey.example.org");
        assert_eq!(standings(data, &domain), [(2, Standing::Active)]);

        // A third one, whose predecessor was marked itself.
        assert_eq!(rotate(data, &domain, &mut OsRng).unwrap().number, 3);
        assert_eq!(activate(data, &domain).unwrap(), Some(3));
        assert_eq!(drop_old(data, &domain).unwrap().len(), 2);
        assert_eq!(ensure(data, &domain, &mut OsRng).unwrap().len(), 2);
        assert_eq!(signs(data, &domain), ["e2ed3", "e2rsa3"]);
    }
}
