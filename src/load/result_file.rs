//! The file that the result goes to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Known to be writable before the run, which may take a day. What is there stays until there is a result, and no file is made before.
#[derive(Debug)]
pub struct ResultFile {
    path: PathBuf,
    /// What is no file, and stays open: to who reads it, its end would be the result's.
    pipe: Option<File>,
}

impl ResultFile {
    /// Sees whether anything can be written there.
    ///
    /// # Errors
    /// Where nothing can.
    pub fn open(path: &Path) -> io::Result<Self> {
        let pipe = match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(_) => {
                fs::remove_file(path)?;
                None
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let there = OpenOptions::new().append(true).open(path)?;
                (!there.metadata()?.is_file()).then_some(there)
            }
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.to_owned(), pipe })
    }

    /// Puts `text` in place of what is there.
    ///
    /// # Errors
    /// Where it is not taken.
    pub fn write(self, text: &str) -> io::Result<()> {
        match self.pipe {
            Some(mut pipe) => pipe.write_all(text.as_bytes()),
            None => fs::write(&self.path, text),
        }
    }
}
