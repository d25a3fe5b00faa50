//! One message in a mailbox, asked for through the IMAP machine.

use std::time::Duration;

use email2_imap::{
    Answer, Changes, Event, Flags, MailboxInfo, MailboxKey, MessageInfo, MessageKey, Refusal,
    Request, Session, SessionConfig,
};

/// What a client says before it asks for anything.
const OPENING: &[u8] = b"l LOGIN alice@example.com token\r\ns SELECT INBOX\r\n";
/// No time passes.
const NOW: Duration = Duration::from_secs(1);

/// What an IMAP client hears that logs in, selects the mailbox and says `command`, where the
/// mailbox holds this one message with this verdict. The message is read in pieces.
#[must_use]
pub fn converse(message: &[u8], verdict: &str, command: &[u8]) -> Vec<u8> {
    let config = SessionConfig {
        hostname: "mx.example.com".to_owned(),
        append_limit: 50 << 20,
    };
    let mut session = Session::new(config, NOW);
    let mut heard = settle(&mut session, message, verdict);
    for said in [OPENING, command] {
        session.receive(said, NOW);
        heard.extend(settle(&mut session, message, verdict));
    }
    heard
}

/// Answers until the session waits for the client.
fn settle(session: &mut Session, message: &[u8], verdict: &str) -> Vec<u8> {
    let mut heard = Vec::new();
    loop {
        while let Some(octets) = session.poll_transmit() {
            heard.extend(octets);
        }
        match session.poll_event() {
            Some(Event::Request(request)) => {
                session.answer(answer(&request, message, verdict), NOW)
            }
            Some(Event::Closed) => return heard,
            None => match session.poll_transmit() {
                Some(octets) => heard.extend(octets),
                None => return heard,
            },
        }
    }
}

fn answer(request: &Request, message: &[u8], verdict: &str) -> Answer {
    let info = info(message, verdict);
    match request {
        Request::Mailboxes => Answer::Mailboxes(vec![mailbox(message)]),
        Request::Mailbox(_) => Answer::Mailbox(mailbox(message)),
        Request::Select(_) => Answer::Selected {
            mailbox: mailbox(message),
            messages: vec![info],
        },
        Request::Messages { .. } | Request::ChangeFlags { .. } => Answer::Messages(vec![info]),
        Request::Changes { .. } => Answer::Changes(Changes {
            highest_modseq: 1,
            ..Changes::default()
        }),
        Request::Read { offset, length, .. } => Answer::Octets(piece(message, *offset, *length)),
        Request::AppendEnd { .. } => Answer::Appended {
            uid_validity: 7,
            uid: 2,
        },
        Request::Copy { .. } | Request::Move { .. } => Answer::Refused(Refusal::NoSuchMailbox),
        Request::Settings(wanted) => Answer::Settings(vec![None; wanted.len()]),
        _ => Answer::Done,
    }
}

fn piece(message: &[u8], offset: u64, length: usize) -> Vec<u8> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = message.get(offset..).unwrap_or_default();
    rest.get(..length).unwrap_or(rest).to_vec()
}

fn mailbox(message: &[u8]) -> MailboxInfo {
    MailboxInfo {
        key: MailboxKey(1),
        name: "INBOX".to_owned(),
        special_use: None,
        subscribed: true,
        uid_validity: 7,
        uid_next: 2,
        highest_modseq: 1,
        messages: 1,
        unseen: 1,
        deleted: 0,
        size: message.len() as u64,
    }
}

fn info(message: &[u8], verdict: &str) -> MessageInfo {
    MessageInfo {
        key: MessageKey(1),
        uid: 1,
        modseq: 1,
        size: message.len() as u64,
        received: 1_763_990_000,
        flags: Flags::default(),
        verified: false,
        verdict: verdict.to_owned(),
    }
}
