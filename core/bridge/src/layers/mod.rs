//! Bridges that wrap a bridge.
