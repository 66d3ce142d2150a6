//! The `curl` lines of the project's README, run in their order, and the answers that stand below
//! them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tidegate_examples::embedded::Embedded;
use ureq::http::Request;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The fenced blocks of a Markdown text: language and content.
fn blocks(markdown: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let content: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language, content.join("\n")));
        }
    }
    blocks
}

/// The words of a command as a POSIX shell splits it, with `$NAME` replaced outside of single quotes.
fn words(command: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut rest = command;
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let word = words.last_mut().unwrap();
        match (quote, c) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '\\') => rest = rest.strip_prefix('\n').unwrap_or(rest),
            (None, ' ' | '\n') => words.push(String::new()),
            (None | Some('"'), '$') => {
                let (name, value) = variables.iter().find(|(name, _)| rest.starts_with(name)).unwrap();
                word.push_str(value);
                rest = &rest[name.len()..];
            }
            (_, other) => word.push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Does what curl would do.
fn curl(words: &[String]) -> Value {
    let mut request = Request::builder();
    let mut body = None;
    let mut words = words.iter();
    assert_eq!(words.next().map(String::as_str), Some("curl"));
    while let Some(word) = words.next() {
        match word.as_str() {
            "-H" => {
                let (name, value) = words.next().unwrap().split_once(": ").unwrap();
                request = request.header(name, value);
            }
            "--json" => {
                let text = words.next().unwrap();
                body = Some(match text.strip_prefix('@') {
                    Some(path) => std::fs::read_to_string(root().join(path)).unwrap(),
                    None => text.clone(),
                });
            }
            option if option.starts_with('-') => panic!("the test does not know curl's {option}"),
            url => request = request.uri(url),
        }
    }
    let config = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build();
    let agent = ureq::Agent::new_with_config(config);
    let mut answer = match body {
        Some(body) => agent
            .run(request.method("POST").header("Content-Type", "application/json").body(body).unwrap())
            .unwrap(),
        None => agent.run(request.body(()).unwrap()).unwrap(),
    };
    serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap()
}

/// Whether an answer is the one that is printed, in which `…` stands for any text.
fn matches(printed: &Value, answer: &Value) -> bool {
    match (printed, answer) {
        (Value::String(printed), Value::String(answer)) => match printed.split_once('…') {
            // What stands before it is of another run: a time, or an id that begins with one.
            Some((_, end)) => answer.ends_with(end),
            None => printed == answer,
        },
        (Value::Array(printed), Value::Array(answer)) => {
            printed.len() == answer.len()
                && printed.iter().zip(answer).all(|(printed, answer)| matches(printed, answer))
        }
        (Value::Object(printed), Value::Object(answer)) => {
            printed.len() == answer.len()
                && printed
                    .iter()
                    .all(|(name, printed)| answer.get(name).is_some_and(|answer| matches(printed, answer)))
        }
        _ => printed == answer,
    }
}

#[test]
fn the_worked_example_answers_what_is_printed() {
    let tidegate = Embedded::start(true).unwrap();
    let key = &tidegate.demo().unwrap().ingest_key;
    let variables = [("TIDEGATE", tidegate.url()), ("KEY", key.as_str()), ("TOKEN", tidegate.admin_token())];
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = blocks(&readme);
    let mut tried = 0;
    for pair in blocks.windows(2) {
        let [(_, command), (language, printed)] = pair else { continue };
        if command.starts_with("curl ") && *language == "json" {
            let answer = curl(&words(command, &variables));
            let printed: Value = serde_json::from_str(printed).unwrap();
            assert!(matches(&printed, &answer), "{command}\nprinted: {printed}\nanswer:  {answer}");
            tried += 1;
        }
    }
    assert!(tried >= 9, "the README shows {tried} answers");
}

/// The commands of the tool `tidegate` need no server: their output is printed as well.
#[test]
fn the_examples_of_the_command_line_are_about_files_that_are_there() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let files: Vec<&str> = readme
        .split_whitespace()
        .map(|word| word.trim_start_matches('@').trim_end_matches(':'))
        .filter(|word| word.starts_with("examples/data/") && word.ends_with(".json"))
        .collect();
    assert!(files.len() > 6, "{files:?}");
    for file in files {
        assert!(root().join(file).is_file(), "{file}");
    }
}

/// What `check_before_send` prints in the examples' README.
#[test]
fn the_examples_readme_prints_what_the_program_says() {
    let readme = std::fs::read_to_string(root().join("examples/README.md")).unwrap();
    let blocks = blocks(&readme);
    let position = blocks.iter().position(|(_, text)| text.contains("check_before_send")).unwrap();
    let (_, printed) = blocks.get(position + 1).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_check_before_send"))
        .current_dir(root())
        .args(["examples/data/employee.schema.json", "examples/data/employees-faulty.json"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), printed);
}
