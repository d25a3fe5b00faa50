//! IMAP as a state machine.
