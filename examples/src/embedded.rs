//! A Tidegate inside a program: for trying things out, and for tests.

use anyhow::{Context, Result};
use tidegate::{AdminToken, Config, Database, Server, SystemRandomness};
use tidegate_core::service::{Demo, Randomness};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server with a database in memory, on a free port of this machine. It ends, with all it
/// holds, when it is dropped.
///
/// ```
/// use tidegate_examples::embedded::Embedded;
///
/// let tidegate = Embedded::start(false).unwrap();
/// assert!(tidegate.url().starts_with("http://127.0.0.1:"));
/// ```
#[derive(Debug)]
pub struct Embedded {
    url: String,
    admin_token: String,
    demo: Option<Demo>,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts a server, empty or with the worked example in it.
    ///
    /// # Errors
    ///
    /// When there is no port to listen on, or no memory for a database.
    pub fn start(demo: bool) -> Result<Self> {
        let admin_token = random_token();
        let mut config = Config::new(Database::Memory, AdminToken::new(admin_token.clone())?);
        config.addr.set_port(0);
        config.demo = demo;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let server =
            runtime.block_on(Server::bind(config)).context("the embedded Tidegate does not start")?;
        let url = format!("http://{}", server.local_addr());
        let demo = server.demo().cloned();
        let (stop, stopped) = oneshot::channel();
        let serving = runtime.spawn(server.run_until(async {
            // A sender that is gone means stop, too.
            let _ = stopped.await;
        }));
        Ok(Self { url, admin_token, demo, runtime, stop: Some(stop), serving: Some(serving) })
    }

    /// Where it answers, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token of its management API.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// The worked example's table and ingest key, if it was started with it.
    pub fn demo(&self) -> Option<&Demo> {
        self.demo.as_ref()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            // Only a panic of the server's, which it has reported by itself.
            let _ = self.runtime.block_on(serving);
        }
    }
}

/// Other users of this machine can reach the port, so the token is not one they know.
fn random_token() -> String {
    let mut bytes = [0; 24];
    SystemRandomness.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
