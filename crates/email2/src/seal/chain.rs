//! Stacks of seals (spec §4.6).
