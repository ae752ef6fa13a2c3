//! `farthing offers`.
