//! Dependency atoms: a name with what its version must be.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::identity::Identity;
use super::version::Version;

/// A demand on a package or on a provided name: `nodejs-24`, `glibc>=2.43-r15`, `!musl`, `so:libz.so.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Atom {
    /// The name that is demanded, real or provided.
    pub name: String,
    /// Whether the demand is that nothing matches (`!`).
    pub conflict: bool,
    /// What the version must be.
    pub constraint: Constraint,
}

/// What an [`Atom`] asks of a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// Any version, also none.
    Any,
    /// A version in this relation to the given one.
    Version(Relation, Version),
    /// Exactly the package of this identity (`><`).
    Identity(Identity),
}

/// How a version must compare with the one in the atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `=`, also written `==`
    Equal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `~`, also written `~=` and `=~`: the given version is a leading part
    Prefix,
}

/// A name that a package provides beside its own, with a version if the provider is exclusive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provide {
    /// The provided name.
    pub name: String,
    /// The version under that name; without one, several providers may be installed together.
    pub version: Option<Version>,
}

/// A text that is no atom.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseAtomError {
    /// The name is empty or has a character that no package name has.
    #[error("`{atom}` does not begin with a package name")]
    Name {
        /// The text.
        atom: String,
    },
    /// The name has a repository tag, which only apk's own configuration gives a meaning.
    #[error("`{atom}` names a repository tag")]
    Tag {
        /// The text.
        atom: String,
    },
    /// The operator is none of apk's.
    #[error("`{atom}` has an unknown operator `{operator}`")]
    Operator {
        /// The text.
        atom: String,
        /// What stands between name and version.
        operator: String,
    },
    /// What follows the operator is no version.
    #[error("`{atom}` has `{version}` where a version is expected")]
    Version {
        /// The text.
        atom: String,
        /// What follows the operator.
        version: String,
    },
}

impl Atom {
    /// Any version of `name`.
    #[must_use]
    pub fn any(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            conflict: false,
            constraint: Constraint::Any,
        }
    }

    /// Whether a provider of the name satisfies the constraint: its version under that name (`None` for an
    /// unversioned provide), and its identity. A conflict (`!`) is not considered here.
    #[must_use]
    pub fn matches(&self, version: Option<&Version>, identity: &Identity) -> bool {
        match &self.constraint {
            Constraint::Any => true,
            Constraint::Identity(wanted) => wanted.is_known() && wanted == identity,
            Constraint::Version(relation, wanted) => {
                version.is_some_and(|version| relation.holds(version, wanted))
            }
        }
    }

    /// Reads an atom of an index, which may hold versions that apk's grammar lacks.
    pub(super) fn parse_lenient(text: &str) -> Result<Self, ParseAtomError> {
        let (conflict, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let split = rest.find(['<', '>', '=', '~']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(split);
        if name.contains('@') {
            let atom = text.to_owned();
            return Err(ParseAtomError::Tag { atom });
        }
        if !is_name(name) {
            let atom = text.to_owned();
            return Err(ParseAtomError::Name { atom });
        }
        Ok(Self {
            name: name.to_owned(),
            conflict,
            constraint: Constraint::parse(rest, text)?,
        })
    }
}

impl Constraint {
    fn parse(text: &str, atom: &str) -> Result<Self, ParseAtomError> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        let end = text
            .find(|c| !matches!(c, '<' | '>' | '=' | '~'))
            .unwrap_or(text.len());
        let (operator, version) = text.split_at(end);
        let relation = match operator {
            "=" | "==" => Relation::Equal,
            "<" => Relation::Less,
            "<=" => Relation::AtMost,
            ">" => Relation::Greater,
            ">=" => Relation::AtLeast,
            "~" | "~=" | "=~" => Relation::Prefix,
            "><" => {
                let invalid = |_| ParseAtomError::Version {
                    atom: atom.to_owned(),
                    version: version.to_owned(),
                };
                return version.parse().map(Self::Identity).map_err(invalid);
            }
            _ => {
                return Err(ParseAtomError::Operator {
                    atom: atom.to_owned(),
                    operator: operator.to_owned(),
                });
            }
        };
        if version.is_empty() {
            return Err(ParseAtomError::Version {
                atom: atom.to_owned(),
                version: String::new(),
            });
        }
        Ok(Self::Version(relation, Version::new(version)))
    }
}

impl Relation {
    fn holds(self, version: &Version, wanted: &Version) -> bool {
        if !(version.is_valid() && wanted.is_valid()) {
            return self == Self::Equal && version == wanted;
        }
        let order = version.compare(wanted);
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::Less => order == Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
            Self::Greater => order == Ordering::Greater,
            Self::AtLeast => order != Ordering::Less,
            Self::Prefix => version.starts_with(wanted),
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Prefix => "~",
        }
    }
}

impl FromStr for Atom {
    type Err = ParseAtomError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let atom = Self::parse_lenient(text)?;
        match &atom.constraint {
            Constraint::Version(_, version) if !version.is_valid() => {
                Err(ParseAtomError::Version {
                    atom: text.to_owned(),
                    version: version.to_string(),
                })
            }
            _ => Ok(atom),
        }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.conflict { "!" } else { "" };
        write!(f, "{sign}{}", self.name)?;
        match &self.constraint {
            Constraint::Any => Ok(()),
            Constraint::Version(relation, version) => write!(f, "{}{version}", relation.sign()),
            Constraint::Identity(identity) => write!(f, "><{identity}"),
        }
    }
}

impl Provide {
    /// Reads one entry of the field `p:`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let version = version.map(|version| version.trim_start_matches('='));
        if !is_name(name) || version.is_some_and(str::is_empty) {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            version: version.map(Version::new),
        })
    }
}

/// Whether `text` can be a real or provided name. Provided names may hold a path (`cmd:`, `pc:`, Python's
/// extras in brackets), so only what would break a line, an atom or a terminal is refused.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'=' | b'~' | b'!' | b'@')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(atom: &str, version: &str) -> bool {
        let atom: Atom = atom.parse().unwrap();
        atom.matches(Some(&Version::new(version)), &Identity::default())
    }

    #[test]
    fn every_operator_compares_as_apk_does() {
        let cases = [
            ("foo", "1.2.4-r0", true),
            ("foo=1.2.3-r0", "1.2.3-r0", true),
            ("foo==1.2.3-r0", "1.2.3-r0", true),
            ("foo=1.2.3", "1.2.3-r0", false),
            ("foo~1.2.3", "1.2.3-r0", true),
            ("foo~=1.2", "1.2.4-r0", true),
            ("foo=~1.2", "1.3-r0", false),
            ("foo<1.2.4", "1.2.3-r0", true),
            ("foo<1.2.4", "1.2.4-r0", false),
            ("foo<=1.2.4-r0", "1.2.4-r0", true),
            ("foo>1.2.4", "1.2.4-r0", true),
            ("foo>=1.2.4", "1.2.3-r9", false),
        ];
        for (atom, version, expected) in cases {
            assert_eq!(matches(atom, version), expected, "{atom} {version}");
        }
    }

    #[test]
    fn an_unversioned_provide_meets_only_a_bare_name() {
        let identity = Identity::default();
        assert!("foo".parse::<Atom>().unwrap().matches(None, &identity));
        assert!(!"foo>0".parse::<Atom>().unwrap().matches(None, &identity));
    }

    #[test]
    fn an_identity_is_met_by_that_package_only() {
        let text = "foo><Q14rMw23N1pjIQ+K64F3WtmO8K5VY=";
        let atom: Atom = text.parse().unwrap();
        let identity: Identity = "Q14rMw23N1pjIQ+K64F3WtmO8K5VY=".parse().unwrap();
        assert!(atom.matches(None, &identity));
        assert!(!atom.matches(None, &Identity::default()));
        assert_eq!(atom.to_string(), text);
    }

    #[test]
    fn the_zero_identity_is_met_by_nothing() {
        let text = format!("foo><{}", Identity::default());
        let atom: Atom = text.parse().unwrap();
        assert!(!atom.matches(None, &Identity::default()));
    }

    #[test]
    fn what_apk_refuses_is_refused_with_the_reason() {
        let cases = [
            ("foo=", "`foo=` has `` where a version is expected"),
            (
                "foo=1.2.3-4",
                "`foo=1.2.3-4` has `1.2.3-4` where a version is expected",
            ),
            ("foo><Q1", "`foo><Q1` has `Q1` where a version is expected"),
            ("foo@edge", "`foo@edge` names a repository tag"),
            ("foo<~1", "`foo<~1` has an unknown operator `<~`"),
            ("", "`` does not begin with a package name"),
            ("=1", "`=1` does not begin with a package name"),
            ("foo bar", "`foo bar` does not begin with a package name"),
            ("!!foo", "`!!foo` does not begin with a package name"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Atom>().unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_name_may_hold_what_generated_names_hold() {
        let names = [
            "so:libc.so.6",
            "cmd:node",
            "pc:openssl",
            "g++",
            "py3.13-backports.tarfile",
        ];
        for name in names {
            assert_eq!(name.parse::<Atom>().unwrap().name, name);
        }
    }
}
