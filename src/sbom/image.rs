//! An image, as far as its document tells of it.

use super::purl::Library;
use crate::oci::{Digest, Platform};

/// An image and what is in it.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// Its name, such as the app's.
    pub name: String,
    /// What it runs on.
    pub platform: Platform,
    /// When it was made, in seconds since 1970: the source date epoch.
    pub created: i64,
    /// Its operating system.
    pub system: Option<System>,
    /// The apk packages that its root was assembled from.
    pub apks: Vec<Apk<'a>>,
    /// The app in it.
    pub app: Option<App>,
}

/// An operating system as its `os-release` names it.
#[derive(Clone, Debug)]
pub struct System {
    /// `ID`, such as `wolfi`.
    pub id: String,
    /// `VERSION_ID`.
    pub version: String,
}

/// An apk package.
#[derive(Clone, Debug, Default)]
pub struct Apk<'a> {
    /// Its name.
    pub name: String,
    /// Its version with release: `2.41-r3`.
    pub version: String,
    /// Its architecture in apk's words: `x86_64`, `aarch64`, `noarch`.
    pub architecture: String,
    /// Its licence as the index has it.
    pub license: String,
    /// The source package it was made from.
    pub origin: String,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// Where its file comes from; user names and passwords in it are left out.
    pub url: String,
    /// The digest of its file.
    pub sha256: Option<Digest>,
    /// Its identity as the index has it: `Q1` and the SHA-1 of its control section in base64.
    pub identity: String,
    /// Who supplies it, such as `Wolfi`.
    pub supplier: String,
    /// The names of the packages of this image that it depends on.
    pub depends: Vec<String>,
    /// The SPDX document that it carries.
    pub inner: Option<&'a [u8]>,
}

/// The app of an image.
#[derive(Clone, Debug, Default)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Its version, where it has one.
    pub version: Option<String>,
    /// The URL of the repository it was built from.
    pub repository: Option<String>,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// Where it lies in the image: absolute paths of files and directories.
    pub files: Vec<String>,
    /// The libraries that are shipped with it.
    pub libraries: Vec<Library>,
}
