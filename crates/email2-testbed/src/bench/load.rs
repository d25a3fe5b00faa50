//! Many sessions at once, each waiting for its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use email2_io::clock::within;
use email2_io::world::World;

use super::dialogue::{Dialogue, Target};
use super::letters::Letter;
use super::process::own_cpu;
use crate::failure::{Failure, Outcome, Step};

/// How long all of a load may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many sessions deliver how.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Sessions at once.
    pub sessions: usize,
    /// Messages on one connection.
    pub per_connection: usize,
}

/// What a load took.
#[derive(Clone, Debug)]
pub struct Taken {
    /// From the first connection to the last answer.
    pub wall: Duration,
    /// Seconds of CPU of the load itself.
    pub own_cpu: f64,
    /// End of content to answer, ascending; one a message.
    pub waits: Vec<Duration>,
    /// When each answer came, ascending, monotonic time.
    pub answered: Vec<Duration>,
}

impl Taken {
    /// The wait that this part of all waits does not exceed.
    #[must_use]
    pub fn percentile(&self, part: f64) -> Duration {
        percentile(&self.waits, part)
    }
}

/// What this part of all, which are ascending, does not exceed.
#[must_use]
pub fn percentile(sorted: &[Duration], part: f64) -> Duration {
    let count = sorted.len();
    let index = (count as f64 * part).ceil() as usize;
    let found = sorted.get(index.clamp(1, count.max(1)) - 1);
    found.copied().unwrap_or_default()
}

/// Delivers every letter.
///
/// # Errors
/// One was refused, a connection was lost, or it took too long.
pub async fn deliver(
    world: &World,
    target: &Target,
    shape: Shape,
    letters: Arc<Vec<Letter>>,
) -> Outcome<Taken> {
    let next = Arc::new(AtomicUsize::new(0));
    let (began, cpu) = (world.clock.monotonic(), own_cpu()?);
    let mut sessions = tokio::task::JoinSet::new();
    for host in 0..shape.sessions {
        let session = Worker {
            host,
            world: world.clone(),
            target: target.clone(),
            per_connection: shape.per_connection,
            letters: Arc::clone(&letters),
            next: Arc::clone(&next),
        };
        sessions.spawn(session.run());
    }
    let all = within(&*world.clock, PATIENCE, sessions.join_all()).await;
    let wall = world.clock.monotonic() - began;
    let (mut waits, mut answered) = (Vec::new(), Vec::new());
    for session in all.step("load")? {
        for answer in session? {
            waits.push(answer.wait);
            answered.push(answer.at);
        }
    }
    waits.sort_unstable();
    answered.sort_unstable();
    if waits.len() != letters.len() {
        return Err(Failure {
            step: "load".to_owned(),
            why: format!("{} of {} delivered", waits.len(), letters.len()),
        });
    }
    Ok(Taken {
        wall,
        own_cpu: own_cpu()? - cpu,
        waits,
        answered,
    })
}

/// The answer to a message.
struct Answer {
    /// From the end of the content to it.
    wait: Duration,
    /// When it came.
    at: Duration,
}

/// One session.
struct Worker {
    host: usize,
    world: World,
    target: Target,
    per_connection: usize,
    letters: Arc<Vec<Letter>>,
    next: Arc<AtomicUsize>,
}

impl Worker {
    fn take(&self) -> Option<&Letter> {
        self.letters.get(self.next.fetch_add(1, Ordering::Relaxed))
    }

    async fn run(self) -> Outcome<Vec<Answer>> {
        let mut answers = Vec::new();
        while let Some(first) = self.take() {
            let mut dialogue = Dialogue::open(&self.world, &self.target, self.host).await?;
            answers.push(self.deliver(&mut dialogue, first).await?);
            for _ in 1..self.per_connection {
                match self.take() {
                    Some(letter) => answers.push(self.deliver(&mut dialogue, letter).await?),
                    None => break,
                }
            }
            dialogue.quit().await;
        }
        Ok(answers)
    }

    async fn deliver(&self, dialogue: &mut Dialogue, letter: &Letter) -> Outcome<Answer> {
        let wait = dialogue.deliver(letter).await?;
        let at = self.world.clock.monotonic();
        Ok(Answer { wait, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_taken_from_the_sorted_waits() {
        let taken = Taken {
            wall: Duration::ZERO,
            own_cpu: 0.0,
            waits: (1..=200).map(Duration::from_millis).collect(),
            answered: Vec::new(),
        };
        assert_eq!(taken.percentile(0.5), Duration::from_millis(100));
        assert_eq!(taken.percentile(0.99), Duration::from_millis(198));
        assert_eq!(taken.percentile(1.0), Duration::from_millis(200));
    }
}
