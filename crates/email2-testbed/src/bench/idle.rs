//! What a server holds in memory for connections that wait.

use std::sync::Arc;

use serde::Serialize;

use super::dialogue::Dialogue;
use super::load;
use super::report::Cell;
use super::stage::Stage;
use crate::failure::Outcome;

/// Memory of the server, octets.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// Sessions under TLS that wait.
    pub idle: usize,
    /// Sessions that deliver meanwhile.
    pub active: usize,
    /// KiB of each message.
    pub kibibytes: usize,
    /// With nobody connected.
    pub empty: u64,
    /// With the idle ones.
    pub waiting: u64,
    /// The most, while the active ones deliver.
    pub highest: u64,
}

/// Opens `idle` sessions and lets `cell` be delivered beside them.
///
/// # Errors
/// A connection or a message is refused.
pub async fn measure(stage: &Stage, idle: usize, cell: &Cell) -> Outcome<Memory> {
    let letters = Arc::new(stage.letters(cell)?);
    let mut server = stage.receive().await?;
    stage.introduce().await?;
    let empty = server.memory()?;
    let (world, target) = (&stage.testbed.world, stage.target()?);
    let mut sessions = Vec::with_capacity(idle);
    for host in 0..idle {
        sessions.push(Dialogue::open(world, &target, host).await?);
    }
    let waiting = server.memory()?;
    load::deliver(world, &target, cell.shape(), letters).await?;
    let highest = server.highest_memory()?;
    drop(sessions);
    server.stop()?;
    Ok(Memory {
        idle,
        active: cell.sessions,
        kibibytes: cell.kibibytes,
        empty,
        waiting,
        highest,
    })
}
