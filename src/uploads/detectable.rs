//! The media types that a content can be found to be. What stands in `uploads.types` and not here would never be taken.

/// In the order of the alphabet.
const DETECTABLE: [&str; 91] = [
    "application/dicom",
    "application/epub+zip",
    "application/font-sfnt",
    "application/font-woff",
    "application/gzip",
    "application/java",
    "application/msword",
    "application/octet-stream",
    "application/pdf",
    "application/postscript",
    "application/rtf",
    "application/vnd.android.dex",
    "application/vnd.android.dey",
    "application/vnd.bzip3",
    "application/vnd.debian.binary-package",
    "application/vnd.microsoft.portable-executable",
    "application/vnd.ms-cab-compressed",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.rar",
    "application/vnd.sqlite3",
    "application/wasm",
    "application/x-7z-compressed",
    "application/x-bzip2",
    "application/x-compress",
    "application/x-cpio",
    "application/x-executable",
    "application/x-google-chrome-extension",
    "application/x-llvm",
    "application/x-lz4",
    "application/x-lzip",
    "application/x-mach-binary",
    "application/x-mobipocket-ebook",
    "application/x-nintendo-nes-rom",
    "application/x-ole-storage",
    "application/x-par2",
    "application/x-rpm",
    "application/x-shockwave-flash",
    "application/x-tar",
    "application/x-unix-archive",
    "application/x-x509-ca-cert",
    "application/x-xz",
    "application/zip",
    "application/zstd",
    "audio/aac",
    "audio/amr",
    "audio/m4a",
    "audio/midi",
    "audio/mpeg",
    "audio/ogg",
    "audio/opus",
    "audio/x-aiff",
    "audio/x-ape",
    "audio/x-dsf",
    "audio/x-flac",
    "audio/x-wav",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heif",
    "image/jp2",
    "image/jpeg",
    "image/jxl",
    "image/openraster",
    "image/png",
    "image/tiff",
    "image/vnd.adobe.photoshop",
    "image/vnd.djvu",
    "image/vnd.microsoft.icon",
    "image/vnd.ms-photo",
    "image/webp",
    "image/x-canon-cr2",
    "text/html",
    "text/plain",
    "text/x-shellscript",
    "text/xml",
    "video/mp4",
    "video/mpeg",
    "video/quicktime",
    "video/webm",
    "video/x-flv",
    "video/x-m4v",
    "video/x-matroska",
    "video/x-ms-wmv",
    "video/x-msvideo",
];

/// Whether a content can be found to be of this type.
#[must_use]
pub fn is_detectable(media_type: &str) -> bool {
    DETECTABLE.contains(&media_type)
}

/// The types that one who wrote `media_type` may have meant: those of the same kind, or all where there is no such kind.
#[must_use]
pub fn detectable_like(media_type: &str) -> Vec<&'static str> {
    let kind = |text: &str| text.split('/').next().unwrap_or_default().to_owned();
    let alike: Vec<&str> = DETECTABLE.into_iter().filter(|known| kind(known) == kind(media_type)).collect();
    if alike.is_empty() { DETECTABLE.to_vec() } else { alike }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uploads::media::PLAIN_TEXT;

    #[test]
    fn each_is_one_that_can_be_found() {
        assert!(DETECTABLE.is_sorted());
        for media_type in DETECTABLE {
            assert!(media_type == PLAIN_TEXT || infer::is_mime_supported(media_type), "{media_type}");
        }
    }

    #[test]
    fn who_mistypes_one_is_told_of_those_of_its_kind() {
        assert!(!is_detectable("image/jpg") && detectable_like("image/jpg").contains(&"image/jpeg"));
        assert!(!detectable_like("image/jpg").contains(&"text/plain"));
        assert!(detectable_like("jpeg").contains(&"text/plain"));
    }
}
