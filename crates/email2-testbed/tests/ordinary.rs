//! Ordinary mail as it arrives (spec §11): from servers that do not speak Email 2.0, honest and
//! not, at the door of one that does, with DNS in between.

#[path = "ordinary/cases.rs"]
mod cases;
#[path = "ordinary/forwarded.rs"]
mod forwarded;
#[path = "ordinary/knot.rs"]
mod knot;
#[path = "ordinary/newcomers.rs"]
mod newcomers;
#[path = "ordinary/postfix.rs"]
mod postfix;
#[path = "ordinary/results.rs"]
mod results;
#[path = "ordinary/scene.rs"]
mod scene;
#[path = "ordinary/strict.rs"]
mod strict;
#[path = "ordinary/trust.rs"]
mod trust;
