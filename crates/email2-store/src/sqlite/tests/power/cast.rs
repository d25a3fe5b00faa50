//! What all seeds have in common, made once: sealed and judged messages, the versions of a
//! certificate, and a disk with a store on it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use email2::certificate::generate::generate;
use email2::verdict::Accepted;
use email2::{Address, Etag, Identity};
use rand_core::OsRng;

use super::disk::{Image, Power, PowerDisk};
use super::expected::Letter;
use super::platter::Plan;
use crate::certificate::Version;
use crate::conformance::sealed::{Author, By};
use crate::conformance::{NOW, address};
use crate::error::StoreError;
use crate::sqlite::SqliteStore;
use crate::sqlite::disk::Ground;
use crate::{Opening, Threads};

/// Nonces; every fourth message is too large to stand in a row.
pub(crate) const LETTERS: usize = 12;

/// What a sealed message says.
fn text(letter: Letter) -> String {
    let lines = if letter.nonce.is_multiple_of(4) {
        700
    } else {
        5
    };
    let line = format!("{}\r\n", "x".repeat(50));
    format!("{letter:?}\r\n{}", line.repeat(lines))
}

/// A prepared message.
pub(crate) struct Prepared {
    pub(crate) octets: Vec<u8>,
    pub(crate) direct: Accepted,
    pub(crate) hop: Accepted,
}

pub(crate) struct Cast {
    pub(crate) letters: HashMap<(usize, usize), Prepared>,
    pub(crate) versions: Vec<Version>,
    /// A store with its accounts.
    pub(crate) image: Image,
}

pub(crate) fn owner(number: usize) -> Address {
    address(["alice@example.com", "carol@example.com"][number])
}

/// The cast.
pub(crate) fn cast() -> &'static Cast {
    static CAST: OnceLock<Cast> = OnceLock::new();
    CAST.get_or_init(|| Cast {
        letters: letters(),
        versions: versions(),
        image: image(),
    })
}

fn letters() -> HashMap<(usize, usize), Prepared> {
    let author = Author::new();
    let to = owner(0);
    let mut letters = HashMap::new();
    for (nonce, which) in (0..LETTERS).flat_map(|nonce| [(nonce, 0), (nonce, 1)]) {
        let said = text(Letter { nonce, text: which });
        let octets = author.seal(&to, u8::try_from(nonce).unwrap(), &said);
        let prepared = Prepared {
            direct: author.accepted(&to, &octets, By::Author),
            hop: author.accepted(&to, &octets, By::Hop),
            octets,
        };
        letters.insert((nonce, which), prepared);
    }
    letters
}

/// The same certificate as often as it is put again with more in it.
fn versions() -> Vec<Version> {
    let who = Identity::parse("bob@example.org").unwrap();
    let secret = generate(&who, NOW, &mut OsRng).unwrap();
    let certificate = secret.certificate();
    let version = |number: usize| Version {
        identity: who.clone(),
        primary: certificate.primary().clone(),
        keys: certificate.signing_keys(),
        etag: format!("{number:02x}").parse::<Etag>().unwrap(),
        octets: certificate.octets().to_vec(),
    };
    (0..4).map(version).collect()
}

/// Opens the store on a disk, with small limits, so that little work shows much.
pub(crate) fn open(
    disk: &Arc<PowerDisk>,
    synchronous: &'static str,
) -> Result<SqliteStore, StoreError> {
    let ground = Ground {
        disk: Arc::new(Power(Arc::clone(disk))),
        threads: Threads::Own,
        readers: 1,
        log_pages: 40,
        synchronous,
        checks_beside: false,
    };
    SqliteStore::open_on(&ground, &disk.directory(), Opening::Serve, NOW)
}

fn image() -> Image {
    let disk = Image::empty().start(Plan::default(), 0);
    let store = open(&disk, "FULL").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(super::history::add_accounts(&store))
        .unwrap();
    drop(store);
    disk.image()
}
