//! `tidegate serve`.

use std::future::Future;
use std::io::{self, Write, stdout};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use tidegate::{AdminToken, AllowedOrigins, Config, ConnectionLimits, Server};
use tidegate_core::service::Demo;

use super::database::DatabaseArgument;
use super::logs::{self, LogFormat, LogLevel};
use super::{Failure, Verdict};

/// Serve the API, the docs and the console.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "TIDEGATE_ADDR", default_value = "127.0.0.1:7070", value_parser = resolve)]
    addr: SocketAddr,

    #[command(flatten)]
    database: DatabaseArgument,

    /// The bearer token for managing and reading; 16 random characters or more withstand guessing
    #[arg(long, value_name = "TOKEN", env = "TIDEGATE_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: String,

    /// An origin whose web pages may use the API, such as `https://app.example`; `*` for any. Can be
    /// repeated, or separated by commas
    #[arg(long, value_name = "ORIGIN", env = "TIDEGATE_ALLOW_ORIGIN")]
    allow_origin: Vec<String>,

    /// Put the worked example into an empty database, and print how to try it
    #[arg(long)]
    demo: bool,

    /// Forget changes that are older than so many days and not needed for what came later
    #[arg(long, value_name = "DAYS", env = "TIDEGATE_KEEP_HISTORY", value_parser = clap::value_parser!(u32).range(1..))]
    keep_history: Option<u32>,

    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// The least severe event that is logged
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,
}

impl Serve {
    /// Serves until the process is told to stop.
    pub(super) fn run(self) -> Result<Verdict, Failure> {
        let config = Config {
            addr: self.addr,
            database: self.database.parsed()?,
            admin_token: AdminToken::new(self.admin_token).map_err(Failure::new)?,
            allowed_origins: self.allow_origin.join(",").parse::<AllowedOrigins>().map_err(Failure::new)?,
            demo: self.demo,
            keep_history: self.keep_history.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
            limits: ConnectionLimits::default(),
        };
        logs::install(self.log_format, self.log_level);
        if config.admin_token.is_weak() {
            tracing::warn!("the admin token is shorter than 16 characters and can be guessed");
        }
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Failure::new)?
            .block_on(serve(config))
    }
}

async fn serve(config: Config) -> Result<Verdict, Failure> {
    // Before anything is printed: who reads that the server runs may stop it at once.
    let told_to_stop = told_to_stop().map_err(Failure::new)?;
    let demo = config.demo.then(|| config.admin_token.clone());
    let server = Server::bind(config).await.map_err(Failure::new)?;
    tracing::info!(addr = %server.local_addr(), "listening");
    if let Some(token) = demo {
        let text = introduction(server.local_addr(), &token, server.demo());
        // Nobody has to read it.
        let mut out = stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
    server.run_until(told_to_stop).await;
    tracing::info!("stopped");
    Ok(Verdict::Passed)
}

/// Resolves at SIGTERM or SIGINT.
#[cfg(unix)]
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

fn resolve(addr: &str) -> Result<SocketAddr, String> {
    let mut found = addr.to_socket_addrs().map_err(|error| error.to_string())?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

/// What `--demo` prints.
fn introduction(addr: SocketAddr, token: &AdminToken, demo: Option<&Demo>) -> String {
    let base = format!("http://{}", reachable(addr));
    let token = token.reveal();
    let Some(demo) = demo else {
        return format!(
            "\nThe database holds other things already, so the worked example was left out.\n\n  \
             console      {base}/\n  \
             docs         {base}/docs\n  \
             admin token  {token}\n\n"
        );
    };
    let resource = &demo.table;
    let table = resource.strip_prefix("_directory_").unwrap_or(resource);
    let key = quoted(&format!("X-Ingest-Key: {}", demo.ingest_key));
    let bearer = quoted(&format!("Authorization: Bearer {token}"));
    format!(
        "\nTidegate is running, with its worked example.\n\n  \
         console      {base}/\n  \
         docs         {base}/docs\n  \
         admin token  {token}\n  \
         resource     {resource}\n\n\
         Send an employee:\n\n\
         curl -i '{base}/integration/custom-data/event/{table}' -H {key} \
         -H 'Content-Type: application/json' -d '{EMPLOYEE}'\n\n\
         Read what is stored, and what has changed:\n\n\
         curl '{base}/api/v1/resources?table={resource}' -H {bearer}\n\
         curl '{base}/api/v1/changes?table={resource}' -H {bearer}\n\n"
    )
}

/// A payload that passes the worked example's schema.
const EMPLOYEE: &str = r#"{"employeeId":"1","employee":{"name":"Ada Lovelace","username":"ada","email":"ada@example.com"},"createdAt":"2021-11-20","department":"Engineering","salary":1230.0,"manager":"grace","active":true}"#;

/// An address to connect to: `0.0.0.0` is one to listen on.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    addr
}

/// One word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_introduction_can_be_pasted() {
        let demo = Demo { table: "_directory_employee".into(), ingest_key: "tgk_1".into() };
        let token = AdminToken::new("it's-a-secret-token").unwrap();
        let text = introduction("0.0.0.0:7070".parse().unwrap(), &token, Some(&demo));
        for line in [
            "curl -i 'http://127.0.0.1:7070/integration/custom-data/event/employee' -H \
             'X-Ingest-Key: tgk_1' -H 'Content-Type: application/json' -d '{\"employeeId\":\"1\",",
            "curl 'http://127.0.0.1:7070/api/v1/changes?table=_directory_employee' -H \
             'Authorization: Bearer it'\\''s-a-secret-token'",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let text = introduction("[::]:1".parse().unwrap(), &token, None);
        assert!(text.contains("http://[::1]:1/\n") && text.contains("it's-a-secret-token"));
        assert!(!text.contains("curl"));
    }
}
