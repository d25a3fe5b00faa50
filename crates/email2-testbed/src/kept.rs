//! What a server keeps, read in its store beside it.

use email2::address::Address;
use email2_io::world::World;
use email2_store::{Mailbox, Opening, Store};

use crate::domain::Place;
use crate::failure::{Outcome, Step};

/// Octets read at once.
const READ: usize = 64 * 1024;

/// The messages in the INBOX of `address`, by UID, with their trace fields.
///
/// # Errors
/// The store cannot be read, or there is no such account.
pub async fn kept(world: &World, place: &Place, address: &Address) -> Outcome<Vec<Vec<u8>>> {
    let data = place.folder.join("data");
    let store = Store::open(&data, Opening::Visit, world.now()).step("store")?;
    let inbox = inbox(&store, address).await?;
    let mut kept = Vec::new();
    for message in store.messages(inbox.id).await.step("messages")? {
        let reader = store.message_body(message.id).await.step("message")?;
        let mut octets = Vec::new();
        while (octets.len() as u64) < reader.size() {
            let more = reader.read(octets.len() as u64, READ).await;
            octets.extend(more.step("message")?);
        }
        kept.push(octets);
    }
    Ok(kept)
}

async fn inbox(store: &Store, address: &Address) -> Outcome<Mailbox> {
    let account = store.account(address).await.step("account")?;
    let account = account.step(format!("account {address}"))?;
    let inbox = store.mailbox(account.id, "INBOX").await.step("INBOX")?;
    inbox.step("INBOX")
}
