//! The base image of build steps.

use std::path::Path;

use crate::build;
use crate::oci::{Layout, LayoutError, ParseReferenceError, Platform, Reference};

use super::environment::Environment;
use super::failure::{Failure, causes};

const LAYOUT: &str = "oci-layout://";
const BASE_IMAGE: &str = "cgr.dev/chainguard/wolfi-base";

/// The base image that the environment names, or Wolfi's.
pub(super) fn read(environment: &Environment, platform: &Platform) -> Result<build::Base, Failure> {
    let text = environment.get("PEELBOX_BASE_IMAGE").unwrap_or(BASE_IMAGE);
    if let Some(path) = text.strip_prefix(LAYOUT) {
        return layout(path, platform.clone()).map_err(|error| {
            let hint = layout_hint(&error);
            Failure::input(format!("PEELBOX_BASE_IMAGE: {}", causes(&error))).hint(hint)
        });
    }
    let reference: Reference = text.parse().map_err(|error: ParseReferenceError| {
        Failure::input(format!("PEELBOX_BASE_IMAGE: {error}"))
            .hint(format!("it names a copy of {BASE_IMAGE}"))
    })?;
    Ok(build::Base::new(reference, platform.clone()))
}

/// The base image of the image layout at `path`, behind which a tag may stand.
fn layout(path: &str, platform: Platform) -> Result<build::Base, LayoutError> {
    let (path, tag) = match path.rsplit_once(':') {
        Some((directory, tag)) if !tag.contains('/') && !Path::new(path).exists() => {
            (directory, Some(tag))
        }
        _ => (path, None),
    };
    build::Base::of_layout(Layout::open(Path::new(path))?, tag, platform)
}

fn layout_hint(error: &LayoutError) -> String {
    let form = "write oci-layout://PATH:TAG, where PATH is an image layout or the tarball of one";
    match error {
        LayoutError::Read { .. } | LayoutError::Unknown { .. } | LayoutError::Several { .. } => {
            form.to_owned()
        }
        LayoutError::Compressed { .. } => {
            "decompress it: its blobs are read where they lie".to_owned()
        }
        LayoutError::Unsound { .. } => {
            format!("`skopeo copy docker://{BASE_IMAGE} oci:DIR` makes an image layout")
        }
        LayoutError::Platform { .. } => {
            "`skopeo copy --all` copies an image with all its platforms".to_owned()
        }
    }
}
