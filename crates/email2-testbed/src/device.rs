//! A device that does by hand what `email2 setup` does: it makes a key, enrols with the
//! one-time code and publishes. For people whose keys the story must hold in its hands:
//! the forger's own, and the stolen one.

use email2::address::{Address, Identity};
use email2::certificate::{Certificate, RevocationReason, generate::generate};
use email2::secret::SecretKey;
use email2_io::world::World;

use crate::failure::{Failure, Outcome, Step};
use crate::forger::session::{Exchanger, Session};

/// A device with its key.
pub struct Device {
    /// Whose it is.
    pub address: Address,
    /// Its key, unlocked.
    pub secret: SecretKey,
    /// Its password for submission and IMAP.
    pub token: String,
}

impl Device {
    /// Makes a key and publishes it with the one-time code, at the submission port `at`.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn enrol(
        world: &World,
        at: &Exchanger,
        address: &Address,
        code: &str,
    ) -> Outcome<Device> {
        let identity = Identity::Address(address.clone());
        let secret = generate(&identity, world.now(), &mut world.rng()).step("key")?;
        let mut session = Session::log_in(world, at, address, code).await?;
        let answer = publish(&mut session, address, secret.certificate()).await?;
        let token = answer.split("token=").nth(1).step("token")?;
        let token = token.split_whitespace().next().step("token")?;
        Ok(Device {
            address: address.clone(),
            secret,
            token: token.to_owned(),
        })
    }

    /// What a thief gets: the owner's address and the key.
    ///
    /// # Errors
    /// The key cannot be copied.
    pub fn steal(&self) -> Outcome<(Address, SecretKey)> {
        let octets = self.secret.to_octets();
        let copy = SecretKey::unlock(&octets, None).step("stolen key")?;
        Ok((self.address.clone(), copy))
    }

    /// Revokes the key as compromised and publishes that.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn revoke(&self, world: &World, at: &Exchanger) -> Outcome<()> {
        let reason = RevocationReason::Compromised;
        let revoked = self.secret.revoke(reason, world.now(), &mut world.rng());
        let mut session = Session::log_in(world, at, &self.address, &self.token).await?;
        publish(&mut session, &self.address, &revoked.step("revocation")?).await?;
        Ok(())
    }
}

/// KEYPUT; all lines of the answer.
async fn publish(
    session: &mut Session,
    address: &Address,
    certificate: &Certificate,
) -> Outcome<String> {
    let octets = certificate.octets();
    let command = format!("KEYPUT <{address}> {}\r\n", octets.len());
    session.send(&[command.as_bytes(), octets].concat()).await?;
    let reply = session.reply().await?;
    match reply.is_granted() {
        true => Ok(reply.texts.join(" ")),
        false => Err(Failure {
            step: "KEYPUT".to_owned(),
            why: reply.to_string(),
        }),
    }
}
