//! A bridge in memory.
/// A service in memory.
#[derive(Debug)]
pub struct MemoryService;
/// A bridge to it.
#[derive(Debug)]
pub struct MemoryBridge;
