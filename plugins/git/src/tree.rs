//! What is in the branch: a flat list of names, as git tells and takes it.

use std::collections::BTreeMap;

use wayside_bridge::file;

/// The name of an object, in hexadecimal digits: 40, or 64 in a repository that uses SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Oid(String);

impl Oid {
    /// The name in a text that holds nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        (matches!(text.len(), 40 | 64) && digits).then(|| Self(text.to_owned()))
    }

    /// Its digits.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether it is of a repository that uses SHA-256.
    pub(crate) fn is_sha256(&self) -> bool {
        self.0.len() == 64
    }
}

/// What a tree says of one of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    mode: String,
    kind: String,
    pub(crate) oid: Oid,
}

impl Entry {
    /// An ordinary file.
    pub(crate) fn file(oid: Oid) -> Self {
        Self { mode: "100644".to_owned(), kind: "blob".to_owned(), oid }
    }

    /// Whether it is one, and no link, folder or submodule.
    pub(crate) fn is_file(&self) -> bool {
        self.kind == "blob" && matches!(self.mode.as_str(), "100644" | "100755" | "100664")
    }

    /// Whether it is a folder.
    pub(crate) fn is_folder(&self) -> bool {
        self.kind == "tree"
    }
}

/// The most entries of a tree that is read: as many as a folder's bridge numbers. More are only somebody's who may as well delete
/// everything.
pub(crate) const MOST_ENTRIES: usize = 65_536;

/// The most bytes of its listing.
pub(crate) const MOST_LISTED: usize = MOST_ENTRIES * 256;

/// The file for people.
pub(crate) const README: &str = "README.md";

/// The entries of a branch's tree by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<Vec<u8>, Entry>);

impl Tree {
    /// The tree of what `git ls-tree -z` says; `None` where that is nothing that it would say, or too much.
    ///
    /// Names that no file can have are left out: git itself refuses them everywhere else.
    pub(crate) fn parse(listed: &[u8]) -> Option<Self> {
        let mut tree = BTreeMap::new();
        for line in listed.split(|b| *b == 0).filter(|line| !line.is_empty()) {
            let tab = line.iter().position(|b| *b == b'\t')?;
            let (head, name) = line.split_at_checked(tab)?;
            let name = name.get(1..)?;
            let mut head = std::str::from_utf8(head).ok()?.split(' ');
            let (mode, kind, oid) = (head.next()?, head.next()?, Oid::parse(head.next()?)?);
            if name.is_empty() || name.contains(&b'/') {
                continue;
            }
            tree.insert(name.to_owned(), Entry { mode: mode.to_owned(), kind: kind.to_owned(), oid });
        }
        (tree.len() <= MOST_ENTRIES).then_some(Self(tree))
    }

    /// As `git mktree -z` takes it.
    pub(crate) fn to_input(&self) -> Vec<u8> {
        let mut input = Vec::new();
        for (name, Entry { mode, kind, oid }) in &self.0 {
            input.extend(format!("{mode} {kind} {}\t", oid.text()).into_bytes());
            input.extend(name);
            input.push(0);
        }
        input
    }

    /// The files whose names are those of records.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&str, file::Name, &Oid)> {
        self.0.iter().filter(|(_, entry)| entry.is_file()).filter_map(|(name, entry)| {
            let name = std::str::from_utf8(name).ok()?;
            Some((name, file::Name::parse(name)?, &entry.oid))
        })
    }

    /// How many entries are neither records nor for people.
    pub(crate) fn foreign(&self) -> u64 {
        let ours = self.records().count() + usize::from(self.0.contains_key(README.as_bytes()));
        self.0.len().saturating_sub(ours) as u64
    }

    /// The entry of this name.
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.0.get(name.as_bytes())
    }

    /// Puts an ordinary file there, in place of whatever has its name.
    pub(crate) fn put(&mut self, name: &str, oid: Oid) {
        self.0.insert(name.as_bytes().to_owned(), Entry::file(oid));
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name.as_bytes());
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
