//! What this machine can do, measured in the same run: nobody is faster than that.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use email2::seal::Seal;
use email2::seal::verify::verify;
use email2::secret::SecretKey;
use email2_io::world::World;
use email2_store::message::Append;
use email2_store::{Appended, Flags, NewAccount, Opening, Store};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::dkim::Dkim;
use crate::failure::{Outcome, Step};

/// How long each limit is measured.
const MEASURED: Duration = Duration::from_millis(700);

/// The limits.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// fdatasync after a write of 4 KiB, in the server's directory, per second.
    pub fsyncs: f64,
    /// SHA-256 of one core, in MB (10⁶ octets) per second.
    pub sha256_megabytes: f64,
    /// Verifications of a seal (Ed25519) of one core, per second.
    pub verifications: f64,
    /// Verifications of a signature by RSA of 2048 bits, its key read anew, of one core, per second.
    pub rsa_verifications: Option<f64>,
}

/// Measures them; `folder` lies where the server's store does.
///
/// # Errors
/// A file cannot be written.
pub fn limits(world: &World, folder: &Path, seal: &Seal, key: &SecretKey) -> Outcome<Limits> {
    let flags = email2::key_query::KeyFlags::default();
    verify(seal, key.certificate(), &flags).step("verification")?;
    let block = vec![7; 64 * 1024];
    let hashed = rate(world, || {
        std::hint::black_box(Sha256::digest(&block));
    });
    let verified = || {
        let _ = std::hint::black_box(verify(seal, key.certificate(), &flags));
    };
    Ok(Limits {
        fsyncs: fsyncs(world, folder)?,
        sha256_megabytes: hashed * 0.065_536,
        verifications: rate(world, verified),
        rsa_verifications: None,
    })
}

/// Verifications of `key`'s signatures of one core, per second, as the server makes them.
///
/// # Errors
/// `openssl` fails, or its signature is not good.
pub fn rsa(world: &World, key: &Dkim, folder: &Path) -> Outcome<f64> {
    let (signed, public) = ("signed", key.public.as_slice());
    let signature = key.signature(folder, signed)?;
    let verified = || {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        key.verify(signed.as_bytes(), &signature)
    };
    verified().step("RSA")?;
    Ok(rate(world, || {
        let _ = std::hint::black_box(verified());
    }))
}

fn fsyncs(world: &World, folder: &Path) -> Outcome<f64> {
    let path = folder.join("fsyncs");
    let mut file = std::fs::File::create(&path).step("file")?;
    let block = [7; 4096];
    let mut failed = None;
    let rate = rate(world, || {
        let synced = file.write_all(&block).and_then(|()| file.sync_data());
        failed = synced.err().or(failed.take());
    });
    std::fs::remove_file(path).step("file")?;
    failed.map_or(Ok(rate), |error| Err(error).step("fsync"))
}

/// How often a second `work` is done.
fn rate(world: &World, mut work: impl FnMut()) -> f64 {
    let began = world.clock.monotonic();
    let mut count = 0.0;
    loop {
        work();
        count += 1.0;
        let taken = world.clock.monotonic() - began;
        if taken >= MEASURED {
            return count / taken.as_secs_f64();
        }
    }
}

/// What lockstep allows: messages a second that the store alone takes from `sessions` who each
/// wait for their commit.
///
/// # Errors
/// The store fails.
pub async fn lockstep(world: &World, folder: &Path, sessions: usize, size: usize) -> Outcome<f64> {
    let directory = folder.join(format!("lockstep-{sessions}-{size}"));
    let store = Store::open(&directory, Opening::Serve, world.now()).step("store")?;
    let account = NewAccount {
        address: "bob@bench.example".parse().step("address")?,
        quota: None,
        strict: false,
        unlisted: false,
    };
    let account = store
        .add_account(&account, world.now())
        .await
        .step("account")?;
    let inbox = store.mailbox(account.id, "INBOX").await.step("mailbox")?;
    let (inbox, content) = (inbox.step("INBOX")?.id, vec![b'x'; size]);
    let began = world.clock.monotonic();
    let waiting = (0..sessions).map(|_| async {
        let mut count = 0.0;
        while world.clock.monotonic() - began < MEASURED {
            let mut body = store.write_body().await.step("body")?;
            body.push(&content).await.step("body")?;
            let append = Append {
                door: Appended::by(account.id),
                mailbox: inbox,
                flags: Flags::default(),
                body: body.finish().await.step("body")?,
                received: world.now(),
            };
            store.append(vec![append]).await.step("append")?;
            count += 1.0;
        }
        Outcome::Ok(count)
    });
    let counts = futures::future::try_join_all(waiting).await?;
    let taken = (world.clock.monotonic() - began).as_secs_f64();
    drop(store);
    std::fs::remove_dir_all(directory).step("store")?;
    Ok(counts.iter().sum::<f64>() / taken)
}
