//! What the corpus is made of: names, strings, numbers, patterns and formats.

/// Names of members; some are near misses of others, some are awkward in a path or a pointer.
pub(super) const NAMES: [&str; 34] = [
    "salary",
    "email",
    "tags",
    "address",
    "active",
    "startDate",
    "manager",
    "cost",
    "ports",
    "owner",
    "notes",
    "count",
    "version",
    "url",
    "host",
    "level",
    "labels",
    "parts",
    "status",
    "color",
    "colour",
    "size",
    "x-1",
    "a/b",
    "a~b",
    "odd name",
    "naïve",
    "ключ",
    "😀",
    "$ref",
    "a.b",
    "it's",
    "_meta2",
    "0",
];

/// Names of the member that is the id.
pub(super) const IDS: [&str; 8] = ["id", "employeeId", "key", "serial", "ID", "odd id", "идент", "$id"];

/// Short strings; what is in them must not matter to anybody.
pub(super) const TEXTS: [&str; 26] = [
    "",
    "a",
    "b",
    "ada",
    "grace",
    "Grace Hopper",
    "0",
    "1",
    "true",
    "null",
    "x y",
    " ",
    "ß",
    "é",
    "e\u{301}",
    "😀",
    "日本語",
    "\u{7f}",
    "\u{1}",
    "a\tb",
    "line\nline",
    "\"quoted\"",
    "back\\slash",
    "</script>",
    "\u{2028}",
    "a/b~c",
];

/// Numbers as they can be spelled; the last ones are beyond what is exact, or no JSON.
pub(super) const NUMBERS: [&str; 36] = [
    "0",
    "-0",
    "0.0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "10E-1",
    "100e-2",
    "-1",
    "1.5",
    "0.1",
    "0.3",
    "1e2",
    "100",
    "1E+2",
    "9007199254740991",
    "9007199254740993",
    "9007199254740993.0",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "1e23",
    "5e-324",
    "2.2250738585072014e-308",
    "1.7976931348623157e308",
    "1e400",
    "-1e400",
    "01",
    "1.",
    "+1",
    "NaN",
];

/// Expressions with a string that matches each.
pub(super) const PATTERNS: [(&str, &str); 14] = [
    ("^[a-z]{2,8}$", "abc"),
    ("^[A-Z]{2}-[0-9]{4}$", "AB-0123"),
    ("\\d+", "x7"),
    ("^\\p{L}+$", "Grüße"),
    ("^(foo|bar)?baz$", "barbaz"),
    ("^.{1,5}$", "ab😀"),
    ("[^x]$", "xa"),
    ("^\\w+@\\w+$", "a@b"),
    ("^$", ""),
    ("^\\s*$", " \t"),
    ("^\\S+$", "é"),
    ("^[\\u0041-\\u005A]$", "Q"),
    ("^(?:[0-9a-f]{2}:){2}[0-9a-f]{2}$", "00:ff:a1"),
    ("\\bend\\b", "the end"),
];

/// Expressions for the names of members, with a name that matches each.
pub(super) const NAME_PATTERNS: [(&str, &str); 6] = [
    ("^x-", "x-other"),
    ("^[a-z]+$", "plain"),
    ("_at$", "made_at"),
    ("^S_", "S_1"),
    ("^\\p{Lu}", "Éclair"),
    ("[0-9]", "n7"),
];

/// Formats, each with strings that have it, and strings that nearly do.
pub(super) const FORMATS: [(&str, &[&str], &[&str]); 19] = [
    ("email", &["ada@example.org", "a.b+c@x.y"], &["ada@", "a b@x.y", "ada.example.org"]),
    ("idn-email", &["ada@example.org", "실례@실례.테스트"], &["2962"]),
    ("date", &["2024-02-29", "1999-12-31"], &["2023-02-29", "2024-2-9", "২024-02-01"]),
    (
        "date-time",
        &["2024-02-29T12:00:00Z", "1998-12-31T23:59:60Z", "2024-01-01t00:00:00.123+05:30"],
        &["2024-02-29 12:00:00Z", "2024-02-30T12:00:00Z", "1998-12-31T23:58:60Z", "2024-02-29"],
    ),
    ("time", &["12:00:00Z", "23:59:60Z", "00:00:00.5-08:00"], &["12:00:00", "24:00:00Z", "12:00Z"]),
    ("duration", &["P1D", "PT1H30M", "P4W", "P1Y2M3DT4H5M6S"], &["P", "PT", "1D", "P1W2D", "P1H"]),
    (
        "uuid",
        &["01a2092d-7c1e-7bbb-8000-0123456789ab", "01A2092D-7C1E-7BBB-8000-0123456789AB"],
        &["01a2092d7c1e7bbb80000123456789ab", "01a2092d-7c1e-7bbb-8000-0123456789ag"],
    ),
    ("ipv4", &["127.0.0.1", "255.255.255.255"], &["256.0.0.1", "127.1", "010.0.0.1", "1.2.3.4/8"]),
    ("ipv6", &["::1", "2001:db8::7", "::ffff:1.2.3.4"], &["1::2::3", ":::", "fe80::1%eth0", "12345::"]),
    ("uri", &["https://example.org/a?b#c", "urn:x:y", "mailto:a@b"], &["//host/path", "a b", "\\\\x", "/a"]),
    ("uri-reference", &["/a", "#x", "../b?c"], &["\\\\x", "#frag\\ment"]),
    ("iri", &["https://пример.рф/ä", "urn:x:ü"], &["ä", "a b"]),
    ("uri-template", &["/a/{b}", "{?x*}"], &["/a/{b", "}"]),
    ("hostname", &["example.org", "a-b.c", "xn--4gbwdl.xn--wgbh1c"], &["-a.b", "a..b", "a_b", "exa mple"]),
    ("idn-hostname", &["실례.테스트", "example.org"], &["-", "〮실례"]),
    ("json-pointer", &["", "/a/b~0c", "/"], &["a", "/~2", "#"]),
    ("relative-json-pointer", &["0", "1/a", "2#"], &["-1", "/a", "01"]),
    ("regex", &["^a*$", "[0-9]+"], &["(", "[z-a]", "*"]),
    ("no-such-format", &["anything"], &[]),
];

/// The bounds of the ids' length, and what else an id may be that is awkward to store or to send.
pub(super) fn awkward_ids() -> Vec<String> {
    let mut ids: Vec<String> = [
        "", "\0", "a\0b", "a,b", "a/b", "..", "%2F", "é", "e\u{301}", "😀", " ", "a b", "\n", "'", "\"", "_",
    ]
    .map(str::to_owned)
    .to_vec();
    ids.extend(["x".repeat(1000), "x".repeat(1001), "😀".repeat(1000), "é".repeat(1001)]);
    ids
}
