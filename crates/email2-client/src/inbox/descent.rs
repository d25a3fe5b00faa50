//! A mailbox from its newest message down, a window of UIDs at a time: what is asked does not
//! grow with the mailbox.

use crate::imap::{ImapError, Mailboxes, Opened};

/// UIDs that the first question is about.
const FIRST: u32 = 512;
/// UIDs that a question is about at most: an answer names each that is there in one line.
const MOST: u32 = 65_536;

/// Where one is on the way down.
pub(crate) struct Descent {
    criteria: String,
    below: u32,
    window: u32,
}

impl Descent {
    /// Messages for which `criteria` holds (RFC 3501 §6.4.4), below `before` where that is given.
    pub(crate) fn new(opened: Opened, before: Option<u32>, criteria: &str) -> Descent {
        let end = match opened.uid_next {
            0 => u32::MAX,
            next => next,
        };
        Descent {
            criteria: criteria.to_owned(),
            below: before.map_or(end, |before| before.min(end)),
            window: FIRST,
        }
    }

    /// The next UIDs, the newest first; none at the bottom.
    pub(crate) async fn next(&mut self, mailboxes: &mut Mailboxes) -> Result<Vec<u32>, ImapError> {
        while let Some((low, high)) = self.window() {
            let asked = format!("UID {low}:{high} {}", self.criteria);
            let mut uids = mailboxes.search(&asked).await?;
            uids.retain(|uid| (low..=high).contains(uid));
            if !uids.is_empty() {
                uids.reverse();
                return Ok(uids);
            }
        }
        Ok(Vec::new())
    }

    /// The UIDs to ask about, both ends meant; `None` at the bottom.
    fn window(&mut self) -> Option<(u32, u32)> {
        let high = self.below.checked_sub(1).filter(|high| *high > 0)?;
        let low = self.below.saturating_sub(self.window).max(1);
        self.below = low;
        self.window = self.window.saturating_mul(2).min(MOST);
        Some((low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_meet_and_end_at_the_first_uid() {
        let opened = Opened {
            uid_next: 2_001,
            ..Opened::default()
        };
        let mut descent = Descent::new(opened, None, "ALL");
        let windows: Vec<_> = std::iter::from_fn(|| descent.window()).collect();
        assert_eq!(windows, [(1_489, 2_000), (465, 1_488), (1, 464)]);
        let mut rest = Descent::new(opened, Some(465), "ALL");
        assert_eq!(rest.window(), Some((1, 464)));
        assert_eq!(Descent::new(opened, Some(1), "ALL").window(), None);
    }
}
