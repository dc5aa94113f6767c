//! A bridge over a folder that both sides can see.
