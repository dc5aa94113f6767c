//! The service: a folder in which each entry is a file. **Replace this with a client of yours.**
//!
//! What the bridge needs of it: entries have numbers that only grow, none is used twice, and whoever sees a number has seen all lower ones. A service that
//! has an order of its own (a log, a sequence, a version) gives that for nothing; here a lock does it.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A folder that two people share.
#[derive(Debug)]
pub struct Service {
    path: PathBuf,
    mark: String,
}

impl Service {
    /// The service in this folder; leaves a mark in it that tells it from others, where there is none yet.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut service = Self {
            path: path.to_owned(),
            mark: String::new(),
        };
        let _lock = service.lock()?;
        let mark = path.join(".mark");
        if !mark.exists() {
            let random = [
                RandomState::new().hash_one(0),
                RandomState::new().hash_one(1),
            ];
            service.put(
                ".mark",
                random
                    .map(|half| format!("{half:016x}"))
                    .concat()
                    .as_bytes(),
            )?;
        }
        let text = fs::read_to_string(mark)?;
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(io::Error::other("its file .mark is none of ours"));
        }
        service.mark = text;
        Ok(service)
    }

    /// Tells this place from others; the same for everybody who shares it.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Leaves an entry; tells its number.
    pub fn append(&self, contents: &[u8]) -> io::Result<u64> {
        let _lock = self.lock()?;
        // Kept beside the entries, so that the number of one that was removed is not used again.
        let last = fs::read_to_string(self.path.join(".last"))
            .ok()
            .and_then(|text| text.parse().ok());
        let number = last
            .unwrap_or(0_u64)
            .max(self.after(0)?.last().copied().unwrap_or(0))
            + 1;
        self.put(".last", number.to_string().as_bytes())?;
        self.put(&self.name(number), contents)?;
        Ok(number)
    }

    /// The numbers of the entries after this one, the lowest first.
    pub fn after(&self, known: u64) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.split_once('-'))
                .and_then(|(number, mark)| {
                    number
                        .parse::<u64>()
                        .ok()
                        .filter(|_| mark == self.mark && number.len() == 12)
                });
            numbers.extend(number.filter(|number| *number > known));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// An entry's contents; `None` where it is gone, longer than that, or no file: whoever shares the folder may leave anything there.
    pub fn read(&self, number: u64, most: usize) -> io::Result<Option<Vec<u8>>> {
        let path = self.path.join(self.name(number));
        if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
            return Ok(None);
        }
        let mut contents = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(most as u64 + 1).read_to_end(&mut contents)?,
            Err(_) => return Ok(None),
        };
        Ok((contents.len() <= most).then_some(contents))
    }

    /// Takes an entry away; what is gone already is gone.
    pub fn remove(&self, number: u64) -> io::Result<()> {
        match fs::remove_file(self.path.join(self.name(number))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether it answers.
    pub fn check(&self) -> io::Result<()> {
        fs::metadata(self.path.join(".mark")).map(drop)
    }

    fn name(&self, number: u64) -> String {
        format!("{number:012}-{}", self.mark)
    }

    /// Writes a file: whole or not at all.
    fn put(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let new = self.path.join(".new");
        let mut file = File::create(&new)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(new, self.path.join(name))
    }

    /// One at a time, until it is dropped.
    fn lock(&self) -> io::Result<File> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path.join(".lock"))?;
        file.lock()?;
        Ok(file)
    }
}
