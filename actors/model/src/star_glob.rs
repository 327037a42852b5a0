//! Patterns of event names.

/// Makes runs of `*` one; a `*` after a backslash is a plain character.
#[must_use]
pub fn normalize(pattern: &str) -> String {
    let mut normal = String::with_capacity(pattern.len());
    let mut after_star = false;
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if char == '*' && after_star {
            continue;
        }
        after_star = char == '*';
        normal.push(char);
        if char == '\\' {
            normal.extend(chars.next());
        }
    }
    normal
}
