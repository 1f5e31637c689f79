//! The file system backend: one file an object, written under a temporary name and renamed.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;

use crate::backend::{clip, read_source};
use crate::key::check_prefix;
use crate::{Error, Key, Result, StorageBackend};

/// Begins the name of a file that is being written. A [`Key`] has no percent sign, so no object has such a name.
const TEMP_PREFIX: &str = "%tmp-";
/// A temporary file of another machine's process is taken for abandoned after this long.
const TEMP_ABANDONED: Duration = Duration::from_secs(3_600);

/// When `put` and `put_file` return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// When the operating system has the data: survives a crash of this process, not one of the machine.
    #[default]
    Process,
    /// When the disk has the data (`fsync` of the file and of its folder): survives a power cut.
    Disk,
}

/// Options of [`FileStorage`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FileOptions {
    /// When a write counts as done.
    pub durability: Durability,
}

impl FileOptions {
    /// Sets when a write counts as done.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
}

/// Objects as files below a root folder: the key `a/b/c` is the file `ROOT/a/b/c`.
///
/// Objects are written under a temporary name in their own folder and renamed, so a half-written one is never visible.
/// Folders that become empty are removed. File work runs on tokio's blocking threads.
#[derive(Clone, Debug)]
pub struct FileStorage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    options: FileOptions,
    /// Held for reading while a folder is made and its first file placed, for writing while empty folders are removed.
    folders: RwLock<()>,
}

impl FileStorage {
    /// Opens the store below `root`, makes the folder when it is missing, and removes what a crashed writer left half
    /// written. Temporary files of processes that still run are left alone.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be made or read.
    pub async fn open(root: impl Into<PathBuf>, options: FileOptions) -> Result<Self> {
        let root = root.into();
        blocking(move || {
            fs::create_dir_all(&root).map_err(|e| folder_error("make folder", &root, e))?;
            // Absolute from here on, so that a later change of the working directory moves nothing.
            let root =
                std::path::absolute(&root).map_err(|e| folder_error("find folder", &root, e))?;
            remove_stale(&root).map_err(|e| folder_error("read folder", &root, e))?;
            Ok(Self {
                inner: Arc::new(Inner {
                    root,
                    options,
                    folders: RwLock::new(()),
                }),
            })
        })
        .await
    }

    /// The root folder, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Runs `work` on a blocking thread with the store and the checked key.
    async fn with_key<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Inner, Key<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        Key::parse(key)?;
        let (inner, key) = (Arc::clone(&self.inner), key.to_owned());
        blocking(move || work(&inner, Key::parse(&key)?)).await
    }
}

#[async_trait]
impl StorageBackend for FileStorage {
    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        self.with_key(key, move |inner, key| {
            let (path, temp, mut file) = inner.create(key)?;
            let written = file
                .write_all(&data)
                .and_then(|()| inner.sync_file(&file))
                .and_then(|()| fs::rename(&temp, &path))
                .and_then(|()| inner.sync_folder(&path));
            written.map_err(|e| {
                let _ = fs::remove_file(&temp);
                write_error(key, e)
            })
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.with_key(key, |inner, key| {
            let (mut file, size) = inner.open_object(key)?;
            // Room for what the file has now; it cannot grow, because objects are replaced and not written to.
            let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            file.read_to_end(&mut data)
                .map_err(|e| Error::io("read", key, e))?;
            Ok(Bytes::from(data))
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.with_key(key, |inner, key| inner.delete(key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        check_prefix(prefix)?;
        let (inner, prefix) = (Arc::clone(&self.inner), prefix.to_owned());
        blocking(move || inner.list(&prefix)).await
    }

    async fn size(&self, key: &str) -> Result<u64> {
        self.with_key(key, |inner, key| {
            inner.open_object(key).map(|(_, size)| size)
        })
        .await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.with_key(key, move |inner, key| {
            let (mut file, size) = inner.open_object(key)?;
            let range = clip(key.as_str(), range, size)?;
            let mut data = vec![0; (range.end - range.start) as usize];
            file.seek(SeekFrom::Start(range.start))
                .and_then(|_| file.read_exact(&mut data))
                .map_err(|e| Error::io("read", key, e))?;
            Ok(Bytes::from(data))
        })
        .await
    }

    /// Renames the file when it lies on the same file system, else copies it under a temporary name first.
    async fn put_file(&self, key: &str, path: &Path) -> Result<()> {
        let source = path.to_owned();
        self.with_key(key, move |inner, key| inner.put_file(key, &source))
            .await
    }
}

impl Inner {
    fn path(&self, key: Key<'_>) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Makes the folder of an object and a temporary file in it.
    fn create(&self, key: Key<'_>) -> Result<(PathBuf, PathBuf, File)> {
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.root);
        let temp = folder.join(temp_name());
        let _making = self.folders.read();
        fs::create_dir_all(folder).map_err(|e| write_error(key, e))?;
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&temp)
            .map_err(|e| write_error(key, e))?;
        Ok((path, temp, file))
    }

    fn open_object(&self, key: Key<'_>) -> Result<(File, u64)> {
        let not_there = |e: io::Error| match e.kind() {
            // `a/b` below an object `a` is not there either.
            io::ErrorKind::NotADirectory => Error::not_found(key.as_str()),
            _ => Error::io("read", key, e),
        };
        let file = File::open(self.path(key)).map_err(not_there)?;
        let meta = file.metadata().map_err(not_there)?;
        if meta.is_dir() {
            return Err(Error::not_found(key.as_str()));
        }
        Ok((file, meta.len()))
    }

    fn put_file(&self, key: Key<'_>, source: &Path) -> Result<()> {
        let mut from = File::open(source).map_err(|e| read_source(source, e))?;
        let path = self.path(key);
        self.sync_file(&from).map_err(|e| write_error(key, e))?;
        let renamed = {
            let _making = self.folders.read();
            fs::create_dir_all(path.parent().unwrap_or(&self.root))
                .and_then(|()| fs::rename(source, &path))
        };
        match renamed {
            Ok(()) => self.sync_folder(&path).map_err(|e| write_error(key, e)),
            Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
                let (path, temp, mut file) = self.create(key)?;
                let copied = io::copy(&mut from, &mut file)
                    .and_then(|_| self.sync_file(&file))
                    .and_then(|()| fs::rename(&temp, &path))
                    .and_then(|()| self.sync_folder(&path));
                copied.map_err(|e| {
                    let _ = fs::remove_file(&temp);
                    write_error(key, e)
                })?;
                fs::remove_file(source).map_err(|e| folder_error("remove", source, e))
            }
            Err(e) => Err(write_error(key, e)),
        }
    }

    fn delete(&self, key: Key<'_>) -> Result<()> {
        use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
        let path = self.path(key);
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => return Ok(()), // a folder is no object
            Err(e) if matches!(e.kind(), NotFound | NotADirectory) => return Ok(()),
            _ => {}
        }
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), NotFound | NotADirectory | IsADirectory) => return Ok(()),
            Err(e) => return Err(Error::io("delete", key, e)),
        }
        let _pruning = self.folders.write();
        for folder in path.ancestors().skip(1) {
            // Fails on the first folder that still holds something, which is where to stop.
            if folder == self.root || fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let (folder, name) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        self.walk(folder, name, &mut keys)?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// Adds the objects below `folder` whose name there begins with `name`. Files whose name is no key (temporary
    /// ones, foreign ones) are left out.
    fn walk(&self, folder: &str, name: &str, keys: &mut Vec<String>) -> Result<()> {
        let what = || format!("list of {}", self.root.join(folder).display());
        let entries = match fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
            Err(e) => return Err(Error::io("make", what(), e)),
        };
        for entry in entries {
            let entry = entry.map_err(|e| Error::io("make", what(), e))?;
            let file_name = entry.file_name();
            let Some(text) = file_name.to_str().filter(|t| t.starts_with(name)) else {
                continue;
            };
            let key = if folder.is_empty() {
                text.to_owned()
            } else {
                format!("{folder}/{text}")
            };
            if Key::parse(&key).is_err() {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.walk(&key, "", keys)?,
                Ok(kind) if kind.is_file() => keys.push(key),
                _ => {}
            }
        }
        Ok(())
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        match self.options.durability {
            Durability::Process => Ok(()),
            Durability::Disk => file.sync_all(),
        }
    }

    /// The name of a file is kept by its folder, which has to reach the disk as well.
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        match (self.options.durability, path.parent()) {
            (Durability::Disk, Some(folder)) if cfg!(unix) => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(Error::Io {
            action: "finish",
            what: "file work".to_owned(),
            source: io::Error::other(e),
        }),
    }
}

fn folder_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io {
        action,
        what: path.display().to_string(),
        source,
    }
}

/// A write that meets a file where it needs a folder, or a folder where it needs a file, has a clashing key.
fn write_error(key: Key<'_>, e: io::Error) -> Error {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, IsADirectory, NotADirectory};
    match e.kind() {
        NotADirectory | IsADirectory | DirectoryNotEmpty | AlreadyExists => Error::InvalidKey {
            rule: "uses the key of another object as a folder",
        },
        _ => Error::io("write", key, e),
    }
}

/// Tells this run of this process from every other: process ids come round again (in a container it is always 1).
fn run_id() -> u64 {
    static RUN: OnceLock<u64> = OnceLock::new();
    *RUN.get_or_init(|| RandomState::new().build_hasher().finish())
}

fn temp_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{TEMP_PREFIX}{}-{:016x}-{n}", std::process::id(), run_id())
}

/// Removes temporary files whose writer is gone.
fn remove_stale(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            remove_stale(&entry.path())?;
        } else if kind.is_file()
            && entry.file_name().to_str().is_some_and(is_abandoned_name)
                | entry.metadata().is_ok_and(|m| is_old_temp(&entry, &m))
        {
            match fs::remove_file(entry.path()) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_old_temp(entry: &fs::DirEntry, meta: &fs::Metadata) -> bool {
    entry
        .file_name()
        .to_str()
        .is_some_and(|n| n.starts_with(TEMP_PREFIX))
        && meta
            .modified()
            .ok()
            .and_then(|t| t.elapsed().ok())
            .is_some_and(|age| age > TEMP_ABANDONED)
}

/// True for `%tmp-PID-RUN-N` of a process that is not running any more.
fn is_abandoned_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(TEMP_PREFIX) else {
        return false;
    };
    let mut fields = rest.split('-');
    let (Some(Ok(pid)), Some(Ok(run))) = (
        fields.next().map(str::parse::<u32>),
        fields.next().map(|f| u64::from_str_radix(f, 16)),
    ) else {
        return false;
    };
    if pid == std::process::id() {
        return run != run_id();
    }
    // Where there is no /proc only age tells.
    Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{pid}")).exists()
}
