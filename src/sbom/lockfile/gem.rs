//! What RubyGems records of a gem that it installed.

use super::Library;
use crate::sbom::Ecosystem;

/// What is read of a specification; its names come first.
const LONGEST: usize = 256 << 10;

/// Reads the specification of an installed gem, `specifications/NAME-VERSION.gemspec`; `None` where it is none.
///
/// The second line names the gem for those who would not run Ruby: `# stub: NAME VERSION PLATFORM PATHS`.
/// See <https://github.com/ruby/rubygems/blob/master/lib/rubygems/stub_specification.rb>.
#[must_use]
pub fn installed_gem(bytes: &[u8]) -> Option<Library> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
    let stub = text
        .lines()
        .take(3)
        .find_map(|line| line.strip_prefix("# stub: "))?;
    let mut words = stub.split(' ');
    let (name, version) = (words.next()?, words.next()?);
    if name.is_empty() || !version.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut library = Library::new(Ecosystem::Gem, name, version);
    let licenses = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("s.licenses = ["));
    let licenses = licenses.map(|list| {
        let texts = list.split('"').skip(1).step_by(2);
        texts.collect::<Vec<&str>>().join(" OR ")
    });
    library.license = licenses.filter(|text| !text.is_empty());
    Some(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gem_is_named_by_its_stub_whatever_its_file_is_called() {
        let text = "# -*- encoding: utf-8 -*-\n# stub: nokogiri 1.18.1 x86_64-linux-gnu lib\n\nGem::Specification.new do |s|\n  s.name = \"nokogiri\".freeze\n  s.licenses = [\"MIT\".freeze, \"Ruby\".freeze]\nend\n";
        let library = installed_gem(text.as_bytes()).unwrap();
        assert_eq!(library.purl().unwrap(), "pkg:gem/nokogiri@1.18.1");
        assert_eq!(library.license.as_deref(), Some("MIT OR Ruby"));
    }

    #[test]
    fn a_specification_that_was_not_installed_is_no_record() {
        for text in [
            "",
            "Gem::Specification.new do |s|\n  s.name = \"words\"\nend\n",
            "# stub: words\n",
            "# stub: words of gems\n",
        ] {
            assert!(installed_gem(text.as_bytes()).is_none(), "{text}");
        }
    }
}
