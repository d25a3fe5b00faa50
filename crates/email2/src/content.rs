//! Protection of content, end to end (spec §5).
