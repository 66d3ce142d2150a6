//! The routes, group by group.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::super::openapi::TAGS;
use super::super::route::ROUTES;
use super::Section;
use super::html::{blocks, code, escaped, listing, rich, table};
use super::json::{bounds, description, kind, plain, pretty, referred, resolve};

/// An operation, and where it is.
struct Operation<'a> {
    method: &'static str,
    path: &'static str,
    value: &'a Value,
}

pub(super) fn sections(api: &Value) -> Vec<Section> {
    TAGS.iter().map(|(tag, about)| section(api, tag, about)).collect()
}

fn section(api: &Value, tag: &str, about: &str) -> Section {
    let operations: Vec<_> = ROUTES
        .iter()
        .flat_map(|route| route.actions.iter().map(|(method, _)| (method.as_str(), route.template)))
        .filter_map(|(method, path)| {
            let value = api.get("paths")?.get(path)?.get(method.to_ascii_lowercase())?;
            let here = value.get("tags")?.get(0)? == tag;
            here.then_some(Operation { method, path, value })
        })
        .collect();
    let rows = operations.iter().map(|operation| {
        let link = format!("<a href=\"#{}\">{}</a>", operation.anchor(), operation.title());
        (None, vec![link, escaped(operation.text("summary"))])
    });
    let mut body = format!("<p>{}</p>\n{}", rich(about), table(&["route", "what it does"], rows));
    for operation in &operations {
        body.push_str(&operation.section(api));
    }
    let entries = operations
        .iter()
        .map(|operation| (operation.text("operationId").to_owned(), escaped(operation.text("summary"))))
        .collect();
    Section { anchor: tag.to_lowercase(), title: tag.to_owned(), body, entries }
}

impl<'a> Operation<'a> {
    fn text(&self, name: &str) -> &'a str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn anchor(&self) -> String {
        escaped(self.text("operationId"))
    }

    fn title(&self) -> String {
        // A path may break at its slashes.
        let path = escaped(self.path).replace('/', "<wbr>/");
        let class = self.method.to_ascii_lowercase();
        format!("<span class=\"method {class}\">{}</span> <code>{path}</code>", self.method)
    }

    fn section(&self, api: &Value) -> String {
        let anchor = self.anchor();
        let mut html = format!(
            "<section class=\"operation\" id=\"{anchor}\">\n<h3><a href=\"#{anchor}\">{}</a></h3>\n<p><strong>{}.</strong></p>\n{}",
            self.title(),
            escaped(self.text("summary")),
            blocks(self.text("description")),
        );
        let item = api.get("paths").and_then(|paths| paths.get(self.path));
        let also = item.is_some_and(|item| item.get("servers").is_some());
        if also {
            html.push_str(&format!("<p>Also answered at {}.</p>\n", code(&format!("/api/v1{}", self.path))));
        }
        html.push_str(&self.parameters(api));
        html.push_str(&self.body(api));
        html.push_str(&self.answers(api));
        html.push_str("<h4>Try it</h4>\n");
        html.push_str(&listing(&self.curl(api), &format!("curl: {}", self.text("summary"))));
        html.push_str("</section>\n");
        html
    }

    fn parameter_list(&self, api: &'a Value) -> Vec<&'a Value> {
        let all = self.value.get("parameters").and_then(Value::as_array);
        all.into_iter().flatten().map(|parameter| resolve(api, parameter)).collect()
    }

    fn parameters(&self, api: &'a Value) -> String {
        let all = self.parameter_list(api);
        if all.is_empty() {
            return String::new();
        }
        let rows = all.into_iter().map(|parameter| {
            let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default();
            let required = parameter.get("required") == Some(&Value::Bool(true));
            let place = match (text("in"), required) {
                ("path", _) => "in the path",
                ("query", true) => "query, required",
                ("header", _) => "header",
                _ => "query",
            };
            let schema = parameter.get("schema").unwrap_or(&Value::Null);
            let bounds = bounds(api, schema);
            let separator = if bounds.is_empty() { "" } else { ": " };
            vec![
                format!("{} <small>{place}</small>", code(text("name"))),
                format!("{}{separator}{bounds}", kind(schema)),
                rich(text("description")),
            ]
        });
        format!("<h4>Parameters</h4>\n{}", table(&["name", "type", "meaning"], rows.map(|row| (None, row))))
    }

    fn body(&self, api: &'a Value) -> String {
        let Some(body) = self.value.get("requestBody") else { return String::new() };
        let Some(media) = body.pointer("/content/application~1json") else { return String::new() };
        let schema = media.get("schema").unwrap_or(&Value::Null);
        let mut html = format!(
            "<h4>Body</h4>\n<p>{}: {} {}</p>\n",
            kind(schema),
            rich(description(api, schema)),
            rich(body.get("description").and_then(Value::as_str).unwrap_or_default()),
        );
        // The first one stands in the `curl` line.
        html.push_str(&examples(api, media, 1));
        html
    }

    fn answers(&self, api: &'a Value) -> String {
        let responses = self.value.get("responses").and_then(Value::as_object);
        let rows = responses.into_iter().flatten().map(|(status, response)| {
            let text = response.get("description").and_then(Value::as_str).unwrap_or_default();
            let media = response.get("content").and_then(Value::as_object).and_then(|all| all.iter().next());
            let mut cell = String::new();
            match media {
                Some((kind, _)) if kind == "application/problem+json" => {
                    for line in text.lines() {
                        cell.push_str(&problem(line));
                    }
                }
                Some((_, media)) if media.pointer("/schema/$ref").is_some() => {
                    let schema = media.get("schema").unwrap_or(&Value::Null);
                    cell.push_str(&format!("<p>{} {}</p>", rich(text), kind(schema)));
                }
                _ => cell.push_str(&format!("<p>{}</p>", rich(text))),
            }
            let headers = response.get("headers").and_then(Value::as_object);
            for (name, header) in headers.into_iter().flatten() {
                cell.push_str(&format!("<p>{}: {}</p>", code(name), rich(description(api, header))));
            }
            if let Some((_, media)) = media {
                cell.push_str(&examples(api, media, 0));
            }
            (None, vec![escaped(status), cell])
        });
        format!("<h4>Answers</h4>\n{}", table(&["status", "what it says"], rows))
    }

    fn curl(&self, api: &'a Value) -> String {
        let mut path = self.path.to_owned();
        let mut query = Vec::new();
        for parameter in self.parameter_list(api) {
            let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default();
            let Some(example) = parameter.get("example") else { continue };
            let values: Vec<_> = match example {
                Value::Array(all) => all.iter().map(encoded).collect(),
                one => vec![encoded(one)],
            };
            match text("in") {
                "path" => path = path.replace(&format!("{{{}}}", text("name")), &values.join(",")),
                _ => query.push(format!("{}={}", text("name"), values.join(","))),
            }
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let method = match (self.method, self.value.get("requestBody").is_some()) {
            ("GET", _) | ("POST", true) => String::new(),
            (method, _) => format!("-X {method} "),
        };
        let mut line = format!("curl {method}\"$TIDEGATE{path}{query}\"");
        let security = self.value.pointer("/security/0").and_then(Value::as_object);
        match security.and_then(|one| one.keys().next()).map(String::as_str) {
            Some("adminToken") => line.push_str(" \\\n  -H \"Authorization: Bearer $ADMIN_TOKEN\""),
            Some("ingestKey") => line.push_str(" \\\n  -H \"X-Ingest-Key: $INGEST_KEY\""),
            _ => {}
        }
        let media = self.value.pointer("/requestBody/content/application~1json");
        if let Some(media) = media {
            let schema = media.get("schema").unwrap_or(&Value::Null);
            let example = first_example(media).map(|value| pretty(api, value, schema)).unwrap_or_default();
            // POSIX: a quote inside quotes ends them, stands escaped, and opens them again.
            let quoted = example.replace('\'', "'\\''");
            line.push_str(&format!(" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{quoted}'"));
        }
        line
    }
}

/// `` - `code`: why `` with a link to the code.
fn problem(line: &str) -> String {
    let parts = line.strip_prefix("- `").and_then(|line| line.split_once("`: "));
    match parts {
        Some((name, why)) => {
            format!("<p><a href=\"#problem-{0}\"><code>{0}</code></a> {1}</p>", escaped(name), rich(why))
        }
        None => format!("<p>{}</p>", rich(line)),
    }
}

fn all_examples(media: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let all = media.get("examples").and_then(Value::as_object);
    all.into_iter().flatten().filter_map(|(name, example)| Some((name, example.get("value")?)))
}

fn first_example(media: &Value) -> Option<&Value> {
    all_examples(media).next().map(|(_, value)| value)
}

fn examples(api: &Value, media: &Value, skipped: usize) -> String {
    let schema = media.get("schema").unwrap_or(&Value::Null);
    let of = referred(schema).unwrap_or("Problem");
    all_examples(media)
        .skip(skipped)
        .map(|(name, value)| {
            let text = listing(&pretty(api, value, schema), &format!("{of}: {name}"));
            format!("<details><summary>Example: {}</summary>\n{text}</details>", escaped(name))
        })
        .collect()
}

fn encoded(value: &Value) -> String {
    // RFC 3986 §2.3: these are never encoded.
    const SET: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(&plain(value), SET).to_string()
}
