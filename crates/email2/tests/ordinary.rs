//! Judging mail without a seal that counts (spec §11): every row of the table.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use email2::block::BlockPattern;
use email2::evidence::{
    Answered, AuthorEvidence, CheckResult, Demand, Dmarc, Evidence, OrdinaryEvidence, SenderPolicy,
};
use email2::scan::Scan;
use email2::verdict::{
    Accepted, Legacy, Place, Provenance, RecipientPolicy, UnregisteredStack, UnverifiedReason,
    judge,
};
use email2::{Address, Rejection, ReversePath};

const NOW: u64 = 1_764_000_000;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn author(text: &str, policy: SenderPolicy) -> AuthorEvidence {
    AuthorEvidence {
        author: address(text),
        policy,
        speaks: false,
    }
}

fn from_bob(policy: SenderPolicy) -> OrdinaryEvidence {
    OrdinaryEvidence {
        authors: vec![author("bob@example.org", policy)],
        ..OrdinaryEvidence::default()
    }
}

fn unknown() -> SenderPolicy {
    SenderPolicy::Unknown {
        why: "down".to_owned(),
    }
}

/// What alice wants.
#[derive(Clone, Copy, Default)]
struct Wish<'a> {
    legacy: Legacy,
    blocks: &'a [BlockPattern],
    forwarders: &'a [Address],
}

/// The verdict on a message with this header, for alice.
fn judged(
    header: &str,
    found: Option<OrdinaryEvidence>,
    wish: Wish<'_>,
) -> Result<Accepted, Rejection> {
    let message = format!("{header}\r\n\r\nHello\r\n");
    let verdict = judge(Evidence {
        now: NOW,
        mail_from: ReversePath::parse("bounce@example.org").unwrap(),
        recipients: vec![address("alice@example.com")],
        announced: None,
        scanned: Scan::whole(false, message.as_bytes()).unwrap(),
        signers: Vec::new(),
        reported: Vec::new(),
        ordinary: found,
    });
    verdict.accept(&RecipientPolicy {
        mailbox: address("alice@example.com"),
        aliases: &[],
        legacy: wish.legacy,
        blocks: wish.blocks,
        forwarders: wish.forwarders,
        unregistered_stack: UnregisteredStack::Requests,
    })
}

const BOB: &str = "From: Bob <bob@example.org>";

fn wishing(
    found: OrdinaryEvidence,
    legacy: Legacy,
) -> Result<(Place, UnverifiedReason), Rejection> {
    let wish = Wish {
        legacy,
        ..Wish::default()
    };
    judged(BOB, Some(found), wish).map(|accepted| placed(&accepted))
}

fn placed(accepted: &Accepted) -> (Place, UnverifiedReason) {
    match accepted.provenance() {
        Provenance::Unverified { reason, at: NOW } => (accepted.place(), *reason),
        other => panic!("{other}"),
    }
}

fn strict(who: &str) -> Rejection {
    Rejection::UnsealedFromStrict {
        author: who.parse().unwrap(),
    }
}

#[test]
fn each_wish_has_its_place() {
    let open = || from_bob(SenderPolicy::Open);
    let unsealed = UnverifiedReason::Unsealed;
    assert_eq!(
        wishing(open(), Legacy::Accept),
        Ok((Place::Inbox, unsealed))
    );
    assert_eq!(wishing(open(), Legacy::Junk), Ok((Place::Junk, unsealed)));
    assert_eq!(wishing(open(), Legacy::Reject), Err(Rejection::Unsealed));
    let accept = Wish {
        legacy: Legacy::Accept,
        ..Wish::default()
    };
    let nobody_looked = judged(BOB, None, accept).map(|_| ());
    assert_eq!(nobody_looked, Err(Rejection::Unsealed));
}

/// spec §11.2.1: whatever SPF, DKIM and DMARC say, and whatever the recipient wants.
#[test]
fn who_always_seals_is_not_believed_without() {
    let passes = OrdinaryEvidence {
        spf: CheckResult::Pass,
        dkim: vec!["example.org".parse().unwrap()],
        dmarc: Dmarc {
            result: CheckResult::Pass,
            demand: Demand::Reject,
        },
        ..from_bob(SenderPolicy::Strict)
    };
    for legacy in [Legacy::Accept, Legacy::Junk, Legacy::Reject] {
        let refused = wishing(passes.clone(), legacy).map(|_| ());
        assert_eq!(refused, Err(strict("bob@example.org")));
    }
}

#[test]
fn of_several_authors_the_severest_policy_holds() {
    let several = |policies: [SenderPolicy; 2]| {
        let [first, second] = policies;
        let found = OrdinaryEvidence {
            authors: vec![
                author("bob@example.org", first),
                author("eve@example.net", second),
            ],
            ..OrdinaryEvidence::default()
        };
        wishing(found, Legacy::Accept)
    };
    assert_eq!(
        several([SenderPolicy::Open, SenderPolicy::Strict]),
        Err(strict("eve@example.net"))
    );
    assert_eq!(
        several([unknown(), SenderPolicy::Strict]),
        Err(strict("eve@example.net"))
    );
    let later = several([unknown(), SenderPolicy::Unconfirmed]).unwrap_err();
    assert_eq!(later.to_string().get(..9), Some("451 4.7.5"));
    assert_eq!(
        several([SenderPolicy::Open, SenderPolicy::Unconfirmed]),
        Ok((Place::Junk, UnverifiedReason::PolicyUnconfirmed))
    );
    assert_eq!(
        several([SenderPolicy::Open, SenderPolicy::Overdue]),
        Ok((Place::Inbox, UnverifiedReason::PolicyUnknown))
    );
}

/// spec §11.1.1
#[test]
fn without_authors_that_can_be_read_it_is_refused() {
    let found = || Some(OrdinaryEvidence::default());
    let refused = |header: &str| {
        let accept = Wish {
            legacy: Legacy::Accept,
            ..Wish::default()
        };
        judged(header, found(), accept).unwrap_err().to_string()
    };
    let many = vec!["a@example.org"; 17].join(", ");
    for header in [
        "To: a@b.c",
        "From: bob",
        "From:",
        "From: nobody:;",
        "From: bob@example.org(x)example.net",
        "From: bob@example.org\r\nFrom: eve@example.net",
        &format!("From: {many}"),
    ] {
        assert!(refused(header).starts_with("550 5.6.0 "), "{header}");
    }
    let sixteen = format!("From: {}", vec!["a@example.org"; 16].join(", "));
    let wish = Wish {
        legacy: Legacy::Accept,
        ..Wish::default()
    };
    assert!(judged(&sixteen, found(), wish).is_ok());
}

/// spec §11.3.2, §11.4.1
#[test]
fn what_is_probably_forged_is_kept_apart() {
    let dmarc = |result, demand| OrdinaryEvidence {
        dmarc: Dmarc { result, demand },
        ..from_bob(SenderPolicy::Open)
    };
    let junk = Ok((Place::Junk, UnverifiedReason::DmarcFailed));
    let inbox = Ok((Place::Inbox, UnverifiedReason::Unsealed));
    for (result, demand, expected) in [
        (CheckResult::Fail, Demand::Reject, &junk),
        (CheckResult::Fail, Demand::Quarantine, &junk),
        (CheckResult::Fail, Demand::None, &inbox),
        (CheckResult::TempError, Demand::Reject, &inbox),
        (CheckResult::Pass, Demand::Reject, &inbox),
    ] {
        assert_eq!(&wishing(dmarc(result, demand), Legacy::Accept), expected);
    }
    let before = OrdinaryEvidence {
        acquainted: vec![address("alice@example.com")],
        ..from_bob(SenderPolicy::Open)
    };
    assert_eq!(
        wishing(before, Legacy::Accept),
        Ok((Place::Junk, UnverifiedReason::SealedBefore))
    );
    let of_another = OrdinaryEvidence {
        acquainted: vec![address("carol@example.com")],
        ..from_bob(SenderPolicy::Open)
    };
    assert_eq!(wishing(of_another, Legacy::Accept), inbox);
}

/// Blocks hold for every address in From, in its loose form (spec §10.1.1, §11.2.2).
#[test]
fn a_block_comes_first() {
    let blocks = ["eve@example.net".parse().unwrap()];
    let wish = Wish {
        legacy: Legacy::Accept,
        blocks: &blocks,
        ..Wish::default()
    };
    let found = Some(from_bob(SenderPolicy::Strict));
    let header = "From: Bob <bob@example.org>, EVE+x@example.net";
    let blocked = judged(header, found, wish).map(|_| ());
    assert_eq!(blocked, Err(Rejection::Blocked));
}

/// spec §11.6.3
#[test]
fn what_a_registered_mediator_broke_is_kept_outside_the_inbox() {
    let forwarders = [address("alice@lists.alumni.example")];
    let signed = |domain: &str, policy: SenderPolicy| {
        let found = OrdinaryEvidence {
            dkim: vec![domain.parse().unwrap()],
            ..from_bob(policy)
        };
        let wish = Wish {
            forwarders: &forwarders,
            ..Wish::default()
        };
        judged(BOB, Some(found), wish).map(|accepted| placed(&accepted))
    };
    let kept = Ok((Place::Requests, UnverifiedReason::Forwarded));
    for policy in [SenderPolicy::Strict, unknown(), SenderPolicy::Open] {
        assert_eq!(signed("lists.alumni.example", policy.clone()), kept);
        assert_eq!(signed("alumni.example", policy), kept);
    }
    let strict = Err(strict("bob@example.org"));
    for other in ["example", "x.lists.alumni.example", "otheralumni.example"] {
        assert_eq!(signed(other, SenderPolicy::Strict), strict, "{other}");
    }
}

/// spec §11.5.1
#[test]
fn a_report_is_taken_when_it_was_asked_for_and_never_from_who_seals() {
    let sent = vec![[7; 32]];
    let report = |author: AuthorEvidence, mailbox: &str| {
        let found = OrdinaryEvidence {
            authors: vec![author],
            answered: vec![Answered {
                mailbox: address(mailbox),
                sent: sent.clone(),
            }],
            ..OrdinaryEvidence::default()
        };
        judged(BOB, Some(found), Wish::default())
    };
    let open = |policy| author("mailer-daemon@example.net", policy);
    let alice = "alice@example.com";
    for policy in [SenderPolicy::Open, SenderPolicy::Overdue] {
        let taken = report(open(policy), alice).unwrap();
        assert_eq!(placed(&taken), (Place::Inbox, UnverifiedReason::Report));
        assert_eq!(taken.answered(), sent);
    }
    let of_a_friend = OrdinaryEvidence {
        answered: vec![Answered {
            mailbox: address(alice),
            sent: sent.clone(),
        }],
        acquainted: vec![address(alice)],
        ..from_bob(SenderPolicy::Open)
    };
    assert_eq!(
        wishing(of_a_friend, Legacy::Accept),
        Ok((Place::Junk, UnverifiedReason::SealedBefore))
    );
    let other = report(open(SenderPolicy::Open), "carol@example.com").map(|_| ());
    assert_eq!(other, Err(Rejection::Unsealed));
    let speaks = AuthorEvidence {
        speaks: true,
        ..open(SenderPolicy::Open)
    };
    assert_eq!(report(speaks, alice).map(|_| ()), Err(Rejection::Unsealed));
    let refused = report(open(SenderPolicy::Strict), alice).map(|_| ());
    assert_eq!(refused, Err(strict("mailer-daemon@example.net")));
}
