//! Another domain's server: found, authenticated, asked, delivered to.
