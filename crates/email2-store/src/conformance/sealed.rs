//! Messages that were really sealed and judged: there is no other way to an
//! [`Accepted`].

use email2::certificate::generate::generate;
use email2::evidence::{
    Announced, Answered, Evidence, OrdinaryEvidence, SignerEvidence, SignerKey,
};
use email2::scan::Scan;
use email2::seal::{ContentDigest, Nonce, Role, SealRequest, sign};
use email2::secret::SecretKey;
use email2::verdict::{Accepted, Legacy, RecipientPolicy, UnregisteredStack, judge};
use email2::{Address, Assurance, Identity, KeyFlags, ReversePath};
use rand_core::OsRng;

use super::{NOW, address};
use crate::account::Account;
use crate::mailbox::INBOX;
use crate::message::Delivery;
use crate::{Store, conformance};

/// Somebody who writes.
pub(crate) struct Author {
    address: Address,
    secret: SecretKey,
}

/// How a copy comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// From its author.
    Author,
    /// A hop that does not speak Email 2.0: a worse way.
    Hop,
}

impl Author {
    pub(crate) fn new() -> Self {
        let address = address("bob@example.org");
        let secret = generate(&Identity::Address(address.clone()), NOW, &mut OsRng).unwrap();
        Self { address, secret }
    }

    /// A sealed message; the nonce is sixteen times `nonce`.
    pub(crate) fn seal(&self, to: &Address, nonce: u8, text: &str) -> Vec<u8> {
        let content = format!(
            "From: {}\r\nTo: {to}\r\nDate: Mon, 24 Nov 2025 16:00:00 +0000\r\n\r\n{text}\r\n",
            self.address
        );
        let mut digest = ContentDigest::new();
        digest.push(content.as_bytes()).unwrap();
        let request = SealRequest {
            role: Role::Author,
            signer: Identity::Address(self.address.clone()),
            reverse_path: ReversePath::Address(self.address.clone()),
            recipients: vec![to.clone()],
            created: NOW,
            expires: NOW + 1000,
            nonce: Nonce([nonce; 16]),
            digest: digest.finish().unwrap(),
        };
        let seal = sign(&request, &self.secret, &mut OsRng).unwrap();
        format!("{}{content}", seal.field()).into_bytes()
    }

    /// What the server of `to` says to it.
    pub(crate) fn accepted(&self, to: &Address, message: &[u8], by: By) -> Accepted {
        let signer = Identity::Address(self.address.clone());
        let known = SignerKey {
            certificate: self.secret.certificate().clone(),
            assurance: Some(Assurance::Dnssec),
            flags: KeyFlags::default(),
            fetched: NOW,
        };
        let announced = Announced {
            role: Role::Author,
            signer,
        };
        let verdict = judge(Evidence {
            now: NOW,
            mail_from: ReversePath::Address(self.address.clone()),
            recipients: vec![to.clone()],
            announced: (by == By::Author).then_some(announced),
            scanned: Scan::whole(by == By::Author, message).unwrap(),
            signers: vec![SignerEvidence::Known(known)],
            reported: Vec::new(),
            ordinary: None,
        });
        let policy = RecipientPolicy {
            mailbox: to.clone(),
            aliases: &[],
            legacy: Legacy::Reject,
            blocks: &[],
            forwarders: &[],
            unregistered_stack: UnregisteredStack::Reject,
        };
        verdict.accept(&policy).unwrap()
    }

    /// A delivery of a message that [`Author::seal`] made.
    pub(crate) async fn delivery(
        &self,
        store: &Store,
        account: &Account,
        message: &[u8],
        by: By,
    ) -> Delivery {
        Delivery {
            account: account.id,
            mailbox: INBOX.to_owned(),
            accepted: self.accepted(&account.address, message, by),
            trace: b"Return-Path: <bob@example.org>\r\n".to_vec(),
            body: conformance::body(store, message).await,
            received: NOW,
        }
    }
}

/// A report of an ordinary hop about these sent messages.
pub(crate) async fn report(store: &Store, account: &Account, sent: Vec<[u8; 32]>) -> Delivery {
    let message = b"From: mailer-daemon@example.net\r\n\r\nfailed\r\n";
    let answered = Answered {
        mailbox: account.address.clone(),
        sent,
    };
    let verdict = judge(Evidence {
        now: NOW,
        mail_from: ReversePath::Null,
        recipients: vec![account.address.clone()],
        announced: None,
        scanned: Scan::whole(false, message).unwrap(),
        signers: Vec::new(),
        reported: Vec::new(),
        ordinary: Some(OrdinaryEvidence {
            answered: vec![answered],
            ..OrdinaryEvidence::default()
        }),
    });
    let policy = RecipientPolicy {
        mailbox: account.address.clone(),
        aliases: &[],
        legacy: Legacy::Reject,
        blocks: &[],
        forwarders: &[],
        unregistered_stack: UnregisteredStack::Reject,
    };
    Delivery {
        account: account.id,
        mailbox: INBOX.to_owned(),
        accepted: verdict.accept(&policy).unwrap(),
        trace: Vec::new(),
        body: conformance::body(store, message).await,
        received: NOW,
    }
}
