//! Why a request has no closure.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::atom::Atom;
use super::index::{Index, Package};
use super::suggest;
use super::version::Version;

const LISTED_VERSIONS: usize = 8;

/// A request that cannot be satisfied, with every reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Unsatisfiable {
    /// The reasons, sorted by the name in question.
    pub problems: Vec<Problem>,
}

/// One reason why a request cannot be satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No package has or provides the name.
    Missing {
        /// The name.
        name: String,
        /// Who asks for it.
        demands: Vec<Demand>,
        /// Near names, best first.
        suggestions: Vec<String>,
    },
    /// The name is only provided, by packages of which none may be chosen by itself.
    Virtual {
        /// The name.
        name: String,
        /// Who asks for it.
        demands: Vec<Demand>,
        /// The packages that provide it, by name.
        providers: Vec<String>,
    },
    /// No version satisfies a demand.
    Version {
        /// The name.
        name: String,
        /// Who asks for it, and how; each of them cannot be met.
        demands: Vec<Demand>,
        /// The versions under that name, newest first.
        available: Vec<Version>,
    },
    /// Each demand can be met, not all of them together.
    Contradiction {
        /// The name.
        name: String,
        /// All demands on the name.
        demands: Vec<Demand>,
        /// The versions that could meet some of them, newest first, with what speaks against each.
        candidates: Vec<Rejected>,
    },
    /// A package of the request excludes another one (`!`).
    Conflict {
        /// Who excludes it, and how.
        demand: Demand,
        /// The excluded package, with its version.
        package: String,
        /// Who asks for it.
        wanted: Vec<Demand>,
    },
    /// Two packages of the request provide the same name, which only one may.
    Clash {
        /// The name.
        name: String,
        /// The packages with their versions, and who asks for each.
        packages: Vec<(String, Vec<Demand>)>,
    },
    /// A package of the request has a record in the index that cannot be used.
    Unusable {
        /// The package with its version.
        package: String,
        /// The part that is wrong.
        text: String,
    },
}

/// A demand, and who makes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    /// The packages from the request down to the one that makes the demand; empty if it is the request itself.
    pub path: Vec<String>,
    /// What is demanded, as an atom.
    pub atom: String,
}

/// A version that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The package with its version.
    pub package: String,
    /// The demands that it breaks.
    pub breaks: Vec<Demand>,
    /// Its own dependencies that the rest of the request does not meet.
    pub lacks: Vec<String>,
}

/// Checks that `packages` satisfy `world` and each other, whatever chose them.
pub(super) fn explain(
    index: &Index,
    world: &[Atom],
    packages: &BTreeMap<&str, &Package>,
) -> Result<(), Unsatisfiable> {
    let scene = Scene::new(index, world, packages);
    let mut problems = scene.unmet();
    problems.extend(scene.conflicts());
    problems.extend(scene.clashes());
    problems.extend(scene.unusable());
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Unsatisfiable { problems })
    }
}

struct Scene<'a> {
    index: &'a Index,
    packages: &'a BTreeMap<&'a str, &'a Package>,
    /// Every demand with the package that makes it, the request's first.
    demands: Vec<(Option<&'a Package>, &'a Atom)>,
    /// The names that a chosen package can be asked for as.
    provided: BTreeMap<&'a str, Vec<&'a Package>>,
    needed_by: BTreeMap<&'a str, Option<&'a str>>,
}

impl<'a> Scene<'a> {
    fn new(
        index: &'a Index,
        world: &'a [Atom],
        packages: &'a BTreeMap<&'a str, &'a Package>,
    ) -> Self {
        let mut provided: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
        for package in packages.values() {
            let names = package.provides.iter().map(|provide| provide.name.as_str());
            for name in std::iter::once(package.name.as_str()).chain(names) {
                let list = provided.entry(name).or_default();
                if list.last().is_none_or(|last| last.name != package.name) {
                    list.push(package);
                }
            }
        }
        let from_request = world.iter().map(|atom| (None, atom));
        let from_packages = packages
            .values()
            .flat_map(|package| package.depends.iter().map(|atom| (Some(*package), atom)));
        let demands = from_request.chain(from_packages).collect();
        let needed_by = needed_by(world, packages, &provided);
        Self {
            index,
            packages,
            demands,
            provided,
            needed_by,
        }
    }

    fn provided(&self, name: &str) -> &[&'a Package] {
        self.provided.get(name).map_or(&[], Vec::as_slice)
    }

    fn is_met(&self, atom: &Atom) -> bool {
        let mut packages = self.provided(&atom.name).iter();
        packages.any(|package| is_match(atom, package))
    }

    fn unmet(&self) -> Vec<Problem> {
        let mut unmet: BTreeMap<&str, Vec<(Option<&Package>, &Atom)>> = BTreeMap::new();
        for (by, atom) in &self.demands {
            if !atom.conflict && !self.is_met(atom) {
                unmet.entry(&atom.name).or_default().push((*by, atom));
            }
        }
        unmet
            .into_iter()
            .flat_map(|(name, demands)| self.explain_name(name, &demands))
            .collect()
    }

    fn explain_name(&self, name: &str, unmet: &[(Option<&'a Package>, &'a Atom)]) -> Vec<Problem> {
        let candidates: Vec<&Package> = self.index.providers(name).collect();
        let name = name.to_owned();
        if candidates.is_empty() {
            return vec![Problem::Missing {
                demands: self.demands_of(unmet),
                suggestions: suggest::near(self.index, &name),
                name,
            }];
        }
        let (possible, impossible): (Vec<_>, Vec<_>) = unmet
            .iter()
            .partition(|(_, atom)| candidates.iter().any(|package| is_match(atom, package)));
        let mut problems = Vec::new();
        if !impossible.is_empty() {
            problems.push(self.version(&name, &impossible, &candidates));
        }
        if possible.is_empty() {
            return problems;
        }
        let is_virtual = candidates
            .iter()
            .all(|package| package.version_as(&name).is_none() && package.provider_priority <= 0);
        problems.push(if is_virtual {
            let mut providers: Vec<String> = candidates
                .iter()
                .map(|package| package.name.clone())
                .collect();
            providers.sort();
            providers.dedup();
            let demands = self.demands_of(&possible);
            Problem::Virtual {
                name,
                demands,
                providers,
            }
        } else {
            self.contradiction(&name, &candidates)
        });
        problems
    }

    fn version(
        &self,
        name: &str,
        demands: &[(Option<&Package>, &Atom)],
        candidates: &[&Package],
    ) -> Problem {
        let mut available: Vec<Version> = candidates
            .iter()
            .filter_map(|package| package.version_as(name).cloned())
            .collect();
        available.sort_by(|left, right| right.cmp(left));
        available.dedup();
        Problem::Version {
            name: name.to_owned(),
            demands: self.demands_of(demands),
            available,
        }
    }

    fn contradiction(&self, name: &str, candidates: &[&Package]) -> Problem {
        let demands: Vec<(Option<&Package>, &Atom)> = self
            .demands
            .iter()
            .filter(|(_, atom)| atom.name == name)
            .copied()
            .collect();
        let mut candidates: Vec<&Package> = candidates
            .iter()
            .filter(|package| {
                demands
                    .iter()
                    .any(|(_, atom)| !atom.conflict && is_match(atom, package))
            })
            .copied()
            .collect();
        candidates.sort_by(|left, right| {
            let by_version = right.version.cmp(&left.version);
            left.name.cmp(&right.name).then(by_version)
        });
        Problem::Contradiction {
            name: name.to_owned(),
            demands: self.demands_of(&demands),
            candidates: candidates
                .into_iter()
                .take(LISTED_VERSIONS)
                .map(|package| self.reject(package))
                .collect(),
        }
    }

    // What speaks against a package, given the rest of what was chosen.
    fn reject(&self, package: &Package) -> Rejected {
        let others = |by: Option<&Package>| by.is_none_or(|by| by.name != package.name);
        let breaks: Vec<(Option<&Package>, &Atom)> = self
            .demands
            .iter()
            .filter(|(by, atom)| {
                let names = std::iter::once(package.name.as_str())
                    .chain(package.provides.iter().map(|provide| provide.name.as_str()));
                let is_meant = names.into_iter().any(|name| name == atom.name);
                others(*by) && is_meant && is_match(atom, package) == atom.conflict
            })
            .copied()
            .collect();
        let lacks = package
            .depends
            .iter()
            .filter(|atom| {
                let is_own = is_match(atom, package) && package.version_as(&atom.name).is_some();
                !is_own && self.is_met(atom) == atom.conflict
            })
            .map(ToString::to_string)
            .collect();
        Rejected {
            package: title(package),
            breaks: self.demands_of(&breaks),
            lacks,
        }
    }

    fn conflicts(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (by, atom) in self.demands.iter().filter(|(_, atom)| atom.conflict) {
            for package in self.provided(&atom.name) {
                let is_self = by.is_some_and(|by| by.name == package.name);
                if !is_self && is_match(atom, package) {
                    problems.push(Problem::Conflict {
                        demand: self.demand(*by, atom),
                        package: title(package),
                        wanted: self.wanted(package),
                    });
                }
            }
        }
        problems
    }

    fn clashes(&self) -> Vec<Problem> {
        let mut clashes: BTreeMap<Vec<&str>, &str> = BTreeMap::new();
        for (name, packages) in &self.provided {
            let is_exclusive = |package: &&&Package| package.version_as(name).is_some();
            if packages.len() > 1 && packages.iter().any(|package| is_exclusive(&package)) {
                let members: Vec<&str> = packages.iter().map(|p| p.name.as_str()).collect();
                clashes.entry(members).or_insert(name); // one name says it
            }
        }
        clashes
            .into_iter()
            .map(|(members, name)| Problem::Clash {
                name: name.to_owned(),
                packages: members
                    .iter()
                    .map(|member| {
                        let package = self.packages[*member];
                        (title(package), self.wanted(package))
                    })
                    .collect(),
            })
            .collect()
    }

    fn unusable(&self) -> Vec<Problem> {
        self.packages
            .values()
            .filter(|package| !package.is_installable())
            .map(|package| Problem::Unusable {
                package: title(package),
                text: package
                    .unreadable
                    .clone()
                    .unwrap_or_else(|| package.version.to_string()),
            })
            .collect()
    }

    // Every demand that the package meets.
    fn wanted(&self, package: &Package) -> Vec<Demand> {
        let demands: Vec<(Option<&Package>, &Atom)> = self
            .demands
            .iter()
            .filter(|(by, atom)| {
                let is_self = by.is_some_and(|by| by.name == package.name);
                let is_met = self
                    .provided(&atom.name)
                    .iter()
                    .any(|provider| provider.name == package.name);
                !is_self && !atom.conflict && is_met && is_match(atom, package)
            })
            .copied()
            .collect();
        self.demands_of(&demands)
    }

    fn demands_of(&self, demands: &[(Option<&Package>, &Atom)]) -> Vec<Demand> {
        demands
            .iter()
            .map(|(by, atom)| self.demand(*by, atom))
            .collect()
    }

    fn demand(&self, by: Option<&Package>, atom: &Atom) -> Demand {
        let mut path = Vec::new();
        let mut name = by.map(|by| by.name.as_str());
        while let Some(package) = name.and_then(|name| self.packages.get(name)) {
            path.push(title(package));
            name = self.needed_by.get(package.name.as_str()).copied().flatten();
        }
        path.reverse();
        Demand {
            path,
            atom: atom.to_string(),
        }
    }
}

// For every package the one that needs it on the shortest way from the request; none for those of the request.
fn needed_by<'a>(
    world: &'a [Atom],
    packages: &BTreeMap<&'a str, &'a Package>,
    provided: &BTreeMap<&'a str, Vec<&'a Package>>,
) -> BTreeMap<&'a str, Option<&'a str>> {
    let mut needed_by: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut queue: VecDeque<(Option<&str>, &Atom)> =
        world.iter().map(|atom| (None, atom)).collect();
    while let Some((by, atom)) = queue.pop_front() {
        let candidates = provided.get(atom.name.as_str()).into_iter().flatten();
        for candidate in candidates.filter(|_| !atom.conflict) {
            let package = packages[candidate.name.as_str()];
            let name = package.name.as_str();
            if let Entry::Vacant(entry) = needed_by.entry(name) {
                entry.insert(by);
                queue.extend(package.depends.iter().map(|atom| (Some(name), atom)));
            }
        }
    }
    needed_by
}

// Whether the package, under the name of the atom, satisfies its constraint.
fn is_match(atom: &Atom, package: &Package) -> bool {
    atom.matches(package.version_as(&atom.name), &package.identity)
}

fn title(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

impl fmt::Display for Unsatisfiable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, demands, .. } => {
                write!(f, "no package has or provides `{name}`{}", Asked(demands))
            }
            Self::Virtual {
                name,
                demands,
                providers,
            } => write!(
                f,
                "`{name}` is only provided by {}, of which none is chosen by itself{}",
                Names(providers),
                Asked(demands)
            ),
            Self::Version {
                demands, available, ..
            } => {
                let atoms: Vec<String> = demands.iter().map(|demand| demand.atom.clone()).collect();
                write!(
                    f,
                    "no version satisfies {}{}; there {}",
                    Names(&atoms),
                    Asked(demands),
                    Versions(available)
                )
            }
            Self::Contradiction {
                name,
                demands,
                candidates,
            } => {
                write!(
                    f,
                    "no version of `{name}` fits everything{}",
                    Asked(demands)
                )?;
                candidates
                    .iter()
                    .try_for_each(|candidate| write!(f, "\n  {candidate}"))
            }
            Self::Conflict {
                demand,
                package,
                wanted,
            } => write!(f, "{demand} excludes `{package}`{}", Asked(wanted)),
            Self::Clash { name, packages } => {
                write!(f, "only one package may provide `{name}`:")?;
                packages.iter().try_for_each(|(package, demands)| {
                    write!(f, "\n  `{package}`{}", Asked(demands))
                })
            }
            Self::Unusable { package, text } => {
                write!(
                    f,
                    "the index describes `{package}` with the unreadable `{text}`"
                )
            }
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.last() {
            None => write!(f, "the request (`{}`)", self.atom),
            Some(package) => write!(f, "`{package}` (`{}`)", self.atom),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.package)?;
        let mut separator = " ";
        if !self.breaks.is_empty() {
            f.write_str(" breaks ")?;
            list(f, &self.breaks)?;
            separator = " and ";
        }
        if !self.lacks.is_empty() {
            write!(f, "{separator}lacks {}", Names(&self.lacks))?;
        }
        Ok(())
    }
}

struct Asked<'a>(&'a [Demand]);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        f.write_str(", asked for by ")?;
        list(f, self.0)
    }
}

struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<String> = self.0.iter().map(|name| format!("`{name}`")).collect();
        list(f, &quoted)
    }
}

struct Versions<'a>(&'a [Version]);

impl fmt::Display for Versions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("is none with a version"),
            [one] => write!(f, "is {one}"),
            many => {
                f.write_str("are ")?;
                list(f, many)
            }
        }
    }
}

// At most `LISTED_VERSIONS` entries, and how many more there are.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, entries: &[T]) -> fmt::Result {
    for (number, entry) in entries.iter().take(LISTED_VERSIONS).enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        write!(f, "{separator}{entry}")?;
    }
    match entries.len().saturating_sub(LISTED_VERSIONS) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
