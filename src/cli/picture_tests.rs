//! Pictures as people have them, and as somebody hostile would make them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;
use crate::cli::qr::Code;

/// What the codes in `fixtures` say.
const TEXT: &str = "WAYSIDE:ORDINARYTEXT234567ORDINARYTEXT234567ORDINARYTEXT234567";

fn said(path: &Path) -> Result<String, String> {
    read(path).map_err(|failure| failure.message.unwrap_or_default())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/fixtures").join(name)
}

#[test]
fn pictures_of_every_sort_are_read() {
    // ImageMagick made them of what `invite --png` wrote: a photo, slanted and blurred; one with few colours; of sixteen bits with holes; interlaced.
    for name in ["photo.jpg", "grey.jpg", "palette.png", "deep.png", "interlaced.png", "one-bit.png"] {
        assert_eq!(said(&fixture(name)), Ok(TEXT.to_owned()), "{name}");
    }
}

#[test]
fn what_is_no_code_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture");
    let says = |contents: &[u8], what: &str| {
        std::fs::write(&path, contents).unwrap();
        let began = Instant::now();
        let why = said(&path).unwrap_err();
        assert!(why.contains(what), "{why}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}: {why}", began.elapsed());
    };
    says(b"", "neither");
    says(b"wayside:AEAW", "neither");
    says(b"\x89PNG\r\n\x1a\n", "damaged");
    says(b"\xff\xd8\xff\xe0", "damaged");
    let png = Code::of(TEXT).unwrap().png().unwrap();
    for length in (0..png.len()).step_by(997) {
        if length > 8 {
            std::fs::write(&path, &png[..length]).unwrap();
            // Cut short, some of it may still be read.
            let _ = said(&path);
        }
    }
    // Sides of four thousand million pixels, in sixty bytes.
    let mut huge = png.clone();
    huge[16..24].copy_from_slice(&[0xff; 8]);
    says(&huge, "damaged");
    huge[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    says(&huge, "damaged");
    // Noise, in which a reader may see a thousand corners.
    let mut random = 7_u32;
    let noise: Vec<u8> = (0..600 * 600)
        .map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        })
        .collect();
    let noise = Picture { width: 600, height: 600, grey: noise };
    assert_eq!(noise.text(), None);
    let blank = Picture { width: 3000, height: 3000, grey: vec![255; 9_000_000] };
    assert_eq!(blank.text(), None);
}

#[test]
fn what_would_take_long_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let began = Instant::now();
    assert!(said(&path).is_err_and(|why| why.contains("32 MiB")));
    assert!(began.elapsed() < Duration::from_millis(100));
    assert!(said(Path::new("/dev/zero")).is_err_and(|why| why.contains("no file")));
    assert!(said(folder.path()).is_err_and(|why| why.contains("no file")));
    assert!(said(&folder.path().join("none")).is_err());
}

#[test]
fn of_several_codes_the_one_of_waysides_counts() {
    let side_by_side = |texts: &[&str]| {
        let codes: Vec<Picture> =
            texts.iter().map(|text| Picture::of(&Code::of(text).unwrap().png().unwrap()).unwrap()).collect();
        let height = codes.iter().map(|code| code.height).max().unwrap();
        let mut grey = Vec::new();
        for y in 0..height {
            for code in &codes {
                let row = code.grey.get(y * code.width..(y + 1) * code.width);
                grey.extend(row.map_or(vec![255; code.width], <[u8]>::to_vec));
            }
        }
        Picture { width: grey.len() / height, height, grey }.text()
    };
    assert_eq!(side_by_side(&["HTTPS://EXAMPLE.ORG", TEXT]), Some(TEXT.to_owned()));
    assert_eq!(side_by_side(&["HTTPS://EXAMPLE.ORG"]), Some("HTTPS://EXAMPLE.ORG".to_owned()));
}
