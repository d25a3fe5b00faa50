//! What is kept: mailboxes, keys, queue, memory.
