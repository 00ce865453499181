//! The writer: objects and lists as text.

/// Writes one JSON object, member by member.
#[derive(Default)]
pub struct Object {
    out: String,
}

impl Object {
    /// An empty object.
    pub fn new() -> Object {
        Object::default()
    }

    /// A member whose value is JSON already.
    pub fn raw(mut self, key: &str, value: &str) -> Object {
        self.out.push(if self.out.is_empty() { '{' } else { ',' });
        push_string(&mut self.out, key);
        self.out.push(':');
        self.out.push_str(value);
        self
    }

    /// A member whose value is a string.
    pub fn text(self, key: &str, value: &str) -> Object {
        self.raw(key, &text(value))
    }

    /// The object's text.
    pub fn end(mut self) -> String {
        self.out.push_str(if self.out.is_empty() { "{}" } else { "}" });
        self.out
    }
}

/// Writes a string.
pub fn text(value: &str) -> String {
    let mut quoted = String::new();
    push_string(&mut quoted, value);
    quoted
}

/// Writes a list of values that are JSON already.
pub fn list(values: impl Iterator<Item = String>) -> String {
    let mut out = String::from("[");
    for value in values {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&value);
    }
    out.push(']');
    out
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            letter if letter < ' ' || letter == '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
}
