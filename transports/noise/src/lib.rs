//! The link: QUIC whose handshake and keys are Noise.
