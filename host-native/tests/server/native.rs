//! The whole server: the real service behind the front, and the real binary.

use std::time::Duration;

use crate::support::{Running, soon};
use tidegate::{AdminToken, Config, Database, Server};

const TOKEN: &str = "0123456789abcdef";

fn config(database: Database) -> Config {
    let mut config = Config::new(database, AdminToken::new(TOKEN).unwrap());
    config.addr.set_port(0);
    config
}

#[tokio::test]
async fn metrics_are_answered_without_a_token() {
    let server = Running::run(Server::bind(config(Database::Memory)).await.unwrap());
    let mut client = server.connect().await;
    client.send("GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert!(client.answer().await.starts_with("HTTP/1.1 200 OK\r\n"));
    client.send("GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n").await;
    let answer = client.answer().await;
    let counted = r#"tidegate_http_requests_total{route="/metrics",method="GET",status="200"} 1"#;
    assert!(answer.contains(counted), "{answer}");
    assert!(answer.contains("tidegate_http_requests_in_flight 1"), "{answer}");

    client.send("POST /metrics HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n").await;
    let answer = client.answer().await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
}

#[tokio::test]
async fn what_the_server_itself_answers_can_be_read_by_an_allowed_page() {
    let mut config = config(Database::Memory);
    config.allowed_origins = "https://app.example".parse().unwrap();
    config.limits.chunk_timeout = Duration::from_millis(200);
    let server = Running::run(Server::bind(config).await.unwrap());
    let metrics = "GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n";
    let slow = format!(
        "POST /api/v1/groups HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n"
    );
    for (head, status) in [(metrics, 200), (slow.as_str(), 408)] {
        for (origin, may) in [("https://app.example", true), ("https://other.example", false)] {
            let answer = server.ask(&format!("{head}Origin: {origin}\r\n\r\n")).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            let allowed = "\r\naccess-control-allow-origin: https://app.example\r\n";
            assert_eq!(answer.contains(allowed), may, "{answer}");
            assert_eq!(answer.contains("access-control-"), may, "{answer}");
            assert!(answer.contains("\r\nvary: Origin\r\n"), "{answer}");
        }
        let answer = server.ask(&format!("{head}\r\n")).await;
        assert!(!answer.contains("access-control-") && !answer.contains("vary"), "{answer}");
    }
}

#[tokio::test]
async fn a_server_closes_its_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let server = Running::run(Server::bind(config(Database::File(path.clone()))).await.unwrap());
    assert!(path.exists());
    soon(server.stop()).await.unwrap();
    assert!(!directory.path().join("t.db-wal").exists());
}

#[tokio::test]
async fn a_taken_address_is_said() {
    let first = Server::bind(config(Database::Memory)).await.unwrap();
    let mut config = config(Database::Memory);
    config.addr = first.local_addr();
    let error = Server::bind(config).await.unwrap_err();
    let message = format!("cannot listen on `{}`: ", first.local_addr());
    assert!(error.to_string().starts_with(&message), "{error}");
}

#[cfg(unix)]
mod binary {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::path::Path;
    use std::process::{Child, Command, Output, Stdio};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::TOKEN;

    fn tidegate(directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .current_dir(directory)
            .args(arguments)
            .env_remove("TIDEGATE_ADDR")
            .env_remove("TIDEGATE_DATABASE_URL")
            .env_remove("TIDEGATE_ADMIN_TOKEN")
            .env_remove("TIDEGATE_ALLOW_ORIGIN")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn output(arguments: &[&str]) -> Output {
        let directory = tempfile::tempdir().unwrap();
        tidegate(directory.path(), arguments).output().unwrap()
    }

    /// The address from the log, and the rest of the log. A start warns of nothing.
    fn listening(child: &mut Child) -> (String, BufReader<impl Read + use<>>) {
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while log.read_line(&mut line).unwrap() > 0 {
            assert!(!line.contains("WARN") && !line.contains("ERROR"), "{line}");
            if line.contains("listening") {
                let address = line.split("127.0.0.1:").nth(1).unwrap();
                let port: String = address.chars().take_while(char::is_ascii_digit).collect();
                return (format!("127.0.0.1:{port}"), log);
            }
            line.clear();
        }
        panic!("the server did not say where it listens");
    }

    /// One request on a connection of its own; the whole answer.
    fn ask(address: &str, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        let request =
            format!("{head}\r\nHost: t\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn what_was_answered_survives_a_kill() {
        let directory = tempfile::tempdir().unwrap();
        let serve = || {
            tidegate(directory.path(), &["serve", "--addr", "127.0.0.1:0", "--demo"])
                .env("TIDEGATE_ADMIN_TOKEN", TOKEN)
                .spawn()
                .unwrap()
        };
        let mut child = serve();
        let (address, _log) = listening(&mut child);
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("tgk_") {
            line.clear();
            assert!(printed.read_line(&mut line).unwrap() > 0, "no key was printed");
        }
        let (_, secret) = line.split_once("tgk_").unwrap();
        let key = format!("tgk_{}", secret.split('\'').next().unwrap());
        let mut answered = 0;
        for id in 0..20 {
            let head =
                format!("POST /integration/custom-data/event/employee HTTP/1.1\r\nX-Ingest-Key: {key}");
            let answer = ask(&address, &head, &format!("{{\"employeeId\":\"{id}\"}}"));
            answered += usize::from(answer.starts_with("HTTP/1.1 201 "));
        }
        assert_eq!(answered, 20);
        child.kill().unwrap();
        child.wait().unwrap();

        let mut child = serve();
        let (address, _log) = listening(&mut child);
        let head = format!("GET /api/v1/changes?type=added HTTP/1.1\r\nAuthorization: Bearer {TOKEN}");
        let answer = ask(&address, &head, "");
        assert_eq!(answer.matches("\"changeId\"").count(), answered, "{answer}");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn sigterm_and_sigint_end_it_with_0() {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let directory = tempfile::tempdir().unwrap();
            let mut child =
                tidegate(directory.path(), &["serve", "--addr", "127.0.0.1:0", "--log-format", "json"])
                    .env("TIDEGATE_ADMIN_TOKEN", TOKEN)
                    .spawn()
                    .unwrap();
            let (address, mut log) = listening(&mut child);
            // A connection that stays open must not hold it up.
            let mut open = TcpStream::connect(address).unwrap();
            open.write_all(b"GET /metrics?secret=7 HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
            assert!(open.read(&mut [0; 64]).unwrap() > 0);
            kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
            assert!(directory.path().join("tidegate.db").exists());
            assert!(!directory.path().join("tidegate.db-wal").exists());

            let mut rest = String::new();
            log.read_to_string(&mut rest).unwrap();
            let request = rest.lines().find(|line| line.contains("/metrics")).unwrap();
            let request: serde_json::Value = serde_json::from_str(request).unwrap();
            assert_eq!((&request["route"], &request["status"]), (&"/metrics".into(), &200.into()));
            assert!(!rest.contains("secret") && !rest.contains(TOKEN), "{rest}");
            let mut printed = String::new();
            child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
            assert_eq!(printed, "");
        }
    }

    #[test]
    fn origins_are_allowed_by_options_or_by_the_environment() {
        let serve =
            ["serve", "--addr", "127.0.0.1:0", "--database", "sqlite::memory:", "--admin-token", TOKEN];
        let options = ["--allow-origin", "https://a.example", "--allow-origin", "http://b.example:81"];
        for (options, environment) in
            [(&options[..], "https://c.example"), (&[], "https://a.example, http://b.example:81"), (&[], "")]
        {
            let directory = tempfile::tempdir().unwrap();
            let mut child = tidegate(directory.path(), &[&serve[..], options].concat())
                .env("TIDEGATE_ALLOW_ORIGIN", environment)
                .spawn()
                .unwrap();
            let (address, _log) = listening(&mut child);
            for origin in ["https://a.example", "http://b.example:81", "https://c.example"] {
                let answer = ask(&address, &format!("GET /healthz HTTP/1.1\r\nOrigin: {origin}"), "");
                let told = answer.contains(&format!("\r\naccess-control-allow-origin: {origin}\r\n"));
                let expected = !environment.is_empty() && origin != "https://c.example";
                assert_eq!(told, expected, "{environment}: {answer}");
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn what_cannot_run_ends_with_2_and_names_no_secret() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap().to_string();
        for (arguments, message) in [
            (vec!["serve", "--admin-token", ""], "the admin token is empty"),
            (vec!["serve"], "--admin-token <TOKEN>"),
            (
                vec!["serve", "--admin-token", TOKEN, "--database", "postgres://u:secret@h/db?colour=blue"],
                "error: a PostgreSQL database is given as `postgres://USER",
            ),
            // Nothing listens on this port.
            (
                vec!["serve", "--admin-token", TOKEN, "--database", "postgres://u:secret@127.0.0.1:1/db"],
                "error: cannot use the database: the database is unavailable: error connecting to server: ",
            ),
            (
                vec![
                    "serve",
                    "--admin-token",
                    TOKEN,
                    "--database",
                    "sqlite:no/such/t.db",
                    "--addr",
                    "127.0.0.1:0",
                ],
                "error: cannot use the database: ",
            ),
            (vec!["serve", "--admin-token", TOKEN, "--addr", &taken], "error: cannot listen on `127.0.0.1:"),
            (
                vec!["serve", "--admin-token", TOKEN, "--allow-origin", "https://app.example/"],
                "error: `https://app.example/` is no origin: ",
            ),
            (vec!["swim"], "unrecognized subcommand"),
        ] {
            let output = output(&arguments);
            let errors = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
            assert!(errors.contains(message), "{arguments:?}: {errors}");
            assert!(!errors.contains("secret") && !errors.contains(TOKEN), "{errors}");
        }
    }
}
