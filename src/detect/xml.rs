//! XML manifests as trees that know the line of every element.

use super::document::Malformed;

/// Elements of a manifest at most.
const MOST: u32 = 100_000;
/// The deepest nesting that is followed.
const DEEPEST: usize = 100;
/// Attributes of one element at most: the parser compares each with all before it.
const ATTRIBUTES: usize = 5_000;

/// An element; namespaces are left out, since manifests mean the same with and without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// The line on which it starts, from 1.
    pub(crate) line: u64,
    pub(crate) attributes: Vec<(String, String)>,
    /// Its own text, trimmed.
    pub(crate) text: String,
    pub(crate) children: Vec<Self>,
}

impl Element {
    /// Parses a manifest; the answer is its outermost element.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        if let Some(line) = crowded(text) {
            return Err(Malformed {
                line: Some(line),
                message: format!("has an element with more than {ATTRIBUTES} attributes"),
            });
        }
        let options = roxmltree::ParsingOptions {
            nodes_limit: MOST,
            ..Default::default()
        };
        let document = roxmltree::Document::parse_with_options(text, options).map_err(|error| {
            let said = error.to_string();
            let fact = said
                .rsplit_once(" at ")
                .map_or(said.as_str(), |(fact, _)| fact);
            Malformed {
                line: Some(u64::from(error.pos().row)),
                message: format!("is not valid XML: {fact}"),
            }
        })?;
        let newlines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        Self::read(document.root_element(), &newlines, 0)
    }

    fn read(
        node: roxmltree::Node<'_, '_>,
        newlines: &[usize],
        depth: usize,
    ) -> Result<Self, Malformed> {
        let start = node.range().start;
        let line = newlines.partition_point(|newline| *newline < start) as u64 + 1;
        if depth > DEEPEST {
            return Err(Malformed {
                line: Some(line),
                message: format!("is nested more than {DEEPEST} levels deep"),
            });
        }
        let children = node.children().filter(roxmltree::Node::is_element);
        let attributes = node.attributes();
        let texts = node.children().filter(roxmltree::Node::is_text);
        let text: String = texts.filter_map(|text| text.text()).collect();
        Ok(Self {
            name: node.tag_name().name().to_owned(),
            line,
            attributes: attributes
                .map(|attribute| (attribute.name().to_owned(), attribute.value().to_owned()))
                .collect(),
            text: text.trim().to_owned(),
            children: children
                .map(|child| Self::read(child, newlines, depth + 1))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The children of this name, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element at `path`, each step a child's name.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| {
            element.children.iter().find(|child| child.name == *name)
        })
    }

    /// The text of the first element at `path`, where there is one that is not empty.
    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        let text = self.at(path)?.text.as_str();
        (!text.is_empty()).then_some(text)
    }

    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// This element and all below it, from the top.
    pub(crate) fn everything(&self) -> Vec<&Self> {
        let mut found = vec![self];
        let mut at = 0;
        while let Some(element) = found.get(at).copied() {
            found.extend(&element.children);
            at += 1;
        }
        found
    }
}

/// The line of a part between two `<` that could be an element with too many attributes.
fn crowded(text: &str) -> Option<u64> {
    let mut line = 1;
    text.split('<').find_map(|part| {
        let at = line;
        line += part.bytes().filter(|byte| *byte == b'\n').count() as u64;
        let equals = part.bytes().filter(|byte| *byte == b'=').count();
        (equals > ATTRIBUTES).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_know_their_line_and_namespaces_do_not_matter() {
        let text = "<?xml version=\"1.0\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <a>\n    <b k='v'> x </b>\n  </a>\n</project>";
        let project = Element::parse(text).unwrap();
        let found = project.at(&["a", "b"]).unwrap();
        assert_eq!((found.line, found.text.as_str()), (4, "x"));
        assert_eq!(found.attribute("k"), Some("v"));
        assert_eq!(project.everything().len(), 3);
    }

    #[test]
    fn what_is_no_xml_is_told_with_its_line() {
        let error = Element::parse("<a>\n<b>\n</a>").unwrap_err();
        assert_eq!(error.line, Some(3));
        assert!(error.message.starts_with("is not valid XML: "), "{error:?}");
        let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        assert!(Element::parse(&deep).is_err());
        let bomb = "<!DOCTYPE a [<!ENTITY x \"aaaaaaaaaa\"><!ENTITY y \"&x;&x;&x;\">]><a>&y;</a>";
        assert!(Element::parse(bomb).is_err());
    }
}
