//! The catalogue: one entry per refusal, in the order of a session.

use super::{Enhanced, Row};
use crate::address::{Address, Domain, Identity};
use crate::key_query::Etag;

/// Makes the enum, its accessors and the table from one list. A field that the
/// sentence does not name is private: it goes to the log only.
macro_rules! rejections {
    ($(
        $(#[$doc:meta])*
        $name:ident $({ $($(#[$field_doc:meta])* $field:ident: $kind:ty),+ })?
            = $id:literal, $code:literal, ($class:literal, $subject:literal, $detail:literal),
              $section:literal, $sentence:literal;
    )+) => {
        /// Every refusal, with what it is about.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Rejection {
            $($(#[$doc])* $name $({ $($(#[$field_doc])* $field: $kind),+ })?,)+
        }

        impl Rejection {
            /// The stable name, kebab-case: API of logs and tests.
            pub fn id(&self) -> &'static str {
                match self { $(Self::$name { .. } => $id,)+ }
            }

            /// The SMTP reply code, 400 to 599.
            pub fn code(&self) -> u16 {
                match self { $(Self::$name { .. } => $code,)+ }
            }

            /// The enhanced status code (RFC 3463).
            pub fn enhanced(&self) -> Enhanced {
                match self { $(Self::$name { .. } => Enhanced($class, $subject, $detail),)+ }
            }

            /// The section that demands it.
            pub fn section(&self) -> &'static str {
                match self { $(Self::$name { .. } => $section,)+ }
            }

            /// The sentence with its fields filled in, not yet escaped.
            pub(super) fn text(&self) -> String {
                match self {
                    $(Self::$name $({ $($field),+ })? => {
                        $($(let _ = $field;)+)?
                        format!($sentence)
                    })+
                }
            }
        }

        /// The table, in this order.
        pub(super) const ROWS: &[Row] = &[
            $(Row {
                id: $id,
                code: $code,
                enhanced: Enhanced($class, $subject, $detail),
                sentence: $sentence,
                section: $section,
            },)+
        ];
    };
}

rejections! {
    // ---- the session ----
    /// A verb that nobody knows.
    UnknownCommand = "unknown-command", 500, (5, 5, 1), "RFC 5321 §4.2.4", "Unknown command";
    /// A verb that is known and not offered.
    NotImplemented = "not-implemented", 502, (5, 5, 1), "RFC 5321 §4.2.4", "Command not implemented";
    /// A command line beyond its limit.
    CommandTooLong = "command-too-long", 500, (5, 5, 2), "RFC 5321 §4.5.3.1.4", "Command line too long";
    /// A bare CR, a bare LF or a NUL in a command.
    CommandOctets = "command-octets", 500, (5, 5, 2), "RFC 5321 §2.3.8", "Only CRLF ends a line; bare CR, bare LF and NUL are refused";
    /// Arguments that do not parse.
    BadArguments { /** What was expected. */ expected: &'static str }
        = "bad-arguments", 501, (5, 5, 4), "RFC 5321 §4.1", "Syntax error, expected {expected}";
    /// A MAIL or RCPT parameter that is not offered.
    UnknownParameter = "unknown-parameter", 555, (5, 5, 4), "RFC 5321 §4.1.1.11", "A parameter of this command is not known here";
    /// A command in the wrong phase.
    BadSequence { /** What has to come first. */ first: &'static str }
        = "bad-sequence", 503, (5, 5, 1), "RFC 5321 §4.1.4", "Bad sequence of commands, first: {first}";
    /// The command needs TLS.
    TlsRequired = "tls-required", 530, (5, 7, 0), "spec §3.1", "This command is taken under TLS only";
    /// TLS cannot start now.
    TlsUnavailable = "tls-unavailable", 454, (4, 7, 0), "RFC 3207 §4", "TLS is not available now";
    /// Octets behind STARTTLS, before the handshake.
    OctetsBehindStartTls = "octets-behind-starttls", 501, (5, 5, 2), "RFC 3207 §4", "Nothing may follow STARTTLS before the handshake";
    /// The command needs a signed-in user.
    AuthRequired = "auth-required", 530, (5, 7, 0), "RFC 4954 §6", "Sign in first";
    /// A mechanism that is not offered.
    AuthMechanism = "auth-mechanism", 504, (5, 5, 4), "RFC 4954 §4", "This mechanism is not offered; use SCRAM-SHA-256 or PLAIN";
    /// A response that is no base64, or malformed.
    AuthMalformed = "auth-malformed", 501, (5, 5, 2), "RFC 4954 §4", "The response is malformed or was cancelled";
    /// Wrong name or password.
    AuthFailed = "auth-failed", 535, (5, 7, 8), "RFC 4954 §6", "User name or password is wrong";
    /// The check itself failed.
    AuthUnavailable { /** The cause, for the log. */ why: String }
        = "auth-unavailable", 454, (4, 7, 0), "RFC 4954 §6", "Signing in is not possible now, try again later";
    /// Too many failures from this network or for this account.
    AuthThrottled = "auth-throttled", 421, (4, 7, 0), "spec §8.1", "Too many failed sign-ins, try again later";
    /// The one-time code permits KEYPUT only.
    EnrolmentOnly = "enrolment-only", 550, (5, 7, 1), "spec §3.7", "The one-time code permits KEYPUT only; sign in with the token that KEYPUT gave";
    /// Too many protocol errors on this connection.
    TooManyErrors = "too-many-errors", 421, (4, 7, 0), "spec §8.1", "Too many errors, closing the connection";
    /// Too many connections from this network.
    TooManyConnections = "too-many-connections", 421, (4, 7, 0), "spec §8.1", "Too many connections from your network, try again later";
    /// No command in time.
    IdleTimeout = "idle-timeout", 421, (4, 4, 2), "RFC 5321 §4.5.3.2.7", "No command came in time, closing the connection";
    /// A transfer slower than the least speed.
    TooSlow = "too-slow", 421, (4, 4, 2), "spec §8.1", "The transfer is too slow, closing the connection";
    /// The server is shutting down.
    ServiceClosing = "service-closing", 421, (4, 3, 2), "RFC 5321 §3.8", "The server is restarting, try again soon";
    /// No memory, threads or connections left.
    Busy = "busy", 451, (4, 3, 2), "RFC 5321 §4.5.3", "The server is busy, try again soon";
    /// An error of the server's own.
    LocalError { /** The cause, for the log. */ why: String }
        = "local-error", 451, (4, 3, 0), "RFC 5321 §4.2.5", "An error on this server; nothing was accepted, try again later";
    /// The disk is full.
    StorageFull = "storage-full", 452, (4, 3, 1), "RFC 5321 §4.2.5", "The server has no space left, try again later";

    // ---- KEY and KEYPUT ----
    /// No such address, no key, or not listed: one answer for all three.
    NoKey { /** Who was asked for. */ subject: Identity }
        = "no-key", 550, (5, 7, 1), "spec §3.5", "No key for {subject}";
    /// A writer asks too often.
    KeyThrottled = "key-throttled", 450, (4, 7, 1), "spec §3.5", "Too many questions for keys, try again later";
    /// The common state cannot be reached (spec §3.4.5).
    KeyUnavailable { /** The cause, for the log. */ why: String }
        = "key-unavailable", 451, (4, 3, 0), "spec §3.5", "Keys cannot be read now, try again later";
    /// KEYPUT for another's address.
    KeyPutNotYours = "keyput-not-yours", 550, (5, 7, 1), "spec §3.6", "A key can be published for your own address only";
    /// A certificate beyond the limit.
    CertificateTooBig = "certificate-too-big", 552, (5, 3, 4), "spec §8.1", "The certificate is larger than 32 KiB";
    /// A certificate that the policy refuses.
    CertificateRefused { /** What is wrong with it. */ why: String }
        = "certificate-refused", 550, (5, 7, 5), "spec §6.2", "The certificate is refused: {why}";
    /// A new primary key that nothing links to the old one.
    PrimaryUnlinked = "primary-unlinked", 550, (5, 7, 1), "spec §6.5", "A new primary key needs a transition signed by the old key, or a reset by the administrator";
    /// A code to add a device, used with another primary key.
    CodeKeepsPrimary = "code-keeps-primary", 550, (5, 7, 1), "spec §3.7", "This one-time code adds a device to the published key; the key sent has another primary";

    // ---- MAIL, RCPT and content ----
    /// A message beyond SIZE.
    MessageTooBig { /** The limit, octets. */ limit: u64 }
        = "message-too-big", 552, (5, 3, 4), "RFC 1870 §6", "The message is larger than {limit} octets";
    /// An address that needs SMTPUTF8 without it.
    SmtpUtf8Required = "smtputf8-required", 553, (5, 6, 7), "RFC 6531 §3.5", "This address needs SMTPUTF8";
    /// An address that does not parse.
    BadAddress = "bad-address", 501, (5, 1, 3), "RFC 5321 §4.1.2", "This is not an address";
    /// No such mailbox here.
    NoSuchMailbox { /** Who. */ recipient: Address }
        = "no-such-mailbox", 550, (5, 1, 1), "RFC 5321 §3.3", "No such mailbox: {recipient}";
    /// Too many addresses that are not here were tried.
    TooManyUnknown = "too-many-unknown", 450, (4, 7, 1), "spec §3.4", "Too many unknown recipients from your network, try again later";
    /// A domain that this server does not serve.
    RelayDenied { /** Which. */ domain: Domain }
        = "relay-denied", 550, (5, 7, 1), "RFC 5321 §3.6.2", "Mail for {domain} is not taken here";
    /// The mailbox is full.
    MailboxFull { /** Whose. */ recipient: Address }
        = "mailbox-full", 452, (4, 2, 2), "RFC 5321 §4.5.3.1.10", "The mailbox of {recipient} is full";
    /// Too many recipients in one transaction.
    TooManyRecipients = "too-many-recipients", 452, (4, 5, 3), "RFC 5321 §4.5.3.1.10", "Too many recipients, send the others in another transaction";
    /// A recipient for whom another answer might be right.
    RecipientApart = "recipient-apart", 452, (4, 5, 3), "spec §3.9", "This recipient decides apart, send in another transaction";
    /// No recipient was accepted.
    NoRecipients = "no-recipients", 554, (5, 5, 1), "RFC 5321 §3.3", "No valid recipients";
    /// The sender is blocked.
    Blocked = "blocked", 550, (5, 7, 1), "spec §10.1", "The recipient takes no mail from this sender";
    /// So much mail of strangers was taken already that theirs has to wait.
    StrangersExhausted { /** Which budget, for the log. */ why: String }
        = "strangers-exhausted", 450, (4, 7, 1), "spec §10.6", "Too much mail from senders who are not known here yet, try again later";
    /// The certificate encrypted to is no longer the recipient's.
    KeyChanged { /** The etag that is served now, or the one asked about. */ etag: Etag }
        = "key-changed", 550, (5, 7, 5), "spec §3.3", "key-changed {etag}";
    /// A chunk size that is no number, or a chunk after the last.
    BadChunk = "bad-chunk", 501, (5, 5, 4), "RFC 3030 §2", "BDAT takes a size and LAST";
    /// A bare CR or LF in content.
    BareLineEnd = "bare-line-end", 550, (5, 6, 0), "spec §3.9", "The message has a bare CR or LF; only CRLF ends a line";
    /// A NUL in content.
    Nul = "nul", 550, (5, 6, 0), "spec §3.9", "The message has a NUL octet";
    /// A line beyond the limit.
    LineTooLong { /** The limit, octets. */ limit: usize }
        = "line-too-long", 550, (5, 6, 0), "spec §8.1", "The message has a line of more than {limit} octets";
    /// Content that does not end in CRLF.
    NoFinalLineEnd = "no-final-line-end", 550, (5, 6, 0), "spec §4.3", "The message does not end with CRLF";
    /// Too many `Received` fields.
    Loop = "loop", 554, (5, 4, 6), "RFC 5321 §6.3", "The message was received too many times, it is going round in a loop";

    // ---- structure ----
    /// A header section beyond its limit.
    HeaderTooBig = "header-too-big", 550, (5, 6, 0), "spec §8.1", "A header section is larger than 256 KiB";
    /// Too many fields.
    TooManyFields = "too-many-fields", 550, (5, 6, 0), "spec §8.1", "A header section has more than 2000 fields";
    /// Too many addresses.
    TooManyAddresses = "too-many-addresses", 550, (5, 6, 0), "spec §8.1", "A header section has more than 2000 addresses";
    /// Too many parameters.
    TooManyParameters = "too-many-parameters", 550, (5, 6, 0), "spec §8.1", "A header field has more than 64 parameters";
    /// MIME nested too deeply.
    TooDeep = "too-deep", 550, (5, 6, 0), "spec §8.1", "The message has parts nested more than 32 levels deep";
    /// Too many MIME parts.
    TooManyParts = "too-many-parts", 550, (5, 6, 0), "spec §8.1", "The message has more than 1000 parts";
    /// A Content-Type that parsers read differently.
    AmbiguousMime { /** What is ambiguous. */ what: &'static str }
        = "ambiguous-mime", 550, (5, 6, 0), "spec §9.3", "The MIME structure is ambiguous: {what}";
    /// A line of the header section that is no field.
    MalformedField = "malformed-field", 550, (5, 6, 0), "spec §4.7", "A line of the header section is not a header field";
    /// An octet above 127 that is not UTF-8, or a header that needs SMTPUTF8.
    HeaderOctets = "header-octets", 550, (5, 6, 7), "RFC 6532 §3.2", "The header has octets that are not ASCII, without SMTPUTF8 or not UTF-8";

    // ---- the rules for sealed mail ----
    /// From is missing.
    FromMissing = "from-missing", 550, (5, 6, 0), "spec §4.8", "The message has no From field";
    /// From is no single mailbox.
    FromMalformed { /** What was found instead. */ found: &'static str }
        = "from-malformed", 550, (5, 6, 0), "spec §4.8", "From must be one mailbox: {found}";
    /// A field stands twice that may stand once.
    FieldTwice { /** Which. */ field: &'static str }
        = "field-twice", 550, (5, 6, 0), "spec §4.8", "The field {field} stands more than once";
    /// A field above the innermost seal that people would be shown.
    FieldAboveSeal { /** Which. */ field: String }
        = "field-above-seal", 550, (5, 7, 1), "spec §4.7", "The field {field} stands above the seal";
    /// A field between two seals that changes what the lower one covers.
    FieldBetweenSeals { /** Which. */ field: String }
        = "field-between-seals", 550, (5, 7, 1), "spec §4.6", "The field {field} may not stand between two seals";
    /// A field below a seal that may not stand there.
    FieldBelowSeal { /** Which. */ field: String }
        = "field-below-seal", 550, (5, 7, 1), "spec §4.7", "The field {field} may not stand in a sealed message";
    /// Announced as sealed, and no seal is there.
    SealMissing = "seal-missing", 550, (5, 7, 1), "spec §3.2", "The message was announced as sealed and has no seal";
    /// The seal breaks its grammar.
    SealMalformed { /** Where. */ what: &'static str }
        = "seal-malformed", 550, (5, 7, 5), "spec §4.1", "The seal is malformed: {what}";
    /// A seal of a version that this server does not know.
    SealVersion = "seal-version", 550, (5, 7, 5), "spec §4.1", "The seal's version is not known here";
    /// Too many seals.
    TooManySeals = "too-many-seals", 550, (5, 7, 1), "spec §4.6", "The message has more than 8 seals";
    /// The MAIL parameter and the top seal differ.
    AnnouncedDiffers = "announced-differs", 550, (5, 7, 1), "spec §3.2", "The seal is not the one that MAIL announced";
    /// MAIL FROM is not the seal's reverse path.
    ReversePathDiffers = "reverse-path-differs", 550, (5, 7, 1), "spec §4.4", "MAIL FROM is not the one that was sealed";
    /// A recipient who is not in the seal.
    NotSealedFor { /** Who. */ recipient: Address }
        = "not-sealed-for", 550, (5, 7, 1), "spec §4.4", "The message was not sealed for {recipient}";
    /// A rule of the envelope inside the seal.
    EnvelopeRule { /** Which. */ rule: &'static str }
        = "envelope-rule", 550, (5, 7, 1), "spec §4.4", "The sealed envelope is not allowed: {rule}";
    /// A rule of the seal's role.
    RoleRule { /** Which. */ rule: &'static str }
        = "role-rule", 550, (5, 7, 1), "spec §4.5", "The seal's role is not allowed here: {rule}";
    /// A rule of stacks.
    StackRule { /** Which. */ rule: &'static str }
        = "stack-rule", 550, (5, 7, 1), "spec §4.6", "The stack of seals does not hold: {rule}";
    /// The author's seal is not by the address in From.
    FromDiffers { /** Who sealed. */ signer: Identity }
        = "from-differs", 550, (5, 7, 1), "spec §4.5", "From is not {signer}, who sealed the message";
    /// The seal's time lies ahead.
    SealInFuture { /** The server's clock, Unix seconds. */ clock: u64 }
        = "seal-in-future", 451, (4, 7, 7), "spec §4.9", "The seal is dated in the future, clock={clock}";
    /// The seal has expired.
    SealExpired { /** The server's clock, Unix seconds. */ clock: u64 }
        = "seal-expired", 451, (4, 7, 7), "spec §4.9", "The seal has expired, clock={clock}";
    /// The seal is valid for too long.
    SealLifetime = "seal-lifetime", 550, (5, 7, 1), "spec §4.9", "The seal is valid for more than 14 days";
    /// The seal's digest is not the content's.
    DigestWrong = "digest-wrong", 550, (5, 7, 7), "spec §4.3", "The message was changed after it was sealed";
    /// The signature does not verify.
    SignatureWrong { /** Whose. */ signer: Identity }
        = "signature-wrong", 550, (5, 7, 7), "spec §4.2", "The seal is not by {signer}";
    /// The key is not one that may sign for the signer.
    KeyUnfit { /** Whose. */ signer: Identity, /** Why. */ why: &'static str }
        = "key-unfit", 550, (5, 7, 5), "spec §6.2", "The key of the seal may not seal for {signer}: {why}";
    /// The key was revoked.
    KeyRevoked { /** Whose. */ signer: Identity }
        = "key-revoked", 550, (5, 7, 5), "spec §4.10", "The key that sealed was revoked by {signer}";
    /// The key had expired when it sealed.
    KeyExpired { /** Whose. */ signer: Identity }
        = "key-expired", 550, (5, 7, 5), "spec §4.10", "The key of {signer} had expired when it sealed";
    /// The nonce was used for other content.
    NonceReused = "nonce-reused", 550, (5, 7, 7), "spec §4.11", "A seal with this number was already used for another message";
    /// Forwarded by somebody whom the recipient did not register.
    ForwarderUnknown { /** Who forwarded. */ forwarder: Identity }
        = "forwarder-unknown", 550, (5, 7, 1), "spec §4.6", "The recipient does not know {forwarder} as a forwarder";
    /// Written to a list by somebody who may not.
    ListClosed { /** The list. */ list: Address }
        = "list-closed", 550, (5, 7, 1), "spec §14.4", "Only members who may write to {list} can";
    /// A report that answers nothing.
    ReportUnasked = "report-unasked", 550, (5, 7, 1), "spec §4.13", "The report does not answer a message of the recipient";

    // ---- finding the signer's key ----
    /// The signer's domain says that it has no such key.
    NoSuchKey { /** Whose. */ signer: Identity }
        = "no-such-key", 550, (5, 7, 5), "spec §7.2", "{signer} has no such key";
    /// The signer's domain does not exist.
    NoSuchDomain { /** Which. */ domain: Domain }
        = "no-such-domain", 550, (5, 1, 8), "spec §7.2", "The domain {domain} does not exist";
    /// The signer's domain does not speak Email 2.0.
    NotSpeaking { /** Which. */ domain: Domain }
        = "not-speaking", 550, (5, 7, 1), "spec §7.2", "The domain {domain} does not speak Email 2.0, so its seal means nothing";
    /// A domain known to speak Email 2.0 that seems not to.
    DowngradeSuspected { /** Which. */ domain: Domain }
        = "downgrade-suspected", 451, (4, 7, 5), "spec §2.4", "The domain {domain} is known to speak Email 2.0 and seems not to, try again later";
    /// The signer's servers cannot be asked.
    SignerUnreachable { /** Whose. */ signer: Identity, /** The cause, for the log. */ why: String }
        = "signer-unreachable", 451, (4, 7, 5), "spec §7.2", "The key of {signer} cannot be asked for now, try again later";
    /// DNS fails.
    DnsFailure { /** Which domain. */ domain: Domain, /** The cause, for the log. */ why: String }
        = "dns-failure", 451, (4, 4, 3), "spec §7.2", "The DNS of {domain} does not answer, try again later";
    /// No way to authenticate the domain's answer could be asked.
    DomainUnauthenticatedNow { /** Which. */ domain: Domain, /** The cause, for the log. */ why: String }
        = "domain-unauthenticated-now", 451, (4, 7, 5), "spec §2.2", "The servers of {domain} could not be authenticated for it, try again later";
    /// Every way to authenticate the domain's answer is definitely absent.
    DomainUnauthenticated { /** Which. */ domain: Domain, /** The cause, for the log. */ why: String }
        = "domain-unauthenticated", 550, (5, 7, 1), "spec §2.2", "Nothing authenticates the servers of {domain} for it: no DNSSEC, no MTA-STS, no certificate for email2.{domain}";
    /// Lookups for strangers are used up.
    LookupsExhausted = "lookups-exhausted", 451, (4, 7, 5), "spec §2.7", "Too many unknown senders at once, try again later";

    // ---- ordinary mail ----
    /// Unsealed mail, where only sealed mail is taken.
    Unsealed = "unsealed", 550, (5, 7, 1), "spec §10.4", "The recipient takes sealed mail (Email 2.0) only";
    /// Unsealed mail from an author who always seals.
    UnsealedFromStrict { /** Which author. */ author: Identity }
        = "unsealed-from-strict", 550, (5, 7, 1), "spec §2.5", "{author} always seals and this message has no seal";
    /// The author's policy cannot be asked.
    PolicyUnknown { /** Which domain. */ domain: Domain, /** The cause, for the log. */ why: String }
        = "policy-unknown", 451, (4, 7, 5), "spec §2.3", "The policy of {domain} cannot be asked for now, try again later";
    /// The author demanded Email 2.0 all the way.
    NoEmail2Onward { /** Where it ends. */ domain: Domain }
        = "no-email2-onward", 550, (5, 6, 7), "spec §12.5", "The author demands Email 2.0 all the way and {domain} does not speak it";

    // ---- submission ----
    /// A pre-sealed message by somebody else.
    SealNotYours = "seal-not-yours", 550, (5, 7, 1), "spec §3.10", "The seal is not that of the user who is signed in";
    /// From is not the user's.
    FromNotYours = "from-not-yours", 550, (5, 7, 1), "spec §3.10", "From is not an address of the user who is signed in";
    /// An unsealed message, where the server holds no key.
    SubmitSealed = "submit-sealed", 550, (5, 7, 1), "spec §3.10", "This server holds no key for you: send with a program that seals, such as email2 send";
    /// A recipient's key that cannot be encrypted to, of mail that the server protects.
    RecipientKeyUnfit { /** Whose. */ recipient: Address, /** Why. */ why: String }
        = "recipient-key-unfit", 550, (5, 7, 5), "spec §13.4", "The key of {recipient} cannot be encrypted to: {why}";
    /// An unsealed message that cannot be signed as it is.
    SubmitUnfit { /** What is wrong with it. */ why: String }
        = "submit-unfit", 550, (5, 6, 0), "spec §13.3", "The message cannot be signed as it is: {why}";
    /// An unsealed message, each copy of which is made apart, for too many.
    TooManyCopies { /** How many copies it would be. */ copies: usize, /** The limit of all together, octets. */ limit: u64 }
        = "too-many-copies", 552, (5, 3, 4), "spec §13.3", "The {copies} copies of this message are larger than {limit} octets together: send it to fewer people at once, or a smaller one";
}
