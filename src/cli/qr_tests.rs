//! Codes read back by a decoder that shares nothing with what drew them: from the terminal as a person sees it, from the picture, from the drawing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use data_encoding::BASE32_NOPAD;

use super::*;
use crate::cli::picture;

/// A link with so many points of so many bytes each, as far as its length goes.
fn link(points: usize, bytes: usize) -> String {
    let contents: Vec<u8> = (0..54 + points * (2 + bytes) + 4).map(|at| (at * 37 % 251) as u8).collect();
    format!("wayside:{}", BASE32_NOPAD.encode(&contents))
}

/// What a decoder reads in an image, row by row, whose pixels are `zoom` times those given.
fn decoded(rows: &[Vec<u8>], zoom: usize) -> Vec<String> {
    let (width, height) = (rows[0].len() * zoom, rows.len() * zoom);
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| rows[y / zoom][x / zoom]);
    image.detect_grids().iter().map(|grid| grid.decode().unwrap().1).collect()
}

/// The pixels of a terminal that shows this, whose own colours are these: each cell is two pixels high.
fn on_a_terminal(text: &str, own_ink: u8, own_paper: u8) -> Vec<Vec<u8>> {
    let mut rows = Vec::new();
    for line in text.lines() {
        let (mut ink, mut paper) = (own_ink, own_paper);
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let mut rest = line;
        while let Some(character) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\u{1b}[38;5;16;48;5;231m") {
                (ink, paper, rest) = (0, 255, after);
                continue;
            }
            if let Some(after) = rest.strip_prefix("\u{1b}[0m") {
                (ink, paper, rest) = (own_ink, own_paper, after);
                continue;
            }
            let (above, below) = match character {
                '█' => (ink, ink),
                '▀' => (ink, paper),
                '▄' => (paper, ink),
                ' ' => (paper, paper),
                other => panic!("{other:?} is not drawn"),
            };
            upper.push(above);
            lower.push(below);
            rest = &rest[character.len_utf8()..];
        }
        assert!(rows.last().is_none_or(|row: &Vec<u8>| row.len() == upper.len()), "a ragged line");
        rows.extend([upper, lower]);
    }
    // The rest of the window, in the terminal's own colour.
    let width = rows[0].len();
    let (above, beside) = (vec![vec![own_paper; width + 12]; 6], vec![own_paper; 6]);
    let framed = rows.into_iter().map(|row| [beside.clone(), row, beside.clone()].concat());
    above.iter().cloned().chain(framed).chain(above.clone()).collect()
}

#[test]
fn a_terminal_shows_it_on_dark_and_on_light() {
    for (points, bytes) in [(1, 30), (1, 60), (3, 60)] {
        let text = link(points, bytes);
        let code = Code::of(&text).unwrap();
        let shown = code.in_lines(true);
        for (ink, paper) in [(230, 20), (20, 250), (255, 0), (180, 43)] {
            let seen = on_a_terminal(&shown, ink, paper);
            assert_eq!(decoded(&seen, 3), [text.to_uppercase()], "{points} × {bytes} on {paper}");
        }
        // Without colours, as on paper.
        assert!(!code.in_lines(false).contains('\u{1b}'));
        assert_eq!(decoded(&on_a_terminal(&code.in_lines(false), 0, 255), 3), [text.to_uppercase()]);
        assert!(shown.lines().count() <= 50 && code.columns() <= 97, "{} columns", code.columns());
    }
}

/// The figures that docs/COMMAND.md has.
#[test]
fn upper_case_keeps_it_small() {
    let version = |text: &str| (Code::of(text).unwrap().width - 17) / 4;
    let figures: Vec<_> = [(1, 30), (1, 60), (3, 60)]
        .map(|(points, bytes)| {
            let text = link(points, bytes);
            let code = Code::of(&text).unwrap();
            (text.len(), version(&text), code.columns())
        })
        .to_vec();
    assert_eq!(figures, [(152, 6, 49), (200, 8, 57), (399, 12, 73)]);
    // In lower case, byte by byte, it would be larger.
    let lower = QrCode::with_error_correction_level(link(1, 60).to_lowercase(), EcLevel::M).unwrap();
    assert!(lower.width() > Code::of(&link(1, 60)).unwrap().width, "{}", lower.width());
}

#[test]
fn a_picture_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("invite.png");
    for text in [link(1, 30), link(3, 60), format!("wayside-invite:{}", "ABCDEFG7".repeat(130))] {
        let png = Code::of(&text).unwrap().png().unwrap();
        std::fs::write(&path, &png).unwrap();
        assert_eq!(picture::read(&path).map_err(|failure| failure.message), Ok(text.to_uppercase()));
    }
}

#[test]
fn a_drawing_says_the_same() {
    let text = link(2, 40);
    let code = Code::of(&text).unwrap();
    let svg = code.svg();
    // What a viewer paints: its rectangles, and nothing else is in it.
    let side = code.columns();
    assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
    let mut rows = vec![vec![255; side]; side];
    let path = svg.split("fill=\"#000\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    for rectangle in path.split_terminator('z') {
        let (corner, run) = rectangle.strip_prefix('M').unwrap().split_once('h').unwrap();
        let (x, y) = corner.split_once(' ').unwrap();
        let (run, back) = run.split_once("v1h-").unwrap();
        assert_eq!(run, back);
        let (x, y, run): (usize, usize, usize) =
            (x.parse().unwrap(), y.parse().unwrap(), run.parse().unwrap());
        rows[y][x..x + run].fill(0);
    }
    assert_eq!(decoded(&rows, 4), [text.to_uppercase()]);
}

#[test]
fn what_is_too_long_for_a_code_says_so() {
    // A reply with everything at its longest.
    let refused = Code::of(&"A".repeat(10_000)).map_err(|failure| failure.message.unwrap_or_default());
    assert!(refused.is_err_and(|why| why.contains("file")));
    // Where a quarter more does not fit, half as much still does.
    assert!(Code::of(&"A".repeat(4200)).is_ok());
}
