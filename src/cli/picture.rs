//! QR codes in pictures: a screenshot, or what a camera took.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;
use zune_png::PngDecoder;

use super::exit::{Exit, Failure};
use super::given::Given;

/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 32 << 20;
/// The most pixels: what a camera of fifty megapixels takes.
const MOST_PIXELS: usize = 50_000_000;

/// Brightness, row by row.
#[derive(Debug)]
struct Picture {
    width: usize,
    height: usize,
    grey: Vec<u8>,
}

/// What the QR code in a picture says; of several, the one that is something of wayside's.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let failed = |why: &str| Failure::usage(format!("{} cannot be read: {why}", path.display()));
    let metadata = path.metadata().map_err(|error| failed(&error.to_string()))?;
    // Nothing is waited for that is no file.
    if !metadata.is_file() {
        return Err(failed("it is no file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(failed("it is larger than 32 MiB: make the picture smaller"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error.to_string()))?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| failed(&error.to_string()))?;
    let picture = Picture::of(&bytes).map_err(failed)?;
    picture.text().ok_or_else(|| {
        Failure::new(
            Exit::Invite,
            format!(
                "no QR code can be read in {}: take the picture again, sharp and from straight above",
                path.display()
            ),
        )
    })
}

impl Picture {
    fn of(bytes: &[u8]) -> Result<Self, &'static str> {
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => Self::of_png(bytes).ok_or(BROKEN),
            [0xff, 0xd8, 0xff, ..] => Self::of_jpeg(bytes).ok_or(BROKEN),
            _ => Err("it is neither a PNG nor a JPEG picture"),
        }
    }

    fn of_png(bytes: &[u8]) -> Option<Self> {
        let options = options().png_set_strip_to_8bit(true).inflate_set_limit(MOST_PIXELS * 4 + (1 << 20));
        let mut decoder = PngDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().ok()?;
        let (width, height) = decoder.dimensions().and_then(few_enough)?;
        let pixels = decoder.decode_raw().ok()?;
        let samples = pixels.len().checked_div(width * height).filter(|samples| (1..=4).contains(samples))?;
        Self::whole(width, height, pixels.chunks_exact(samples).map(brightness).collect())
    }

    fn of_jpeg(bytes: &[u8]) -> Option<Self> {
        let options = options().jpeg_set_out_colorspace(ColorSpace::Luma);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().ok()?;
        let (width, height) = decoder.dimensions().and_then(few_enough)?;
        Self::whole(width, height, decoder.decode().ok()?)
    }

    fn whole(width: usize, height: usize, grey: Vec<u8>) -> Option<Self> {
        (grey.len() == width * height).then_some(Self { width, height, grey })
    }

    fn text(&self) -> Option<String> {
        let at = |x: usize, y: usize| self.grey.get(y * self.width + x).copied().unwrap_or(u8::MAX);
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, at);
        let grids = prepared.detect_grids();
        let texts: Vec<String> =
            grids.iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect();
        let ours = |text: &&String| !matches!(Given::of_text((*text).clone()), Given::Card(_));
        texts.iter().find(ours).or(texts.first()).cloned()
    }
}

const BROKEN: &str = "it is damaged, or has more than fifty million pixels";

fn options() -> DecoderOptions {
    DecoderOptions::default().set_max_width(MOST_PIXELS).set_max_height(MOST_PIXELS)
}

/// Both sides, where there are not too many pixels.
fn few_enough((width, height): (usize, usize)) -> Option<(usize, usize)> {
    let pixels = width.checked_mul(height)?;
    (1..=MOST_PIXELS).contains(&pixels).then_some((width, height))
}

/// How bright a pixel is (ITU-R BT.601); what can be seen through is as bright as paper.
fn brightness(pixel: &[u8]) -> u8 {
    let weighed = |red: u8, green: u8, blue: u8| {
        let sum = u32::from(red) * 77 + u32::from(green) * 150 + u32::from(blue) * 29;
        u8::try_from(sum >> 8).unwrap_or(u8::MAX)
    };
    match *pixel {
        [grey] => grey,
        [_, alpha] | [_, _, _, alpha] if alpha < 128 => u8::MAX,
        [grey, _] => grey,
        [red, green, blue] | [red, green, blue, _] => weighed(red, green, blue),
        _ => u8::MAX,
    }
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
