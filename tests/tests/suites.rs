//! The public suites for JSON, JSON Schema and JSONPath, on each host.
//!
//! Their data is not part of the project: `TIDEGATE_SUITES` names a folder that holds
//!
//! - `json-parsing/test_parsing`, of nst/JSONTestSuite,
//! - `json-schema/tests/draft2020-12`, of json-schema-org/JSON-Schema-Test-Suite,
//! - `jsonpath/cts.json`, of jsonpath-standard/jsonpath-compliance-test-suite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tidegate_tests::expect::mismatch;
use tidegate_tests::gate::{self, Gate, Host};

const FOLDER: &str = "TIDEGATE_SUITES";

type Suite = fn(&Path, &mut dyn Gate) -> Result<Tally, String>;

const SUITES: [(&str, Suite); 3] =
    [("json-parsing", json_parsing), ("json-schema", json_schema), ("jsonpath", json_path)];

/// What came of a suite's cases.
#[derive(Default)]
struct Tally {
    ran: usize,
    /// How many were skipped, for each reason.
    skipped: BTreeMap<String, usize>,
    failures: Vec<String>,
}

impl Tally {
    fn skip(&mut self, reason: impl Into<String>, cases: usize) {
        *self.skipped.entry(reason.into()).or_default() += cases;
    }

    fn check(&mut self, failure: Option<String>) {
        self.ran += 1;
        self.failures.extend(failure);
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.is_none() {
        println!("the suites are skipped: {FOLDER} does not name the folder that holds them");
    }
    let hosts = match gate::hosts() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for host in &hosts {
        if let Err(reason) = &host.gate {
            println!("the host `{}` is skipped: {reason}", host.name);
        }
        for (name, suite) in SUITES {
            trials.push(trial(name, suite, folder.clone(), host));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, suite: Suite, folder: Option<PathBuf>, host: &Host) -> Trial {
    let (name, gate) = (format!("{name}::{}", host.name), host.gate.clone());
    let skipped = folder.is_none() || gate.is_err();
    let title = name.clone();
    Trial::test(name, move || {
        let folder = folder.ok_or("no folder")?;
        let tally = gate::with(&gate?, |gate| suite(&folder, gate))?;
        let mut report = format!("{title}: {} cases ran", tally.ran);
        for (reason, cases) in &tally.skipped {
            report.push_str(&format!("\n    {cases} skipped: {reason}"));
        }
        println!("{report}");
        if tally.failures.is_empty() { Ok(()) } else { Err(tally.failures.join("\n").into()) }
    })
    .with_ignored_flag(skipped)
}

fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let in_words = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(in_words)? {
        let path = entry.map_err(in_words)?.path();
        if path.is_file() && path.to_string_lossy().ends_with(ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn enough(tally: Tally, least: usize) -> Result<Tally, String> {
    if tally.ran < least {
        return Err(format!("only {} cases ran, of at least {least}", tally.ran));
    }
    Ok(tally)
}

/// The files for which the suite leaves the decision open, or the gate decides otherwise: whether
/// it reads them, and why.
const DECISIONS: [(&str, bool, &str); 37] = [
    ("y_object_duplicated_key.json", false, "two parsers would read two objects"),
    ("y_object_duplicated_key_and_value.json", false, "two parsers would read two objects"),
    ("i_number_double_huge_neg_exp.json", true, "what is nearer to 0 than any double is 0"),
    ("i_number_huge_exp.json", false, "overflows a double"),
    ("i_number_neg_int_huge_exp.json", false, "overflows a double"),
    ("i_number_pos_double_huge_exp.json", false, "overflows a double"),
    ("i_number_real_neg_overflow.json", false, "overflows a double"),
    ("i_number_real_pos_overflow.json", false, "overflows a double"),
    ("i_number_real_underflow.json", true, "what is nearer to 0 than any double is 0"),
    ("i_number_too_big_neg_int.json", true, "the nearest double"),
    ("i_number_too_big_pos_int.json", true, "the nearest double"),
    ("i_number_very_big_negative_int.json", true, "the nearest double"),
    ("i_object_key_lone_2nd_surrogate.json", false, "half a surrogate pair"),
    ("i_string_1st_surrogate_but_2nd_missing.json", false, "half a surrogate pair"),
    ("i_string_1st_valid_surrogate_2nd_invalid.json", false, "half a surrogate pair"),
    ("i_string_UTF-16LE_with_BOM.json", false, "not UTF-8"),
    ("i_string_UTF-8_invalid_sequence.json", false, "not UTF-8"),
    ("i_string_UTF8_surrogate_U+D800.json", false, "not UTF-8"),
    ("i_string_incomplete_surrogate_and_escape_valid.json", false, "half a surrogate pair"),
    ("i_string_incomplete_surrogate_pair.json", false, "half a surrogate pair"),
    ("i_string_incomplete_surrogates_escape_valid.json", false, "half a surrogate pair"),
    ("i_string_invalid_lonely_surrogate.json", false, "half a surrogate pair"),
    ("i_string_invalid_surrogate.json", false, "half a surrogate pair"),
    ("i_string_invalid_utf-8.json", false, "not UTF-8"),
    ("i_string_inverted_surrogates_U+1D11E.json", false, "half a surrogate pair"),
    ("i_string_iso_latin_1.json", false, "not UTF-8"),
    ("i_string_lone_second_surrogate.json", false, "half a surrogate pair"),
    ("i_string_lone_utf8_continuation_byte.json", false, "not UTF-8"),
    ("i_string_not_in_unicode_range.json", false, "not UTF-8"),
    ("i_string_overlong_sequence_2_bytes.json", false, "not UTF-8"),
    ("i_string_overlong_sequence_6_bytes.json", false, "not UTF-8"),
    ("i_string_overlong_sequence_6_bytes_null.json", false, "not UTF-8"),
    ("i_string_truncated-utf-8.json", false, "not UTF-8"),
    ("i_string_utf16BE_no_BOM.json", false, "not UTF-8"),
    ("i_string_utf16LE_no_BOM.json", false, "not UTF-8"),
    ("i_structure_500_nested_arrays.json", false, "more than 128 levels"),
    ("i_structure_UTF-8_BOM_empty_object.json", false, "a byte order mark"),
];

fn json_parsing(folder: &Path, gate: &mut dyn Gate) -> Result<Tally, String> {
    let mut tally = Tally::default();
    for path in files(&folder.join("json-parsing/test_parsing"), ".json")? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let decision = DECISIONS.iter().find(|(file, ..)| *file == name);
        let (reads, why) = match (decision, name.get(..2)) {
            (Some(&(_, reads, why)), _) => (reads, why),
            (None, Some("y_")) => (true, "JSON"),
            (None, Some("n_")) => (false, "not JSON"),
            _ => {
                tally.check(Some(format!("{name}: nothing was decided about it")));
                continue;
            }
        };
        let answer = gate.call(&json!({ "op": "digest", "payload": read(&path)? }))?;
        let found = answer.get("digest").is_some();
        tally.check((found != reads).then(|| format!("{name}: {why}, but the gate says {answer}")));
    }
    enough(tally, 318)
}

/// Files of the suite that are left out, and why.
const FILES_LEFT_OUT: [(&str, &str); 3] = [
    ("draft2020-12/format.json", "it wants formats to be annotations, and the gate asserts them"),
    ("format/idn-email.json", "a format that the gate does not know, so an annotation"),
    ("format/idn-hostname.json", "a format that the gate does not know, so an annotation"),
];

fn json_schema(folder: &Path, gate: &mut dyn Gate) -> Result<Tally, String> {
    let folder = folder.join("json-schema/tests/draft2020-12");
    let mut tally = Tally::default();
    for sub in ["", "optional", "optional/format"] {
        for path in files(&folder.join(sub), ".json")? {
            let groups: Vec<Value> =
                serde_json::from_slice(&read(&path)?).map_err(|error| error.to_string())?;
            let path = path.to_string_lossy().into_owned();
            let left_out = FILES_LEFT_OUT.iter().find(|(file, _)| path.ends_with(file));
            for group in &groups {
                match left_out {
                    Some((_, reason)) => tally.skip(*reason, tests(group).len()),
                    None => schema_group(&path, group, gate, &mut tally)?,
                }
            }
        }
    }
    enough(tally, 1900)
}

fn tests(group: &Value) -> &[Value] {
    group.get("tests").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn schema_group(path: &str, group: &Value, gate: &mut dyn Gate, tally: &mut Tally) -> Result<(), String> {
    let text = |value: &Value, member: &str| {
        value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let file = path.rsplit('/').next().unwrap_or_default();
    let name = format!("{file}: {}", text(group, "description"));
    let schema = wrapped(group.get("schema").unwrap_or(&Value::Null)).to_string();
    let prepared = gate.call(&json!({ "op": "prepare", "schema": schema }))?;
    if prepared.get("valid") != Some(&Value::Bool(true)) {
        match refusal(&prepared) {
            Some(reason) => tally.skip(reason, tests(group).len()),
            None => tally.check(Some(format!("{name}: refused: {prepared}"))),
        }
        return Ok(());
    }
    for test in tests(group) {
        let payload = json!({ "id": "1", "v": test.get("data") }).to_string();
        let answer = gate.call(&json!({ "op": "check", "schema": schema, "payload": payload }))?;
        let differs = answer.get("valid") != test.get("valid");
        let unexplained = answer.get("valid") == Some(&Value::Bool(false))
            && mismatch(&json!({ "violations": [] }), &answer).is_none();
        tally.check((differs || unexplained).then(|| {
            format!("{name}: {}: {payload}\n    by {schema}\n    gives {answer}", text(test, "description"))
        }));
    }
    Ok(())
}

/// A schema for a member `v` that is judged by the suite's schema, which becomes a resource of its
/// own, so that its references mean what they meant.
fn wrapped(schema: &Value) -> Value {
    let wrap = |v: Value, definition: Value| {
        json!({
            "type": "object",
            "properties": { "id": { "type": "string" }, "v": v },
            "$defs": { "suite": definition },
            "resmo": { "id": "id" }
        })
    };
    let Some(members) = schema.as_object() else { return wrap(schema.clone(), json!(true)) };
    let mut members = members.clone();
    let id = members.entry("$id").or_insert_with(|| json!("https://suite.example/schema")).clone();
    wrap(json!({ "$ref": id }), Value::Object(members))
}

/// Why the gate refuses a schema of the suite, if it is right to.
fn refusal(prepared: &Value) -> Option<&'static str> {
    const REASONS: [(&str, &str); 3] = [
        ("unsupported-dialect", "another meta-schema"),
        ("external-reference", "a reference that leaves the document"),
        ("pattern-unsupported", "a pattern that no linear engine runs"),
    ];
    let problems = prepared.get("problems")?.as_array()?;
    let all = |code: &str| problems.iter().all(|problem| problem.get("code") == Some(&json!(code)));
    REASONS.into_iter().find(|(code, _)| all(code)).map(|(_, reason)| reason)
}

fn json_path(folder: &Path, gate: &mut dyn Gate) -> Result<Tally, String> {
    let text = read(&folder.join("jsonpath/cts.json"))?;
    let suite: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let mut tally = Tally::default();
    for case in suite.get("tests").and_then(Value::as_array).ok_or("no tests")? {
        let selector = case.get("selector").and_then(Value::as_str).ok_or("no selector")?;
        let failure = if case.get("invalid_selector") == Some(&Value::Bool(true)) {
            let answer = gate.call(&json!({ "op": "prepare", "schema": schema_with(selector) }))?;
            let problem = json!({ "pointer": "#/resmo/importantFields/0", "code": "path-syntax" });
            mismatch(&json!({ "valid": false, "problems": [problem] }), &answer)
        } else {
            let payload = json!({ "id": "1", "v": case.get("document") }).to_string();
            let schema = schema_with(&inside_v(selector));
            let answer = gate.call(&json!({ "op": "check", "schema": schema, "payload": payload }))?;
            let found = answer.get("importantFields").unwrap_or(&Value::Null);
            let results = match case.get("results").and_then(Value::as_array) {
                Some(results) => results.iter().collect(),
                None => Vec::from_iter(case.get("result")),
            };
            let agrees =
                |result: &Value| mismatch(result, found).is_none() && mismatch(found, result).is_none();
            let failed = !results.iter().any(|result| agrees(result));
            failed.then(|| format!("expected one of {}, found {answer}", json!(results)))
        };
        tally.check(failure.map(|failure| format!("`{selector}`: {failure}")));
    }
    enough(tally, 700)
}

fn schema_with(important_field: &str) -> String {
    json!({
        "type": "object",
        "properties": { "id": { "type": "string" }, "v": true },
        "resmo": { "id": "id", "importantFields": [important_field] }
    })
    .to_string()
}

/// The same query on a document that stands at `$.v`: payloads are objects, the suite's documents
/// need not be.
fn inside_v(selector: &str) -> String {
    let mut text = String::new();
    let mut quote = None;
    let mut escaped = false;
    for c in selector.chars() {
        text.push(c);
        match quote {
            None if c == '$' => text.push_str(".v"),
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open && !escaped => quote = None,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    text
}
