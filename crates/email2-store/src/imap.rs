//! The store in the words of IMAP.
