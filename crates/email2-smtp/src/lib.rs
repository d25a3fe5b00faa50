//! SMTP and LMTP as state machines, with the EMAIL2 extension.
