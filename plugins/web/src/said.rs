//! What others said, fit to be shown.

/// One line, nothing that is not seen where it stands, not long.
pub(crate) fn said(text: &str) -> String {
    const LONGEST: usize = 200;
    let shown: String = text
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ' || c.is_alphanumeric())
        .take(LONGEST)
        .collect();
    match shown.trim() {
        "" => "no reason given".to_owned(),
        shown => shown.to_owned(),
    }
}
