//! The frame of all pages.

use worker::js_sys::Date;

/// Writes a page: its name, its title (which is HTML), and its content.
pub(crate) fn layout(name: &str, title: &str, content: &str) -> String {
    let rendered_at = Date::new_0().to_iso_string();
    format!(
        r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body>
<nav><a href="/">Posts</a> <a href="/nested">Nested</a> <a href="/nested/override">Override</a> <a href="/nested/optout">Opted out</a></nav>
<main data-page="{name}">
<h1>{title}</h1>
{content}
</main>
<footer>Rendered at <time data-rendered-at datetime="{rendered_at}">{rendered_at}</time></footer>
</body>
</html>
"#
    )
}

/// Escapes text for HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
