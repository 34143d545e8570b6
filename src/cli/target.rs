//! The flag `--platform`: what images are built for.

use crate::oci::{ParsePlatformError, Platform};
use crate::progress::escape;

use super::args;
use super::failure::{Failure, all};

const HINT: &str = "there is linux/amd64 and linux/arm64";

/// The platform of this machine, which is the one that images are built for, and its architecture in apk's words.
pub(super) fn target() -> Result<(Platform, &'static str), Failure> {
    let platform = Platform::linux(match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    });
    let architecture = platform.apk_architecture();
    let architecture = architecture
        .ok_or_else(|| Failure::environment(format!("Wolfi is not made for {platform}")))?;
    Ok((platform, architecture))
}

/// The platforms that images are built for, each once, and their architectures in apk's words; that of this machine if none
/// is given.
pub(super) fn targets(flags: &[String]) -> Result<Vec<(Platform, &'static str)>, Failure> {
    let given: Vec<_> = all(args::given(flags).map(|flag| read(flag.trim())))?;
    let mut targets = Vec::new();
    for one in given {
        if !targets.contains(&one) {
            targets.push(one);
        }
    }
    match targets.is_empty() {
        true => Ok(vec![target()?]),
        false => Ok(targets),
    }
}

fn read(text: &str) -> Result<(Platform, &'static str), Failure> {
    let wrong = |reason: &str| Failure::input(format!("`--platform{reason}")).hint(HINT);
    let mut platform: Platform = text.parse().map_err(|error: ParsePlatformError| {
        wrong(&format!("`: {}", escape(&error.to_string())))
    })?;
    // It is the only one of its kind, and has no name of its own then.
    if platform.architecture == "arm64" && platform.variant.as_deref() == Some("v8") {
        platform.variant = None;
    }
    let architecture = platform
        .apk_architecture()
        .filter(|_| platform.variant.is_none());
    let architecture = architecture
        .ok_or_else(|| wrong(&format!(" {}`: Wolfi is not made for it", escape(text))))?;
    Ok((platform, architecture))
}
