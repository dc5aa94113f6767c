//! A chart: a panel for each figure of each scenario, a bar for each subject.

use std::fmt::Write;

use super::table::number;
use super::{Results, Section};
use crate::scenarios::Figure;
use crate::subjects::SubjectName;

/// Lengths in pixels. Two panels side by side.
const PANEL: f64 = 470.0;
const MARGIN: f64 = 24.0;
const HEADER: f64 = 70.0;
/// Of a panel: what is above the bars, a bar with what is between it and the next, names, the longest bar.
const TITLE: f64 = 44.0;
const STEP: f64 = 22.0;
const BAR: f64 = 15.0;
const NAMES: f64 = 92.0;
const LONGEST: f64 = 230.0;

const INK: &str = "#1a202c";
const FAINT: &str = "#718096";
const OURS: &str = "#2b6cb0";
const THEIRS: &str = "#b7c3d3";
const GOOD: &str = "#2f855a";
const BAD: &str = "#c53030";
const FONT: &str = "font-family=\"DejaVu Sans, Verdana, sans-serif\"";

pub(super) fn of(results: &Results) -> String {
    let panels: Vec<_> = results
        .sections
        .iter()
        .filter(|section| !section.runs.is_empty())
        .flat_map(|section| section.scenario.figures().iter().map(move |figure| (section, figure)))
        .collect();
    let (mut body, mut y) = (String::new(), HEADER);
    for pair in panels.chunks(2) {
        let mut below: f64 = 0.0;
        for ((section, figure), x) in pair.iter().zip([MARGIN, MARGIN * 2.0 + PANEL]) {
            below = below.max(panel(section, figure, x, y, &mut body));
        }
        y += below + MARGIN;
    }
    let width = MARGIN * 3.0 + PANEL * 2.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" width=\"{width}\" height=\"{y}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let setup = &results.setup;
    let rough = if results.quick { ", QUICK: the figures are rough" } else { "" };
    let title = format!("wayside at {} beside its peers{rough}", setup.commit);
    let machine = format!(
        "{}, {} cores, Linux {}, {}, load {}",
        setup.processor, setup.cores, setup.kernel, setup.date, setup.load
    );
    text(&mut out, Text { x: MARGIN, y: 30.0, size: 18, fill: INK, anchor: "start" }, &title);
    text(&mut out, Text { x: MARGIN, y: 50.0, size: 11, fill: FAINT, anchor: "start" }, &machine);
    out.push_str(&body);
    out.push_str("</svg>\n");
    out
}

/// Draws a panel, and returns its height.
fn panel(section: &Section, figure: &Figure, x: f64, y: f64, out: &mut String) -> f64 {
    let scenario = section.scenario.as_ref();
    let title = format!("{}, {}: {}", scenario.name(), scenario.settings(), figure.unit);
    text(out, Text { x, y: y + 14.0, size: 14, fill: INK, anchor: "start" }, &title);
    let hint = format!("{}; ×: wayside over it; ✓ ✗ its bar, + - without one", figure.direction());
    text(out, Text { x, y: y + 30.0, size: 10, fill: FAINT, anchor: "start" }, &hint);
    let scale = LONGEST / longest(section, figure).max(f64::MIN_POSITIVE);
    let mut top = y + TITLE;
    for subject in section.subjects() {
        let middle = top + BAR / 2.0 + 4.0;
        let name = Text { x: x + NAMES - 8.0, y: middle, size: 11, fill: INK, anchor: "end" };
        text(out, name, &subject.to_string());
        let end = match section.figure(subject, figure) {
            Some(value) => bar(subject, value * scale, x + NAMES, top, out),
            None => x + NAMES,
        };
        let (fill, label) = match section.figure(subject, figure) {
            Some(value) => (INK, number(value)),
            None => (BAD, "failed".to_owned()),
        };
        text(out, Text { x: end + 6.0, y: middle, size: 11, fill, anchor: "start" }, &label);
        if let Some(ratio) = section.ratio(subject, figure) {
            let fill = if ratio.good { GOOD } else { BAD };
            let at = Text { x: x + PANEL - 4.0, y: middle, size: 11, fill, anchor: "end" };
            text(out, at, &format!("× {} {}", number(ratio.value), ratio.mark()));
        }
        top += STEP;
    }
    top - y
}

/// What the longest whole bar stands for: clear TCP would dwarf everybody else, so that its bar is cut when it is longer.
fn longest(section: &Section, figure: &Figure) -> f64 {
    let values = section.subjects().filter(|subject| *subject != SubjectName::Tcp);
    let most = values.filter_map(|subject| section.figure(subject, figure)).fold(0.0, f64::max);
    if most > 0.0 { most } else { section.figure(SubjectName::Tcp, figure).unwrap_or(1.0) }
}

/// Draws a bar, and returns where it ends.
fn bar(subject: SubjectName, length: f64, x: f64, y: f64, out: &mut String) -> f64 {
    let fill = if subject == SubjectName::Wayside { OURS } else { THEIRS };
    // Nothing at all would look like a failure; memory may even shrink.
    let drawn = length.clamp(1.0, LONGEST);
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{drawn:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{fill}\"/>"
    );
    if length > LONGEST * 1.001 {
        let cut = x + LONGEST - 24.0;
        let (bottom, slant) = (y + BAR + 1.0, cut + 6.0);
        for gap in [0.0, 8.0] {
            let _ = writeln!(
                out,
                "<line x1=\"{:.1}\" y1=\"{bottom:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#ffffff\" stroke-width=\"3\"/>",
                cut + gap,
                slant + gap,
                y - 1.0
            );
        }
    }
    x + drawn
}

#[derive(Clone, Copy)]
struct Text {
    x: f64,
    y: f64,
    size: u32,
    fill: &'static str,
    anchor: &'static str,
}

fn text(out: &mut String, at: Text, words: &str) {
    let Text { x, y, size, fill, anchor } = at;
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" {FONT} fill=\"{fill}\" text-anchor=\"{anchor}\" xml:space=\"preserve\">{words}</text>"
    );
}
