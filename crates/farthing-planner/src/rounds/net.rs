//! The safety net.
