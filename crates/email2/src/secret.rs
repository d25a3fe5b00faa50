//! Secret keys: unlocked in memory, encrypted at rest (spec §6.7).
