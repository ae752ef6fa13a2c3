//! The protocol against a stand-in for Kueue: how every state is answered, and that whatever
//! happens, in whatever order, with a crash anywhere, money is set aside before anything runs,
//! once, and given back.

mod stand_in;
mod states;
mod walk;
mod world;
