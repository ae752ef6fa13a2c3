//! The HTTP API and the page at /; the only crate with JSON wire types.
