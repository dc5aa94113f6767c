//! The behaviour suite that every bridge passes.
