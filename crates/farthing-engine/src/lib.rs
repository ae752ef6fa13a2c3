//! The one loop: observe, meter, plan, check, approve, act, record, verify.
