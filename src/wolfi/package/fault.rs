//! What is wrong with a package.

use super::super::gzip::NotGzip;
use super::super::identity::Identity;
use super::super::keys::SignatureError;
use super::super::untar::TarError;

/// A package that must not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("package `{package}` is not what the index lists: {fault}")]
pub struct PackageError {
    /// The package with its version, from the index.
    pub package: String,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The signature of the control section does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The control section is another one than the index lists.
    #[error("its identity is `{found}`, not `{expected}`")]
    Identity {
        /// The identity in the index.
        expected: Identity,
        /// The identity of the file.
        found: Identity,
    },
    /// The data section is not the one that the control section was made for.
    #[error("its data has the SHA-256 `{found}`, not `{expected}`")]
    Data {
        /// The sum in the control section.
        expected: String,
        /// The sum of the file.
        found: String,
    },
    /// The control section describes another package.
    #[error("it calls itself `{found}`")]
    Name {
        /// Name and version in the control section.
        found: String,
    },
    /// The file is longer or shorter than the index says.
    #[error("it has {found} bytes, not {expected}")]
    Size {
        /// The size in the index.
        expected: u64,
        /// The size of the file; of a longer one, what had come until it was noticed.
        found: u64,
    },
    /// The file is not made of gzip members.
    #[error("its section {section} is not gzip")]
    Gzip {
        /// Which of the three.
        section: u8,
    },
    /// A section is no acceptable tar stream.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// The first or second section ends the archive, so that an unpacker would stop there.
    #[error("its section {section} has an end-of-archive mark")]
    EndMark {
        /// Which of the three.
        section: u8,
    },
    /// A section is larger than any package has.
    #[error("its section {section} is too large")]
    TooLarge {
        /// Which of the three.
        section: u8,
    },
    /// The control section lacks `.PKGINFO` or one of its fields.
    #[error("it does not describe itself: {lacks}")]
    Undescribed {
        /// What is missing or wrong.
        lacks: &'static str,
    },
    /// Something follows the third section.
    #[error("it goes on behind its data")]
    Trailing,
    /// The file ends early, or the check was given up.
    #[error("it is cut short")]
    Truncated,
}

impl From<NotGzip> for Fault {
    fn from(_: NotGzip) -> Self {
        Self::Gzip { section: 0 } // the section is filled in where it is known
    }
}

impl Fault {
    pub(super) fn in_section(self, section: u8) -> Self {
        match self {
            Self::Gzip { .. } => Self::Gzip { section },
            other => other,
        }
    }
}
