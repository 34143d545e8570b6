//! Holds the examples to what the program reads.

use std::{fs, path::Path};

use peelbox::spec;

#[test]
fn the_spec_written_by_hand_is_valid() {
    let path = Path::new("examples/spec/universalbuild.yaml");
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let specs = spec::load(path, &bytes).unwrap_or_else(|errors| panic!("{errors}"));

    let names: Vec<&str> = specs
        .iter()
        .map(|spec| spec.metadata.project_name.as_str())
        .collect();
    assert_eq!(names, ["clock", "page"]);
}
