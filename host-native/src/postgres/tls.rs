//! When a connection is encrypted, and who is trusted.

use std::net::IpAddr;

use tidegate_core::service::SqlError;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Whether connections are to be encrypted: `sslmode` decides. Without one they are, unless the database
/// is on this machine. Never does a connection go on in the clear because encryption failed.
pub(super) fn wanted(config: &mut Config) -> bool {
    let wanted = match config.get_ssl_mode() {
        SslMode::Disable => false,
        SslMode::Require => true,
        _ => !config.get_hosts().iter().all(is_local),
    };
    config.ssl_mode(if wanted { SslMode::Require } else { SslMode::Disable });
    wanted
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Encrypts, and trusts whom the operating system trusts (or the file that `SSL_CERT_FILE` names).
pub(super) fn connector() -> Result<MakeRustlsConnect, SqlError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(SqlError::Unavailable(
            "there are no certificates to trust on this system; `SSL_CERT_FILE` can name a file with some"
                .into(),
        ));
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SqlError::Unavailable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_is_encrypted() {
        for (url, expected) in [
            ("postgres://u@127.0.0.1/db", false),
            ("postgres://u@[::1]/db", false),
            ("postgres://u@localhost/db", false),
            ("host=/run/postgresql user=u", false),
            ("postgres://u@db.example/db", true),
            ("postgres://u@127.0.0.1,db.example/db", true),
            ("postgres://u@db.example/db?sslmode=disable", false),
            ("postgres://u@localhost/db?sslmode=require", true),
        ] {
            let mut config: Config = url.parse().unwrap();
            assert_eq!(wanted(&mut config), expected, "{url}");
            let mode = if expected { SslMode::Require } else { SslMode::Disable };
            assert_eq!(config.get_ssl_mode(), mode, "{url}");
        }
    }
}
