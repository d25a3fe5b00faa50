//! The boundaries that were declared so far, and where they stand in a line.
//!
//! Parsers disagree on what a delimiter is: a whole line (RFC 2046 §5.1.1), or
//! `--` and the boundary anywhere. The guard takes every place that any of them
//! would take, and never forgets a boundary.

/// Steps that are granted before they are compared with the octets.
const SLACK: usize = 64 * 1024;

/// Boundaries as a tree of octets. A boundary's leading dashes stand apart:
/// inside a run of dashes it can only end with the run, so a line of nothing but
/// dashes is looked at once and not at each of its octets.
#[derive(Debug)]
pub(super) struct Boundaries {
    nodes: Vec<Node>,
    declared: usize,
    unopened: usize,
    octets: usize,
    steps: usize,
    /// Octets of the shortest one: no shorter line can hold a delimiter.
    shortest: usize,
}

#[derive(Debug, Default)]
struct Node {
    next: Vec<(u8, usize)>,
    ends: Vec<Boundary>,
}

#[derive(Debug)]
struct Boundary {
    dashes: usize,
    depth: usize,
    digest: bool,
    opened: bool,
}

/// A place in a line where a parser may see a delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// The depth of the parts that it delimits.
    pub(super) depth: usize,
    /// Whether they are messages unless they say otherwise (RFC 2046 §5.1.5).
    pub(super) digest: bool,
    /// Whether it opens a part; otherwise it closes the last one.
    pub(super) opens: bool,
    /// Where the text behind it begins.
    pub(super) end: usize,
}

impl Boundaries {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            declared: 0,
            unopened: 0,
            octets: 0,
            steps: 0,
            shortest: usize::MAX,
        }
    }

    /// How many were declared.
    pub(super) fn declared(&self) -> usize {
        self.declared
    }

    /// How many were declared and did not occur since: a parser looks for each
    /// of them to the end of the message.
    pub(super) fn unopened(&self) -> usize {
        self.unopened
    }

    /// Whether the lines so far took more than linear work: only boundaries with
    /// runs of dashes inside, nearly repeated in the lines, do that.
    pub(super) fn are_overworked(&self) -> bool {
        self.steps > self.octets.saturating_mul(2).saturating_add(SLACK)
    }

    /// Declares a boundary whose parts are `depth` levels deep. One that was
    /// declared before keeps the greater depth.
    pub(super) fn declare(&mut self, boundary: &[u8], depth: usize, digest: bool) {
        self.declared += 1;
        self.shortest = self.shortest.min(boundary.len());
        let (dashes, tail) = split_dashes(boundary);
        let mut place = 0;
        for octet in tail {
            place = self.step(place, *octet);
        }
        let Some(node) = self.nodes.get_mut(place) else {
            return;
        };
        match node.ends.iter_mut().find(|known| known.dashes == dashes) {
            Some(known) => {
                known.depth = known.depth.max(depth);
                known.digest |= digest;
                self.unopened += usize::from(known.opened);
                known.opened = false;
            }
            None => {
                node.ends.push(Boundary {
                    dashes,
                    depth,
                    digest,
                    opened: false,
                });
                self.unopened += 1;
            }
        }
    }

    /// The node behind `place` for `octet`, made when it is not there.
    fn step(&mut self, place: usize, octet: u8) -> usize {
        if let Some(next) = self.next(place, octet) {
            return next;
        }
        let new = self.nodes.len();
        self.nodes.push(Node::default());
        if let Some(node) = self.nodes.get_mut(place) {
            node.next.push((octet, new));
        }
        new
    }

    fn next(&self, place: usize, octet: u8) -> Option<usize> {
        let node = self.nodes.get(place)?;
        node.next
            .iter()
            .find(|(other, _)| *other == octet)
            .map(|(_, next)| *next)
    }

    /// Every delimiter in `line`. In a header section (`in_header`) some parsers
    /// see none, so there it does not count as the first of its boundary.
    pub(super) fn delimiters(&mut self, line: &[u8], in_header: bool) -> Vec<Delimiter> {
        let mut found = Vec::new();
        if self.declared == 0 {
            return found;
        }
        self.octets += line.len();
        if line.len() < self.shortest.saturating_add(2) {
            return found;
        }
        let mut from = 0;
        while let Some((dashes, end)) = next_run(line, from) {
            self.behind_run(
                line,
                Run {
                    dashes,
                    end,
                    in_header,
                },
                &mut found,
            );
            from = end;
        }
        found
    }

    /// The delimiters whose dashes are those of the run.
    fn behind_run(&mut self, line: &[u8], run: Run, found: &mut Vec<Delimiter>) {
        let mut place = 0;
        let tail = line.get(run.end..).unwrap_or_default();
        for (length, octet) in tail.iter().map(Some).chain([None]).enumerate() {
            self.steps += 1;
            if let Some(node) = self.nodes.get_mut(place) {
                for boundary in node.ends.iter_mut().filter(|b| b.dashes + 2 <= run.dashes) {
                    self.unopened -= usize::from(!boundary.opened && !run.in_header);
                    found.push(boundary.delimiter(line, run, length));
                }
            }
            match octet.and_then(|octet| self.next(place, *octet)) {
                Some(next) => place = next,
                None => break,
            }
        }
    }
}

/// A run of dashes in a line.
#[derive(Clone, Copy)]
struct Run {
    dashes: usize,
    end: usize,
    in_header: bool,
}

impl Boundary {
    /// The delimiter of this boundary behind `run`, where `length` octets of the
    /// boundary follow the dashes.
    fn delimiter(&mut self, line: &[u8], run: Run, length: usize) -> Delimiter {
        // A boundary of dashes alone ends where it first can.
        let early = if length == 0 {
            run.dashes - self.dashes - 2
        } else {
            0
        };
        let end = run.end + length - early;
        let closes = line.get(end..).is_some_and(|rest| rest.starts_with(b"--"));
        let opens = !self.opened || !closes;
        self.opened |= !run.in_header;
        Delimiter {
            depth: self.depth,
            digest: self.digest,
            opens,
            end,
        }
    }
}

/// How many dashes a boundary begins with, and the rest.
fn split_dashes(boundary: &[u8]) -> (usize, &[u8]) {
    let dashes = boundary.iter().take_while(|octet| **octet == b'-').count();
    (dashes, boundary.get(dashes..).unwrap_or_default())
}

/// The next run of two or more dashes at or behind `from`: its length and end.
fn next_run(line: &[u8], mut from: usize) -> Option<(usize, usize)> {
    loop {
        let rest = line.get(from..)?;
        let begin = from + rest.iter().position(|octet| *octet == b'-')?;
        let (dashes, _) = split_dashes(line.get(begin..)?);
        from = begin + dashes;
        if dashes >= 2 {
            return Some((dashes, from));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a parser that looks everywhere finds: the ends of all delimiters.
    fn everywhere(boundaries: &[&[u8]], line: &[u8]) -> Vec<usize> {
        let mut ends: Vec<usize> = (0..line.len())
            .flat_map(|at| boundaries.iter().map(move |boundary| (at, *boundary)))
            .filter(|(at, boundary)| line[*at..].starts_with(&[b"--", *boundary].concat()))
            .map(|(at, boundary)| at + 2 + boundary.len())
            .collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    fn ours(boundaries: &[&[u8]], line: &[u8]) -> Vec<usize> {
        let mut known = Boundaries::new();
        boundaries
            .iter()
            .for_each(|boundary| known.declare(boundary, 1, false));
        let mut ends: Vec<usize> = known
            .delimiters(line, false)
            .iter()
            .map(|d| d.end)
            .collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    #[test]
    fn prefixes_and_dashes() {
        let known: &[&[u8]] = &[b"abc", b"abcdef", b"--abc", b"abc--"];
        for line in [
            &b"--abc"[..],
            b"--abcdef",
            b"----abc",
            b"--abc--",
            b"-----abc",
            b"> --abc",
            b"-abc",
        ] {
            assert_eq!(
                ours(known, line),
                everywhere(known, line),
                "{:?}",
                String::from_utf8_lossy(line)
            );
        }
    }

    #[test]
    fn the_first_close_opens() {
        let mut known = Boundaries::new();
        known.declare(b"x", 3, true);
        let first = known.delimiters(b"--x--", false);
        assert_eq!(
            first,
            [Delimiter {
                depth: 3,
                digest: true,
                opens: true,
                end: 3
            }]
        );
        assert!(
            !known
                .delimiters(b"--x--", false)
                .iter()
                .any(|delimiter| delimiter.opens)
        );
        assert_eq!(known.unopened(), 0);
        known.declare(b"x", 2, false);
        assert_eq!(
            (known.unopened(), known.delimiters(b"--x", false)[0].depth),
            (1, 3)
        );
    }

    proptest! {
        #[test]
        fn every_place_with_a_tail_is_found(
            a in "[-ab]{0,4}[ab]", b in "[-ab]{0,4}[ab]", line in "[-ab ]{0,24}",
        ) {
            let known: &[&[u8]] = &[a.as_bytes(), b.as_bytes()];
            prop_assert_eq!(ours(known, line.as_bytes()), everywhere(known, line.as_bytes()));
        }
    }
}
