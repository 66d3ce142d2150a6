//! WebAssembly run by Node.js, as a child of the tests: the guest module, and the npm package.
//!
//! Node brings its own WebAssembly engine, so the module is run as a browser would run it, and
//! the tests need nothing beyond what the project needs anyway.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The environment variable that holds the path of the guest module.
pub const MODULE: &str = "TIDEGATE_GUEST_WASM";

/// The path of the guest module, where there is one.
#[must_use]
pub fn module() -> Option<PathBuf> {
    named(MODULE)
}

/// The environment variable that holds the directory of the installed npm package.
pub const PACKAGE: &str = "TIDEGATE_NPM_PACKAGE";

/// The environment variable that holds the path of a Chromium.
pub const CHROMIUM: &str = "TIDEGATE_CHROMIUM";

/// What an environment variable holds, if it holds anything.
fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A program for Node.js that answers requests, one after the other.
#[derive(Debug)]
pub struct WasmGate {
    child: Child,
    requests: ChildStdin,
    answers: ChildStdout,
}

impl WasmGate {
    /// Starts the module that [`MODULE`] names, or gives `None` where it names none.
    ///
    /// # Errors
    /// The variable names a file that is not there, or Node.js cannot be started.
    pub fn from_env() -> io::Result<Option<Self>> {
        let Some(module) = module() else { return Ok(None) };
        Self::start(&script("guest/run.mjs"), &[module]).map(Some)
    }

    /// Starts the npm package that [`PACKAGE`] names, or gives `None` where it names none: in Node.js, or
    /// in a page of the Chromium that [`CHROMIUM`] names.
    ///
    /// # Errors
    /// A variable names what is not there, or Node.js cannot be started.
    pub fn of_package(in_chromium: bool) -> io::Result<Option<Self>> {
        let Some(package) = named(PACKAGE) else { return Ok(None) };
        let mut arguments = vec![package.join("package.json")];
        if in_chromium {
            let Some(chromium) = named(CHROMIUM) else { return Ok(None) };
            arguments.push(chromium);
        }
        Self::start(&script("npm/serve.mjs"), &arguments).map(Some)
    }

    /// Starts a script under Node.js with the files that it takes.
    ///
    /// # Errors
    /// One of the files is not there, or Node.js cannot be started. What the script refuses shows at the
    /// first [`call`](Self::call).
    pub fn start(script: &Path, files: &[PathBuf]) -> io::Result<Self> {
        for file in files.iter().map(PathBuf::as_path).chain([script]) {
            if !file.is_file() {
                let message = format!("`{}` is not a file", file.display());
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
        }
        let mut child = Command::new("node")
            .arg(script)
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                let message = format!("`node` does not start: {error}");
                io::Error::new(error.kind(), message)
            })?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(requests), Some(answers)) => Ok(Self { child, requests, answers }),
            _ => Err(io::Error::other("the child's pipes are missing")),
        }
    }

    /// Sends one request and gives the answer to it.
    ///
    /// A trap is an answer as well: `{"trap": "<message>"}`. The next call meets a fresh instance.
    ///
    /// # Errors
    /// The child is gone: it refused the module, or was ended from outside. Its own message is
    /// on the tests' stderr.
    pub fn call(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        self.exchange(input).map_err(|error| match error.kind() {
            // The pipe is closed, so the child has ended or is about to.
            kind @ (io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => match self.child.wait() {
                Ok(status) => io::Error::new(kind, format!("the guest ended with {status}")),
                Err(error) => error,
            },
            _ => error,
        })
    }

    fn exchange(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        let length = u32::try_from(input.len()).map_err(io::Error::other)?;
        self.requests.write_all(&length.to_le_bytes())?;
        self.requests.write_all(input)?;
        self.requests.flush()?;

        let mut length = [0; 4];
        self.answers.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
        let mut answer = vec![0; length];
        self.answers.read_exact(&mut answer)?;
        Ok(answer)
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

impl Drop for WasmGate {
    fn drop(&mut self) {
        // Both fail only where the child has ended by itself, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
