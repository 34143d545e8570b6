//! From a request to the packages that must be installed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::atom::Atom;
use super::index::{Index, NameId, Package};
use super::solver::{Provider, Solver, compare, is_met, is_selectable};
use super::unsatisfiable::{Unsatisfiable, explain};

/// The package whose links make `/bin`, `/lib` and the like one with `/usr`; it is always unpacked first.
const MERGE_PACKAGE: &str = "wolfi-baselayout";

/// The packages of a request, in the order in which they are installed.
#[derive(Clone, Debug)]
pub struct Closure<'a> {
    members: Vec<Member<'a>>,
}

/// A package of a closure, and why it is there.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The package.
    pub package: &'a Package,
    /// Why it is there.
    pub reason: Reason,
}

/// Why a package is in a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request asks for it by this atom.
    Requested(Atom),
    /// Another package of the closure, the nearest to the request, needs it.
    Needed {
        /// The name of that package.
        by: String,
        /// Its dependency.
        through: Atom,
    },
}

/// Chooses the packages that satisfy every atom of `world` and their dependencies, as apk 2.14 chooses them.
///
/// The same index and request give the same closure, whatever the order of the request.
///
/// # Errors
///
/// Lists everything that cannot be satisfied.
pub fn resolve<'a>(index: &'a Index, world: &[Atom]) -> Result<Closure<'a>, Unsatisfiable> {
    let mut world = world.to_vec();
    world.sort_by_cached_key(|atom| (atom.name.clone(), atom.to_string()));
    world.dedup();
    let chosen = choose(index, &world);
    let packages: BTreeMap<&str, &Package> = chosen
        .reached
        .iter()
        .map(|reached| (reached.package.name.as_str(), reached.package))
        .collect();
    explain(index, &world, &packages)?;
    let reasons: BTreeMap<&str, &Reason> = chosen
        .reached
        .iter()
        .map(|reached| (reached.package.name.as_str(), &reached.reason))
        .collect();
    let members = in_order(&packages, &chosen.providers)
        .into_iter()
        .map(|package| Member {
            package,
            reason: reasons[package.name.as_str()].clone(),
        })
        .collect();
    Ok(Closure { members })
}

/// What apk would choose for `atom` under the name `id`, were nothing else asked for.
pub(super) fn preferred<'a>(index: &'a Index, id: NameId, atom: &Atom) -> Option<&'a Package> {
    let mut best: Option<Provider<'_>> = None;
    for id in index.provider_ids(id) {
        let package = index.package(id);
        let version = package.version_as(&atom.name);
        let provider = Provider {
            id,
            package,
            version,
        };
        let fits =
            package.is_installable() && is_met(atom, Some(provider)) && is_selectable(&provider);
        if fits && best.is_none_or(|best| compare(&provider, &best).is_gt()) {
            best = Some(provider);
        }
    }
    best.map(|best| best.package)
}

struct Chosen<'a> {
    /// Nearest to the request first.
    reached: Vec<Member<'a>>,
    /// The name of the chosen package per demanded name.
    providers: BTreeMap<String, &'a str>,
}

fn choose<'a>(index: &'a Index, world: &[Atom]) -> Chosen<'a> {
    let mut chosen = Chosen {
        reached: Vec::new(),
        providers: BTreeMap::new(),
    };
    let mut solver = Solver::new(index);
    solver.run(world);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut queue: VecDeque<(Reason, Atom)> = world
        .iter()
        .map(|atom| (Reason::Requested(atom.clone()), atom.clone()))
        .collect();
    while let Some((reason, atom)) = queue.pop_front() {
        if atom.conflict {
            continue;
        }
        let Some(provider) = solver.chosen(&atom.name) else {
            continue;
        };
        let package = provider.package;
        chosen.providers.insert(atom.name, &package.name);
        if !seen.insert(&package.name) {
            continue;
        }
        for through in &package.depends {
            let reason = Reason::Needed {
                by: package.name.clone(),
                through: through.clone(),
            };
            queue.push_back((reason, through.clone()));
        }
        chosen.reached.push(Member { package, reason });
    }
    chosen
}

// Dependencies before dependents, otherwise by name; a cycle is entered at its first name.
fn in_order<'a>(
    packages: &BTreeMap<&str, &'a Package>,
    providers: &BTreeMap<String, &'a str>,
) -> Vec<&'a Package> {
    let mut order: Vec<&Package> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    if let Some(package) = packages.get(MERGE_PACKAGE) {
        seen.insert(MERGE_PACKAGE);
        order.push(package);
    }
    for (name, package) in packages {
        let mut stack = vec![(*package, needs(package, providers))];
        if !seen.insert(name) {
            continue;
        }
        while let Some((package, needs_left)) = stack.last_mut() {
            let Some(next) = needs_left.pop() else {
                order.push(package);
                stack.pop();
                continue;
            };
            if let Some((name, package)) = packages.get_key_value(next)
                && seen.insert(name)
            {
                stack.push((*package, needs(package, providers)));
            }
        }
    }
    order
}

// The names of the packages that `package` needs, last name first.
fn needs<'a>(package: &Package, providers: &BTreeMap<String, &'a str>) -> Vec<&'a str> {
    let needs: BTreeSet<&str> = package
        .depends
        .iter()
        .filter(|atom| !atom.conflict)
        .filter_map(|atom| providers.get(&atom.name).copied())
        .collect();
    needs.into_iter().rev().collect()
}

impl<'a> Closure<'a> {
    /// The packages in the order of their installation: wolfi-baselayout, then dependencies before dependents,
    /// otherwise by name.
    #[must_use]
    pub fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// The packages alone, in the same order.
    pub fn packages(&self) -> impl Iterator<Item = &'a Package> {
        self.members.iter().map(|member| member.package)
    }

    /// The package of this real name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Package> {
        self.packages().find(|package| package.name == name)
    }

    /// The packages from the request down to `name`, each needing the next; empty if `name` is not in the closure.
    #[must_use]
    pub fn path(&self, name: &str) -> Vec<&'a Package> {
        let mut path = Vec::new();
        let mut name = name.to_owned();
        while let Some(member) = self
            .members
            .iter()
            .find(|member| member.package.name == name)
        {
            path.push(member.package);
            match &member.reason {
                Reason::Needed { by, .. } if path.len() <= self.members.len() => name = by.clone(),
                _ => break,
            }
        }
        path.reverse();
        path
    }
}
