//! Logging in, mailboxes, APPEND, COPY, MOVE, EXPUNGE, IDLE, METADATA.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use email2_imap::{FlagAction, Flags};

use crate::office::{Client, Office};

const MESSAGE: &[u8] = b"From: Bob <bob@example.org>\r\nSubject: case\r\n\r\nText.\r\n";

#[test]
fn a_login_opens_the_mailboxes() {
    let (mut office, mut client) = (Office::new(), Client::new());
    let greeting = client.say(&mut office, b"");
    assert!(
        greeting.starts_with("* OK [CAPABILITY IMAP4rev1 "),
        "{greeting}"
    );
    assert!(!greeting.contains("STARTTLS"));
    let heard = client.say(&mut office, b"a LIST \"\" *\r\n");
    assert_eq!(heard, "a BAD log in first\r\n");
    let heard = client.say(&mut office, b"b LOGIN alice@example.com {5}\r\n");
    assert_eq!(heard, "+ go on\r\n");
    let heard = client.say(
        &mut office,
        b"token\r\nc LIST \"\" % RETURN (SPECIAL-USE)\r\n",
    );
    let list: Vec<&str> = heard.lines().collect();
    assert!(list[0].starts_with("b OK [CAPABILITY"), "{heard}");
    assert_eq!(
        list[1..],
        [
            "* LIST (\\HasNoChildren) \"/\" \"INBOX\"",
            "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent\"",
            "* LIST (\\HasNoChildren \\Drafts) \"/\" \"Entw&APw-rfe\"",
            "c OK done",
        ]
    );
}

#[test]
fn plain_comes_in_one_line_or_two() {
    // NUL alice@example.com NUL token
    let response = b"AGFsaWNlQGV4YW1wbGUuY29tAHRva2Vu\r\n";
    let (mut office, mut client) = (Office::new(), Client::new());
    client.say(&mut office, b"");
    assert_eq!(
        client.say(&mut office, b"a AUTHENTICATE PLAIN\r\n"),
        "+ \r\n"
    );
    assert!(client.say(&mut office, response).starts_with("a OK "));
    let mut client = Client::new();
    client.say(&mut office, b"");
    let line = [b"a AUTHENTICATE PLAIN ".as_slice(), response].concat();
    assert!(client.say(&mut office, &line).starts_with("a OK "));
    let mut client = Client::new();
    client.say(&mut office, b"a AUTHENTICATE PLAIN\r\n");
    assert_eq!(
        client.say(&mut office, b"*\r\n"),
        "a BAD given up, as you say\r\n"
    );
}

#[test]
fn scram_comes_in_three_responses() {
    let (mut office, mut client) = (Office::new(), Client::new());
    client.say(&mut office, b"");
    let line = |text: &str| format!("{}\r\n", STANDARD.encode(text)).into_bytes();
    let first = line("n,,n=alice@example.com,r=theirs");
    let proof = STANDARD.encode([7; 32]);
    let last = line(&format!("c=biws,r=theirsours,p={proof}"));
    let heard = client.say(&mut office, b"a AUTHENTICATE SCRAM-SHA-256\r\n");
    assert_eq!(heard, "+ \r\n");
    let heard = client.say(&mut office, &first);
    let challenge = STANDARD.encode("r=theirsours,s=c2FsdA==,i=4096");
    assert_eq!(heard, format!("+ {challenge}\r\n"));
    let heard = client.say(&mut office, &last);
    assert_eq!(heard, format!("+ {}\r\n", STANDARD.encode("v=AAAA")));
    // Who does not take the server's last message has not logged in.
    let heard = client.say(&mut office, b"*\r\nb SELECT INBOX\r\n");
    assert!(
        heard.starts_with("a BAD ") && heard.contains("b BAD log in first"),
        "{heard}"
    );
    client.say(
        &mut office,
        &[b"c AUTHENTICATE SCRAM-SHA-256 ", &first[..]].concat(),
    );
    client.say(&mut office, &last);
    assert!(
        client
            .say(&mut office, b"\r\n")
            .starts_with("c OK [CAPABILITY")
    );
    let mut client = Client::new();
    let heard = client.say(&mut office, b"a AUTHENTICATE SCRAM-SHA-256 biws\r\n");
    assert!(
        heard.contains("a BAD the response is not one of SCRAM-SHA-256"),
        "{heard}"
    );
}

#[test]
fn the_third_failed_login_ends_the_session() {
    let (mut office, mut client) = (Office::new(), Client::new());
    client.say(&mut office, b"");
    for _ in 0..2 {
        let heard = client.say(&mut office, b"a LOGIN alice@example.com wrong\r\n");
        assert_eq!(
            heard,
            "a NO [AUTHENTICATIONFAILED] address or token is wrong\r\n"
        );
    }
    let heard = client.say(&mut office, b"a LOGIN alice@example.com wrong\r\n");
    assert!(
        heard.ends_with("* BYE too many logins failed\r\n"),
        "{heard}"
    );
    assert!(client.closed);
}

/// I02: EXISTS before the tagged OK.
#[test]
fn an_appended_message_exists_before_append_is_done() {
    let mut office = Office::new();
    let mut client = Client::in_inbox(&mut office);
    let size = MESSAGE.len();
    let heard = client.say(
        &mut office,
        format!("a APPEND INBOX (\\Seen) {{{size}}}\r\n").as_bytes(),
    );
    assert_eq!(heard, "+ go on\r\n");
    let heard = client.say(&mut office, &[MESSAGE, b"\r\n"].concat());
    assert_eq!(heard, "* 1 EXISTS\r\na OK [APPENDUID 7 11] kept\r\n");
    assert_eq!(office.kept[0].octets, MESSAGE);
    assert!(office.kept[0].info.flags.seen);
    assert_eq!(client.say(&mut office, b"b NOOP\r\n"), "b OK done\r\n");
}

#[test]
fn what_cannot_be_appended_leaves_the_stream_in_step() {
    let mut office = Office::new();
    let mut client = Client::in_inbox(&mut office);
    let heard = client.say(&mut office, b"a APPEND Nowhere {3}\r\nb NOOP\r\n");
    assert_eq!(
        heard,
        "a NO [TRYCREATE] there is no mailbox of that name\r\nb OK done\r\n"
    );
    let heard = client.say(&mut office, b"a APPEND Nowhere {3+}\r\nx\r\n\r\nb NOOP\r\n");
    assert_eq!(
        heard,
        "a NO [TRYCREATE] there is no mailbox of that name\r\nb OK done\r\n"
    );
    let heard = client.say(&mut office, b"a APPEND INBOX {3+}\r\nx\0y\r\nb NOOP\r\n");
    assert_eq!(
        heard,
        "a NO [CANNOT] a message with a NUL octet cannot be kept\r\nb OK done\r\n"
    );
    let heard = client.say(
        &mut office,
        b"a APPEND {5+}\r\nINBOX {3+}\r\nxyz {2+}\r\nab\r\nb NOOP\r\n",
    );
    assert_eq!(heard, "a BAD one APPEND takes one message\r\nb OK done\r\n");
    let heard = client.say(&mut office, b"a APPEND INBOX {99999999999}\r\nb NOOP\r\n");
    assert_eq!(
        heard,
        "a NO [TOOBIG] the message is larger than this server takes\r\nb OK done\r\n"
    );
    assert!(office.kept.is_empty());
}

#[test]
fn selecting_tells_what_is_there() {
    let mut office = Office::new();
    office.deliver("INBOX", MESSAGE, true);
    let mut client = Client::new();
    client.say(&mut office, b"l LOGIN alice@example.com token\r\n");
    let heard = client.say(&mut office, b"s SELECT inbox\r\n");
    let told: Vec<&str> = heard.lines().collect();
    assert_eq!(
        told,
        [
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Email2Verified)",
            "* 1 EXISTS",
            "* 0 RECENT",
            "* OK [UNSEEN 1] the first unseen one",
            "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] are kept",
            "* OK [UIDVALIDITY 7] of the UIDs",
            "* OK [UIDNEXT 12] comes next",
            "s OK [READ-WRITE] selected",
        ]
    );
    let heard = client.say(
        &mut office,
        b"t STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY)\r\n",
    );
    let status = "* STATUS \"INBOX\" (MESSAGES 1 UIDNEXT 12 UIDVALIDITY 7)\r\nt OK done\r\n";
    assert_eq!(heard, status);
    let heard = client.say(&mut office, b"u SELECT Nowhere\r\nv CHECK\r\n");
    let gone =
        "u NO [NONEXISTENT] there is no mailbox of that name\r\nv BAD select a mailbox first\r\n";
    assert_eq!(heard, gone);
}

#[test]
fn numbers_move_only_when_they_may() {
    let mut office = Office::new();
    for _ in 0..3 {
        office.deliver("INBOX", MESSAGE, false);
    }
    let mut client = Client::in_inbox(&mut office);
    office.remove("INBOX", |info| info.uid == 12);
    office.deliver("INBOX", MESSAGE, false);
    let heard = client.say(&mut office, b"a FETCH 3 UID\r\n");
    assert_eq!(heard, "* 3 FETCH (UID 13)\r\n* 4 EXISTS\r\na OK done\r\n");
    let heard = client.say(&mut office, b"b NOOP\r\n");
    assert_eq!(heard, "* 2 EXPUNGE\r\nb OK done\r\n");
    let heard = client.say(&mut office, b"c UID FETCH 14 (UID)\r\n");
    assert_eq!(heard, "* 3 FETCH (UID 14)\r\nc OK done\r\n");
    let heard = client.say(&mut office, b"d FETCH 9 UID\r\n");
    assert_eq!(heard, "d BAD there is no message of that number\r\n");
}

#[test]
fn messages_are_copied_moved_and_expunged() {
    let mut office = Office::new();
    for _ in 0..3 {
        office.deliver("INBOX", MESSAGE, true);
    }
    let mut client = Client::in_inbox(&mut office);
    let heard = client.say(&mut office, b"a COPY 1:2 Sent\r\n");
    assert_eq!(heard, "a OK [COPYUID 7 11:12 11:12] copied\r\n");
    assert!(office.kept.iter().all(|kept| kept.info.verified));
    let heard = client.say(&mut office, b"b UID MOVE 11 Sent\r\n");
    assert_eq!(
        heard,
        "* OK [COPYUID 7 11 13] moved\r\n* 1 EXPUNGE\r\nb OK moved\r\n"
    );
    let heard = client.say(&mut office, b"c STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\n");
    assert_eq!(heard, "c OK done\r\n");
    let heard = client.say(&mut office, b"d UID EXPUNGE 13\r\ne EXPUNGE\r\n");
    assert_eq!(
        heard,
        "* 2 EXPUNGE\r\nd OK done\r\n* 1 EXPUNGE\r\ne OK done\r\n"
    );
    let heard = client.say(&mut office, b"f COPY 1 Nowhere\r\n");
    assert_eq!(heard, "f OK there is no such message\r\n");
}

#[test]
fn idle_tells_what_others_do() {
    let mut office = Office::new();
    office.deliver("INBOX", MESSAGE, false);
    let mut client = Client::in_inbox(&mut office);
    assert_eq!(client.say(&mut office, b"a IDLE\r\n"), "+ idling\r\n");
    assert!(client.session.is_idle());
    office.deliver("INBOX", MESSAGE, true);
    let seen = Flags {
        seen: true,
        ..Flags::default()
    };
    office.change("INBOX", &[11], FlagAction::Add, &seen);
    client.session.notify();
    let heard = client.say(&mut office, b"");
    assert_eq!(heard, "* 2 EXISTS\r\n* 1 FETCH (UID 11 FLAGS (\\Seen))\r\n");
    assert_eq!(client.say(&mut office, b"DONE\r\n"), "a OK done\r\n");
}

#[test]
fn settings_are_kept_within_their_bounds() {
    let mut office = Office::new();
    let mut client = Client::in_inbox(&mut office);
    let heard = client.say(
        &mut office,
        b"a SETMETADATA \"\" (/private/vendor/email2/blocks {16+}\r\n@example.net\r\nx@)\r\n",
    );
    assert_eq!(heard, "a OK kept\r\n");
    let heard = client.say(
        &mut office,
        b"b GETMETADATA (DEPTH 1) \"\" /private/vendor/email2\r\n",
    );
    let all = "* METADATA \"\" (/private/vendor/email2/blocks {16}\r\n@example.net\r\nx@ \
        /private/vendor/email2/contacts NIL /private/vendor/email2/forward NIL \
        /private/vendor/email2/forwarders NIL /private/vendor/email2/legacy NIL \
        /private/vendor/email2/strangers NIL /private/vendor/email2/vacation NIL \
        /private/vendor/email2/vacation-days NIL)\r\nb OK done\r\n";
    assert_eq!(heard, all);
    let limit = "NO [METADATA MAXSIZE 65536] an entry has at most 64 KiB and 2,000 lines\r\n";
    let lines = "a\n".repeat(2_001);
    let command = format!(
        "c SETMETADATA \"\" (/private/vendor/email2/contacts {{{}+}}\r\n{lines})\r\n",
        lines.len()
    );
    assert_eq!(
        client.say(&mut office, command.as_bytes()),
        format!("c {limit}")
    );
    let heard = client.say(
        &mut office,
        b"d SETMETADATA \"\" (/private/vendor/email2/contacts {90000}\r\n",
    );
    assert_eq!(heard, format!("d {limit}"));
    let heard = client.say(
        &mut office,
        b"e SETMETADATA \"\" (/private/comment \"x\")\r\n",
    );
    assert_eq!(heard, "e NO [CANNOT] there is no such entry\r\n");
}

#[test]
fn silence_ends_a_session() {
    let (mut office, mut client) = (Office::new(), Client::new());
    client.say(&mut office, b"");
    let deadline = client.session.deadline().unwrap();
    client.session.timeout(deadline);
    let heard = client.say(&mut office, b"");
    assert_eq!(heard, "* BYE nothing was heard for too long\r\n");
    assert!(client.closed);
}

#[test]
fn a_command_without_end_ends_the_session() {
    let (mut office, mut client) = (Office::new(), Client::new());
    client.say(&mut office, b"");
    let heard = client.say(&mut office, &[b'a'; 10_000]);
    assert_eq!(heard, "* BYE a command is too long\r\n");
    let mut client = Client::new();
    client.say(&mut office, b"");
    let heard = client.say(&mut office, &b"a XYZZY\r\n".repeat(20));
    assert!(heard.ends_with("* BYE too many commands that are none\r\n"));
    assert_eq!(heard.lines().count(), 11);
}
