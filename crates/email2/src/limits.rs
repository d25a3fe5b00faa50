//! Every number of the protocol, once, with its unit (spec §8.1).

/// Largest message, octets, unless configured otherwise (announced by SIZE).
pub const MESSAGE_OCTETS: u64 = 50 * MIB;
/// Largest header section, octets: of the message and of every part.
pub const HEADER_OCTETS: usize = 256 * 1024;
/// Most fields in one header section.
pub const HEADER_FIELDS: usize = 2_000;
/// Most addresses in one header section.
pub const HEADER_ADDRESSES: usize = 2_000;
/// Most parameters in one header field.
pub const FIELD_PARAMETERS: usize = 64;
/// Longest line, octets without CRLF: in sealed mail and in any header
/// (RFC 5322 §2.1.1).
pub const LINE_OCTETS: usize = 998;
/// Longest line in the body of ordinary mail, octets without CRLF.
pub const ORDINARY_LINE_OCTETS: usize = 64 * 1024;
/// Deepest nesting of MIME parts; message/rfc822 counts as one level.
pub const MIME_DEPTH: usize = 32;
/// Most MIME parts in a message.
pub const MIME_PARTS: usize = 1_000;
/// Most boundaries that were declared and did not occur yet: a parser looks for
/// each of them to the end of the message.
pub const UNOPENED_BOUNDARIES: usize = 32;
/// Most `Received` fields before a message counts as looping (RFC 5321 §6.3).
pub const RECEIVED_FIELDS: usize = 50;
/// Most layers of encryption in a message.
pub const ENCRYPTION_LAYERS: usize = 1;
/// Most layers of compression in a message.
pub const COMPRESSION_LAYERS: usize = 1;
/// Most OpenPGP packets in a ciphertext or signed message: a session key packet
/// for each subkey of each recipient, and a few.
pub const MESSAGE_PACKETS: usize = 512;
/// How often a ciphertext is decrypted to its end for one reading: by as many
/// session keys as open for the reader and fail.
pub const DECRYPTION_ATTEMPTS: usize = 4;

/// Longest seal field, octets, from its name to its final CRLF.
pub const SEAL_OCTETS: usize = 8 * 1024;
/// Most seals on a message.
pub const SEALS: usize = 8;
/// Most recipients in the `r` of a seal.
pub const SEAL_RECIPIENTS: usize = 100;
/// Column at which a seal field is folded, octets.
pub const SEAL_FOLD: usize = 76;
/// How long a seal is valid unless its author says otherwise, seconds.
pub const SEAL_LIFETIME: u64 = 10 * DAY;
/// How long a seal may be valid at most, seconds.
pub const SEAL_LIFETIME_MAX: u64 = 14 * DAY;
/// How long all seals of a stack may span together, seconds.
pub const STACK_LIFETIME: u64 = 28 * DAY;
/// How far a seal's time may lie ahead of the verifier's clock, seconds.
pub const SEAL_AHEAD: u64 = 10 * 60;
/// How much later than the seal its key may have been created, seconds.
pub const KEY_AHEAD: u64 = DAY;
/// How long a seal is remembered against replay after its `t`, seconds.
pub const SEAL_MEMORY: u64 = 28 * DAY;
/// Octets of a report's body in which the seal must stand that it is about.
pub const REPORT_OCTETS: usize = 64 * 1024;

/// Largest certificate, octets, after third-party certifications are stripped.
pub const CERTIFICATE_OCTETS: usize = 32 * 1024;
/// Largest certificate as it arrives, octets, before anything is stripped.
pub const CERTIFICATE_OCTETS_RECEIVED: usize = 64 * 1024;
/// Most packets in a certificate as it arrives.
pub const CERTIFICATE_PACKETS: usize = 4_096;
/// Most self-signatures of a certificate that are verified.
pub const SELF_SIGNATURES: usize = 256;
/// Most transitions by earlier primary keys that a certificate keeps.
pub const TRANSITIONS: usize = 4;
/// Shortest RSA modulus that is accepted, bits.
pub const RSA_BITS: usize = 3_072;
/// Longest Autocrypt field that is written, octets with CRLF: what others read.
pub const AUTOCRYPT_OCTETS: usize = 10 * 1024;
/// Longest Autocrypt field that is read, octets: the largest certificate as it arrives, in base64.
pub const AUTOCRYPT_OCTETS_RECEIVED: usize = 96 * 1024;
/// Longest KEY command, octets with CRLF.
pub const KEY_COMMAND_OCTETS: usize = 401;
/// Certificate octets in one line of a KEY answer, before base64.
pub const KEY_LINE_RAW_OCTETS: usize = 375;
/// Longest line of a KEY answer, octets with code and CRLF (RFC 5321 §4.5.3.1.5).
pub const KEY_LINE_OCTETS: usize = 512;
/// Longest etag, hexadecimal digits.
pub const ETAG_DIGITS: usize = 64;
/// Most KEY commands without an answer on one connection.
pub const KEYS_OUTSTANDING: usize = 8;
/// Most octets of a KEY answer that are read.
pub const KEY_ANSWER_OCTETS: usize = 64 * 1024;
/// How long a certificate may be used for verifying without asking, seconds.
pub const VERIFY_TTL: u64 = 60 * 60;
/// How long a certificate may be used for encrypting without asking, seconds.
pub const ENCRYPT_TTL: u64 = DAY;
/// How long a definite 'no key' may be kept, seconds.
pub const NEGATIVE_TTL: u64 = 5 * 60;
/// How long a certificate still verifies while nobody can be asked, seconds.
pub const STALE_IF_ERROR: u64 = 7 * DAY;
/// Longest memory that a domain speaks Email 2.0 (`ma`), seconds.
pub const MEMORY_MAX: u32 = 90 * 86_400;
/// Longest `id` of a domain record, octets.
pub const RECORD_ID_OCTETS: usize = 32;
/// Longest domain record, octets.
pub const RECORD_OCTETS: usize = 512;
/// Validity of an enrolment code, seconds.
pub const ENROLMENT_LIFETIME: u64 = 7 * DAY;
/// Characters of a device's token, base64url without padding (32 octets).
pub const TOKEN_CHARACTERS: usize = 43;
/// Longest nonce of a client in an exchange of SCRAM-SHA-256, octets.
pub const SCRAM_NONCE_OCTETS: usize = 512;

/// Longest local part, octets (RFC 5321 §4.5.3.1.1).
pub const LOCAL_PART_OCTETS: usize = 64;
/// Longest domain name in text, octets (RFC 1035 §2.3.4).
pub const DOMAIN_OCTETS: usize = 253;
/// Longest address, octets (RFC 5321 §4.5.3.1.3 without the brackets).
pub const ADDRESS_OCTETS: usize = 254;
/// Longest text that is looked at as an address before it is normalised, octets.
pub const ADDRESS_INPUT_OCTETS: usize = 1_024;
/// Deepest nesting of comments in an address (RFC 5322 §3.2.2).
pub const COMMENT_DEPTH: usize = 16;

/// Longest command line, octets with CRLF (RFC 5321 §4.5.3.1.4).
pub const COMMAND_OCTETS: usize = 512;
/// What the MAIL parameter adds to the longest command line, octets.
pub const MAIL_GROWTH: usize = 355;
/// What the RCPT parameter adds to the longest command line, octets.
pub const RCPT_GROWTH: usize = 75;
/// Most addresses in From of ordinary mail.
pub const AUTHORS: usize = 16;
/// Most fields of ordinary mail that hold a signature (DKIM, ARC, DKIM2): with more of
/// them, none is checked.
pub const SIGNATURE_FIELDS: usize = 24;
/// Longest such field, octets: with a longer one, none is checked.
pub const SIGNATURE_FIELD_OCTETS: usize = 8 * 1024;
/// How long SPF, DKIM, DMARC and ARC of one message may take together, seconds.
pub const AUTHENTICATION_SECONDS: u64 = 20;
/// Octets of ordinary mail that are held in memory for these checks, in the whole server.
pub const AUTHENTICATION_OCTETS: u64 = 256 * MIB;
/// How long a failing lookup of a policy defers mail without a seal from a domain that
/// is not known to speak Email 2.0, seconds; then it counts as absent.
pub const POLICY_PATIENCE: u64 = 60 * 60;
/// Domains whose policy fails that are remembered at a time.
pub const POLICY_FAILURES: usize = 4_096;
/// How long a sent message is remembered for reports of ordinary hops, seconds.
pub const SENT_MEMORY: u64 = 28 * DAY;
/// Octets of an ordinary report's body that are read.
pub const BOUNCE_OCTETS: usize = 64 * 1024;
/// Recipients that an ordinary report may name.
pub const BOUNCE_RECIPIENTS: usize = 100;
/// Most recipients in a transaction of ordinary mail.
pub const RECIPIENTS: usize = 1_000;
/// Protocol errors on one connection before it is closed with 421.
pub const PROTOCOL_ERRORS: usize = 10;
/// Failed authentications on one connection before it is closed.
pub const AUTH_FAILURES: usize = 3;
/// Failed authentications a minute for one source prefix.
pub const AUTH_FAILURES_MINUTE: usize = 10;
/// Failed authentications a day for one source prefix.
pub const AUTH_FAILURES_DAY: usize = 50;
/// Connections from one source prefix at a time.
pub const CONNECTIONS_PER_SOURCE: usize = 30;
/// Connections to one address of a host at a time; who would be one more waits for a place.
pub const CONNECTIONS_TO_HOST: usize = 20;
/// How long a connection to a host is used for further messages and questions, seconds: what
/// authenticated the host may be another by then.
pub const DIALOGUE_AGE: u64 = 5 * 60;

/// Waiting for a command, seconds (RFC 5321 §4.5.3.2.7).
pub const COMMAND_TIMEOUT: u64 = 5 * 60;
/// Waiting for the greeting, and for an answer to EHLO, MAIL, RCPT or KEY,
/// seconds (RFC 5321 §4.5.3.2).
pub const REPLY_TIMEOUT: u64 = 5 * 60;
/// Waiting for the answer to DATA, seconds (RFC 5321 §4.5.3.2.4).
pub const DATA_START_TIMEOUT: u64 = 2 * 60;
/// Waiting for the next octets of content, seconds (RFC 5321 §4.5.3.2.5).
pub const DATA_BLOCK_TIMEOUT: u64 = 3 * 60;
/// Waiting for the answer to the end of data, seconds (RFC 5321 §4.5.3.2.6).
pub const DATA_END_TIMEOUT: u64 = 10 * 60;
/// The server answers the end of data within this time, seconds.
pub const DATA_ANSWER: u64 = 60;
/// From when on a transfer's speed is judged, seconds.
pub const SLOW_AFTER: u64 = 60;
/// The least speed of a transfer after that, octets a second.
pub const SLOW_OCTETS_PER_SECOND: u64 = 1024;

/// Budget of one lookup that a stranger caused, seconds.
pub const LOOKUP_SECONDS: u64 = 10;
/// Most octets that such a lookup may read.
pub const LOOKUP_OCTETS: usize = 64 * 1024;
/// Lookups in flight for one domain that is not known yet.
pub const LOOKUPS_UNKNOWN_DOMAIN: usize = 2;
/// Lookups a minute for one domain that is not known yet.
pub const LOOKUPS_UNKNOWN_DOMAIN_MINUTE: usize = 10;
/// Lookups in flight for strangers in all.
pub const LOOKUPS_TOTAL: usize = 256;
/// Failing KEY commands a minute for a known domain.
pub const FAILING_KEYS_MINUTE: usize = 60;
/// KEY commands of writers (without `FPR`) a minute that one source prefix sends about one domain.
pub const WRITERS_KEYS_MINUTE: usize = 240;
/// Addresses that are not there that one source prefix tries a minute at one domain, by KEY or RCPT.
pub const UNKNOWN_MINUTE: usize = 60;
/// The share of any common budget that one source prefix may hold, as a divisor.
pub const BUDGET_SHARE: usize = 16;
/// Most questions of the walk up the DNS tree (RFC 9989 §4.10).
pub const TREE_WALK_QUESTIONS: usize = 8;
/// How long a failing lookup of a domain's record defers mail to it, seconds, before its author is
/// asked (spec §12.1).
pub const DNS_PATIENCE: u64 = 60 * 60;
/// Longest time that an MTA-STS policy holds, seconds (RFC 8461 §3.2).
pub const MTA_STS_AGE_MAX: u32 = 31_557_600;

/// Messages an hour that one person takes of verified strangers at domains never seen.
pub const STRANGERS_USER_HOUR: usize = 60;
/// Messages an hour that a server takes of verified strangers at domains never seen, unless configured otherwise.
pub const STRANGERS_SERVER_HOUR: usize = 6_000;
/// What strangers of one registrable domain may have of either, as a divisor.
pub const STRANGERS_DOMAIN_SHARE: usize = 2;
/// How long a domain counts as never seen after its first message, seconds.
pub const DOMAIN_UNSEEN: u64 = DAY;

/// Most addresses that a forwarding rule or an alias names.
pub const FORWARD_TARGETS: usize = 20;
/// Most octets of a list's message in all its copies, where each has a link of its own.
pub const OWN_COPIES_OCTETS: u64 = 256 * 1024 * 1024;
/// How long nobody is answered automatically again, seconds (RFC 3834 §2), unless the person says
/// otherwise.
pub const ANSWER_PAUSE: u64 = 7 * DAY;
/// Most days that a person may say for it (RFC 5230 §4.1).
pub const ANSWER_DAYS: u64 = 30;
/// How long a report finds back to the sender of ordinary mail that was passed on, seconds.
pub const RETURN_PATH_LIFETIME: u64 = 10 * DAY;

/// How long an item stays in a queue, seconds.
pub const QUEUE_LIFETIME: u64 = 5 * DAY;
/// Octets of all copies of one unsealed message together: each is encrypted apart.
pub const COPIES_OCTETS: u64 = 2 * 1024 * 1024 * 1024;
/// How long an attempt to deliver may take, seconds: whoever answers each command
/// just in time does not hold a place in the queue for days.
pub const DELIVERY_SECONDS: u64 = 2 * 60 * 60;
/// Deliveries under way at once to one domain.
pub const DOMAIN_DELIVERIES: u32 = 4;
/// How long a domain that took a message counts as taking mail, seconds: what it answers to
/// another says nothing about the domain then.
pub const DOMAIN_TAKES: u64 = 60 * 60;
/// After how long the author is told that a message is late, seconds.
pub const DELAY_REPORT: u64 = 4 * 60 * 60;
/// First pause before a retry, seconds.
pub const BACKOFF_FIRST: u64 = 60;
/// Longest pause before a retry, seconds.
pub const BACKOFF_MAX: u64 = 4 * 60 * 60;
/// Largest entry of settings, octets (RFC 5464).
pub const SETTING_OCTETS: usize = 64 * 1024;
/// Most lines of an entry of settings.
pub const SETTING_LINES: usize = 2_000;

const MIB: u64 = 1024 * 1024;
const DAY: u64 = 86_400;
