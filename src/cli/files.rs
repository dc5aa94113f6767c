//! Files that a command writes for a person: private, whole or not at all, and over nothing unless that is asked for.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};

/// A file that is to be written.
#[derive(Clone, Debug)]
pub(super) struct Target {
    path: PathBuf,
    over: bool,
}

impl Target {
    /// Refuses what is there already unless `over`, before anything is done for it.
    pub(super) fn new(path: &Path, over: bool) -> Result<Self, Failure> {
        let target = Self { path: path.to_owned(), over };
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => Err(target.failed("it is a folder")),
            Ok(_) if !over => Err(target.exists()),
            _ => Ok(target),
        }
    }

    /// What it is called.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Writes it, readable by its owner alone: another file's place is taken at once, or nothing is changed.
    pub(super) fn write(&self, contents: &[u8]) -> Result<(), Failure> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let written = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .and_then(|mut file| file.write_all(contents).and_then(|()| file.flush()).map(|()| file));
        let file = written.map_err(|error| self.failed(&error.to_string()))?;
        let kept = if self.over { file.persist(&self.path) } else { file.persist_noclobber(&self.path) };
        match kept {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(self.exists()),
            Err(error) => Err(self.failed(&error.error.to_string())),
        }
    }

    fn exists(&self) -> Failure {
        Failure::new(
            Exit::Exists,
            format!("{} is there already: name another file, or add --force", self.shown()),
        )
    }

    fn failed(&self, why: &str) -> Failure {
        Failure::new(Exit::Failed, format!("{} cannot be written: {why}", self.shown()))
    }
}

/// A text in lines that fit on paper, under remarks that say what it is.
pub(super) fn armoured(remarks: &[String], text: &str) -> String {
    let mut lines: Vec<String> = remarks.iter().map(|remark| format!("# {remark}")).collect();
    let characters: Vec<char> = text.chars().collect();
    lines.extend(characters.chunks(LINE).map(|line| line.iter().collect::<String>()));
    lines.join("\n") + "\n"
}

/// Characters in a line.
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Target, armoured};

    #[test]
    fn nothing_is_written_over_unasked() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ann.wayside");
        let write = |over: bool, text: &str| {
            let target = Target::new(&path, over).map_err(|failure| failure.message.unwrap_or_default())?;
            target.write(text.as_bytes()).map_err(|failure| failure.message.unwrap_or_default())
        };
        assert_eq!(write(false, "one"), Ok(()));
        assert!(write(false, "two").is_err_and(|why| why.contains("--force")));
        assert_eq!(std::fs::read_to_string(&path)?, "one");
        assert_eq!(write(true, "three"), Ok(()));
        assert_eq!(std::fs::read_to_string(&path)?, "three");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata()?.permissions().mode() & 0o777, 0o600);
        }
        assert!(Target::new(folder.path(), true).is_err(), "a folder");
        let nowhere = Target::new(&folder.path().join("none/x"), false).map(|target| target.write(b"x"));
        assert!(nowhere.is_ok_and(|written| written.is_err()));
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1, "nothing is left beside it");
        Ok(())
    }

    #[test]
    fn long_texts_are_broken_into_lines() {
        let text = armoured(&["from Ann".to_owned()], &"A".repeat(130));
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [10, 64, 64, 2]);
        assert!(text.ends_with("AA\n"));
    }
}
