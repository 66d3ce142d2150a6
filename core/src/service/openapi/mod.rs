//! The OpenAPI description of the service, made from the routes, the limits and the codes.

mod components;
mod examples;
mod operation;
mod operations;
mod parameters;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::route::{ALSO_IN_API, ROUTES, Route};
pub(super) use operations::TAGS;

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

/// The document.
pub(super) fn value() -> &'static Value {
    &DOCUMENT
}

/// The document's text.
pub(super) fn text() -> String {
    TEXT.clone()
}

const DESCRIPTION: &str = "\
Tidegate keeps a company's own data (employees, servers, licences, …) as resources. You declare a table by \
a JSON Schema, and from then on anything that can send HTTP sends resources, one at a time or as a full \
snapshot in which what is missing gets removed. Every payload passes the same gate; what passes is stored, \
every difference becomes a change record, and what is identical is ignored.

`/integration/…` takes an ingest key in `X-Ingest-Key`; `/api/v1/…` takes the admin token in \
`Authorization: Bearer`, wherever an operation does not say otherwise. Bodies are JSON in UTF-8; `Content-Type` is `application/json`, or absent. A parameter that is \
known is given once and has a known value; one that is not known is ignored. A member of a command's body \
that is not known is an error.

What goes wrong is answered as `application/problem+json` (RFC 9457) with a stable `code`. A method that an \
address does not take is answered 405 `method-not-allowed` with `Allow`; `HEAD` is taken wherever `GET` is. \
An address that is not here is answered 404 `not-found`.

Web pages of the origins that the server is told to allow may use the API (CORS): `OPTIONS` answers their \
browser's preflight with 204 wherever there is an address, without a key or token.";

fn document() -> Value {
    let tags: Vec<_> =
        TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect();
    let paths: Map<String, Value> =
        ROUTES.iter().map(|route| (route.template.to_owned(), path_item(route))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A gate for a company's own data",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "Where this document comes from" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": components::schemas(),
            "parameters": parameters::parameters(),
            "headers": headers(),
            "responses": { "MethodNotAllowed": method_not_allowed() },
            "securitySchemes": {
                "adminToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The admin token that the server was started with.",
                },
                "ingestKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Ingest-Key",
                    "description": "A live ingest key of an integration. It opens the tables of the \
                        integration's group, and nothing else.",
                },
            },
        },
    })
}

fn path_item(route: &Route) -> Value {
    let allow: Vec<_> = route.actions.iter().map(|(method, _)| method.as_str()).collect();
    let mut item = Map::new();
    let mut description = format!("Takes {}.", allow.join(", "));
    if ALSO_IN_API.contains(&route.template) {
        description.push_str(&format!(" Also answered at `/api/v1{}`.", route.template));
        item.insert("servers".to_owned(), json!([{ "url": "/" }, { "url": "/api/v1" }]));
    }
    item.insert("description".to_owned(), description.into());
    for (method, action) in route.actions {
        let mut operation = operations::describe(*action).finish(*action, route.template);
        if route.template == "/integration/custom-data/bulk-event/{table}" && method == http::Method::DELETE {
            // The route has two addresses, an operation's id is one of a kind.
            if let Some(operation) = operation.as_object_mut() {
                operation.insert("operationId".to_owned(), "removeResourcesAtBulk".into());
                operation.insert("summary".to_owned(), "Remove resources, at the bulk's address".into());
            }
        }
        item.insert(method.as_str().to_ascii_lowercase(), operation);
    }
    Value::Object(item)
}

fn headers() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "ETag": {
            "description": "Stands for the state of the scope.",
            "required": true, "schema": text, "example": "\"b40711a88c7039756fb8a73827eabe2c\"",
        },
        "Retry-After": {
            "description": "After how many seconds to try again.",
            "required": true, "schema": { "type": "integer" }, "example": 1,
        },
        "Allow": {
            "description": "The methods that the address takes.",
            "required": true, "schema": text, "example": "GET, POST",
        },
        "WWW-Authenticate": {
            "description": "What the address wants: `Bearer` or `IngestKey`.",
            "required": true, "schema": text, "example": "Bearer realm=\"tidegate\"",
        },
    })
}

/// It comes with methods that the document, naturally, does not list.
fn method_not_allowed() -> Value {
    json!({
        "description": "The address does not take this method.",
        "headers": { "Allow": { "$ref": "#/components/headers/Allow" } },
        "content": { "application/problem+json": { "schema": components::schema("Problem") } },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::request::Parameters;
    use super::super::route::Action;
    use super::*;
    use crate::problem::Code;

    const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

    fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
        let mut all = Vec::new();
        for (path, item) in value()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if METHODS.contains(&method.as_str()) {
                    all.push((path.as_str(), method.as_str(), operation));
                }
            }
        }
        all
    }

    fn action(path: &str, method: &str) -> Action {
        let route = ROUTES.iter().find(|route| route.template == path).unwrap();
        route.actions.iter().find(|(other, _)| other.as_str().eq_ignore_ascii_case(method)).unwrap().1
    }

    fn walk(value: &Value, visit: &mut impl FnMut(&Value)) {
        visit(value);
        match value {
            Value::Object(members) => members.values().for_each(|value| walk(value, visit)),
            Value::Array(elements) => elements.iter().for_each(|value| walk(value, visit)),
            _ => {}
        }
    }

    /// A schema of the document, with references that lead into it.
    fn schema_of(name: &str) -> Value {
        json!({
            "$ref": format!("#/components/schemas/{name}"),
            "components": { "schemas": value()["components"]["schemas"] },
        })
    }

    #[test]
    fn it_describes_the_routes_and_nothing_else() {
        let described: BTreeSet<_> =
            operations().iter().map(|(path, method, _)| (path.to_string(), method.to_uppercase())).collect();
        let answered: BTreeSet<_> = ROUTES
            .iter()
            .flat_map(|route| {
                route.actions.iter().map(|(method, _)| (route.template.to_owned(), method.to_string()))
            })
            .collect();
        assert_eq!(described, answered);
    }

    #[test]
    fn operation_ids_are_unique() {
        let ids: BTreeSet<_> =
            operations().iter().map(|(.., operation)| operation["operationId"].as_str()).collect();
        assert_eq!(ids.len(), operations().len());
    }

    #[test]
    fn references_resolve_and_components_are_used() {
        let mut used = BTreeSet::new();
        walk(value(), &mut |value| {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(super::value().pointer(pointer).is_some(), "{reference}");
                used.insert(pointer.to_owned());
            }
        });
        for kind in ["schemas", "parameters", "headers"] {
            for name in value()["components"][kind].as_object().unwrap().keys() {
                assert!(used.contains(&format!("/components/{kind}/{name}")), "{kind}: {name}");
            }
        }
    }

    #[test]
    fn path_parameters_are_those_of_the_template() {
        for (path, method, operation) in operations() {
            let mut names = BTreeSet::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let pointer = parameter["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
                let parameter = value().pointer(pointer).unwrap();
                let (name, place) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
                assert!(names.insert((place, name)), "{method} {path}: {name}");
            }
            let of_path: Vec<_> =
                names.iter().filter(|(place, _)| *place == "path").map(|(_, name)| *name).collect();
            let mut of_template: Vec<_> =
                path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
            of_template.sort_unstable();
            assert_eq!(of_path, of_template, "{method} {path}");
        }
    }

    #[test]
    fn components_are_json_schemas() {
        for (name, schema) in value()["components"]["schemas"].as_object().unwrap() {
            assert!(jsonschema::meta::is_valid(schema), "{name}");
            jsonschema::draft202012::new(&schema_of(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn examples_are_what_their_schema_says() {
        let mut examples = 0;
        walk(value(), &mut |value| {
            let (Some(schema), Some(all)) = (value.get("schema"), value.get("examples")) else { return };
            let mut schema = schema.clone();
            schema["components"] = json!({ "schemas": super::value()["components"]["schemas"] });
            let validator =
                jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
            for (name, example) in all.as_object().unwrap() {
                let errors: Vec<_> =
                    validator.iter_errors(&example["value"]).map(|error| error.to_string()).collect();
                assert!(errors.is_empty(), "{name}: {errors:?}\n{}", example["value"]);
                examples += 1;
            }
        });
        assert!(examples > 30);
    }

    #[test]
    fn the_worked_example_is_worked_out() {
        let bulk = &value()["paths"]["/integration/custom-data/bulk-event/{table}"]["post"];
        let examples = &bulk["responses"]["200"]["content"]["application/json"]["examples"];
        assert_eq!(examples["first"]["value"]["added"], 3);
        let second = &examples["second with details=true"]["value"];
        assert_eq!(
            second["changes"],
            json!([
                { "type": "modified", "id": "1", "fields": ["salary"] },
                { "type": "modified", "id": "2", "fields": ["employee.name"] },
                { "type": "added", "id": "4", "fields": [] },
                { "type": "removed", "id": "3", "fields": [] },
            ])
        );
        assert_eq!(examples["second once more"]["value"]["unchanged"], 3);
    }

    #[test]
    fn each_operation_lists_the_usual_problems() {
        for (path, method, operation) in operations() {
            let action = action(path, method);
            let responses = operation["responses"].as_object().unwrap();
            let locked = action.is_admin() || action.is_ingest();
            assert_eq!(responses.contains_key("401"), locked, "{method} {path}");
            assert_eq!(!operation["security"].as_array().unwrap().is_empty(), locked, "{method} {path}");
            assert_eq!(operation.get("requestBody").is_some(), action.has_body(), "{method} {path}");
            for status in ["408", "413", "415"] {
                assert_eq!(responses.contains_key(status), action.has_body(), "{method} {path}: {status}");
            }
            assert!(!path.contains('{') || responses.contains_key("404"), "{method} {path}");
            for (status, response) in responses {
                let code = response
                    .pointer("/content/application~1problem+json/schema/allOf/1/properties/code/enum");
                for code in code.and_then(Value::as_array).into_iter().flatten() {
                    let code = Code::ALL.iter().find(|other| code == other.as_str()).unwrap();
                    assert_eq!(code.status().to_string(), *status, "{method} {path}: {code}");
                }
            }
        }
    }

    #[test]
    fn every_problem_is_listed_somewhere() {
        let text = text();
        for code in Code::ALL.iter().filter(|code| **code != Code::MethodNotAllowed) {
            assert!(text.contains(&format!("- `{code}`: ")), "{code}");
        }
    }

    #[test]
    fn page_sizes_are_those_of_the_service() {
        let limit = |query: &str| Parameters::parse(Some(query)).limit().ok();
        assert_eq!(limit(""), Some(crate::limits::PAGE_ITEMS));
        assert_eq!(
            limit(&format!("limit={}", crate::limits::MOST_PAGE_ITEMS)),
            Some(crate::limits::MOST_PAGE_ITEMS)
        );
        assert_eq!(limit(&format!("limit={}", crate::limits::MOST_PAGE_ITEMS + 1)), None);
    }

    #[test]
    fn the_text_is_the_same_each_time() {
        assert_eq!(document().to_string(), text());
    }
}
