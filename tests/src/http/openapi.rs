//! The service's own description (OpenAPI 3.1) against what the service does.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::Fault;
use super::message::{Request, RequestBody, Response};

/// A description, and what of it has been seen.
pub struct Description {
    document: Value,
    validators: BTreeMap<String, Validator>,
    /// Operations that succeeded at least once.
    seen: BTreeSet<String>,
}

/// One operation of a description.
struct Operation<'d> {
    /// Method and path, for messages.
    name: String,
    /// Where it stands in the description.
    pointer: String,
    value: &'d Map<String, Value>,
    path_item: &'d Map<String, Value>,
}

impl Description {
    /// Takes a description.
    pub fn new(document: Value) -> Self {
        Self { document, validators: BTreeMap::new(), seen: BTreeSet::new() }
    }

    /// Checks that a request and its answer are as described: the operation, the status, the media
    /// type, the answer's JSON; for a request that succeeded, its JSON; and for one that was refused
    /// because of a query parameter, that the parameter is there.
    ///
    /// # Errors
    ///
    /// What is not as described.
    pub fn check(&mut self, request: &Request, response: &Response) -> Result<(), Fault> {
        let Some(operation) = self.operation(request) else {
            return Ok(());
        };
        let status = response.status;
        let responses = operation.value.get("responses").and_then(Value::as_object);
        let class = format!("{}XX", status / 100);
        let key = [status.to_string(), class, "default".to_owned()]
            .into_iter()
            .find(|key| responses.is_some_and(|responses| responses.contains_key(key)))
            .ok_or_else(|| format!("{} answers {status}, which is not described", operation.name))?;
        let (name, pointer) = (operation.name.clone(), operation.pointer.clone());
        if status == 400 {
            self.knows_parameter(&operation, request, response)?;
        }
        let described = format!("{pointer}/responses/{key}");
        let (described, answer) = self.resolve(&described)?;
        let no_content = answer.get("content").is_none();
        if !response.body.is_empty() {
            let media_type = response.media_type().unwrap_or_default();
            if no_content || answer.pointer(&format!("/content/{}", escaped(media_type))).is_none() {
                return Err(format!("{name} answers {status} with `{media_type}`, which is not described"));
            }
            self.holds(&format!("{described}/content/{}", escaped(media_type)), &response.body)
                .map_err(|fault| format!("the answer {status} of {name} is not as described: {fault}"))?;
        }
        if status < 300 {
            if let RequestBody::Whole(body) | RequestBody::Chunked(body) = &request.body {
                let (described, _) = self
                    .resolve(&format!("{pointer}/requestBody"))
                    .map_err(|_| format!("{name} takes a body, which is not described"))?;
                self.holds(&format!("{described}/content/application~1json"), body)
                    .map_err(|fault| format!("the body of {name} is not as described: {fault}"))?;
            }
            self.seen.insert(name);
        }
        Ok(())
    }

    /// Checks that every described operation has succeeded at least once.
    ///
    /// # Errors
    ///
    /// The operations that have not.
    pub fn all_seen(&self) -> Result<(), Fault> {
        let mut missing = Vec::new();
        for (path, item) in self.paths() {
            for method in item.keys().filter(|method| is_method(method)) {
                let name = format!("{} {path}", method.to_uppercase());
                if !self.seen.contains(&name) {
                    missing.push(name);
                }
            }
        }
        match missing.as_slice() {
            [] if self.seen.is_empty() => Err("no operation is described".into()),
            [] => Ok(()),
            missing => Err(format!("described, but never seen to succeed: {}", missing.join(", "))),
        }
    }

    fn paths(&self) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
        let paths = self.document.get("paths").and_then(Value::as_object);
        paths.into_iter().flatten().filter_map(|(path, item)| Some((path, item.as_object()?)))
    }

    /// The operation that a request is for; a path with more literal segments goes first.
    fn operation(&self, request: &Request) -> Option<Operation<'_>> {
        let path = request.target.split('?').next().unwrap_or_default();
        let (template, path_item) = self
            .paths()
            .filter(|(template, _)| fits(template, path))
            .min_by_key(|(template, _)| template.matches('{').count())?;
        let method = if request.method == "HEAD" { "get" } else { &request.method.to_lowercase() };
        let value = path_item.get(method)?.as_object()?;
        Some(Operation {
            name: format!("{} {template}", method.to_uppercase()),
            pointer: format!("/paths/{}/{method}", escaped(template)),
            value,
            path_item,
        })
    }

    /// What stands at a pointer, after the references there, and where that is.
    fn resolve(&self, pointer: &str) -> Result<(String, &Value), Fault> {
        let mut pointer = pointer.to_owned();
        loop {
            let value = self
                .document
                .pointer(&pointer)
                .ok_or_else(|| format!("nothing is described at `{pointer}`"))?;
            match value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#')) {
                Some(target) => pointer = target.to_owned(),
                None => return Ok((pointer, value)),
            }
        }
    }

    fn knows_parameter(
        &self,
        operation: &Operation<'_>,
        request: &Request,
        response: &Response,
    ) -> Result<(), Fault> {
        let problem: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let Some(wrong) = problem.get("parameter").and_then(Value::as_str) else { return Ok(()) };
        let query = request.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
        if !query.split('&').any(|pair| pair.split('=').next() == Some(wrong)) {
            return Ok(());
        }
        let lists = [operation.path_item.get("parameters"), operation.value.get("parameters")];
        for parameter in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
            let parameter = match parameter.get("$ref").and_then(Value::as_str) {
                Some(target) => self.resolve(target.trim_start_matches('#'))?.1,
                None => parameter,
            };
            if parameter.get("in") == Some(&json!("query")) && parameter.get("name") == Some(&json!(wrong)) {
                return Ok(());
            }
        }
        Err(format!("{} takes the parameter `{wrong}`, which is not described", operation.name))
    }

    /// Whether a body is as the schema of that media type object says.
    fn holds(&mut self, media_type: &str, body: &[u8]) -> Result<(), Fault> {
        let Some(schema) = self.document.pointer(&format!("{media_type}/schema")) else { return Ok(()) };
        if media_type.ends_with("html") {
            return Ok(());
        }
        let instance: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if !self.validators.contains_key(media_type) {
            let schema = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "allOf": [schema],
                "components": self.document.get("components"),
            });
            let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
            self.validators.insert(media_type.to_owned(), validator);
        }
        let Some(validator) = self.validators.get(media_type) else { return Ok(()) };
        match validator.iter_errors(&instance).next() {
            Some(error) => Err(format!("{error} at `{}`", error.instance_path())),
            None => Ok(()),
        }
    }
}

fn is_method(name: &str) -> bool {
    matches!(name, "get" | "put" | "post" | "delete" | "patch" | "head" | "options" | "trace")
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(expected, found)| expected.starts_with('{') || expected == found)
}

/// One token of a JSON Pointer (RFC 6901 §3).
fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(method: &str, target: &str, status: u16, body: &Value) -> (Request, Response) {
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: RequestBody::None,
        };
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        (request, Response { status, headers, body: body.to_string().into_bytes() })
    }

    #[test]
    fn answers_are_held_against_the_description() {
        let mut description = Description::new(json!({
            "paths": { "/things/{id}": { "get": { "responses": { "200": { "$ref": "#/components/responses/Thing" } } } } },
            "components": {
                "responses": {
                    "Thing": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } } }
                },
                "schemas": { "Thing": { "type": "object", "required": ["id"] } }
            }
        }));
        let mut check = |method, target, status, body| {
            let (request, response) = exchange(method, target, status, &body);
            description.check(&request, &response)
        };
        assert_eq!(check("GET", "/things/1", 200, json!({ "id": "1" })), Ok(()));
        assert!(check("GET", "/things/1", 200, json!({})).unwrap_err().contains("not as described"));
        assert!(check("GET", "/things/1", 404, json!({})).unwrap_err().contains("404"));
        assert_eq!(check("GET", "/others", 404, json!({})), Ok(()));
        assert_eq!(description.all_seen(), Ok(()));
    }
}
