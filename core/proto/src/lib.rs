//! The pure protocol: identity, invites, slots, envelopes and the meeting engine.
