//! Sets of message numbers: `1,5:7,10:*` (RFC 9051 §9).

use crate::grammar::{Bad, Cursor, Parsed};

/// A set as a command names it; `None` is `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SequenceSet(Vec<(Option<u32>, Option<u32>)>);

impl SequenceSet {
    /// Reads one.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let mut ranges = Vec::new();
        loop {
            let from = number_or_star(cursor)?;
            let to = if cursor.skip(b':') {
                number_or_star(cursor)?
            } else {
                from
            };
            ranges.push((from, to));
            if !cursor.skip(b',') {
                return Ok(Self(ranges));
            }
        }
    }

    /// The ranges, ascending and apart, with `largest` for `*`.
    pub(crate) fn ranges(&self, largest: u32) -> Ranges {
        let one = |&(from, to): &(Option<u32>, Option<u32>)| {
            let (from, to) = (from.unwrap_or(largest), to.unwrap_or(largest));
            (from.min(to), from.max(to))
        };
        let mut ranges: Vec<(u32, u32)> = self.0.iter().map(one).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Ranges(merged)
    }
}

/// Ranges, ascending and apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Whether `number` is in one of them.
    pub(crate) fn contains(&self, number: u32) -> bool {
        let behind = self.0.partition_point(|&(from, _)| from <= number);
        let before = behind.checked_sub(1).and_then(|index| self.0.get(index));
        before.is_some_and(|&(_, to)| number <= to)
    }

    /// The largest number named.
    pub(crate) fn largest(&self) -> u32 {
        self.0.last().map_or(0, |&(_, to)| to)
    }
}

fn number_or_star(cursor: &mut Cursor<'_>) -> Parsed<Option<u32>> {
    if cursor.skip(b'*') {
        return Ok(None);
    }
    match cursor.number()? {
        0 => Err(Bad("message numbers begin with 1")),
        number => Ok(Some(number)),
    }
}

/// Writes ascending numbers as a set: `1:3,7`.
pub(crate) fn write(numbers: &[u32]) -> String {
    let mut text = String::new();
    let mut rest = numbers;
    while let Some((&first, _)) = rest.split_first() {
        let follows = |(index, number): &(usize, &u32)| {
            u64::from(**number) == u64::from(first) + *index as u64
        };
        let run = rest.iter().enumerate().take_while(follows).count();
        let (run, behind) = rest.split_at_checked(run.max(1)).unwrap_or((rest, &[]));
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&first.to_string());
        if let (Some(last), true) = (run.last(), run.len() > 1) {
            text.push(':');
            text.push_str(&last.to_string());
        }
        rest = behind;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str, largest: u32) -> Vec<(u32, u32)> {
        let set = SequenceSet::parse(&mut Cursor::new(text.as_bytes())).unwrap();
        set.ranges(largest).0
    }

    #[test]
    fn sets_are_sorted_and_merged() {
        assert_eq!(ranges("5:7,1,6:8,2", 9), [(1, 2), (5, 8)]);
        assert_eq!(ranges("*:4", 2), [(2, 4)]);
        assert_eq!(ranges("3:*", 9), [(3, 9)]);
        assert!(SequenceSet::parse(&mut Cursor::new(b"0")).is_err());
    }

    #[test]
    fn membership_is_found() {
        let set = SequenceSet::parse(&mut Cursor::new(b"2:3,7:*"))
            .unwrap()
            .ranges(9);
        let found: Vec<u32> = (1..12).filter(|&n| set.contains(n)).collect();
        assert_eq!(found, [2, 3, 7, 8, 9]);
    }

    #[test]
    fn numbers_are_written_as_runs() {
        assert_eq!(write(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        assert_eq!(write(&[]), "");
        assert_eq!(write(&[u32::MAX]), "4294967295");
    }
}
