//! How durations, moments and tables are read and written for a person.

use std::time::Duration;

use wayside::api::types::Time;

use super::output::one_line;

/// Reads `90s`, `15m`, `12h`, `7d`, `2w`, `500ms`; a bare number is seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err(MEANT.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| MEANT.to_owned())?;
    let millis = number.checked_mul(millis).filter(|millis| *millis <= LONGEST);
    millis.map(Duration::from_millis).ok_or_else(|| "that is longer than a century".to_owned())
}

const MEANT: &str = "write a duration like 30s, 15m, 12h or 7d";
/// A hundred years in milliseconds.
const LONGEST: u64 = 100 * 366 * 86_400_000;

/// A duration in milliseconds, as the API takes it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration with two digits that matter: `340 ms`, `2.1 s`, `3 min`.
pub(crate) fn short_duration(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        millis @ 60_000..7_200_000 => format!("{} min", millis / 60_000),
        millis => format!("{} h", millis / 3_600_000),
    }
}

/// A moment, to the second, in UTC.
pub(crate) fn moment(time: Time) -> String {
    time.0.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment of today or near it: without the date.
pub(crate) fn time_of_day(time: Time) -> String {
    time.0.strftime("%H:%M:%S").to_string()
}

/// `one`, `one and two`, `one, two and three`; `nothing` where there is none.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [one] => one_line(one),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|item| one_line(item)).collect();
            format!("{} and {}", first.join(", "), one_line(last))
        }
    }
}

/// A word of a command that a person may copy into a shell: others have chosen it.
pub(crate) fn shell_word(text: &str) -> String {
    shlex::try_quote(&one_line(text)).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// `1 message`, `2 messages`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Columns that line up, two blanks apart, under a head.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(head.iter().map(|cell| (*cell).to_owned()).collect())
        .chain(rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()))
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{list, parse_duration, shell_word, table};

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, secs) in [("7d", 604_800), ("30s", 30), ("30", 30), ("15m", 900), ("2h", 7200), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "d", "7 days", "-1s", "1.5h", "99999999999999999999s", "9999999w"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_read_like_a_sentence() {
        let list = |items: &[&str]| list(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        assert_eq!(list(&[]), "nothing");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn names_are_one_word_to_a_shell() {
        assert_eq!(shell_word("Ada"), "Ada");
        assert_eq!(shell_word("Ben from the list"), "'Ben from the list'");
        assert_eq!(shell_word("$(reboot)\n"), "'$(reboot)'");
    }

    #[test]
    fn tables_line_up_and_keep_to_their_rows() {
        let rows = [vec!["Ada\nBen".to_owned(), "up".to_owned()], vec!["Z".to_owned(), "down".to_owned()]];
        assert_eq!(table(&["NAME", "LINK"], &rows), "NAME     LINK\nAda Ben  up\nZ        down");
    }
}
