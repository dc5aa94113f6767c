//! A bridge that is a child process in any language.
