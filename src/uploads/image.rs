//! Images are drawn anew from their pixels: nothing else of the file is left, neither where it was taken nor what was hidden in it.

use super::{Fault, Rules, animation};
use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    codecs::{
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
        webp::WebPDecoder,
    },
    metadata::Orientation,
};
use std::{
    fs::File,
    io::{BufReader, BufWriter, Seek, Write},
};

/// The longer side of a thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 320;

/// Of JPEG, where nothing is seen of it (file), and where it is small anyway (thumbnail).
const QUALITY: u8 = 85;
const THUMBNAIL_QUALITY: u8 = 75;

/// Of PNG. The library's own level makes noise smaller by a seventh, and takes 18 s for 24 million such pixels instead of 2 s.
const PNG_COMPRESSION: CompressionType = CompressionType::Level(2);

/// Bytes that a pixel takes while it is decoded, at most: 16 bits for each of four channels.
const PIXEL_BYTES: u64 = 8;

/// The images that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Gif,
    Jpeg,
    Png,
    WebP,
}

/// An image that was drawn.
pub(super) struct Drawn {
    pub(super) media_type: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) thumbnail: Vec<u8>,
}

impl Format {
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "image/gif" => Some(Self::Gif),
            "image/jpeg" => Some(Self::Jpeg),
            "image/png" => Some(Self::Png),
            "image/webp" => Some(Self::WebP),
            _ => None,
        }
    }

    fn of_library(self) -> ImageFormat {
        match self {
            Self::Gif => ImageFormat::Gif,
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::WebP => ImageFormat::WebP,
        }
    }
}

/// Draws the image of `file` anew into `spool`. It takes a core for up to some seconds.
pub(super) fn redraw(file: &mut File, spool: &mut File, format: Format, rules: &Rules) -> Result<Drawn, Fault> {
    file.rewind()?;
    match format {
        Format::Gif => animation::redraw(file, spool, rules),
        Format::WebP if WebPDecoder::new(BufReader::new(&mut *file)).map_err(|error| fault(error, rules))?.has_animation() => {
            Err(Fault::Animated)
        }
        Format::Jpeg | Format::Png | Format::WebP => {
            file.rewind()?;
            let image = decode(file, format, rules)?;
            draw(&image, spool, format, rules)
        }
    }
}

/// The limits hold before a pixel is decoded.
fn limits(rules: &Rules) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(rules.image_side);
    limits.max_image_height = Some(rules.image_side);
    limits.max_alloc = Some(rules.image_pixels.saturating_mul(PIXEL_BYTES));
    limits
}

/// The pixels, as they are to be seen: turned upright, eight bits a channel.
fn decode(file: &mut File, format: Format, rules: &Rules) -> Result<DynamicImage, Fault> {
    let mut reader = ImageReader::with_format(BufReader::new(file), format.of_library());
    reader.limits(limits(rules));
    let mut decoder = reader.into_decoder().map_err(|error| fault(error, rules))?;
    within(decoder.dimensions(), rules)?;
    // What can't be read of it is no reason to refuse the image.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = plain(DynamicImage::from_decoder(decoder).map_err(|error| fault(error, rules))?);
    image.apply_orientation(orientation);
    Ok(image)
}

/// The pixels of an image of this size, if it is none too large.
pub(super) fn within((width, height): (u32, u32), rules: &Rules) -> Result<u64, Fault> {
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > rules.image_side || pixels > rules.image_pixels {
        return Err(too_large(rules));
    }
    Ok(pixels)
}

/// Eight bits a channel, and no more channels than are needed.
fn plain(image: DynamicImage) -> DynamicImage {
    let colour = image.color();
    match (colour.has_color(), colour.has_alpha()) {
        (true, true) => image.into_rgba8().into(),
        (true, false) => image.into_rgb8().into(),
        (false, true) => image.into_luma_alpha8().into(),
        (false, false) => image.into_luma8().into(),
    }
}

/// The library draws WebP without loss alone, which makes photographs many times larger.
fn draw(image: &DynamicImage, spool: &mut File, format: Format, rules: &Rules) -> Result<Drawn, Fault> {
    let as_jpeg = format == Format::Jpeg || (format == Format::WebP && !image.color().has_alpha());
    let mut out = BufWriter::new(spool);
    let media_type = encode(image, &mut out, as_jpeg, QUALITY).map_err(|error| fault(error, rules))?;
    out.flush()?;
    let (width, height) = image.dimensions();
    Ok(Drawn { media_type, width, height, thumbnail: thumbnail(image, as_jpeg, rules)? })
}

fn encode(image: &DynamicImage, out: &mut impl Write, as_jpeg: bool, quality: u8) -> Result<&'static str, ImageError> {
    if as_jpeg {
        image.write_with_encoder(JpegEncoder::new_with_quality(out, quality))?;
        return Ok("image/jpeg");
    }
    image.write_with_encoder(PngEncoder::new_with_quality(out, PNG_COMPRESSION, FilterType::Adaptive))?;
    Ok("image/png")
}

/// A smaller image, or the same where it is small.
pub(super) fn thumbnail(image: &DynamicImage, as_jpeg: bool, rules: &Rules) -> Result<Vec<u8>, Fault> {
    let is_large = image.width().max(image.height()) > THUMBNAIL_SIDE;
    let smaller = is_large.then(|| image.thumbnail(THUMBNAIL_SIDE, THUMBNAIL_SIDE));
    let image = smaller.as_ref().unwrap_or(image);
    let mut out = Vec::new();
    encode(image, &mut out, as_jpeg, THUMBNAIL_QUALITY).map_err(|error| fault(error, rules))?;
    Ok(out)
}

pub(super) fn too_large(rules: &Rules) -> Fault {
    Fault::TooManyPixels { side: rules.image_side, pixels: rules.image_pixels }
}

fn fault(error: ImageError, rules: &Rules) -> Fault {
    match error {
        ImageError::Limits(_) => too_large(rules),
        // What the system said is not the image's fault.
        ImageError::IoError(error) if error.raw_os_error().is_some() => error.into(),
        ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::Unsupported(_)
        | ImageError::IoError(_) => Fault::Undecodable,
    }
}
