//! What goes wrong.

use serde_json::json;

use super::{Member, codes, count, flag, object, schema, text};
use crate::problem::Code;
use crate::schema::{ProblemCode, RESOURCE_KEYWORD};
use crate::violation::ViolationCode;

/// Where a fault of a text is, or what is too long.
pub(super) fn places() -> Vec<Member> {
    let place = |description: &str| json!({ "type": "integer", "minimum": 1, "description": description });
    vec![
        ("line", place("Where the text stops being JSON, from 1.")),
        ("column", place("In Unicode characters, from 1.")),
        ("offset", count("In bytes, from 0.")),
        ("pointer", text("A JSON Pointer into the text, as a URI fragment.")),
        ("limit", count("The limit that was exceeded.")),
        ("item", count("The index of the resource in a bulk, from 0.")),
    ]
}

pub(super) fn problems() -> Vec<Member> {
    let faults = json!({
        "type": "array",
        "description": "Each fault of a payload or a schema.",
        "items": { "anyOf": [schema("Violation"), schema("SchemaProblem")] },
    });
    vec![
        ("ProblemCode", codes("Why a request was refused; stable.", Code::ALL, Code::as_str)),
        (
            "Problem",
            object(
                "A problem document (RFC 9457).",
                &[
                    (
                        "type",
                        json!({
                            "type": "string",
                            "pattern": "^urn:tidegate:problem:[a-z-]+$",
                            "description": "`urn:tidegate:problem:{code}`",
                        }),
                    ),
                    ("code", schema("ProblemCode")),
                    ("title", text("The code in words.")),
                    ("status", json!({ "type": "integer", "description": "The HTTP status." })),
                    ("detail", text("What is wrong this time.")),
                ],
                &[
                    vec![("errors", faults), ("truncated", flag("There are more faults than are listed."))],
                    places(),
                    vec![
                        ("parameter", text("The parameter, or the member of the body, that is wrong.")),
                        ("removed", count("How many resources the bulk would have removed.")),
                    ],
                ]
                .concat(),
            ),
        ),
        (
            "ViolationCode",
            codes(
                "What kind of fault of a payload it is; stable.",
                ViolationCode::ALL,
                ViolationCode::as_str,
            ),
        ),
        (
            "Violation",
            object(
                "One fault of a payload.",
                &[
                    (
                        "pointer",
                        text(
                            "A JSON Pointer into the resource, as a URI fragment: `#/employee/email`. For a \
                             field that is missing, the object that lacks it.",
                        ),
                    ),
                    ("schemaPointer", text("A JSON Pointer into the effective schema, as a URI fragment.")),
                    (
                        "keyword",
                        text(&format!(
                            "The JSON Schema keyword that does not hold, or `{RESOURCE_KEYWORD}`."
                        )),
                    ),
                    ("code", schema("ViolationCode")),
                    ("detail", text("What was expected. It never repeats the payload's values.")),
                ],
                &[("item", count("The index of the resource in a bulk, from 0."))],
            ),
        ),
        (
            "SchemaProblemCode",
            codes("What kind of problem of a schema it is; stable.", ProblemCode::ALL, ProblemCode::as_str),
        ),
        (
            "SchemaProblem",
            object(
                "One thing that is wrong with a schema or, as a warning, worth knowing.",
                &[
                    ("pointer", text("A JSON Pointer into the schema, as a URI fragment.")),
                    ("code", schema("SchemaProblemCode")),
                    ("detail", text("What is wrong and what was expected.")),
                ],
                &[],
            ),
        ),
    ]
}
