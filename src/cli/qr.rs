//! QR codes (ISO/IEC 18004): in the terminal, as PNG and as SVG.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};
use zune_png::PngEncoder;
use zune_png::zune_core::bit_depth::BitDepth;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::EncoderOptions;

use super::exit::{Exit, Failure};

/// A code, with what a reader needs around it.
#[derive(Clone, Debug)]
pub(super) struct Code {
    /// Row by row, whether a module is dark.
    dark: Vec<bool>,
    /// Modules on a side, without what is around them.
    width: usize,
}

/// Light modules around a code, as the standard wants them.
const QUIET: usize = 4;
/// Pixels of a module in a picture.
const PIXELS: usize = 6;

impl Code {
    /// The code of an invite, an invite file or a reply: in upper case, which all readers take, and of which two characters go into eleven bits.
    pub(super) fn of(text: &str) -> Result<Self, Failure> {
        let text = text.to_ascii_uppercase();
        // A quarter more of each makes up for what is dirty or blurred; where that is too much, half as much does.
        let made = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M)
            .or_else(|_| QrCode::with_error_correction_level(text.as_bytes(), EcLevel::L));
        let code = made.map_err(|_| {
            Failure::new(Exit::Failed, "this is too long for a QR code: give it as a file instead")
        })?;
        let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Self { dark, width: code.width() })
    }

    /// Modules on a side with the light ones around it: columns of a terminal that it needs.
    pub(super) const fn columns(&self) -> usize {
        self.width + 2 * QUIET
    }

    /// Two rows a line, as half blocks. With colours it is black on white whatever the terminal's own are; without, dark is what is printed, as on paper.
    pub(super) fn in_lines(&self, coloured: bool) -> String {
        let mut lines = String::new();
        for row in (0..self.columns()).step_by(2) {
            if coloured {
                lines.push_str(BLACK_ON_WHITE);
            }
            for column in 0..self.columns() {
                lines.push(match (self.is_dark(row, column), self.is_dark(row + 1, column)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            lines.push_str(if coloured { "\u{1b}[0m\n" } else { "\n" });
        }
        lines
    }

    /// A picture in shades of grey.
    pub(super) fn png(&self) -> Result<Vec<u8>, Failure> {
        let side = self.columns() * PIXELS;
        let pixel =
            |at: usize| if self.is_dark(at / side / PIXELS, at % side / PIXELS) { 0 } else { u8::MAX };
        let pixels: Vec<u8> = (0..side * side).map(pixel).collect();
        let options = EncoderOptions::new(side, side, ColorSpace::Luma, BitDepth::Eight);
        let mut png = Vec::new();
        PngEncoder::new(&pixels, options)
            .encode(&mut png)
            .map_err(|_| Failure::new(Exit::Failed, "the picture cannot be made"))?;
        Ok(png)
    }

    /// A drawing: one path, a rectangle for each run of dark modules.
    pub(super) fn svg(&self) -> String {
        let side = self.columns();
        let mut path = String::new();
        for row in 0..side {
            let mut column = 0;
            while column < side {
                let run = (column..side).take_while(|column| self.is_dark(row, *column)).count();
                if run > 0 {
                    // Writing to a string does not fail.
                    let _ = write!(path, "M{column} {row}h{run}v1h-{run}z");
                }
                column += run.max(1);
            }
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"{0}\" height=\"{0}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>\n",
            side * PIXELS
        )
    }

    /// Whether a module is dark; counted from the corner of what is around the code.
    fn is_dark(&self, row: usize, column: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < self.width);
        let (Some(row), Some(column)) = (inside(row), inside(column)) else { return false };
        self.dark.get(row * self.width + column).copied().unwrap_or_default()
    }
}

/// Of 256 colours, as the terminal's own sixteen may be anything.
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";

#[cfg(test)]
#[path = "qr_tests.rs"]
mod tests;
