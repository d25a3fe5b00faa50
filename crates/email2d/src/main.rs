//! The mail server `email2d`.

fn main() {}
