//! A GIF is written anew frame by frame, from the numbers of its colours: what is seen of it stays to the pixel, and nothing else does.

use super::{
    Fault, Rules,
    image::{Drawn, thumbnail, too_large, within},
};
use gif::{Decoder, DecodingError, Encoder, EncodingError, Frame, Repeat};
use image::{DynamicImage, Rgba, RgbaImage};
use std::{
    borrow::Cow,
    fs::File,
    io::{BufReader, BufWriter, Write},
};

/// Frames may have so many times the pixels of an image together: they are written one after the other.
const ANIMATED: u64 = 4;

/// Pixels that a frame counts for at least, so that a million of the smallest cost no more than a few large ones.
const FRAME_PIXELS: u64 = 128 * 128;

/// The colours are not sought again: that is what takes long, and would change them. A frame is in memory as one byte a pixel.
pub(super) fn redraw(file: &mut File, spool: &mut File, rules: &Rules) -> Result<Drawn, Fault> {
    let mut decoder = Decoder::new(BufReader::new(file)).map_err(unreadable)?;
    let (width, height) = (decoder.width(), decoder.height());
    let canvas = within((width.into(), height.into()), rules)?;
    let mut out = BufWriter::new(spool);
    let palette = decoder.global_palette().unwrap_or_default().to_owned();
    let mut encoder = Encoder::new(&mut out, width, height, &palette).map_err(unwritable)?;
    let (mut still, mut room) = (None, rules.image_pixels.saturating_mul(ANIMATED));
    while let Some(frame) = next_frame(&mut decoder, canvas, &mut room, rules)? {
        if still.is_none() {
            let first = first_seen(&frame, &palette, (width, height));
            still = Some(thumbnail(&DynamicImage::from(first), false, rules)?);
            encoder.set_repeat(Repeat::Infinite).map_err(unwritable)?;
        }
        encoder.write_frame(&frame).map_err(unwritable)?;
    }
    drop(encoder);
    out.flush()?;
    let thumbnail = still.ok_or(Fault::Undecodable)?;
    Ok(Drawn { media_type: "image/gif", width: width.into(), height: height.into(), thumbnail })
}

/// What it costs is counted before a pixel is decoded. Whoever looks at it draws the canvas for each frame, however little changes.
fn next_frame(
    decoder: &mut Decoder<BufReader<&mut File>>,
    canvas: u64,
    room: &mut u64,
    rules: &Rules,
) -> Result<Option<Frame<'static>>, Fault> {
    let Some(frame) = decoder.next_frame_info().map_err(unreadable)? else { return Ok(None) };
    let mut frame = frame.clone();
    let pixels = within((frame.width.into(), frame.height.into()), rules)?;
    *room = room.checked_sub(pixels.max(canvas).max(FRAME_PIXELS)).ok_or_else(|| too_large(rules))?;
    let mut buffer = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut buffer).map_err(unreadable)?;
    frame.buffer = Cow::Owned(buffer);
    // The rows are in their order now.
    frame.interlaced = false;
    Ok(Some(frame))
}

/// The canvas with its first frame; where that has nothing, and for a colour that is not in the table, one sees through.
fn first_seen(frame: &Frame<'_>, palette: &[u8], (width, height): (u16, u16)) -> RgbaImage {
    let palette = frame.palette.as_deref().unwrap_or(palette);
    let colour = |number: u8| match palette.get(usize::from(number) * 3..usize::from(number) * 3 + 3) {
        Some(&[red, green, blue]) if frame.transparent != Some(number) => Rgba([red, green, blue, u8::MAX]),
        Some(_) | None => Rgba([0; 4]),
    };
    let mut canvas = RgbaImage::new(width.into(), height.into());
    let rows = frame.buffer.chunks_exact(usize::from(frame.width).max(1));
    for (y, row) in (u32::from(frame.top)..u32::from(height)).zip(rows) {
        for (x, number) in (u32::from(frame.left)..u32::from(width)).zip(row) {
            canvas.put_pixel(x, y, colour(*number));
        }
    }
    canvas
}

fn unreadable(_: DecodingError) -> Fault {
    Fault::Undecodable
}

fn unwritable(error: EncodingError) -> Fault {
    match error {
        EncodingError::Io(error) => error.into(),
        _ => Fault::Undecodable,
    }
}
