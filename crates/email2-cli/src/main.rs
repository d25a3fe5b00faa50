//! The command line program `email2`.

fn main() {}
