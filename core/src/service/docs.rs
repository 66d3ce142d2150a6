//! The pages of the service: made here from the OpenAPI document, loading nothing from anywhere.

mod html;
mod json;
mod objects;
mod routes;
mod tables;

use std::sync::LazyLock;

use self::html::{blocks, escaped, rich};
use super::openapi;
use crate::digest::Digest;

const STYLE: &str = include_str!("docs/style.css");
/// A gate, as a data URL: browsers ask for an icon.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
    %3Crect width='16' height='16' rx='3' fill='%230b5cad'/%3E\
    %3Cpath d='M3 4h10M4.5 4v8.5M8 4v8.5M11.5 4v8.5' stroke='white' stroke-width='1.6'/%3E%3C/svg%3E";

static PAGE: LazyLock<String> = LazyLock::new(documentation);

/// The page at `/`.
pub(super) fn front_page() -> String {
    let body = format!(
        "<main class=\"front\"><h1>Tidegate</h1>{INTRODUCTION}\
         <ul class=\"links\">\
         <li><a href=\"/docs\">Documentation</a><p>Every route, limit and code, with a <code>curl</code> line each.</p></li>\
         <li><a href=\"/openapi.json\">OpenAPI</a><p>The same for tools: OpenAPI 3.1, JSON.</p></li>\
         <li><a href=\"/healthz\">Health</a><p>Whether the service runs; <a href=\"/readyz\"><code>/readyz</code></a> asks its database too.</p></li>\
         </ul><footer>Version {}</footer></main>",
        escaped(env!("CARGO_PKG_VERSION")),
    );
    document("Tidegate", &body)
}

/// The API's documentation.
pub(super) fn page() -> String {
    PAGE.clone()
}

const INTRODUCTION: &str = "<p class=\"lead\">Declare a table by a JSON Schema, and send it resources: one at \
    a time, or as a full snapshot in which what is missing gets removed.</p>\
    <p class=\"lead\">Every payload passes the same gate. What passes is stored, every difference becomes a \
    change record, and what is identical is ignored.</p>\
    <p class=\"lead\">Then read what is stored, now or at any time before, and what has changed.</p>";

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <link rel=\"icon\" href=\"{ICON}\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n",
        escaped(title),
    )
}

/// A section of the page: its anchor, its heading, what stands in it.
struct Section {
    anchor: String,
    title: String,
    body: String,
    /// Anchors and HTML of what the table of contents lists below it.
    entries: Vec<(String, String)>,
}

impl Section {
    fn new(anchor: &str, title: &str, body: String) -> Self {
        Self { anchor: anchor.to_owned(), title: title.to_owned(), body, entries: Vec::new() }
    }
}

fn documentation() -> String {
    let api = openapi::value();
    let mut sections = vec![Section::new("authentication", "Authentication", authentication())];
    sections.push(Section::new("limits", "Limits", tables::limits()));
    sections.extend(routes::sections(api));
    sections.push(objects::section(api));
    sections.push(Section::new("problems", "Problem codes", tables::problems()));
    sections.push(Section::new("violations", "Violation codes", tables::violations()));
    sections.push(Section::new("schema-problems", "Schema problem codes", tables::schema_problems()));
    sections.push(Section::new("digest", "The digest", digest()));

    let mut contents = String::new();
    let mut main = String::new();
    for section in &sections {
        let (anchor, title) = (escaped(&section.anchor), escaped(&section.title));
        contents.push_str(&format!("<li><a href=\"#{anchor}\">{title}</a>"));
        if !section.entries.is_empty() {
            contents.push_str("<ul>");
            for (anchor, entry) in &section.entries {
                contents.push_str(&format!("<li><a href=\"#{}\">{entry}</a></li>", escaped(anchor)));
            }
            contents.push_str("</ul>");
        }
        contents.push_str("</li>\n");
        main.push_str(&format!(
            "<section id=\"{anchor}\">\n<h2><a href=\"#{anchor}\">{title}</a></h2>\n{}</section>\n",
            section.body
        ));
    }
    let body = format!(
        "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n\
         <div class=\"page\">\n<nav aria-label=\"Contents\">\n<p><a href=\"/\">Tidegate</a> {version}</p>\n\
         <ul>\n{contents}</ul>\n</nav>\n<main id=\"main\">\n<header>\n<h1>Tidegate API</h1>\n{INTRODUCTION}\n\
         <p>The same for tools: <a href=\"/openapi.json\"><code>/openapi.json</code></a>.</p>\n</header>\n\
         {main}</main>\n</div>",
        version = escaped(env!("CARGO_PKG_VERSION")),
    );
    document("Tidegate API", &body)
}

fn authentication() -> String {
    let intro = blocks(
        "Two kinds of secrets open two kinds of addresses; the pages, `/openapi.json`, `/healthz` and `/readyz` \
         are open to all.\n\n\
         - `/integration/…` takes an **ingest key** in the header `X-Ingest-Key`. It belongs to one integration \
         and opens the tables of that integration's group. It is shown once, when it is made; an integration \
         may have two, so that one can be replaced without a pause.\n\
         - `/api/v1/…` takes the **admin token**, with which the server was started, in the header \
         `Authorization: Bearer`. (The manifest, which is answered there too, takes an ingest key there too.)\n\n\
         A secret that is absent, unknown or revoked is answered 401 `unauthorized`, and the answer does not \
         tell which. The `curl` lines on this page use three variables:",
    );
    let shell = html::listing(
        "TIDEGATE=http://127.0.0.1:7070   # where the server listens\n\
         ADMIN_TOKEN=…                    # what it was started with\n\
         INGEST_KEY=tgk_…                 # from the answer of POST /api/v1/integrations",
        "the variables",
    );
    let rules = blocks(
        "Bodies are JSON in UTF-8; `Content-Type` is `application/json`, or absent. A known parameter is given \
         once and has a known value, an unknown one is ignored; an unknown member of a command's body is an \
         error. Texts are percent-encoded, and their lengths are counted in Unicode characters after decoding. \
         `HEAD` is taken wherever `GET` is; any other method that an address does not take is answered 405 \
         `method-not-allowed` with `Allow`.",
    );
    format!("{intro}{shell}{rules}")
}

fn digest() -> String {
    let before = rich(
        "The digest says whether two payloads are the same resource: white space, the order of members, escapes \
         in strings and the spelling of numbers (`1230.0`, `1230`, `1.23e3`) make no difference, everything \
         else does. It is the same on every host, and can be computed anywhere:",
    );
    let definition = blocks(crate::digest::DEFINITION);
    let example = Digest::of_text(b"{}").map(|digest| rich(&format!("The digest of `{{}}` is `{digest}`.")));
    format!("<p id=\"schema-Digest\">{before}</p>\n{definition}<p>{}</p>\n", example.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::problem::Code;
    use crate::schema::ProblemCode;
    use crate::service::route::ROUTES;
    use crate::violation::ViolationCode;

    /// The values of an attribute.
    fn values<'p>(page: &'p str, attribute: &str) -> Vec<&'p str> {
        let start = format!(" {attribute}=\"");
        page.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn links_lead_somewhere() {
        let page = page();
        let anchors = values(&page, "id");
        let unique: BTreeSet<_> = anchors.iter().copied().collect();
        assert_eq!(anchors.len(), unique.len());
        for link in values(&page, "href").into_iter().chain(values(&front_page(), "href")) {
            match link.strip_prefix('#') {
                Some(anchor) => assert!(unique.contains(anchor), "{link}"),
                None => {
                    let known = ROUTES.iter().any(|route| route.template == link);
                    assert!(known || link.starts_with("data:"), "{link}");
                }
            }
        }
    }

    #[test]
    fn tags_are_closed() {
        for page in [page(), front_page()] {
            let mut open = Vec::new();
            for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
                let name = tag.split([' ', '\n']).next().unwrap();
                match name.strip_prefix('/') {
                    Some(name) => assert_eq!(open.pop(), Some(name)),
                    None if matches!(name, "!doctype" | "meta" | "link" | "br" | "wbr") => {}
                    None => open.push(name),
                }
            }
            assert!(open.is_empty(), "{open:?}");
        }
    }

    #[test]
    fn nothing_is_loaded_and_nothing_runs() {
        for page in [page(), front_page()] {
            for word in ["<script", "javascript:", "@import", "url(", "src=", " on"] {
                let found = page.split(word).nth(1).filter(|_| word != " on" || page.contains(" onclick"));
                assert!(found.is_none(), "{word}");
            }
        }
    }

    #[test]
    fn every_route_and_code_has_its_place() {
        let page = page().replace("<wbr>", "");
        for route in ROUTES {
            assert!(page.contains(&escaped(route.template)), "{}", route.template);
        }
        let codes = Code::ALL.iter().map(|code| format!("id=\"problem-{code}\""));
        let violations = ViolationCode::ALL.iter().map(|code| format!("id=\"violation-{code}\""));
        let problems = ProblemCode::ALL.iter().map(|code| format!("id=\"schema-problem-{code}\""));
        for anchor in codes.chain(violations).chain(problems) {
            assert!(page.contains(&anchor), "{anchor}");
        }
        for example in ["null</pre>", "<code></code>"] {
            assert!(!page.contains(example), "{example}");
        }
    }
}
