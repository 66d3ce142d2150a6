//! The root keyword `resmo`: where a payload's id, name and important fields are.

use super::declared::Allowed;
use super::{Graph, Path, Problem, ProblemCode, RESOURCE_KEYWORD, quoted};
use crate::document::{Node, Type};
use crate::pointer::Pointer;

/// The compiled paths of a schema.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) id: Path,
    pub(crate) name: Option<Path>,
    pub(crate) important_fields: Vec<Path>,
}

/// What a path is for, and so what it has to lead to.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Id,
    Name,
    Important,
}

impl Resource {
    /// Reads the keyword off a schema; `None` where there is a problem with it.
    pub(crate) fn of(root: Node<'_>, graph: &Graph, problems: &mut Vec<Problem>) -> Option<Self> {
        let at = Pointer::root().name(RESOURCE_KEYWORD);
        let mut problem = |pointer: &Pointer, detail: String| {
            problems.push(Problem::new(pointer, ProblemCode::ResourceKeyword, detail));
        };
        let Some(keyword) = root.member(RESOURCE_KEYWORD) else {
            problem(
                &Pointer::root(),
                format!(
                    "the root keyword `{RESOURCE_KEYWORD}` is missing; it says where the id is: `\"{RESOURCE_KEYWORD}\": {{\"id\": \"employeeId\"}}`"
                ),
            );
            return None;
        };
        if keyword.kind() != Type::Object {
            problem(&at, format!("expected an object, found {}", keyword.kind().name()));
            return None;
        }
        let mut texts: Vec<(Use, Pointer, &str)> = Vec::new();
        let mut complete = true;
        for (member, value) in keyword.members() {
            let at = at.name(member);
            match member {
                "id" | "name" => {
                    let what = if member == "id" { Use::Id } else { Use::Name };
                    match value.string().filter(|text| !text.is_empty()) {
                        Some(text) => texts.push((what, at, text)),
                        None => {
                            complete = false;
                            let found =
                                if value.string().is_some() { "an empty one" } else { value.kind().name() };
                            problem(&at, format!("expected a path, a non-empty string, found {found}"));
                        }
                    }
                }
                "importantFields" if value.kind() == Type::Array => {
                    for (index, value) in value.elements().enumerate() {
                        let at = at.index(index);
                        match value.string().filter(|text| !text.is_empty()) {
                            Some(text) => texts.push((Use::Important, at, text)),
                            None => {
                                complete = false;
                                problem(
                                    &at,
                                    format!(
                                        "expected a path, a non-empty string, found {}",
                                        value.kind().name()
                                    ),
                                );
                            }
                        }
                    }
                }
                "importantFields" => {
                    complete = false;
                    problem(&at, format!("expected a list of paths, found {}", value.kind().name()));
                }
                _ => {
                    complete = false;
                    problem(
                        &at,
                        format!(
                            "unknown member {}; expected `id`, `name` and `importantFields`",
                            quoted(member)
                        ),
                    );
                }
            }
        }
        if keyword.member("id").is_none() {
            complete = false;
            problem(&at, "the member `id` is missing: the path to the resource's id".to_owned());
        }
        let mut paths = Vec::new();
        for (what, pointer, text) in texts {
            match compile(what, text, graph) {
                Ok(path) => paths.push((what, path)),
                Err((code, detail)) => {
                    complete = false;
                    problems.push(Problem::new(&pointer, code, detail));
                }
            }
        }
        if !complete {
            return None;
        }
        let mut resource = Self {
            id: paths.iter().find(|(what, _)| *what == Use::Id)?.1.clone(),
            name: None,
            important_fields: Vec::new(),
        };
        for (what, path) in paths {
            match what {
                Use::Id => {}
                Use::Name => resource.name = Some(path),
                Use::Important => resource.important_fields.push(path),
            }
        }
        Some(resource)
    }
}

fn compile(what: Use, text: &str, graph: &Graph) -> Result<Path, (ProblemCode, String)> {
    let path = Path::parse(text).map_err(|fault| (ProblemCode::PathSyntax, fault.detail))?;
    if what != Use::Important && !path.is_singular() {
        let detail = format!(
            "{} may find more than one value; the path of an id or a name is made of names and indexes only",
            quoted(text)
        );
        return Err((ProblemCode::PathNotSingular, detail));
    }
    let impossible = |why: String| (ProblemCode::PathImpossible, why);
    match graph.allowed(path.segments()) {
        Allowed::Never(why) => Err(impossible(format!("{} can never be there: {why}", quoted(text)))),
        Allowed::Types(types) if what != Use::Important && !types.contains(Type::String) => {
            let noun = if what == Use::Id { "an id" } else { "a name" };
            Err(impossible(format!(
                "{noun} is a string, and the schema never allows one at {}",
                quoted(text)
            )))
        }
        Allowed::Types(_) => Ok(path),
    }
}
