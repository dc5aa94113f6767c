//! What friends share, and where they leave word for one another.
//!
//! [`pair`] is the secret of two accounts by epoch; [`slot`] derives from it (and from an invite's secret) where records lie.

pub mod pair;
pub mod slot;
