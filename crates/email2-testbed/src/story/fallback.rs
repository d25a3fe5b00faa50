//! People who have never heard of Email 2.0: bob writes to dora and gets her answer; and whoever
//! sits on the wire tries to make a domain look as if it were one of theirs.

use std::time::Duration;

use email2::rejection::Rejection;
use email2_client::send::compose::{Letter, Source};
use email2_client::send::protect::ProtectError;
use email2_client::send::queue::{self, Decision};
use email2_client::send::report::Unwatched;
use email2_client::send::{Author, Encryption, Options, Report, SendError, State, Way, send};

use email2_client::settings::{self, Setting};

use super::narrator::{Narrator, Step as Told};
use super::{Cast, FROM, TO};
use crate::failure::{Outcome, Step};
use crate::forger::session::{self, Reply, Session};
use crate::ordinary::{OrdinaryServer, Received};
use crate::testbed::Testbed;

/// The domain of today.
const ORDINARY: &str = "example.net";
/// Whom bob writes to there.
const DORA: &str = "dora@example.net";

/// How long bob's program tries where mail is to stay in the outbox.
const PATIENCE: Duration = Duration::from_secs(2);

/// Plays it; the ordinary server, to be stopped at the end.
///
/// # Errors
/// The world broke.
pub async fn play(
    testbed: &mut Testbed,
    cast: &Cast,
    narrator: &mut Narrator<'_>,
) -> Outcome<OrdinaryServer> {
    let server = OrdinaryServer::start(testbed, ORDINARY).await?;
    let stage = Stage {
        testbed,
        cast,
        server: &server,
    };
    stage.write(narrator).await?;
    stage.write_to_both(narrator).await?;
    stage.demand(narrator).await?;
    stage.hear(narrator).await?;
    for (word, step, did) in DOWNGRADES {
        stage.strip(word, (step, did), narrator).await?;
    }
    stage.go_on(narrator).await?;
    Ok(server)
}

/// What is taken away on the wire, the step, and what for.
const DOWNGRADES: [(&str, &str, &str); 2] = [
    (
        "STARTTLS",
        "starttls-stripped",
        "takes the offer of TLS away (STARTTLS), so that mail would go in the open",
    ),
    (
        "EMAIL2",
        "email2-stripped",
        "takes the offer of Email 2.0 away (EMAIL2), so that mail would go unsealed",
    ),
];

struct Stage<'a> {
    testbed: &'a Testbed,
    cast: &'a Cast,
    server: &'a OrdinaryServer,
}

impl Stage<'_> {
    /// Bob writes to somebody of today.
    async fn write(&self, narrator: &mut Narrator<'_>) -> Outcome<()> {
        let reports = self.send(&[DORA], Options::default()).await;
        narrator.tell(Told {
            step: "ordinary-send".to_owned(),
            actor: "bob".to_owned(),
            did: format!("writes to {DORA}, whose domain does not speak Email 2.0"),
            ..expect(
                "handed to bob's server, ordinary mail, signed, not encrypted",
                told(&reports),
            )
        });
        let came = self.server.next().await?;
        narrator.tell(Told {
            step: "ordinary-arrived".to_owned(),
            actor: "server".to_owned(),
            did: format!("an ordinary server takes it for {}", came.to.join(", ")),
            ..expect(
                "over TLS, signed for today's programs, with bob's key for the answer",
                seen(&came),
            )
        });
        Ok(())
    }

    /// A mixed set is asked about, and split as its author decides.
    async fn write_to_both(&self, narrator: &mut Narrator<'_>) -> Outcome<()> {
        let alice = self.cast.alice.address.to_string();
        let both = [alice.as_str(), DORA];
        let unasked = self.send(&both, Options::default()).await;
        narrator.tell(Told {
            step: "mixed-asked".to_owned(),
            actor: "bob".to_owned(),
            did: "writes to alice, who has a key, and dora, who has none; his program asks"
                .to_owned(),
            ..expect(
                &format!("not sent yet: there is no key for {DORA}"),
                told(&unasked),
            )
        });
        let split = Options {
            encryption: Encryption::Split,
            ..Options::default()
        };
        let reports = self.send(&both, split).await;
        narrator.tell(Told {
            step: "mixed-split".to_owned(),
            actor: "bob".to_owned(),
            did: "decides: encrypted to alice, signed only for dora".to_owned(),
            ..expect(
                "delivered, sealed, signed and encrypted (post-quantum); handed to bob's server, ordinary mail, signed, not encrypted",
                told(&reports),
            )
        });
        self.server.next().await.map(drop)
    }

    /// Email 2.0 all the way, or not at all.
    async fn demand(&self, narrator: &mut Narrator<'_>) -> Outcome<()> {
        let only = Options {
            email2_only: true,
            ..Options::default()
        };
        let reports = self.send(&[DORA], only).await;
        narrator.tell(Told {
            step: "email2-demanded".to_owned(),
            actor: "bob".to_owned(),
            did: format!("writes to {DORA} and demands Email 2.0 all the way"),
            ..expect(
                &format!("not sent: {ORDINARY} does not speak Email 2.0"),
                told(&reports),
            )
        });
        Ok(())
    }

    /// Dora answers: refused, as long as bob's server takes sealed mail only, and else marked.
    async fn hear(&self, narrator: &mut Narrator<'_>) -> Outcome<()> {
        let refused = self.answer().await?;
        let expected = Rejection::Unsealed;
        narrator.tell(Told {
            step: "ordinary-refused".to_owned(),
            actor: "dora".to_owned(),
            did: "answers; bob's server takes sealed mail only".to_owned(),
            ..expect(&expected.to_string(), refused.to_string())
        });
        let accept = ["accept".to_owned()];
        let client = &self.cast.bob.client;
        let set = settings::set(client, Setting::Legacy, &accept).await;
        set.step("legacy = accept")?;
        let taken = self.answer().await?;
        let shown = self.cast.bob.read_newest().await?;
        let verdict = match &shown.verdict.author {
            Some(author) => format!("VERIFIED: from {author}"),
            None => "NOT VERIFIED".to_owned(),
        };
        let advice = shown.verdict.advice.unwrap_or_default();
        narrator.tell(Told {
            step: "ordinary-read".to_owned(),
            actor: "bob".to_owned(),
            did: "lets ordinary mail in, and reads dora's answer".to_owned(),
            ..expect(
                "taken; NOT VERIFIED, ordinary mail: anybody can have written it",
                match taken.is_granted() {
                    true => format!("taken; {verdict}, {advice}"),
                    false => taken.to_string(),
                },
            )
        });
        Ok(())
    }

    /// An ordinary server delivers dora's answer.
    async fn answer(&self) -> Outcome<Reply> {
        let bob = self.cast.bob.address.to_string();
        let letter = session::Letter {
            from: DORA.to_owned(),
            announced: None,
            recipients: vec![bob.clone()],
            content: format!(
                "From: Dora <{DORA}>\r\nTo: {bob}\r\nSubject: Re: The bridge, again\r\n\
                 Date: Fri, 27 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@{ORDINARY}>\r\n\r\n\
                 Good.\r\n"
            )
            .into_bytes(),
        };
        let exchanger = self.testbed.exchanger(FROM)?;
        let host = format!("mail.{ORDINARY}");
        let mut session = Session::open(&self.testbed.world, &exchanger, &host).await?;
        session::deliver(&mut session, &letter).await
    }

    /// Alice's domain is made to look as if it spoke no Email 2.0.
    async fn strip(
        &self,
        word: &'static str,
        (step, did): (&str, &str),
        narrator: &mut Narrator<'_>,
    ) -> Outcome<()> {
        let tap = self.testbed.domain(TO)?.tap.as_ref().step("tap")?;
        tap.strip(Some(word));
        drop(tap.take());
        let directly = Options {
            way: Way::Direct,
            wait: PATIENCE,
            ..Options::default()
        };
        let alice = self.cast.alice.address.to_string();
        let reports = self.send(&[&alice], directly).await;
        let crossed = tap.take();
        let mail = crossed.iter().any(|line| line.line.starts_with("MAIL "));
        narrator.tell(Told {
            step: step.to_owned(),
            actor: "mallory".to_owned(),
            did: format!("sits on the wire to {TO} and {did}; bob writes to alice"),
            ..expect(
                "waits in the outbox, and no word of it was said to that server",
                match (told(&reports), mail) {
                    (told, false) => format!("{told}, and no word of it was said to that server"),
                    (told, true) => told,
                },
            )
        });
        tap.strip(None);
        Ok(())
    }

    /// Mallory goes, and what waited arrives.
    async fn go_on(&self, narrator: &mut Narrator<'_>) -> Outcome<()> {
        let bob = &self.cast.bob;
        let author = Author {
            key: bob.key(),
            address: &bob.address,
        };
        let mut reports = Vec::new();
        for entry in queue::entries(&bob.client).await.step("outbox")? {
            let nothing = Decision::default();
            let tried = queue::retry(&bob.client, &author, entry.id, &nothing, &Unwatched);
            reports.extend(tried.await.step("outbox")?);
        }
        narrator.tell(Told {
            step: "downgrade-over".to_owned(),
            actor: "bob".to_owned(),
            did: "tries what waits, once mallory is gone".to_owned(),
            ..expect(
                "delivered, sealed, signed and encrypted (post-quantum); delivered, sealed, signed and encrypted (post-quantum)",
                told(&Ok(reports)),
            )
        });
        Ok(())
    }

    async fn send(&self, to: &[&str], options: Options) -> Result<Vec<Report>, SendError> {
        let bob = &self.cast.bob;
        let letter = Letter {
            to: to.iter().map(|&who| who.to_owned()).collect(),
            subject: "The bridge, again".to_owned(),
            body: "It still stands.\n".to_owned(),
            ..Letter::default()
        };
        let author = Author {
            key: bob.key(),
            address: &bob.address,
        };
        let source = Source::Letter(letter);
        send(&bob.client, &author, source, &options, &Unwatched).await
    }
}

/// What should come of a step and what came; the step is named by who tells it.
fn expect(expected: &str, got: String) -> Told {
    Told {
        step: String::new(),
        actor: String::new(),
        did: String::new(),
        ok: got == expected,
        expected: expected.to_owned(),
        got,
    }
}

/// What bob is told.
fn told(sent: &Result<Vec<Report>, SendError>) -> String {
    match sent {
        Ok(reports) => {
            let lines: Vec<String> = reports.iter().map(line).collect();
            lines.join("; ")
        }
        Err(SendError::Protect(ProtectError::Mixed(undecided))) => {
            format!("not sent yet: {undecided}")
        }
        Err(error) => error.to_string(),
    }
}

fn line(report: &Report) -> String {
    let by_server = report.manner.is_some_and(|manner| manner.by_server);
    let state = match report.state {
        State::Delivered if by_server => "handed to bob's server",
        State::Delivered => "delivered",
        State::Waiting => return "waits in the outbox".to_owned(),
        State::Held => "held",
        State::Refused => "refused",
        State::Unavailable => return format!("not sent: {}", report.words),
    };
    match report.manner {
        Some(manner) => format!("{state}, {manner}"),
        None => format!("{state}: {}", report.words),
    }
}

/// What an ordinary server got.
fn seen(came: &Received) -> String {
    let has = |part: &str| came.content.contains(part);
    let tls = if came.secured {
        "over TLS"
    } else {
        "in the open"
    };
    let kind = |kind: &str| has(&format!("Content-Type: multipart/{kind};"));
    let protected = if kind("signed") && has("application/pgp-signature") {
        "signed for today's programs"
    } else if kind("encrypted") && !has("It still stands.") {
        "encrypted for today's programs"
    } else {
        "unprotected"
    };
    let key = if has("Autocrypt: addr=bob@example.org;") {
        "with bob's key for the answer"
    } else {
        "without a key"
    };
    format!("{tls}, {protected}, {key}")
}
