-- The schema of the store, version 4. A line of comment for every table and
-- column; a test compares. Times are Unix seconds, sizes are octets, addresses
-- are in normal form (spec §1.3), 0/1 are no/yes.

-- state: one row about the store itself
CREATE TABLE state (
  one       INTEGER PRIMARY KEY CHECK (one = 1), -- always 1
  openings  INTEGER NOT NULL,                    -- how often the store was opened: makes body names unique for ever
  uid_validity INTEGER NOT NULL,                 -- the highest UIDVALIDITY ever given: none is given twice
  serving   INTEGER NOT NULL                     -- 1 while a server runs on it; found at opening, it ended uncleanly
) STRICT;

-- account: who has mail here
CREATE TABLE account (
  id        INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
  address   TEXT    NOT NULL UNIQUE,           -- local@domain
  quota     INTEGER,                           -- octets it may hold; NULL: no bound
  used      INTEGER NOT NULL DEFAULT 0,        -- octets it holds: the sum of its messages' sizes
  strict    INTEGER NOT NULL,                  -- KEY's flag strict (spec §3.5)
  unlisted  INTEGER NOT NULL,                  -- only verifiers are answered (spec §3.4.2)
  salt      BLOB,                              -- SCRAM salt of all its verifiers; NULL until the first one
  created   INTEGER NOT NULL                   -- when it was made
) STRICT;

-- token: a device's password, kept only as a SCRAM-SHA-256 verifier (RFC 5803)
CREATE TABLE token (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,                          -- never used again
  account   INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,  -- whose
  name      TEXT    NOT NULL,                                           -- what it was called
  verifier  TEXT    NOT NULL,                                           -- SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey
  created   INTEGER NOT NULL,                                           -- when it was made
  used      INTEGER                                                     -- when it was last used, to the hour
) STRICT;
CREATE INDEX token_account ON token(account);

-- code: a one-time code (spec §3.7)
CREATE TABLE code (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,                          -- never used again
  account   INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,  -- whose
  purpose   TEXT    NOT NULL CHECK (purpose IN ('add', 'reset')),       -- what it is for
  verifier  TEXT    NOT NULL,                                           -- as of a token
  expires   INTEGER NOT NULL,                                           -- 7 days after it was issued
  put       BLOB,                                                       -- SHA-256 of the octets that KEYPUT brought with it
  token     INTEGER REFERENCES token(id) ON DELETE SET NULL             -- the token that it earned; whose first use ends the code
) STRICT;
CREATE INDEX code_account ON code(account);
CREATE INDEX code_token ON code(token);

-- mailbox: a mailbox and its one counter row, locked to commit
CREATE TABLE mailbox (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,                         -- never used again
  account        INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, -- whose
  name           TEXT    NOT NULL,                                          -- UTF-8, levels separated by /
  special_use    TEXT,                                                      -- RFC 6154: archive, drafts, junk, sent, trash
  subscribed     INTEGER NOT NULL,                                          -- its owner subscribed to it
  uid_validity   INTEGER NOT NULL,                                          -- RFC 9051 §2.3.1.1
  uid_next       INTEGER NOT NULL DEFAULT 1,                                -- the UID that the next message gets
  modseq         INTEGER NOT NULL DEFAULT 1,                                -- the highest modification sequence (RFC 7162)
  UNIQUE (account, name)
) STRICT;

-- body: the exact octets of a message, shared by all who have it
CREATE TABLE body (
  id        INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: accepted_seal.body may outlive the row
  name      TEXT    NOT NULL UNIQUE,  -- names the file in bodies/, if it is one
  size      INTEGER NOT NULL,         -- octets
  octets    BLOB                      -- up to 32 KiB; NULL: they are in the file
) STRICT;

-- message: one message in one mailbox
CREATE TABLE message (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,                          -- never used again
  mailbox    INTEGER NOT NULL REFERENCES mailbox(id) ON DELETE CASCADE,  -- where it lies
  uid        INTEGER NOT NULL,                                           -- from the mailbox's counter
  modseq     INTEGER NOT NULL,                                           -- from the mailbox's counter, at its last change
  received   INTEGER NOT NULL,                                           -- INTERNALDATE
  flags      INTEGER NOT NULL,                                           -- 1 seen, 2 answered, 4 flagged, 8 deleted, 16 draft
  keywords   TEXT    NOT NULL,                                           -- separated by spaces, sorted
  provenance TEXT    NOT NULL,                                           -- through which door it came in; written by the three doors only
  trace      BLOB    NOT NULL,                                           -- header fields in front of the body, for this recipient
  body       INTEGER NOT NULL REFERENCES body(id),                       -- the content
  size       INTEGER NOT NULL,                                           -- octets of trace and body
  UNIQUE (mailbox, uid)
) STRICT;
CREATE INDEX message_modseq ON message(mailbox, modseq);
CREATE INDEX message_body ON message(body);

-- vanished: UIDs that were removed, so that sessions can be told
CREATE TABLE vanished (
  mailbox   INTEGER NOT NULL REFERENCES mailbox(id) ON DELETE CASCADE,  -- where it lay
  uid       INTEGER NOT NULL,                                           -- the UID
  modseq    INTEGER NOT NULL,                                           -- when it went
  PRIMARY KEY (mailbox, modseq, uid)
) STRICT, WITHOUT ROWID;

-- accepted_seal: makes a delivery happen exactly once (spec §4.11)
CREATE TABLE accepted_seal (
  account    INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,  -- for whom
  key        BLOB    NOT NULL,                                           -- k: fingerprint of the signing key
  nonce      BLOB    NOT NULL,                                           -- n: 16 octets
  digest     BLOB    NOT NULL,                                           -- h: SHA-256 of the content below the seal
  way        INTEGER NOT NULL,                                           -- 0 direct, 1 registered mediators, 2 other
  body       INTEGER NOT NULL,                                           -- the copy that was stored (its row may be gone)
  keep_until INTEGER NOT NULL,                                           -- then it may be forgotten
  PRIMARY KEY (account, key, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX accepted_seal_keep ON accepted_seal(keep_until);

-- author: whose verified mail an account has had (spec §10.6)
CREATE TABLE author (
  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, -- who had it
  domain  TEXT    NOT NULL,                                          -- the author's, labels from the right: org.example.mail
  local   TEXT    NOT NULL,                                          -- the local part, in lower case and without + and what follows
  first   INTEGER NOT NULL,                                          -- when the first such message came
  PRIMARY KEY (account, domain, local)
) STRICT, WITHOUT ROWID;
CREATE INDEX author_domain ON author(domain);

-- met_domain: registrable domains whose ordinary mail, which they vouched for, an account has had (spec §10.6)
CREATE TABLE met_domain (
  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, -- who had it
  domain  TEXT    NOT NULL,                                          -- the domain
  first   INTEGER NOT NULL,                                          -- when the first such message came
  last    INTEGER NOT NULL,                                          -- when another did, by the day
  PRIMARY KEY (account, domain)
) STRICT, WITHOUT ROWID;
CREATE INDEX met_domain_domain ON met_domain(domain, first);
CREATE INDEX met_domain_last ON met_domain(last);

-- sent_message: what people here sent, so that a report of an ordinary hop can be told from spam (spec §11.5)
CREATE TABLE sent_message (
  account    INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,  -- who sent it
  sent       BLOB    NOT NULL,                                           -- SHA-256 of Message-ID, NUL and one recipient's address
  keep_until INTEGER NOT NULL,                                           -- then it is forgotten; a report forgets it before
  PRIMARY KEY (account, sent)
) STRICT, WITHOUT ROWID;
CREATE INDEX sent_message_keep ON sent_message(keep_until);

-- queue: mail on its way out, one transaction to one domain an entry
CREATE TABLE queue (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used again
  grp          TEXT    NOT NULL,                    -- what groups the entries of one message
  domain       TEXT    NOT NULL,                    -- where to
  mail_from    TEXT    NOT NULL,                    -- the reverse-path without brackets
  role         TEXT,                                -- role of the top seal; NULL: ordinary mail
  signer       TEXT,                                -- s of the top seal
  body         INTEGER NOT NULL REFERENCES body(id),-- the exact octets to send, behind front
  front        BLOB    NOT NULL DEFAULT x'',        -- what stands in front of them for this entry alone
  source       INTEGER REFERENCES body(id),         -- what they were made of, while they may have to be made again; NULL: nothing
  details      TEXT    NOT NULL,                    -- the caller's own
  created      INTEGER NOT NULL,                    -- when it was made
  expires      INTEGER NOT NULL,                    -- when it is given up
  next_attempt INTEGER NOT NULL,                    -- when it is due
  attempts     INTEGER NOT NULL DEFAULT 0,          -- how often it was claimed
  leased_until INTEGER,                             -- until when somebody works on it
  worker       INTEGER NOT NULL DEFAULT 0,          -- who did last: 0 the server, else the opening of another worker beside it
  epoch        INTEGER NOT NULL DEFAULT 0,          -- of the newest claim: an older one settles nothing
  due          INTEGER,                             -- when it can be claimed: next_attempt, or the end of its lease; NULL: held
  held         INTEGER NOT NULL DEFAULT 0,          -- an administrator holds it back
  delayed      INTEGER NOT NULL DEFAULT 0,          -- its author was told that it is late
  alarm        INTEGER NOT NULL DEFAULT 0           -- when it is looked at whatever its domain does: it is late, or its time is over
) STRICT;
CREATE INDEX queue_due ON queue(domain, due);
CREATE INDEX queue_leased ON queue(domain, leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX queue_alarm ON queue(alarm) WHERE due IS NOT NULL;
CREATE INDEX queue_body ON queue(body);
CREATE INDEX queue_source ON queue(source) WHERE source IS NOT NULL;
CREATE INDEX queue_group ON queue(grp);

-- queue_domain: a domain that mail waits for, so that one which is down delays no other
CREATE TABLE queue_domain (
  domain        TEXT PRIMARY KEY,            -- the domain
  due           INTEGER,                     -- when the next of its entries can be claimed; NULL: none waits
  failures      INTEGER NOT NULL DEFAULT 0,  -- attempts in a row that failed for the domain as a whole; then one entry at a time
  blocked_until INTEGER NOT NULL DEFAULT 0,  -- after a failure: when it is tried again
  probe         INTEGER,                     -- the entry that failed last: tried first for a while, for greylisting's sake
  why           TEXT,                        -- the last failure
  accepted      INTEGER                      -- when it last took a message
) STRICT;
CREATE INDEX queue_domain_due ON queue_domain(due);

-- queue_attempt: why attempts failed, the newest few of an entry
CREATE TABLE queue_attempt (
  entry INTEGER NOT NULL REFERENCES queue(id) ON DELETE CASCADE,  -- of which entry
  number INTEGER NOT NULL,                                        -- which attempt
  at    INTEGER NOT NULL,                                         -- when it ended
  said  TEXT    NOT NULL,                                         -- host, stage and words, one reason a line
  PRIMARY KEY (entry, number)
) STRICT, WITHOUT ROWID;

-- tls_count: how TLS with other domains' hosts went, for reports (RFC 8460)
CREATE TABLE tls_count (
  day    INTEGER NOT NULL,  -- days since 1970, UTC
  domain TEXT    NOT NULL,  -- the policy domain
  policy TEXT    NOT NULL,  -- policy-type: tlsa, sts or no-policy-found
  host   TEXT    NOT NULL,  -- the MX host
  result TEXT    NOT NULL,  -- success, or the result-type
  count  INTEGER NOT NULL,  -- sessions
  PRIMARY KEY (day, domain, policy, host, result)
) STRICT, WITHOUT ROWID;

-- queue_recipient: one recipient of a queue entry
CREATE TABLE queue_recipient (
  entry     INTEGER NOT NULL REFERENCES queue(id) ON DELETE CASCADE,                          -- of which
  position  INTEGER NOT NULL,                                                                 -- in the order given
  address   TEXT    NOT NULL,                                                                 -- who
  etag      TEXT,                                                                             -- the certificate encrypted to (spec §3.3)
  state     TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'refused', 'held')),    -- what became of it
  reply     TEXT,                                                                             -- the last reply or reason
  PRIMARY KEY (entry, position)
) STRICT, WITHOUT ROWID;

-- alias: another address of an account, or one whose mail goes elsewhere (spec §14.1)
CREATE TABLE alias (
  address TEXT PRIMARY KEY,                                   -- local@domain
  account INTEGER REFERENCES account(id) ON DELETE CASCADE,   -- whose; NULL: it goes elsewhere
  linked  INTEGER NOT NULL,                                   -- KEY answers writers with the account's certificate
  targets TEXT    NOT NULL,                                   -- where it goes, one address a line
  created INTEGER NOT NULL                                    -- when it was made
) STRICT;

-- list: a mailing list (spec §14.4)
CREATE TABLE list (
  id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
  address      TEXT    NOT NULL UNIQUE,           -- what people write to
  announcement INTEGER NOT NULL,                  -- only moderators write to it
  moderated    INTEGER NOT NULL,                  -- what others than moderators write waits for one
  open         INTEGER NOT NULL,                  -- anybody may subscribe
  hidden       INTEGER NOT NULL,                  -- every member gets a copy of their own
  one_click    INTEGER NOT NULL DEFAULT 0,        -- every copy has a link that leaves the list
  owner        TEXT    NOT NULL,                  -- the account that gets its bounces
  created      INTEGER NOT NULL                   -- when it was made
) STRICT;

-- list_member: somebody on a list
CREATE TABLE list_member (
  list     INTEGER NOT NULL REFERENCES list(id) ON DELETE CASCADE,                   -- which list
  address  TEXT    NOT NULL,                                                         -- who
  domain   TEXT    NOT NULL,                                                         -- the address's
  standing TEXT    NOT NULL CHECK (standing IN ('invited', 'member', 'moderator')),  -- what they are to it
  since    INTEGER NOT NULL,                                                         -- since when
  PRIMARY KEY (list, domain, address)
) STRICT, WITHOUT ROWID;

-- passed_seal: makes passing on happen once (spec §14.2)
CREATE TABLE passed_seal (
  mediator   TEXT    NOT NULL,           -- the address that it came to
  key        BLOB    NOT NULL,           -- k: fingerprint of the signing key
  nonce      BLOB    NOT NULL,           -- n: 16 octets
  digest     BLOB    NOT NULL,           -- h: SHA-256 of the content below the seal
  way        INTEGER NOT NULL,           -- as of accepted_seal
  reported   INTEGER NOT NULL DEFAULT 0, -- its author was told that it could not be delivered
  keep_until INTEGER NOT NULL,           -- then it may be forgotten
  PRIMARY KEY (mediator, key, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX passed_seal_keep ON passed_seal(keep_until);

-- reported: ordinary mail whose sender was told that it could not be passed on (spec §14.2.8)
CREATE TABLE reported (
  grp        TEXT    NOT NULL PRIMARY KEY,  -- what grouped its entries in the queue
  keep_until INTEGER NOT NULL               -- then it may be forgotten
) STRICT, WITHOUT ROWID;

-- answered: to whom an account answered by itself (RFC 3834 §2)
CREATE TABLE answered (
  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,  -- whose answer
  sender  TEXT    NOT NULL,                                           -- to whom
  at      INTEGER NOT NULL,                                           -- when
  PRIMARY KEY (account, sender)
) STRICT, WITHOUT ROWID;

-- certificate: every version of the certificates that this server answers with
CREATE TABLE certificate (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,  -- ascending: the newest is the greatest
  identity  TEXT    NOT NULL,                   -- local@domain or @domain
  primary_key BLOB  NOT NULL,                   -- fingerprint of the primary key
  etag      TEXT    NOT NULL,                   -- of the certificate alone
  octets    BLOB    NOT NULL,                   -- binary OpenPGP
  since     INTEGER NOT NULL,                   -- since when the address belongs to this primary key
  until     INTEGER,                            -- when a signed transition ended it
  hard      INTEGER NOT NULL DEFAULT 0,         -- reset, deleted or revoked by an administrator
  stored    INTEGER NOT NULL                    -- when this version was kept
) STRICT;
CREATE INDEX certificate_identity ON certificate(identity, id);

-- certificate_key: the keys that a version holds, for verifiers
CREATE TABLE certificate_key (
  certificate INTEGER NOT NULL REFERENCES certificate(id) ON DELETE CASCADE,  -- the version
  key         BLOB    NOT NULL,                                               -- fingerprint of a key in it
  PRIMARY KEY (key, certificate)
) STRICT, WITHOUT ROWID;

-- peer_domain: what is known of another domain (spec §2.3)
CREATE TABLE peer_domain (
  domain       TEXT PRIMARY KEY,   -- the domain
  speaks_until INTEGER,            -- known to speak Email 2.0 until then
  ma           INTEGER,            -- its memory, seconds
  p            TEXT,               -- its policy: strict or open
  sp           TEXT,               -- the policy of its subdomains
  assurance    TEXT,               -- how its answer was authenticated
  learnt       INTEGER NOT NULL    -- when
) STRICT;
CREATE INDEX peer_domain_until ON peer_domain(speaks_until);

-- peer_policy: the MTA-STS policy of another domain, as it was fetched (RFC 8461)
CREATE TABLE peer_policy (
  domain  TEXT PRIMARY KEY,   -- the domain
  id      TEXT    NOT NULL,   -- the id that its record had
  text    TEXT    NOT NULL,   -- the policy
  fetched INTEGER NOT NULL,   -- when
  until   INTEGER NOT NULL DEFAULT 0 -- until when it must be kept: it is in force no longer
) STRICT;
CREATE INDEX peer_policy_until ON peer_policy(until);

-- peer_key: what another domain answered to KEY
CREATE TABLE peer_key (
  identity  TEXT    NOT NULL,   -- who was asked for
  asked     BLOB    NOT NULL,   -- fingerprint that a verifier named; empty for a writer's question
  octets    BLOB,               -- the certificate; NULL: there is no such key
  etag      TEXT,               -- its version
  flags     TEXT,               -- its flags as in the answer
  assurance TEXT,               -- how the answer was authenticated; NULL: not at all
  fetched   INTEGER NOT NULL,   -- when it was fetched or revalidated
  ttl       INTEGER NOT NULL,   -- how long it was said to be good, seconds
  PRIMARY KEY (identity, asked)
) STRICT;
CREATE INDEX peer_key_fetched ON peer_key(fetched);

-- pin: trust on first use, in a client's store (spec §6.5)
CREATE TABLE pin (
  identity    TEXT    NOT NULL,                                       -- the correspondent
  standing    TEXT    NOT NULL CHECK (standing IN ('known', 'held')), -- in use, or waits for a decision
  primary_key BLOB    NOT NULL,                                       -- fingerprint of the primary key
  octets      BLOB    NOT NULL,                                       -- the certificate, merged with all that was seen
  assurance   TEXT,                                                   -- how it was first authenticated
  since       INTEGER NOT NULL,                                       -- when it was first seen
  encrypted   INTEGER,                                                -- when mail was last encrypted to it
  PRIMARY KEY (identity, standing)
) STRICT;

-- block: from whom nothing is wanted (spec §10.1)
CREATE TABLE block (
  id       INTEGER PRIMARY KEY,  -- in the order they were added
  account  INTEGER REFERENCES account(id) ON DELETE CASCADE, -- whose; NULL: the server's
  pattern  TEXT    NOT NULL,     -- address, @domain or pattern
  created  INTEGER NOT NULL      -- when it was added
) STRICT;
CREATE UNIQUE INDEX block_once ON block(coalesce(account, 0), pattern);

-- setting: small named values
CREATE TABLE setting (
  account  INTEGER REFERENCES account(id) ON DELETE CASCADE, -- whose; NULL: the server's
  name     TEXT NOT NULL,   -- the name
  value    BLOB NOT NULL    -- the value
) STRICT;
CREATE UNIQUE INDEX setting_once ON setting(coalesce(account, 0), name);
