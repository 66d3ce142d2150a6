//! Text → HTML. Everything that is not our own markup goes through [`escaped`].

/// A text as HTML, in elements and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(character),
        }
    }
    html
}

/// A code, escaped.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// A line of text with `` `code` `` and `**strong**` in it.
pub(super) fn rich(text: &str) -> String {
    text.split('`')
        .enumerate()
        .map(|(at, piece)| {
            if at % 2 == 1 {
                return code(piece);
            }
            let strong = |(at, piece)| match at % 2 {
                1 => format!("<strong>{}</strong>", escaped(piece)),
                _ => escaped(piece),
            };
            piece.split("**").enumerate().map(strong).collect()
        })
        .collect()
}

/// Paragraphs, lists and tables: as much of Markdown as the descriptions use.
pub(super) fn blocks(text: &str) -> String {
    let mut html = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        if block.starts_with("- ") {
            let items: String = format!("\n{block}")
                .split("\n- ")
                .filter(|item| !item.is_empty())
                .map(|item| format!("<li>{}</li>", rich(item)))
                .collect();
            html.push_str(&format!("<ul>{items}</ul>\n"));
        } else if block.starts_with("| ") {
            let rows: Vec<Vec<String>> = block
                .lines()
                .filter(|line| !line.starts_with("| ---"))
                .map(|line| line.trim_matches('|').split('|').map(|cell| rich(cell.trim())).collect())
                .collect();
            let (head, rows) =
                rows.split_first().map_or((Vec::new(), [].as_slice()), |(head, rows)| (head.clone(), rows));
            let head: Vec<_> = head.iter().map(String::as_str).collect();
            html.push_str(&table(&head, rows.iter().map(|row| (None, row.clone()))));
        } else {
            html.push_str(&format!("<p>{}</p>\n", rich(block)));
        }
    }
    html
}

/// A table of HTML cells; a row may have an anchor. On a narrow screen each row becomes a block.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = (Option<String>, Vec<String>)>) -> String {
    let mut html = String::from("<table>\n<thead><tr>");
    for cell in head {
        html.push_str(&format!("<th scope=\"col\">{cell}</th>"));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (anchor, cells) in rows {
        match anchor {
            Some(anchor) => html.push_str(&format!("<tr id=\"{}\">", escaped(&anchor))),
            None => html.push_str("<tr>"),
        }
        for (at, cell) in cells.iter().enumerate() {
            html.push_str(&match at {
                0 => format!("<th scope=\"row\">{cell}</th>"),
                _ => format!("<td>{cell}</td>"),
            });
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n");
    html
}

/// A text that stands as it is. It may be wider than the screen, so it takes the focus to be
/// scrolled by keys.
pub(super) fn listing(text: &str, label: &str) -> String {
    format!("<pre tabindex=\"0\" role=\"region\" aria-label=\"{}\">{}</pre>\n", escaped(label), escaped(text))
}

/// A number with its thousands apart.
pub(super) fn number(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_escaped() {
        assert_eq!(escaped("<a b=\"c\" d='&'>"), "&lt;a b=&quot;c&quot; d=&#39;&amp;&#39;&gt;");
        assert_eq!(rich("a `<b>` **&**"), "a <code>&lt;b&gt;</code> <strong>&amp;</strong>");
        assert_eq!(blocks("a\n\n- `b`\n- c"), "<p>a</p>\n<ul><li><code>b</code></li><li>c</li></ul>\n");
        assert_eq!((number(7), number(1_048_576)), ("7".to_owned(), "1,048,576".to_owned()));
    }
}
