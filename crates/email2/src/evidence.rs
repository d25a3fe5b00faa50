//! What is known about a message before it is judged (spec §4.12).
