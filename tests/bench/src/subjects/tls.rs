//! What rustls is told in common.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};

use crate::assignment::Settings;

/// aws-lc, with X25519 as the only key exchange.
///
/// Features add up over this program's tree, and libp2p makes rustls prefer a hybrid with ML-KEM. A program that uses quinn alone gets
/// X25519.
pub(crate) fn aws_lc(settings: Settings) -> Arc<CryptoProvider> {
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519];
    if settings == Settings::Same {
        // Servers take the client's first. QUIC needs the second for Initial packets, whose keys everybody knows.
        provider.cipher_suites = vec![TLS13_CHACHA20_POLY1305_SHA256, TLS13_AES_128_GCM_SHA256];
    }
    Arc::new(provider)
}
